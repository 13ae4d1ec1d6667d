/*
 * part_stream.c — picks columns, passes over rows, stops at a limit and cuts batches that are too large.
 *
 * A reader of the store gives whole batches. A batch is first reduced to the wanted columns, then its
 * rows are handed out in one piece or several: as many rows as fit the bound if all were equally long,
 * and half as many again and again where they are not. Everything goes by reference but the bits and
 * offsets of cut batches.
 *
 * Runs on: one thread at a time, without blocking but for what part_stream_skip passes over. Owns: the
 * reader and the batch being cut. Leaves out: messages (the doors). SPDX-License-Identifier: Apache-2.0
 */
#include "store/part_stream.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

#define NAME_SHOWN_BYTES 128

void dataset_part_finish(struct dataset_part *part)
{
    free(part->columns);
    *part = DATASET_PART_WHOLE;
}

static bool has_column(const struct dataset_part *part, size_t column)
{
    for (size_t i = 0; i < part->column_count; i++) {
        if (part->columns[i] == column)
            return true;
    }
    return false;
}

enum status dataset_part_set_columns(struct dataset_part *part, const struct arrow_schema *schema,
                                     const struct str *names, size_t count, struct error *error)
{
    if (!names)
        return STATUS_OK;
    if (count > schema->field_count)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%zu columns are asked for, and the dataset has %zu", count,
                         schema->field_count);
    part->columns = NEW_ARRAY(size_t, count);
    for (size_t i = 0; i < count; i++) {
        size_t column;
        TRY(arrow_schema_find(schema, names[i], &column, error));
        if (has_column(part, column))
            return error_set(error, STATUS_INVALID_ARGUMENT, "column '%.*s' is asked for twice",
                             STR_ARGS(str_slice(names[i], 0, NAME_SHOWN_BYTES)));
        part->columns[part->column_count++] = column;
    }
    return STATUS_OK;
}

enum status dataset_part_schema(const struct dataset_part *part, struct arrow_schema *schema,
                                struct arrow_schema **out_schema, struct error *error)
{
    for (size_t i = 0; i < part->column_count; i++) {
        if (part->columns[i] >= schema->field_count)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "column %zu is asked for, and the dataset has %zu", part->columns[i],
                             schema->field_count);
    }
    *out_schema = part->columns ? arrow_schema_project(schema, part->columns, part->column_count)
                                : arrow_schema_ref(schema);
    return STATUS_OK;
}

enum status part_stream_open(struct part_stream *stream, struct dataset *dataset,
                             struct dataset_part *part, size_t body_bytes_max, struct loop *loop,
                             struct loop_task *wake, struct error *error)
{
    stream->part = *part;
    *part = DATASET_PART_WHOLE;
    stream->body_bytes_max = body_bytes_max;
    TRY(dataset_part_schema(&stream->part, dataset_schema(dataset), &stream->schema, error));
    TRY(dataset_reader_open(dataset, stream->part.first_batch, loop, wake, &stream->reader, error));
    dataset_reader_shed_pages(stream->reader);
    if (stream->part.stride > 1)
        dataset_reader_deal(stream->reader, stream->part.stride);
    if (stream->part.end_batch != SIZE_MAX)
        dataset_reader_end_at(stream->reader, stream->part.end_batch);
    return STATUS_OK;
}

void part_stream_finish(struct part_stream *stream)
{
    dataset_reader_close(STEAL(stream->reader));
    arrow_batch_unref(STEAL(stream->cutting));
    arrow_schema_unref(STEAL(stream->schema));
    dataset_part_finish(&stream->part);
}

/* --- rows ----------------------------------------------------------------------------------- */

/* Begins to hand out a batch: its reference is taken over. Without a row to hand out it is gone at once. */
static void begin_batch(struct part_stream *stream, struct arrow_batch *batch)
{
    uint64_t rows = (uint64_t)batch->rows;
    uint64_t passed = rows < stream->part.from ? rows : stream->part.from;
    stream->part.from -= passed;
    if (passed == rows && (rows > 0 || stream->part.from > 0)) {
        arrow_batch_unref(batch);
        return;
    }
    stream->cut_row = (int64_t)passed;
    stream->cutting = batch;
    if (!stream->part.columns)
        return;
    stream->cutting =
        arrow_batch_project(batch, stream->schema, stream->part.columns, stream->part.column_count);
    arrow_batch_unref(batch);
}

/* Takes batches from the reader until there is one to hand out. */
static enum status fetch(struct part_stream *stream, enum dataset_step *out_step,
                         struct error *error)
{
    *out_step = DATASET_BATCH;
    while (!stream->cutting) {
        struct arrow_batch *batch = NULL;
        stream->part.from -= dataset_reader_skip(stream->reader, stream->part.from);
        TRY(dataset_reader_next(stream->reader, out_step, &batch, error));
        if (*out_step != DATASET_BATCH)
            return STATUS_OK;
        begin_batch(stream, batch);
    }
    return STATUS_OK;
}

enum status part_stream_skip(struct part_stream *stream, struct error *error)
{
    enum dataset_step step;
    return stream->part.from > 0 ? fetch(stream, &step, error) : STATUS_OK;
}

/* How many rows fit the bound if all are equally long. */
static int64_t rows_that_fit(const struct part_stream *stream)
{
    const struct arrow_batch *batch = stream->cutting;
    if (stream->body_bytes_max == 0 || batch->body_bytes <= stream->body_bytes_max ||
        batch->rows <= 1)
        return batch->rows;
    size_t pieces = (batch->body_bytes + stream->body_bytes_max - 1) / stream->body_bytes_max;
    int64_t rows = (int64_t)((size_t)batch->rows / pieces);
    return rows > 0 ? rows : 1;
}

/* The next piece of the batch being cut. */
static struct arrow_batch *cut(const struct part_stream *stream)
{
    struct arrow_batch *batch = stream->cutting;
    int64_t rows = batch->rows - stream->cut_row;
    if ((uint64_t)rows > stream->part.limit)
        rows = (int64_t)stream->part.limit;
    int64_t fitting = rows_that_fit(stream);
    if (rows > fitting)
        rows = fitting;
    if (rows == batch->rows)
        return arrow_batch_ref(batch);
    struct arrow_batch *piece = arrow_batch_slice(batch, stream->cut_row, rows);
    while (stream->body_bytes_max > 0 && piece->body_bytes > stream->body_bytes_max && rows > 1) {
        rows /= 2;
        arrow_batch_unref(piece);
        piece = arrow_batch_slice(batch, stream->cut_row, rows);
    }
    return piece;
}

enum status part_stream_next(struct part_stream *stream, enum dataset_step *out_step,
                             struct arrow_batch **out_batch, struct error *error)
{
    *out_step = DATASET_END;
    if (stream->part.limit == 0)
        return STATUS_OK;
    TRY(fetch(stream, out_step, error));
    if (*out_step != DATASET_BATCH)
        return STATUS_OK;
    struct arrow_batch *piece = cut(stream);
    stream->cut_row += piece->rows;
    if (stream->part.limit != UINT64_MAX)
        stream->part.limit -= (uint64_t)piece->rows;
    if (stream->cut_row == stream->cutting->rows)
        arrow_batch_unref(STEAL(stream->cutting));
    *out_batch = piece;
    return STATUS_OK;
}
