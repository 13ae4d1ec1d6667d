/*
 * scan_filter.h — which rows of a batch a statement's WHERE rules out, as far as its hint says.
 * Private to engine/duckdb. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/dataset_filter.h"
#include "engine/duckdb/scan.h"

struct scan_term;

struct scan_filter {
    struct scan_term *terms; /* in the arena */
    size_t count;
};

/* The terms about columns of these names and plans whose types can be looked at. */
void scan_filter_make(struct arena *arena, const struct dataset_filter *filter,
                      const struct scan_plan *plans, const char *const *names, size_t count,
                      struct scan_filter *out_filter);
/* False when none of the rows fits. */
bool scan_filter_takes(const struct scan_filter *filter, const struct arrow_column *columns,
                       int64_t first, size_t count);
