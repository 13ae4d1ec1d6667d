/*
 * journal_reading.h — one dataset of the folder while it is read: its index, then its batches.
 *
 * Private to the store's recovery. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "store/journal_private.h"

/* One dataset while it is read. */
struct reading {
    struct journal *journal;
    uint8_t *index;
    size_t index_size;
    size_t at;                 /* in the index */
    uint64_t file_bytes;       /* of the .arrows file, that the last commit covers */
    int64_t renewed_us;        /* wall time of the commit whose life counts */
    struct body_place *places; /* of the batches, by position */
    size_t place_count;
    size_t place_capacity;
    struct journal_found found;
};

/* --- journal_index.c --------------------------------------------------------------------------- */

/* DATA_LOSS: the files are not what was written. */
enum status journal_damaged(struct error *error, const char *what);
/* False when there are fewer. */
bool journal_read_bytes(int fd, uint8_t *bytes, size_t size);
MUST_CHECK enum status journal_read_whole(int fd, uint8_t **out_bytes, size_t *out_size,
                                          struct error *error);
/* The head and the records up to the first that is torn or wrong; the last commit counts. */
MUST_CHECK enum status journal_read_index(struct reading *reading, struct error *error);

/* --- journal_batches.c ------------------------------------------------------------------------- */

/* The batches that the index has, checked and validated. */
MUST_CHECK enum status journal_read_batches(struct reading *reading, struct error *error);
