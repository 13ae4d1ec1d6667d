/*
 * tsv_to_csv.h — the lines of PostgreSQL's COPY as CSV, byte by byte.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tsv_place {
    TSV_FIELD_BEGIN,
    TSV_FIELD_BEGIN_ESCAPE, /* behind a backslash that the field begins with */
    TSV_FIELD_NULL,         /* behind \N */
    TSV_FIELD,
    TSV_FIELD_ESCAPE,
};

/* Zeroed: at the beginning of a file. */
struct tsv_to_csv {
    enum tsv_place place;
    bool has_return; /* a carriage return that may be the first half of a line's end */
    bool has_line;   /* something stands in the last line */
};

/* What a byte may become, taken together with what it was waited for. */
#define TSV_TO_CSV_GROWTH 4

/* Writes at most TSV_TO_CSV_GROWTH bytes for each of `size`; returns how many. `out` may overlap `in` as long
 * as it is not overtaken. */
size_t tsv_to_csv_convert(struct tsv_to_csv *state, const uint8_t *in, size_t size, uint8_t *out);
/* The end of the file: at most TSV_TO_CSV_GROWTH bytes. */
size_t tsv_to_csv_end(struct tsv_to_csv *state, uint8_t *out);
