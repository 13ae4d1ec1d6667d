/*
 * writer.c — turns the engine's chunks of up to 2048 rows into batches of the dataset.
 *
 * A chunk is appended whole where it is likely to fit; a batch is sealed before a chunk that is not. If
 * it turns out too large the builder is cut back and the chunk goes in halves, down to a single row,
 * which makes a batch of its own whatever its size. Rows that are slow to come are not held back until
 * a batch is full.
 *
 * Runs on query threads and on the engine's own threads, one at a time. Owns the builder.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/dictionary_encoder.h"
#include "base/checked.h"
#include "base/clock.h"
#include "engine/duckdb/state.h"

/* Below it a guess at the size of the whole result is worth nothing: progress counts row groups from
 * their start. */
#define ESTIMATE_FROM_BYTES ((size_t)32 << 20)

/* Rows are given out at least this often. */
#define BATCH_AGE_MAX_NS (250 * NANOSECONDS_PER_MILLISECOND)
/* A batch's columns should fit one block of the pool, rounding and all. */
#define BLOCK_SLACK_BYTES ((size_t)96 << 10)
#define BATCH_ROWS_MAX ((size_t)65536)
/* Each column's dictionary may have its part of a message, and this much in any case. */
#define DICTIONARY_BYTES_MIN ((size_t)64 << 10)

void result_writer_init(struct result_writer *writer, struct engine_statement *statement,
                        struct dataset *dataset)
{
    const struct engine *engine = statement->session->engine;
    size_t bytes_max = statement->options.message_bytes_max;
    if (!bytes_max)
        bytes_max = engine->batch_bytes_max;
    if (bytes_max <= BUFFER_POOL_BLOCK_BYTES)
        bytes_max = size_min(bytes_max, BUFFER_POOL_BLOCK_BYTES - BLOCK_SLACK_BYTES);
    *writer = (struct result_writer){
        .plan = &statement->plan,
        .dataset = dataset,
        .connection = statement->connection,
        .interrupted = &statement->interrupted,
        .rows_max = engine->batch_rows_max ? engine->batch_rows_max : BATCH_ROWS_MAX,
        .bytes_max = bytes_max,
        .rows_left = statement->options.row_limit ? statement->options.row_limit : UINT64_MAX,
        .error = ERROR_NONE,
    };
    struct builder_limits limits = {.rows_max = writer->rows_max, .bytes_max = bytes_max};
    const struct result_plan *plan = &statement->plan;
    writer->builder = batch_builder_create(plan->built, engine->pool, &limits);
    if (plan->schema != plan->built)
        writer->encoder = dictionary_encoder_create(
            plan->built, plan->schema, engine->pool,
            size_max(bytes_max / plan->column_count, DICTIONARY_BYTES_MIN));
}

void result_writer_finish(struct result_writer *writer)
{
    batch_builder_destroy(writer->builder);
    dictionary_encoder_destroy(writer->encoder);
    *writer = (struct result_writer){0};
}

static bool writer_fail(struct result_writer *writer, enum status status)
{
    writer->status = status;
    return false;
}

/* Tells the dataset how large it will become, once the engine knows how far it is: a result that will
 * not be kept shall not fill memory first. */
static void writer_estimate(struct result_writer *writer)
{
    if (writer->bytes < ESTIMATE_FROM_BYTES)
        return;
    double percentage = duckdb_query_progress(writer->connection->handle).percentage;
    if (percentage > 0)
        dataset_expect(writer->dataset, (size_t)((double)writer->bytes * 100 / percentage));
}

static bool writer_seal(struct result_writer *writer)
{
    int64_t rows = (int64_t)batch_builder_rows(writer->builder);
    if (rows == 0)
        return true;
    struct arrow_batch *batch = batch_builder_seal(writer->builder);
    if (writer->encoder)
        batch = dictionary_encoder_encode(writer->encoder, batch);
    writer->bytes += batch->body_bytes;
    atomic_fetch_add(&writer->connection->chunks, 1); /* odd: it may wait for its reader */
    enum status status = dataset_append(writer->dataset, batch, &writer->error);
    atomic_fetch_add(&writer->connection->chunks, 1);
    if (status != STATUS_OK)
        return writer_fail(writer, status);
    writer->rows += rows;
    writer_estimate(writer);
    return true;
}

/* What `rows` more rows will need, by the rows that are there. */
static bool writer_expects_fit(const struct result_writer *writer, size_t rows)
{
    size_t have = batch_builder_rows(writer->builder);
    if (have == 0)
        return true;
    size_t bytes = batch_builder_bytes(writer->builder);
    return have + rows <= writer->rows_max && bytes + bytes / have * rows <= writer->bytes_max;
}

/* Copies rows into the builder; *out_fits is false, and the builder as before, when they are too many. */
static bool writer_copy(struct result_writer *writer, duckdb_data_chunk chunk, size_t first,
                        size_t count, bool *out_fits)
{
    size_t before = batch_builder_rows(writer->builder);
    struct column_copy copy = {.bytes_max = count > 1 ? writer->bytes_max * 2 : INT32_MAX,
                               .error = &writer->error};
    for (size_t i = 0; i < writer->plan->column_count && !copy.overflow; i++) {
        const struct column_plan *plan = &writer->plan->columns[i];
        enum status status = plan->copy(plan, duckdb_data_chunk_get_vector(chunk, i), first, count,
                                        batch_builder_column(writer->builder, i), &copy);
        if (status != STATUS_OK)
            return writer_fail(writer, status);
    }
    *out_fits = !copy.overflow && (batch_builder_bytes(writer->builder) <= writer->bytes_max ||
                                   (before == 0 && count == 1));
    if (!*out_fits)
        batch_builder_truncate(writer->builder, before);
    return true;
}

static bool writer_refuse_row(struct result_writer *writer)
{
    return writer_fail(writer, error_set(&writer->error, STATUS_RESOURCE_EXHAUSTED,
                                         "a row of the result has a value of 2 GiB or more, which "
                                         "no column of text or lists takes"));
}

static bool writer_add_rows(struct result_writer *writer, duckdb_data_chunk chunk, size_t first,
                            size_t count)
{
    while (count) {
        size_t step = size_min(count, writer->rows_max);
        if (!writer_expects_fit(writer, step) && !writer_seal(writer))
            return false;
        bool fits = false;
        while (!fits) {
            if (!writer_copy(writer, chunk, first, step, &fits))
                return false;
            if (fits)
                break;
            if (batch_builder_rows(writer->builder) > 0) {
                if (!writer_seal(writer))
                    return false;
            } else if (step == 1) {
                return writer_refuse_row(writer);
            } else {
                step /= 2;
            }
        }
        first += step;
        count -= step;
    }
    return true;
}

static bool writer_is_stopped(struct result_writer *writer)
{
    if (!atomic_load_explicit(writer->interrupted, memory_order_relaxed))
        return false;
    writer->status = error_set_code(&writer->error, STATUS_CANCELLED, "QUERY_CANCELLED",
                                    "the statement was cancelled");
    return true;
}

bool result_writer_add(struct result_writer *writer, duckdb_data_chunk chunk)
{
    size_t count = duckdb_data_chunk_get_size(chunk);
    if (writer->status != STATUS_OK || writer_is_stopped(writer))
        return false;
    if (count > writer->rows_left)
        count = (size_t)writer->rows_left;
    if (count == 0)
        return true;
    writer->rows_left -= count;
    uint64_t now_ns = clock_now_ns();
    if (batch_builder_rows(writer->builder) == 0)
        writer->first_row_ns = now_ns;
    if (!writer_add_rows(writer, chunk, 0, count))
        return false;
    if (now_ns - writer->first_row_ns < BATCH_AGE_MAX_NS && !batch_builder_is_full(writer->builder))
        return true;
    writer->first_row_ns = now_ns;
    return writer_seal(writer);
}

bool result_writer_end(struct result_writer *writer)
{
    return writer->status == STATUS_OK && writer_seal(writer);
}
