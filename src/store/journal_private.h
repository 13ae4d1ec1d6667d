/*
 * journal_private.h — the journal as its writer and its reader share it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "event/lock.h"
#include "store/journal.h"
#include "store/journal_format.h"

struct journal {
    char *folder;
    char *batches_path;
    char *index_path;
    struct body_file *batches;
    enum dataset_durability durability;
    struct lock lock;           /* guards what follows */
    int index_fd;               /* -1 between writes */
    uint64_t index_bytes;       /* up to the end of what counts */
    struct arrow_schema *sent;  /* whose dictionaries the file has behind its last batch */
    struct body_place *pending; /* of the batches that no commit covers yet */
    size_t pending_count;
    size_t pending_capacity;
    size_t committed_count; /* batches */
    int64_t committed_rows;
    int64_t last_us;        /* at_us of the last commit; 0: none yet */
    int64_t published_us;   /* wall time of the first commit; 0: none yet */
    bool replaces;          /* said that commit */
    uint64_t renewal_count; /* commits without batches since the last one with */
    bool has_name;          /* the files' names are on disk */
    bool is_broken;         /* a sync failed */
};

/* No files yet. */
struct journal *journal_new(const char *folder, const char *name);
/* Gives the descriptors up until the next write. */
void journal_rest(struct journal *journal);
uint32_t journal_record_checksum(const struct journal_record *record);
