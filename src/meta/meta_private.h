/*
 * meta_private.h — the registry's own state, for its files only. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/list.h"
#include "event/lock.h"
#include "event/thread.h"
#include "meta/connection.h"
#include "meta/meta.h"

#define META_PAGE_BYTES ((size_t)4096)

struct meta_files_stretch;

enum change_kind {
    CHANGE_JOB,
    CHANGE_BLOB,
    CHANGE_JOB_AND_BLOB,
    CHANGE_BLOB_REMOVE,
    CHANGE_FILES,
    CHANGE_NOTHING, /* waits until what was before it is done */
};

/* What the writer is to do. One that is waited for lies on the waiting thread's stack and points to the
 * caller's texts; any other is on the heap with copies. */
struct change {
    struct list link; /* meta.locked.queue */
    enum change_kind kind;
    const struct job_record *record;
    struct str key;
    struct str bytes;
    int64_t expires_us;
    struct meta_files_stretch *files;
    size_t size_bytes;  /* that it holds while it waits */
    enum status status; /* of the writer's last try */
    struct error error;
    struct condition *done; /* NULL: nobody waits */
    bool is_done;           /* with the lock */
    struct job_record copy; /* of one on the heap, with its texts in the arena */
    struct arena arena;
};

struct meta {
    struct meta_options options;
    char *path;                /* CONNECTION_MEMORY for none */
    bool in_memory;            /* all calls share the writer's connection, with memory_lock */
    int lock_fd;               /* -1: none */
    struct connection *writer; /* the writer thread's */
    struct lock memory_lock;
    struct thread *thread;
    int wal_pages; /* the writer thread's, as of its last commit */
    struct {
        struct lock lock;
        struct condition wake; /* the writer: something to do */
        struct condition room; /* a queue that was full is not */
        struct list queue;     /* change.link */
        size_t queued;
        size_t queued_bytes;
        size_t waiting;    /* of the queued ones, those that somebody waits for */
        int64_t sweep_us;  /* 0: nothing to sweep */
        uint64_t retry_ns; /* no try before it unless somebody waits; 0: at once */
        bool stopping;
        bool works;
        uint64_t commits, changes, dropped, swept;
        size_t wal_bytes;
    } locked;
    struct {
        struct lock lock;
        struct condition given;
        struct list idle; /* connection.link */
        unsigned open;
    } readers;
};

/* --- readers (readers.c) --- */
/* A connection for one read; waits for one. */
MUST_CHECK enum status reader_take(struct meta *meta, struct connection **out_connection,
                                   struct error *error);
void reader_give(struct meta *meta, struct connection *connection);
void readers_close(struct meta *meta);

/* --- the writer (writer.c, change.c, upkeep.c) --- */
void writer_run(void *meta);
/* Hands a change to the writer and waits for it; its status. */
MUST_CHECK enum status writer_wait(struct meta *meta, struct change *change, struct error *error);
/* Hands over one on the heap; blocks while too much waits. */
void writer_later(struct meta *meta, struct change *change);
void change_destroy(struct change *change);
/* Makes the change in the open transaction; undoes its part of it if it fails. */
MUST_CHECK enum status change_make(struct connection *connection, const struct change *change,
                                   struct error *error);
/* files.c: the same for a stretch of files, within the change's savepoint. */
MUST_CHECK enum status files_make(struct connection *connection, struct meta_files_stretch *stretch,
                                  struct error *error);
/* One step of the sweep; how many rows went. */
MUST_CHECK enum status upkeep_sweep(struct meta *meta, int64_t now_us, uint64_t *out_removed,
                                    struct error *error);
/* Moves the log into the file when it has grown. */
void upkeep_checkpoint(struct meta *meta);

/* --- the lock between servers (file_lock.c) --- */
MUST_CHECK enum status file_lock_take(const char *path, int *out_fd, struct error *error);
