/*
 * flat_reader.h — reads FlatBuffers that nobody vouches for.
 *
 * Private to the module. Every reference, table, vector and string is checked against the bounds of the
 * buffer when it is followed. The first fault is remembered in the reader; from then on everything
 * reads as absent, so a parser looks at the fault once at the end of each table
 * (flat_reader_check). Tables are counted against a budget, since references may share them.
 *
 * Threads: one at a time. Source: FlatBuffers binary format. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct flat_reader {
    const uint8_t *bytes;
    size_t size;
    size_t tables_left;
    const char *fault; /* NULL: none so far */
};

/* An absent table has reader NULL; all its slots are absent. */
struct flat_table {
    struct flat_reader *reader;
    size_t position;
    size_t size;
    size_t vtable;
    size_t slot_count;
};

struct flat_vector {
    struct flat_reader *reader;
    size_t position; /* of the first element */
    size_t count;
};

/* `tables_max` bounds how many tables are visited. */
void flat_reader_init(struct flat_reader *reader, struct str bytes, size_t tables_max);
/* INVALID_ARGUMENT naming the fault, if there was one. */
MUST_CHECK enum status flat_reader_check(const struct flat_reader *reader, struct error *error);

struct flat_table flat_reader_root(struct flat_reader *reader);
static inline bool flat_table_is_present(const struct flat_table *table)
{
    return table->reader != NULL;
}
/* A scalar of 1 (unsigned), 2, 4 or 8 bytes (signed); `absent` where the slot is not there. */
int64_t flat_table_scalar(const struct flat_table *table, size_t slot, size_t size, int64_t absent);
struct flat_table flat_table_child(const struct flat_table *table, size_t slot);
/* False when absent; *out is then empty. */
bool flat_table_string(const struct flat_table *table, size_t slot, struct str *out);
bool flat_table_vector(const struct flat_table *table, size_t slot, size_t element_size,
                       struct flat_vector *out);
/* Element of a vector of references. */
struct flat_table flat_vector_table(const struct flat_vector *vector, size_t index);
/* An int64 or int32 at a byte position within the vector; the caller keeps to count * element_size. */
int64_t flat_vector_i64(const struct flat_vector *vector, size_t position);
int32_t flat_vector_i32(const struct flat_vector *vector, size_t position);
