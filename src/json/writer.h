/*
 * writer.h — writes one JSON text into a buf, value by value; commas and quoting are its business.
 *
 * Threads: one at a time. Source: RFC 8259. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define JSON_WRITER_DEPTH_MAX 64

struct json_writer {
    struct buf *out;
    unsigned depth;
    bool has_values[JSON_WRITER_DEPTH_MAX]; /* a comma goes before the next value at this depth */
    bool after_key;
};

void json_writer_init(struct json_writer *writer, struct buf *out);
void json_write_begin_object(struct json_writer *writer);
void json_write_end_object(struct json_writer *writer);
void json_write_begin_array(struct json_writer *writer);
void json_write_end_array(struct json_writer *writer);
/* The key of the next value. */
void json_write_key(struct json_writer *writer, const char *key);
/* Text, escaped; bytes that are not UTF-8 become U+FFFD. */
void json_write_text(struct json_writer *writer, struct str value);
void json_write_integer(struct json_writer *writer, int64_t value);
void json_write_unsigned(struct json_writer *writer, uint64_t value);
/* Shortest text that reads back the same; NaN and infinities are null. */
void json_write_double(struct json_writer *writer, double value);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
/* Text that is JSON already. */
void json_write_raw(struct json_writer *writer, struct str json);
