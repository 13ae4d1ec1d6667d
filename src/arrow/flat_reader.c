/*
 * flat_reader.c — bounds-checked FlatBuffers.
 *
 * Positions are byte offsets from the start, so that "outside" is one comparison. Reads go through
 * memcpy: the sender need not have aligned anything. Any thread. Owns nothing. Leaves out alignment
 * rules and unions of strings. Follows the FlatBuffers binary format.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/flat_reader.h"

#define VTABLE_HEAD_BYTES 4
#define TABLE_HEAD_BYTES 4

void flat_reader_init(struct flat_reader *reader, struct str bytes, size_t tables_max)
{
    *reader = (struct flat_reader){
        .bytes = (const uint8_t *)bytes.ptr, .size = bytes.len, .tables_left = tables_max};
}

enum status flat_reader_check(const struct flat_reader *reader, struct error *error)
{
    if (!reader->fault)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow metadata is damaged: %s",
                     reader->fault);
}

/* True when [position, position + size) is inside; else remembers the fault. */
static bool inside(struct flat_reader *reader, size_t position, size_t size, const char *fault)
{
    if (reader->fault)
        return false;
    if (position <= reader->size && size <= reader->size - position)
        return true;
    reader->fault = fault;
    return false;
}

static bool fail(struct flat_reader *reader, const char *fault)
{
    if (!reader->fault)
        reader->fault = fault;
    return false;
}

static uint16_t load_u16(const struct flat_reader *reader, size_t position)
{
    uint16_t value;
    memcpy(&value, reader->bytes + position, sizeof(value));
    return value;
}

static uint32_t load_u32(const struct flat_reader *reader, size_t position)
{
    uint32_t value;
    memcpy(&value, reader->bytes + position, sizeof(value));
    return value;
}

static int64_t load_i64(const struct flat_reader *reader, size_t position)
{
    int64_t value;
    memcpy(&value, reader->bytes + position, sizeof(value));
    return value;
}

/* Follows the reference that stands at `position`. */
static bool follow(struct flat_reader *reader, size_t position, size_t *out_target)
{
    if (!inside(reader, position, sizeof(uint32_t), "a reference is cut off"))
        return false;
    uint32_t distance = load_u32(reader, position);
    if (distance == 0)
        return fail(reader, "a reference refers to itself");
    *out_target = position + distance;
    return inside(reader, *out_target, sizeof(uint32_t), "a reference leads outside");
}

static struct flat_table open_table(struct flat_reader *reader, size_t position)
{
    const struct flat_table absent = {0};
    if (!inside(reader, position, TABLE_HEAD_BYTES, "a table is cut off"))
        return absent;
    int32_t back = (int32_t)load_u32(reader, position);
    int64_t vtable = (int64_t)position - back;
    if (vtable < 0 || !inside(reader, (size_t)vtable, VTABLE_HEAD_BYTES, "a vtable is outside")) {
        fail(reader, "a vtable is outside");
        return absent;
    }
    size_t vtable_size = load_u16(reader, (size_t)vtable);
    size_t table_size = load_u16(reader, (size_t)vtable + 2);
    if (vtable_size < VTABLE_HEAD_BYTES || vtable_size % 2 != 0 || table_size < TABLE_HEAD_BYTES) {
        fail(reader, "a vtable has an impossible size");
        return absent;
    }
    if (!inside(reader, (size_t)vtable, vtable_size, "a vtable is cut off") ||
        !inside(reader, position, table_size, "a table is cut off"))
        return absent;
    if (reader->tables_left-- == 0) {
        reader->tables_left = 0;
        fail(reader, "it has too many tables");
        return absent;
    }
    return (struct flat_table){.reader = reader,
                               .position = position,
                               .size = table_size,
                               .vtable = (size_t)vtable,
                               .slot_count = (vtable_size - VTABLE_HEAD_BYTES) / 2};
}

struct flat_table flat_reader_root(struct flat_reader *reader)
{
    size_t target;
    if (!follow(reader, 0, &target))
        return (struct flat_table){0};
    return open_table(reader, target);
}

/* The position of a present slot of `size` bytes; 0 when it is absent. */
static size_t find_slot(const struct flat_table *table, size_t slot, size_t size)
{
    if (!table->reader || table->reader->fault || slot >= table->slot_count)
        return 0;
    size_t offset = load_u16(table->reader, table->vtable + VTABLE_HEAD_BYTES + 2 * slot);
    if (offset == 0)
        return 0;
    if (offset < TABLE_HEAD_BYTES || offset + size > table->size) {
        fail(table->reader, "a table's slot is outside the table");
        return 0;
    }
    return table->position + offset;
}

int64_t flat_table_scalar(const struct flat_table *table, size_t slot, size_t size, int64_t absent)
{
    size_t position = find_slot(table, slot, size);
    if (position == 0)
        return absent;
    switch (size) {
    case 1:
        return table->reader->bytes[position];
    case 2:
        return (int16_t)load_u16(table->reader, position);
    case 4:
        return (int32_t)load_u32(table->reader, position);
    default:
        return load_i64(table->reader, position);
    }
}

struct flat_table flat_table_child(const struct flat_table *table, size_t slot)
{
    size_t position = find_slot(table, slot, sizeof(uint32_t));
    size_t target;
    if (position == 0 || !follow(table->reader, position, &target))
        return (struct flat_table){0};
    return open_table(table->reader, target);
}

bool flat_table_vector(const struct flat_table *table, size_t slot, size_t element_size,
                       struct flat_vector *out)
{
    *out = (struct flat_vector){0};
    size_t position = find_slot(table, slot, sizeof(uint32_t));
    size_t target;
    if (position == 0 || !follow(table->reader, position, &target))
        return false;
    size_t count = load_u32(table->reader, target);
    size_t first = target + sizeof(uint32_t);
    /* count < 2^32 and element_size is a small constant: the product fits. */
    if (!inside(table->reader, first, count * element_size, "a vector is cut off"))
        return false;
    *out = (struct flat_vector){.reader = table->reader, .position = first, .count = count};
    return true;
}

bool flat_table_string(const struct flat_table *table, size_t slot, struct str *out)
{
    struct flat_vector vector;
    *out = STR_EMPTY;
    if (!flat_table_vector(table, slot, 1, &vector))
        return false;
    *out = str_make(vector.reader->bytes + vector.position, vector.count);
    return true;
}

struct flat_table flat_vector_table(const struct flat_vector *vector, size_t index)
{
    size_t target;
    if (!vector->reader || !follow(vector->reader, vector->position + 4 * index, &target))
        return (struct flat_table){0};
    return open_table(vector->reader, target);
}

int64_t flat_vector_i64(const struct flat_vector *vector, size_t position)
{
    return load_i64(vector->reader, vector->position + position);
}

int32_t flat_vector_i32(const struct flat_vector *vector, size_t position)
{
    return (int32_t)load_u32(vector->reader, vector->position + position);
}
