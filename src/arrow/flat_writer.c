/*
 * flat_writer.c — writes FlatBuffers forwards.
 *
 * Fields of a table are placed by falling size, so that a table whose first field is 8-aligned needs
 * no holes. The vtable stands directly before its table; equal vtables are not shared. Runs on the
 * thread that seals a schema. Owns the bytes. Leaves out everything that Arrow's messages do not need
 * (structs of mixed sizes, unions as vectors, deduplication). Follows the FlatBuffers binary format.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/flat_writer.h"

#include <assert.h>

/* Schemas from outside are bounded by their metadata limit, far below this. */
#define FLAT_SIZE_MAX ((size_t)1 << 30)

static void put(struct flat_writer *writer, size_t position, const void *bytes, size_t size)
{
    assert(!writer->bytes.failed && position + size <= writer->bytes.len);
    memcpy(writer->bytes.ptr + position, bytes, size);
}

static void put_u16(struct flat_writer *writer, size_t position, size_t value)
{
    uint16_t small = (uint16_t)value;
    put(writer, position, &small, sizeof(small));
}

static void put_u32(struct flat_writer *writer, size_t position, size_t value)
{
    uint32_t small = (uint32_t)value;
    put(writer, position, &small, sizeof(small));
}

/* Pads until the end is `remainder` past a multiple of `alignment`. */
static void align_end(struct flat_writer *writer, size_t alignment, size_t remainder)
{
    buf_append_zeros(&writer->bytes, (remainder - writer->bytes.len) & (alignment - 1));
}

void flat_writer_init(struct flat_writer *writer)
{
    buf_init(&writer->bytes, FLAT_SIZE_MAX);
    buf_append_zeros(&writer->bytes, sizeof(uint32_t));
}

void flat_writer_finish(struct flat_writer *writer)
{
    buf_finish(&writer->bytes);
}

/* Writes the offsets of the slots of one size into the vtable; returns the table's new size. */
static size_t place_slots(struct flat_writer *writer, size_t vtable, const uint8_t *slot_sizes,
                          size_t slot_count, size_t wanted, size_t table_size)
{
    for (size_t i = 0; i < slot_count; i++) {
        if (slot_sizes[i] != wanted)
            continue;
        put_u16(writer, vtable + 4 + 2 * i, table_size);
        table_size += wanted;
    }
    return table_size;
}

size_t flat_writer_table(struct flat_writer *writer, const uint8_t *slot_sizes, size_t slot_count)
{
    assert(slot_count <= FLAT_SLOTS_MAX);
    size_t vtable_size = 4 + 2 * slot_count;
    bool is_root = writer->bytes.len == sizeof(uint32_t);
    align_end(writer, 2, 0);
    size_t vtable = writer->bytes.len;
    buf_append_zeros(&writer->bytes, vtable_size);
    align_end(writer, 8, 4);
    size_t table = writer->bytes.len;
    size_t table_size = sizeof(int32_t);
    for (size_t size = 8; size > 0; size /= 2)
        table_size = place_slots(writer, vtable, slot_sizes, slot_count, size, table_size);
    buf_append_zeros(&writer->bytes, table_size);
    align_end(writer, 4, 0);
    put_u16(writer, vtable, vtable_size);
    put_u16(writer, vtable + 2, table_size);
    put_u32(writer, table, table - vtable);
    if (is_root)
        put_u32(writer, 0, table);
    return table;
}

static size_t slot_position(const struct flat_writer *writer, size_t table, size_t slot)
{
    uint32_t back;
    uint16_t offset;
    memcpy(&back, writer->bytes.ptr + table, sizeof(back));
    memcpy(&offset, writer->bytes.ptr + table - back + 4 + 2 * slot, sizeof(offset));
    assert(offset != 0);
    return table + offset;
}

void flat_writer_set(struct flat_writer *writer, size_t table, size_t slot, size_t size,
                     int64_t value)
{
    put(writer, slot_position(writer, table, slot), &value, size);
}

void flat_writer_point(struct flat_writer *writer, size_t table, size_t slot)
{
    align_end(writer, 4, 0);
    size_t position = slot_position(writer, table, slot);
    put_u32(writer, position, writer->bytes.len - position);
}

void flat_writer_point_table(struct flat_writer *writer, size_t table, size_t slot, size_t target)
{
    size_t position = slot_position(writer, table, slot);
    put_u32(writer, position, target - position);
}

void flat_writer_string(struct flat_writer *writer, struct str text)
{
    uint32_t size = (uint32_t)text.len;
    buf_append(&writer->bytes, &size, sizeof(size));
    buf_append_str(&writer->bytes, text);
    buf_append_byte(&writer->bytes, 0);
}

size_t flat_writer_references(struct flat_writer *writer, size_t count)
{
    uint32_t small_count = (uint32_t)count;
    buf_append(&writer->bytes, &small_count, sizeof(small_count));
    size_t first = writer->bytes.len;
    buf_append_zeros(&writer->bytes, count * sizeof(uint32_t));
    return first;
}

void flat_writer_point_element(struct flat_writer *writer, size_t first, size_t index,
                               size_t target)
{
    size_t position = first + index * sizeof(uint32_t);
    put_u32(writer, position, target - position);
}

void flat_writer_int32s(struct flat_writer *writer, const int32_t *values, size_t count)
{
    uint32_t small_count = (uint32_t)count;
    buf_append(&writer->bytes, &small_count, sizeof(small_count));
    buf_append(&writer->bytes, values, count * sizeof(*values));
}

void flat_writer_point_structs(struct flat_writer *writer, size_t table, size_t slot,
                               const void *structs, size_t size, size_t count)
{
    uint32_t small_count = (uint32_t)count;
    align_end(writer, 8, 4);
    flat_writer_point(writer, table, slot);
    buf_append(&writer->bytes, &small_count, sizeof(small_count));
    buf_append(&writer->bytes, structs, size * count);
}

void flat_writer_pad(struct flat_writer *writer)
{
    align_end(writer, 8, 0);
}
