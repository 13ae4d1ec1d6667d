/*
 * run_query.h — a query that a test waits for. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/query_state.h"

/* Starts it, waits until it is over and nobody is told of it any more, and returns its outcome. */
static inline enum status run_query(struct query *query, struct error *error)
{
    int64_t rows;
    TRY(query_start(query, NULL, NULL, error));
    lock_take(&query->locked.lock);
    while (!query_state_is_over(query->locked.state) || query->locked.is_posting)
        condition_wait(&query->locked.changed, &query->locked.lock);
    lock_give(&query->locked.lock);
    return query_outcome(query, &rows, error);
}
