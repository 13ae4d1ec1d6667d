/*
 * part_stream.h — the part of a dataset that one client reads: some columns, some rows, in messages of
 * a bounded size.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/cleanup.h"
#include "store/store.h"

/* Rows are counted from the first one of batch `first_batch`. */
struct dataset_part {
    size_t *columns; /* indices; NULL: all */
    size_t column_count;
    size_t first_batch;
    size_t stride;    /* of so many stripes that in which first_batch lies; 0: all batches */
    size_t end_batch; /* SIZE_MAX: all that come */
    uint64_t from;
    uint64_t limit; /* UINT64_MAX: all */
};
#define DATASET_PART_WHOLE ((struct dataset_part){.end_batch = SIZE_MAX, .limit = UINT64_MAX})

/* Whether some rows are left out. */
static inline bool dataset_part_picks_rows(const struct dataset_part *part)
{
    return part->from > 0 || part->limit != UINT64_MAX;
}
void dataset_part_finish(struct dataset_part *part);
CLEANUP_IN_PLACE(struct dataset_part, dataset_part_finish)
/* Sets the part's columns by name. INVALID_ARGUMENT for a name that the schema does not have, or that is
 * given twice. */
MUST_CHECK enum status dataset_part_set_columns(struct dataset_part *part,
                                                const struct arrow_schema *schema,
                                                const struct str *names, size_t count,
                                                struct error *error);
/* The schema of the part, one reference. INVALID_ARGUMENT when the schema has fewer columns than it names. */
MUST_CHECK enum status dataset_part_schema(const struct dataset_part *part,
                                           struct arrow_schema *schema,
                                           struct arrow_schema **out_schema, struct error *error);

struct part_stream {
    struct dataset_part part;    /* `from` and `limit`: what is left of them */
    struct arrow_schema *schema; /* of what comes */
    struct dataset_reader *reader;
    size_t body_bytes_max; /* 0: batches stay as they are */
    struct arrow_batch
        *cutting; /* a batch whose rows from `cut_row` on are still to come, or NULL */
    int64_t cut_row;
};

/* Takes the part over. `loop` and `wake` as in dataset_reader_open. */
MUST_CHECK enum status part_stream_open(struct part_stream *stream, struct dataset *dataset,
                                        struct dataset_part *part, size_t body_bytes_max,
                                        struct loop *loop, struct loop_task *wake,
                                        struct error *error);
void part_stream_finish(struct part_stream *stream);
/* Passes over the batches before `from` that are there already. Takes a while where they are many. */
MUST_CHECK enum status part_stream_skip(struct part_stream *stream, struct error *error);
/* The next batch (one reference), or WAIT, or END. */
MUST_CHECK enum status part_stream_next(struct part_stream *stream, enum dataset_step *out_step,
                                        struct arrow_batch **out_batch, struct error *error);
