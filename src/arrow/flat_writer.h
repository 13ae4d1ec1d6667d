/*
 * flat_writer.h — writes FlatBuffers forwards: a table first, what it points to after it.
 *
 * Private to the module. A table is laid out with all its slots at once (flat_writer_table); scalars
 * are then set in place and references are pointed at what is written next (flat_writer_point) or at
 * a known position. Positions are byte offsets from the buffer's start.
 *
 * Threads: one at a time. Source: FlatBuffers binary format.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#define FLAT_SLOTS_MAX 8

struct flat_writer {
    struct buf bytes;
};

/* Reserves the root reference; the first table written is the root. */
void flat_writer_init(struct flat_writer *writer);
void flat_writer_finish(struct flat_writer *writer);
CLEANUP_IN_PLACE(struct flat_writer, flat_writer_finish)

/* Writes a vtable and its zeroed table; slot_sizes[i] is 0 (absent), 1, 2, 4 (also references) or 8.
 * Returns the table's position. */
size_t flat_writer_table(struct flat_writer *writer, const uint8_t *slot_sizes, size_t slot_count);
/* Sets the scalar of `size` bytes in a slot of a table. */
void flat_writer_set(struct flat_writer *writer, size_t table, size_t slot, size_t size,
                     int64_t value);
/* Makes the reference in a slot refer to what is written next, a string or vector. */
void flat_writer_point(struct flat_writer *writer, size_t table, size_t slot);
/* Makes the reference in a slot refer to a table that stands after it. */
void flat_writer_point_table(struct flat_writer *writer, size_t table, size_t slot, size_t target);
void flat_writer_string(struct flat_writer *writer, struct str text);
/* Writes a vector of `count` references, all zero; returns the position of the first, to be given to
 * flat_writer_point_element. */
size_t flat_writer_references(struct flat_writer *writer, size_t count);
void flat_writer_point_element(struct flat_writer *writer, size_t first, size_t index,
                               size_t target);
void flat_writer_int32s(struct flat_writer *writer, const int32_t *values, size_t count);
/* Writes a vector of `count` structs of `size` bytes (8-aligned) and makes the reference in a slot refer
 * to it. */
void flat_writer_point_structs(struct flat_writer *writer, size_t table, size_t slot,
                               const void *structs, size_t size, size_t count);
/* Pads to a multiple of 8, at the end of a message. */
void flat_writer_pad(struct flat_writer *writer);
