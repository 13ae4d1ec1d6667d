/*
 * body_file.h — a file of record batches as IPC messages, written once, read through mappings.
 *
 * A temporary one has no name: it is where batches go that memory has no room for, and a crash leaves
 * nothing of it. What is no longer used of it is given back to the disk at once. A named one is a
 * dataset's own Arrow IPC stream; between writes it need not hold a descriptor. Batches are appended by
 * any number of threads, each at a place of its own; a batch on file can be had as a batch whose buffers
 * are a mapping of it. Batches that stand near each other share one mapping.
 *
 * Threads: append and map any; create, open, rest and cut one. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "arrow/batch.h"
#include "base/cleanup.h"
#include "base/metric.h"
#include "event/lock.h"

/* How much may be on disk, and what is; shared by all files of a store. */
struct disk_budget {
    size_t bytes_max;
    unsigned free_percent_min; /* of the file system: less is never left */
    atomic_size_t bytes;
    struct metric *metric; /* a gauge of `bytes`; may be NULL */
};

/* Smaller bodies stay in memory: a mapping costs about as much. */
#define BODY_FILE_MAPPED_BYTES_MIN ((size_t)16 << 10)

struct body_window;

/* Refcounted: its maker and each mapped batch hold one. The last one closes it and gives its charge back. */
struct body_file {
    atomic_int references;
    int fd; /* -1: it rests */
    bool is_temporary;
    struct disk_budget *budget;
    atomic_uint_fast64_t size;
    atomic_size_t charged;
    struct {
        struct lock lock;
        struct body_window *window; /* the mapping made last; NULL: none yet */
    } locked;
};

/* Where a batch stands in a file. */
struct body_place {
    uint64_t offset;         /* of its encapsulated message */
    uint32_t metadata_bytes; /* up to the body */
    uint32_t checksum;       /* CRC32C of the whole message */
    uint64_t body_bytes;
    int64_t rows;
};

/* A file without a name in `folder`. Errors tell the folder and what the system says. */
MUST_CHECK enum status body_file_open_temporary(const char *folder, struct disk_budget *budget,
                                                struct body_file **out_file, struct error *error);
/* A new file of that name, or the present one (whose size is charged). */
MUST_CHECK enum status body_file_open(const char *path, bool is_new, struct disk_budget *budget,
                                      struct body_file **out_file, struct error *error);
struct body_file *body_file_ref(struct body_file *file);
void body_file_unref(struct body_file *file);
CLEANUP_FUNCTION(struct body_file *, body_file_unref)

/* Gives the descriptor of a named file up, until body_file_wake: what is mapped stays. */
void body_file_rest(struct body_file *file);
MUST_CHECK enum status body_file_wake(struct body_file *file, const char *path,
                                      struct error *error);

void body_window_unref(struct body_window *window);

/* Charges bytes on disk that belong to the file without being in it; given back with the file. */
MUST_CHECK enum status body_file_charge(struct body_file *file, size_t bytes, struct error *error);
/* Appends messages that are no batches (schema, dictionaries), which are used up. */
MUST_CHECK enum status body_file_append_messages(struct body_file *file, struct slices *messages,
                                                 struct error *error);
/* Appends a batch. RESOURCE_EXHAUSTED when the disk or its budget is full, naming what to change; the
 * file is then as long as it was as far as its readers know. Blocks. */
MUST_CHECK enum status body_file_append(struct body_file *file, const struct arrow_batch *batch,
                                        struct body_place *out_place, struct error *error);
/* What stands there is not needed any more; in temporary files, where `size` is body_file_place_bytes. */
void body_file_give_place(struct body_file *file, uint64_t offset, size_t size);
/* What a message of that size takes. */
size_t body_file_place_bytes(const struct body_file *file, size_t bytes);
/* The batch at a place as a mapping; NULL when the system has no room for one more mapping. `batch` is
 * the one that was written there. In a temporary file its place is free again when the mapping goes; also
 * where there is none. */
struct arrow_batch *body_file_map(struct body_file *file, const struct body_place *place,
                                  const struct arrow_batch *batch);
/* A mapping of `size` bytes from `offset` on, as a buffer that tells no size; NULL as above. */
struct buffer *body_file_map_bytes(struct body_file *file, uint64_t offset, size_t size);
/* Compares a batch from a file with its checksum, the first time; true for all others. It may have to
 * wait for the disk. */
bool body_file_check(const struct arrow_batch *batch);
/* Has the system read a batch that is a mapping, without waiting for it; does nothing for another one. */
void body_file_prefetch(const struct arrow_batch *batch);
/* Takes the pages of a batch on disk out of the process's memory; whoever still reads them gets them from the
 * system's again. */
void body_file_forget_pages(const struct arrow_batch *batch);
/* Forgets what was appended behind `size`; nobody else appends meanwhile. */
void body_file_cut(struct body_file *file, uint64_t size);
/* How long a file was and what it was charged, so that what came since can be forgotten. */
struct body_mark {
    uint64_t size;
    size_t charged;
};
struct body_mark body_file_mark(struct body_file *file);
/* As body_file_cut, and gives back whatever was charged since. */
void body_file_restore(struct body_file *file, const struct body_mark *mark);
/* Has everything written reach the disk (fdatasync). An error is final: what was written since the last
 * success may be lost. */
MUST_CHECK enum status body_file_sync(const struct body_file *file, struct error *error);
