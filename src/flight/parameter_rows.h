/*
 * parameter_rows.h — rows that a client binds to the parameters of a prepared statement.
 *
 * Immutable once they are all there: a handle keeps them, and executions that run at once read them together.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/cleanup.h"

#include <stdatomic.h>

/* What one client may bind at once, and what the handles of a session may keep together; a row counts for one
 * byte at least. */
#define PARAMETER_BYTES_MAX ((size_t)64 << 20)

struct parameter_rows {
    atomic_int references;
    struct arrow_schema *schema;
    struct arrow_batch **batches;
    size_t batch_count;
    size_t batch_capacity;
    int64_t rows;
    size_t bytes;
};

/* Of no rows yet; a reference to the schema is taken. */
struct parameter_rows *parameter_rows_create(struct arrow_schema *schema);
struct parameter_rows *parameter_rows_ref(struct parameter_rows *rows);
void parameter_rows_unref(struct parameter_rows *rows);
CLEANUP_FUNCTION(struct parameter_rows *, parameter_rows_unref)
/* Appends a batch, whose reference is taken over also on failure. RESOURCE_EXHAUSTED above
 * PARAMETER_BYTES_MAX. */
MUST_CHECK enum status parameter_rows_add(struct parameter_rows *rows, struct arrow_batch *batch,
                                          struct error *error);
