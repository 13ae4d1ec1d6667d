/*
 * input.h — a file or standard input to be put: what it is, and its batches if it is Arrow.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "cli/interrupt.h"

enum input_format {
    INPUT_ARROW, /* stream or file, told by content */
    INPUT_PARQUET,
    INPUT_CSV,
    INPUT_JSON,
    INPUT_NDJSON,
    INPUT_TSV,
    INPUT_FORMAT_UNKNOWN,
};

#define INPUT_READ_BYTES_MIN ((size_t)64)

struct input_options {
    enum input_format format; /* INPUT_FORMAT_UNKNOWN: told by content, then by name */
    bool is_unfinished;       /* a stream that was cut off counts up to its last whole batch */
    struct interrupt *interrupt;
};

struct input;

/* Opens a file, or "-". NOT_FOUND and its like for files that cannot be read, INVALID_ARGUMENT when nobody
 * can tell what is in it. */
MUST_CHECK enum status input_open(const char *name, const struct input_options *options,
                                  struct input **out_input, struct error *error);
void input_close(struct input *input);
CLEANUP_FUNCTION(struct input *, input_close)

const char *input_name(const struct input *input);
enum input_format input_format(const struct input *input);
/* 0: not known */
uint64_t input_size(const struct input *input);
/* Whether it can be read again from its beginning, by opening it again. */
bool input_is_repeatable(const struct input *input);

/* The next batch (one reference), or *out_end. Of an Arrow input. CANCELLED by Ctrl-C. */
MUST_CHECK enum status input_next(struct input *input, struct arrow_batch **out_batch,
                                  bool *out_end, struct error *error);
/* The schema, after input_next was called. Not a new reference. */
struct arrow_schema *input_schema(const struct input *input);

/* The next bytes, at least INPUT_READ_BYTES_MIN at a time, as they are, but for rows with tabs, which come as
 * CSV; 0 at the end. */
MUST_CHECK enum status input_read(struct input *input, uint8_t *bytes, size_t size,
                                  size_t *out_size, struct error *error);
