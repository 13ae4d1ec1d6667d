/*
 * writer.c — JSON text, value by value.
 *
 * Whether a comma goes before a value is remembered per depth. Calls that make no JSON (an end without
 * a beginning, a key without a value) are bugs and assert. What does not fit the buf makes it failed.
 *
 * Runs on: one thread at a time. Owns: nothing; the buf is the caller's. Not done here: indentation.
 * Spec: RFC 8259. SPDX-License-Identifier: Apache-2.0
 */
#include "json/writer.h"

#include "base/utf8.h"

#include <assert.h>
#include <math.h>

void json_writer_init(struct json_writer *writer, struct buf *out)
{
    *writer = (struct json_writer){.out = out};
}

/* What stands between the value before and the next one. */
static void begin_value(struct json_writer *writer)
{
    if (writer->after_key) {
        writer->after_key = false;
        return;
    }
    if (writer->has_values[writer->depth])
        buf_append_byte(writer->out, ',');
    writer->has_values[writer->depth] = true;
}

static void begin_nested(struct json_writer *writer, uint8_t bracket)
{
    begin_value(writer);
    buf_append_byte(writer->out, bracket);
    assert(writer->depth + 1 < JSON_WRITER_DEPTH_MAX);
    writer->has_values[++writer->depth] = false;
}

static void end_nested(struct json_writer *writer, uint8_t bracket)
{
    assert(writer->depth > 0 && !writer->after_key);
    writer->depth--;
    buf_append_byte(writer->out, bracket);
}

void json_write_begin_object(struct json_writer *writer)
{
    begin_nested(writer, '{');
}

void json_write_end_object(struct json_writer *writer)
{
    end_nested(writer, '}');
}

void json_write_begin_array(struct json_writer *writer)
{
    begin_nested(writer, '[');
}

void json_write_end_array(struct json_writer *writer)
{
    end_nested(writer, ']');
}

/* A control character, a quote or a backslash, escaped. */
static void append_escaped(struct buf *out, unsigned char byte)
{
    static const char short_forms[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (size_t i = 0; i + 1 < sizeof(short_forms); i += 2) {
        if ((unsigned char)short_forms[i] == byte) {
            buf_append_byte(out, '\\');
            buf_append_byte(out, (uint8_t)short_forms[i + 1]);
            return;
        }
    }
    buf_printf(out, "\\u%04x", byte);
}

static void append_quoted(struct buf *out, struct str text)
{
    buf_append_byte(out, '"');
    size_t at = 0;
    size_t plain = 0; /* bytes before `at` that were not appended yet */
    while (at < text.len) {
        unsigned char byte = (unsigned char)text.ptr[at];
        size_t length = utf8_sequence_length(text.ptr + at, text.len - at);
        if (length > 0 && byte >= 0x20 && byte != '"' && byte != '\\') {
            at += length;
            plain += length;
            continue;
        }
        buf_append(out, text.ptr + at - plain, plain);
        plain = 0;
        if (length == 0)
            buf_append_text(out, UTF8_REPLACEMENT);
        else
            append_escaped(out, byte);
        at++;
    }
    buf_append(out, text.ptr + at - plain, plain);
    buf_append_byte(out, '"');
}

void json_write_key(struct json_writer *writer, const char *key)
{
    begin_value(writer);
    append_quoted(writer->out, str_of(key));
    buf_append_byte(writer->out, ':');
    writer->after_key = true;
}

void json_write_text(struct json_writer *writer, struct str value)
{
    begin_value(writer);
    append_quoted(writer->out, value);
}

void json_write_integer(struct json_writer *writer, int64_t value)
{
    begin_value(writer);
    buf_append_i64(writer->out, value);
}

void json_write_unsigned(struct json_writer *writer, uint64_t value)
{
    begin_value(writer);
    buf_append_u64(writer->out, value);
}

void json_write_double(struct json_writer *writer, double value)
{
    if (!isfinite(value)) {
        json_write_null(writer);
        return;
    }
    begin_value(writer);
    buf_append_double(writer->out, value);
}

void json_write_bool(struct json_writer *writer, bool value)
{
    json_write_raw(writer, value ? STR("true") : STR("false"));
}

void json_write_null(struct json_writer *writer)
{
    json_write_raw(writer, STR("null"));
}

void json_write_raw(struct json_writer *writer, struct str json)
{
    begin_value(writer);
    buf_append_str(writer->out, json);
}
