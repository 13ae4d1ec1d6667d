/*
 * members_test.c — members in one call: what is known is written, what is not is null.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/members.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_written(struct json_writer *writer, const char *expected)
{
    json_write_end_object(writer);
    struct str text = buf_str(writer->out);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
}

static void open_object(struct json_writer *writer, struct buf *out)
{
    buf_init(out, 4096);
    json_writer_init(writer, out);
    json_write_begin_object(writer);
}

static void writes_what_is_known(void **state)
{
    CLEANUP(buf_finish) struct buf out;
    struct json_writer writer;
    open_object(&writer, &out);
    json_write_text_or_null(&writer, "text", STR("a\"b"));
    json_write_raw_or_null(&writer, "raw", STR("[1,{}]"));
    json_write_integer_or_null(&writer, "integer", INT64_MIN, true);
    json_write_integer_or_null(&writer, "none", 0, true);
    json_write_unsigned_member(&writer, "unsigned", UINT64_MAX);
    json_write_progress(&writer, "progress", 0);
    json_write_time_or_null(&writer, "time", INT64_C(1));
    assert_written(&writer, "{\"text\":\"a\\\"b\",\"raw\":[1,{}],\"integer\":-9223372036854775808,"
                            "\"none\":0,\"unsigned\":18446744073709551615,\"progress\":0,"
                            "\"time\":\"1970-01-01T00:00:00.000001Z\"}");
}

static void what_is_not_known_is_null(void **state)
{
    CLEANUP(buf_finish) struct buf out;
    struct json_writer writer;
    open_object(&writer, &out);
    json_write_text_or_null(&writer, "text", STR_EMPTY);
    json_write_raw_or_null(&writer, "raw", STR_EMPTY);
    json_write_integer_or_null(&writer, "integer", 42, false);
    json_write_progress(&writer, "progress", -1);
    json_write_time_or_null(&writer, "time", 0);
    assert_written(&writer, "{\"text\":null,\"raw\":null,\"integer\":null,\"progress\":null,"
                            "\"time\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_is_known),
        cmocka_unit_test(what_is_not_known_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
