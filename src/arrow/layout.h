/*
 * layout.h — which buffers a column of each type has, in the order of the IPC format.
 *
 * Private to the module. Everything that walks the flattened nodes and buffers of a batch (encode,
 * decode, validate, slice, column, builder) asks this one table.
 *
 * Source: Arrow Columnar.rst, "Buffer Listing for Each Layout" (metadata version V5).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/schema.h"

enum arrow_role {
    ARROW_ROLE_VALIDITY,      /* bits, 1 = valid */
    ARROW_ROLE_FIXED,         /* arrow_field_width bytes a value */
    ARROW_ROLE_BITS,          /* values of BOOL */
    ARROW_ROLE_OFFSETS,       /* int32, one more than values */
    ARROW_ROLE_LARGE_OFFSETS, /* int64, one more than values */
    ARROW_ROLE_BYTES,         /* of text and binary */
    ARROW_ROLE_TYPE_IDS,      /* int8, of unions */
    ARROW_ROLE_UNION_OFFSETS, /* int32, of dense unions */
    ARROW_ROLE_VIEWS,         /* ARROW_VIEW_BYTES a value */
    ARROW_ROLE_VIEW_BYTES,    /* what long views refer to */
    ARROW_ROLE_STARTS,        /* int32, one per value of a list view */
    ARROW_ROLE_LARGE_STARTS,  /* int64 */
    ARROW_ROLE_SIZES,         /* int32, one per value of a list view */
    ARROW_ROLE_LARGE_SIZES,   /* int64 */
};

#define ARROW_LAYOUT_BUFFERS_MAX 3
#define ARROW_VIEW_BYTES 16

struct arrow_layout {
    uint8_t count;
    uint8_t roles[ARROW_LAYOUT_BUFFERS_MAX]; /* enum arrow_role */
};

/* The buffers of a field itself, without its children's. */
const struct arrow_layout *arrow_field_layout(const struct arrow_field *field);

/* The zeros that stand for absent padding and for the offsets of an empty column. */
#define ARROW_ZEROS_SIZE 64
extern const uint8_t arrow_zeros[ARROW_ZEROS_SIZE];
