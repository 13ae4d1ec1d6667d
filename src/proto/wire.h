/*
 * wire.h — protobuf's wire format by hand: fields out of bytes, fields into bytes.
 *
 * For the messages of the hot path and for those too small for generated code. A reader walks over the
 * fields of one message and never past its end; what a field means is the caller's.
 *
 * Threads: any. Source: protobuf.dev/programming-guides/encoding. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2, /* strings, bytes, messages, packed numbers */
    WIRE_FIXED32 = 5,
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t integer; /* of WIRE_VARINT, WIRE_FIXED64, WIRE_FIXED32 */
    struct str bytes; /* of WIRE_BYTES; inside the message */
};

struct wire_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool malformed; /* set by wire_next, which then answers false for ever */
};

static inline struct wire_reader wire_reader_make(struct str message)
{
    const uint8_t *at = (const uint8_t *)message.ptr;
    return (struct wire_reader){.at = at, .end = message.len > 0 ? at + message.len : at};
}

/* The next field; false at the end of the message and at the first fault (`malformed`: a cut field, a
 * varint over 64 bits, field number 0, a group). */
bool wire_next(struct wire_reader *reader, struct wire_field *out_field);
/* One varint; false (malformed) when it is cut or longer than 10 bytes. */
bool wire_read_varint(struct wire_reader *reader, uint64_t *out_value);

/* Longest tag or varint. */
#define WIRE_VARINT_SIZE_MAX 10

/* Bytes that a varint takes. */
size_t wire_varint_size(uint64_t value);
/* Writes a varint of at most WIRE_VARINT_SIZE_MAX bytes and returns where it ended. */
uint8_t *wire_write_varint(uint8_t *at, uint64_t value);
/* Writes a field's tag, and for WIRE_BYTES what must follow it: the length. */
uint8_t *wire_write_tag(uint8_t *at, uint32_t number, enum wire_type type);
uint8_t *wire_write_bytes_head(uint8_t *at, uint32_t number, size_t len);

/* Appends one field to a message under construction; the bytes are copied. */
void wire_append_bytes(struct slices *out, uint32_t number, struct str bytes);
void wire_append_varint(struct slices *out, uint32_t number, uint64_t value);
