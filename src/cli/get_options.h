/*
 * get_options.h — what `volley get` was asked for.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "cli/dataset.h"
#include "cli/options.h"
#include "cli/result.h"

struct get_options {
    struct server_options server;
    struct str name;
    struct str file; /* empty: standard output */
    const struct result_format *format;
    bool is_parquet; /* then there is no format of ours */
    struct str columns_text;
    struct str rows_text;
    uint64_t limit; /* UINT64_MAX: none */
    uint64_t parallel;
    uint64_t retries;
    bool resume;
    bool quiet;
};

extern const char *const get_format_names[];

/* Reads the arguments. INVALID_ARGUMENT telling what would be right. */
MUST_CHECK enum status get_options_read(struct get_options *options, struct arena *arena,
                                        char *const *arguments, size_t count, struct error *error);

/* The names between the commas; one in double quotes may have commas, and "" for a quote. Not of an empty
 * text. */
MUST_CHECK enum status get_columns_parse(struct arena *arena, struct str text,
                                         struct dataset_range *range, struct error *error);
/* "a-b" (both included, from 0 on), "a-", or "-n": the last n of `total` (-1: not known). An empty text is
 * all rows. */
MUST_CHECK enum status get_rows_parse(struct str text, int64_t total, struct dataset_range *range,
                                      struct error *error);
