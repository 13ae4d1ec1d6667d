/*
 * table_columns.c — the columns of the tables that GetTables lists, read into memory.
 *
 * One statement, as any client's: it takes a slot and can be stopped. The worker waits for it, so it waits
 * for a slot only so long. Owns the batches, which the texts point into.
 *
 * Runs on a worker. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/table_columns.h"

#include "arrow/column.h"
#include "base/clock.h"
#include "base/memory.h"

#define SLOT_WAIT_NS (10 * NANOSECONDS_PER_SECOND)

/* The columns behind the texts. */
enum { IS_NULLABLE = COLUMN_TEXT_COUNT, REMARKS, IS_AUTO_INCREMENT };

void table_columns_init(struct table_columns *columns)
{
    *columns = (struct table_columns){.batch_count = 0};
    arena_init(&columns->arena);
    map_init(&columns->types);
}

void table_columns_finish(struct table_columns *columns)
{
    for (size_t i = 0; i < columns->batch_count; i++)
        arrow_batch_unref(columns->batches[i]);
    map_finish(&columns->types);
    free(columns->rows);
    free(columns->type_texts);
    arena_finish(&columns->arena);
}

static size_t note_type(struct table_columns *columns, struct str type)
{
    uintptr_t known = (uintptr_t)map_get(&columns->types, type);
    if (known)
        return known - 1;
    if (columns->type_count == columns->type_capacity) {
        columns->type_capacity = columns->type_capacity * 2 + 16;
        columns->type_texts =
            memory_resize(columns->type_texts, columns->type_capacity, sizeof(struct str));
    }
    columns->type_texts[columns->type_count++] = type;
    (void)map_set(&columns->types, type, (void *)(uintptr_t)columns->type_count);
    return columns->type_count - 1;
}

static struct table_column *add_row(struct table_columns *columns)
{
    if (columns->row_count == columns->row_capacity) {
        columns->row_capacity = columns->row_capacity * 2 + 256;
        columns->rows =
            memory_resize(columns->rows, columns->row_capacity, sizeof(struct table_column));
    }
    return &columns->rows[columns->row_count++];
}

enum status table_columns_too_large(struct error *error)
{
    return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                     "the catalog is too large to list with schemas; filter by catalog, schema or "
                     "table");
}

static struct str text_at(const struct arrow_column *values, int64_t row)
{
    return arrow_column_is_null(values, row) ? STR_EMPTY : arrow_column_bytes(values, row);
}

static bool flag_at(const struct arrow_column *values, int64_t row)
{
    return !arrow_column_is_null(values, row) && ((values->values[row >> 3] >> (row & 7)) & 1) != 0;
}

static void read_row(struct table_columns *columns, const struct arrow_column *values, int64_t row)
{
    struct table_column *column = add_row(columns);
    *column = (struct table_column){.has_column = !arrow_column_is_null(&values[COLUMN_NAME], row)};
    for (size_t i = 0; i < COLUMN_TEXT_COUNT; i++)
        column->texts[i] = text_at(&values[i], row);
    column->is_nullable = flag_at(&values[IS_NULLABLE], row);
    column->remarks = text_at(&values[REMARKS], row);
    column->is_auto_increment = flag_at(&values[IS_AUTO_INCREMENT], row);
    if (column->has_column)
        column->type = note_type(columns, column->texts[COLUMN_TYPE]);
}

/* Takes the batch over. */
static enum status take_batch(struct table_columns *columns, struct arrow_batch *batch,
                              struct error *error)
{
    columns->bytes += batch->body_bytes;
    if (columns->batch_count == TABLE_COLUMN_BATCHES_MAX ||
        columns->bytes > TABLE_LISTING_BYTES_MAX) {
        arrow_batch_unref(batch);
        return table_columns_too_large(error);
    }
    columns->batches[columns->batch_count++] = batch;
    const struct arrow_column *values = arrow_columns_open(batch, &columns->arena);
    for (int64_t i = 0; i < batch->rows; i++)
        read_row(columns, values, i);
    return STATUS_OK;
}

static enum status wait_for_slot(struct query *query, struct dataset_reader *reader,
                                 struct error *error)
{
    dataset_reader_wait_until(reader, clock_now_ns() + SLOT_WAIT_NS);
    if (query_state(query) != QUERY_QUEUED)
        return STATUS_OK;
    return error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL",
                          "no slot for a statement came free within %d seconds; try again later",
                          (int)(SLOT_WAIT_NS / NANOSECONDS_PER_SECOND));
}

/* Takes the query over. */
static enum status read_query(struct flight_call *call, struct table_columns *columns,
                              struct query *query, struct error *error)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    TRY(dataset_reader_open(query_dataset(query), 0, NULL, NULL, &reader, error));
    TRY(flight_run(call, query, error));
    TRY(wait_for_slot(query, reader, error));
    enum dataset_step step = DATASET_WAIT;
    while (step != DATASET_END) {
        struct arrow_batch *batch = NULL;
        dataset_reader_wait(reader);
        TRY(dataset_reader_next(reader, &step, &batch, error));
        if (step == DATASET_BATCH)
            TRY(take_batch(columns, batch, error));
    }
    return STATUS_OK;
}

enum status table_columns_read(struct table_columns *columns, struct flight_call *call,
                               const Sql__CommandGetTables *command, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, LISTING_SQL_BYTES_MAX);
    tables_append_columns_sql(&sql, command);
    struct query *query;
    TRY(listing_prepare(call, &sql, 0, &query, error));
    return read_query(call, columns, query, error);
}
