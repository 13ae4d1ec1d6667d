/*
 * layout.c — the table of column layouts.
 *
 * A field looks up its type; dictionary columns and dense unions are the two exceptions. A view column
 * has one buffer of bytes here; how many there are on the wire is the decoder's matter. Any thread. Owns
 * nothing.
 * Source: Arrow Columnar.rst, "Buffer Listing for Each Layout".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/layout.h"

#include <assert.h>

#define VALIDITY ARROW_ROLE_VALIDITY

static const struct arrow_layout layouts[] = {
    [ARROW_NULL] = {0},
    [ARROW_INT] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_FLOAT] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_BINARY] = {3, {VALIDITY, ARROW_ROLE_OFFSETS, ARROW_ROLE_BYTES}},
    [ARROW_UTF8] = {3, {VALIDITY, ARROW_ROLE_OFFSETS, ARROW_ROLE_BYTES}},
    [ARROW_BOOL] = {2, {VALIDITY, ARROW_ROLE_BITS}},
    [ARROW_DECIMAL] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_DATE] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_TIME] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_TIMESTAMP] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_INTERVAL] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_LIST] = {2, {VALIDITY, ARROW_ROLE_OFFSETS}},
    [ARROW_STRUCT] = {1, {VALIDITY}},
    [ARROW_UNION] = {1, {ARROW_ROLE_TYPE_IDS}},
    [ARROW_FIXED_BINARY] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_FIXED_LIST] = {1, {VALIDITY}},
    [ARROW_MAP] = {2, {VALIDITY, ARROW_ROLE_OFFSETS}},
    [ARROW_DURATION] = {2, {VALIDITY, ARROW_ROLE_FIXED}},
    [ARROW_LARGE_BINARY] = {3, {VALIDITY, ARROW_ROLE_LARGE_OFFSETS, ARROW_ROLE_BYTES}},
    [ARROW_LARGE_UTF8] = {3, {VALIDITY, ARROW_ROLE_LARGE_OFFSETS, ARROW_ROLE_BYTES}},
    [ARROW_LARGE_LIST] = {2, {VALIDITY, ARROW_ROLE_LARGE_OFFSETS}},
    [ARROW_RUN_END_ENCODED] = {0},
    [ARROW_BINARY_VIEW] = {3, {VALIDITY, ARROW_ROLE_VIEWS, ARROW_ROLE_VIEW_BYTES}},
    [ARROW_UTF8_VIEW] = {3, {VALIDITY, ARROW_ROLE_VIEWS, ARROW_ROLE_VIEW_BYTES}},
    [ARROW_LIST_VIEW] = {3, {VALIDITY, ARROW_ROLE_STARTS, ARROW_ROLE_SIZES}},
    [ARROW_LARGE_LIST_VIEW] = {3, {VALIDITY, ARROW_ROLE_LARGE_STARTS, ARROW_ROLE_LARGE_SIZES}},
};
static const struct arrow_layout dense_union_layout = {
    2, {ARROW_ROLE_TYPE_IDS, ARROW_ROLE_UNION_OFFSETS}};
static const struct arrow_layout dictionary_layout = {2, {VALIDITY, ARROW_ROLE_FIXED}};

_Alignas(64) const uint8_t arrow_zeros[ARROW_ZEROS_SIZE];

const struct arrow_layout *arrow_field_layout(const struct arrow_field *field)
{
    if (field->is_dictionary)
        return &dictionary_layout;
    if (field->type == ARROW_UNION && field->is_dense)
        return &dense_union_layout;
    assert(field->type >= ARROW_NULL && field->type < ARROW_TYPE_COUNT);
    return &layouts[field->type];
}
