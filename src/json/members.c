/*
 * members.c — members of a JSON object: key and value, or null.
 *
 * Any thread, one at a time per writer. Owns nothing; what stands in a value is the writer's business.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/members.h"

#include "base/clock.h"

void json_write_unsigned_member(struct json_writer *writer, const char *key, uint64_t value)
{
    json_write_key(writer, key);
    json_write_unsigned(writer, value);
}

void json_write_text_or_null(struct json_writer *writer, const char *key, struct str value)
{
    json_write_key(writer, key);
    if (value.len > 0)
        json_write_text(writer, value);
    else
        json_write_null(writer);
}

void json_write_raw_or_null(struct json_writer *writer, const char *key, struct str json)
{
    json_write_key(writer, key);
    if (json.len > 0)
        json_write_raw(writer, json);
    else
        json_write_null(writer);
}

void json_write_integer_or_null(struct json_writer *writer, const char *key, int64_t value,
                                bool is_known)
{
    json_write_key(writer, key);
    if (is_known)
        json_write_integer(writer, value);
    else
        json_write_null(writer);
}

void json_write_progress(struct json_writer *writer, const char *key, double value)
{
    json_write_key(writer, key);
    if (value < 0)
        json_write_null(writer);
    else
        json_write_double(writer, value);
}

void json_write_time_or_null(struct json_writer *writer, const char *key, int64_t time_us)
{
    char text[CLOCK_TEXT_SIZE];
    json_write_key(writer, key);
    if (time_us == 0) {
        json_write_null(writer);
        return;
    }
    size_t size = clock_format(time_us, text);
    json_write_text(writer, str_make(text, size));
}
