/*
 * parameter_rows.c — batches of parameters, counted and bounded. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/parameter_rows.h"

#include "base/checked.h"
#include "base/memory.h"

struct parameter_rows *parameter_rows_create(struct arrow_schema *schema)
{
    struct parameter_rows *rows = NEW(struct parameter_rows);
    atomic_init(&rows->references, 1);
    rows->schema = arrow_schema_ref(schema);
    return rows;
}

struct parameter_rows *parameter_rows_ref(struct parameter_rows *rows)
{
    atomic_fetch_add(&rows->references, 1);
    return rows;
}

void parameter_rows_unref(struct parameter_rows *rows)
{
    if (!rows || atomic_fetch_sub(&rows->references, 1) > 1)
        return;
    for (size_t i = 0; i < rows->batch_count; i++)
        arrow_batch_unref(rows->batches[i]);
    free(rows->batches);
    arrow_schema_unref(rows->schema);
    free(rows);
}

enum status parameter_rows_add(struct parameter_rows *rows, struct arrow_batch *batch,
                               struct error *error)
{
    /* Rows of a column that is Null have no bytes, and the statement runs for each. */
    size_t bytes = size_max(batch->memory_bytes, (size_t)batch->rows);
    if (bytes > PARAMETER_BYTES_MAX - rows->bytes) {
        arrow_batch_unref(batch);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "more than %zu MiB of parameters were bound to one statement: bind them "
                         "in several parts, or ingest them",
                         PARAMETER_BYTES_MAX >> 20);
    }
    if (rows->batch_count == rows->batch_capacity) {
        rows->batch_capacity = rows->batch_capacity ? rows->batch_capacity * 2 : 4;
        rows->batches = memory_resize(rows->batches, rows->batch_capacity, sizeof(*rows->batches));
    }
    rows->batches[rows->batch_count++] = batch;
    rows->bytes += bytes;
    rows->rows += batch->rows;
    return STATUS_OK;
}
