/*
 * validate_private.h — what the files of the validator share. Private to the module.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/bits.h"
#include "arrow/validate.h"

/* INVALID_ARGUMENT "... column 'x' <what>". */
enum status validate_fault(const struct arrow_field *field, struct error *error, const char *what);

/* The validity bits of a column that has nulls; NULL otherwise. They are checked before everything else. */
const uint8_t *validate_validity(const struct validate_column *column);

static inline bool validate_is_valid(const uint8_t *validity, int64_t row)
{
    return !validity || bit_at(validity, row);
}

/* Cuts a buffer to `size` bytes; an empty one holds no reference. */
MUST_CHECK enum status validate_cut(struct validate_column *column, size_t index, size_t size,
                                    struct error *error);
/* Puts a copy in a buffer's place, for the caller to change. */
uint8_t *validate_copy(struct validate_column *column, size_t index);

/* One buffer each, by role; `index` is its place in column->buffers. */
enum status validate_fixed(struct validate_column *column, size_t index, struct error *error);
enum status validate_text(struct validate_column *column, size_t index, struct error *error);
enum status validate_views(struct validate_column *column, size_t index, struct error *error);
enum status validate_type_ids(struct validate_column *column, size_t index, struct error *error);
enum status validate_union_offsets(struct validate_column *column, size_t index,
                                   struct error *error);
enum status validate_starts(struct validate_column *column, size_t index, struct error *error);
