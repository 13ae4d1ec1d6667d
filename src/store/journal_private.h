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
    int index_fd;
    enum dataset_durability durability;
    struct lock lock; /* guards what follows */
    uint64_t index_bytes;
    struct body_place *places; /* of all batches, by position */
    size_t place_count;
    size_t place_capacity;
    size_t committed_count;
    int64_t committed_rows;
    bool has_name;  /* the files' names are on disk */
    bool is_broken; /* a sync failed */
};

/* No files yet; index_fd is -1. */
struct journal *journal_new(const char *folder, const char *name);
void journal_note_place(struct journal *journal, const struct body_place *place);
uint32_t journal_record_checksum(const struct journal_record *record);
