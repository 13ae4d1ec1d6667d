/*
 * wire.c — protobuf's wire format by hand.
 *
 * Runs on any thread and owns nothing. Groups (long deprecated, in no message of ours) are refused
 * like any other malformed byte.
 *
 * Source: protobuf.dev/programming-guides/encoding.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/wire.h"

#define TAG_TYPE_BITS 3
#define FIELD_NUMBER_MAX ((UINT64_C(1) << 29) - 1)

static bool fail(struct wire_reader *reader)
{
    reader->malformed = true;
    reader->at = reader->end;
    return false;
}

static size_t left(const struct wire_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

bool wire_read_varint(struct wire_reader *reader, uint64_t *out_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * WIRE_VARINT_SIZE_MAX; shift += 7) {
        if (reader->at == reader->end)
            return fail(reader);
        uint8_t byte = *reader->at++;
        /* The tenth byte has room for the 64th bit only. */
        if (shift == 63 && byte > 1)
            return fail(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out_value = value;
            return true;
        }
    }
    return fail(reader);
}

static bool read_fixed(struct wire_reader *reader, size_t size, uint64_t *out_value)
{
    if (left(reader) < size)
        return fail(reader);
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += size;
    *out_value = value;
    return true;
}

static bool read_bytes(struct wire_reader *reader, struct str *out_bytes)
{
    uint64_t len;
    if (!wire_read_varint(reader, &len))
        return false;
    if (len > left(reader))
        return fail(reader);
    *out_bytes = str_make(reader->at, (size_t)len);
    reader->at += len;
    return true;
}

bool wire_next(struct wire_reader *reader, struct wire_field *out_field)
{
    if (reader->at == reader->end)
        return false;
    uint64_t tag;
    if (!wire_read_varint(reader, &tag))
        return false;
    uint64_t number = tag >> TAG_TYPE_BITS;
    if (number == 0 || number > FIELD_NUMBER_MAX)
        return fail(reader);
    *out_field = (struct wire_field){.number = (uint32_t)number, .type = (enum wire_type)(tag & 7)};
    switch (out_field->type) {
    case WIRE_VARINT:
        return wire_read_varint(reader, &out_field->integer);
    case WIRE_FIXED64:
        return read_fixed(reader, 8, &out_field->integer);
    case WIRE_BYTES:
        return read_bytes(reader, &out_field->bytes);
    case WIRE_FIXED32:
        return read_fixed(reader, 4, &out_field->integer);
    }
    return fail(reader);
}

size_t wire_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

uint8_t *wire_write_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

uint8_t *wire_write_tag(uint8_t *at, uint32_t number, enum wire_type type)
{
    return wire_write_varint(at, (uint64_t)number << TAG_TYPE_BITS | type);
}

uint8_t *wire_write_bytes_head(uint8_t *at, uint32_t number, size_t len)
{
    return wire_write_varint(wire_write_tag(at, number, WIRE_BYTES), len);
}

void wire_append_bytes(struct slices *out, uint32_t number, struct str bytes)
{
    uint8_t head[2 * WIRE_VARINT_SIZE_MAX];
    uint8_t *end = wire_write_bytes_head(head, number, bytes.len);
    slices_append_copy(out, head, (size_t)(end - head));
    if (bytes.len > 0)
        slices_append_copy(out, bytes.ptr, bytes.len);
}

void wire_append_varint(struct slices *out, uint32_t number, uint64_t value)
{
    uint8_t field[2 * WIRE_VARINT_SIZE_MAX];
    uint8_t *end = wire_write_varint(wire_write_tag(field, number, WIRE_VARINT), value);
    slices_append_copy(out, field, (size_t)(end - field));
}
