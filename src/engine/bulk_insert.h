/*
 * bulk_insert.h — INSERT .. VALUES over parameters as one statement over all their rows.
 * Any thread; no state. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/schema.h"
#include "base/buf.h"

/* Writes the statement that inserts for every row of batch('<input>') what `sql` inserts for one row of
 * parameters: parameter i has the values of column columns[i] of `rows`. False where that is not
 * beyond doubt; `out` then has a part of it. */
bool bulk_insert_write(struct str sql, const struct arrow_schema *parameters, const size_t *columns,
                       const struct arrow_schema *rows, struct str input, struct buf *out);
