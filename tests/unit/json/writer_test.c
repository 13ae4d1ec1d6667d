/*
 * writer_test.c — commas, escapes and numbers; what is written reads back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/writer.h"

#include "base/cleanup.h"
#include "base/random.h"
#include "json/reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nests_with_commas(void **state)
{
    CLEANUP(buf_finish) struct buf out;
    struct json_writer writer;
    buf_init(&out, 10000);
    json_writer_init(&writer, &out);
    json_write_begin_object(&writer);
    json_write_key(&writer, "a");
    json_write_begin_array(&writer);
    json_write_integer(&writer, INT64_MIN);
    json_write_unsigned(&writer, UINT64_MAX);
    json_write_begin_object(&writer);
    json_write_end_object(&writer);
    json_write_begin_array(&writer);
    json_write_end_array(&writer);
    json_write_null(&writer);
    json_write_end_array(&writer);
    json_write_key(&writer, "b\"");
    json_write_bool(&writer, true);
    json_write_key(&writer, "c");
    json_write_raw(&writer, STR("{\"x\":[1]}"));
    json_write_key(&writer, "d");
    json_write_bool(&writer, false);
    json_write_end_object(&writer);
    assert_string_equal((const char *)out.ptr,
                        "{\"a\":[-9223372036854775808,18446744073709551615,{},[],null],"
                        "\"b\\\"\":true,\"c\":{\"x\":[1]},\"d\":false}");
}

static void expect_text(struct str text, const char *expected)
{
    CLEANUP(buf_finish) struct buf out;
    struct json_writer writer;
    buf_init(&out, 1000);
    json_writer_init(&writer, &out);
    json_write_text(&writer, text);
    assert_string_equal((const char *)out.ptr, expected);
}

static void escapes_text(void **state)
{
    expect_text(STR_EMPTY, "\"\"");
    expect_text(STR("plain"), "\"plain\"");
    expect_text(STR("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    expect_text(str_make("\0\x1f", 2), "\"\\u0000\\u001f\"");
    expect_text(STR("gr\xC3\xBC \xF0\x9F\x98\x80"), "\"gr\xC3\xBC \xF0\x9F\x98\x80\"");
    expect_text(STR("a\xFF"
                    "b\xED\xA0\x80"),
                "\"a\xEF\xBF\xBD"
                "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    expect_text(STR("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void expect_double(double value, const char *expected)
{
    CLEANUP(buf_finish) struct buf out;
    struct json_writer writer;
    buf_init(&out, 1000);
    json_writer_init(&writer, &out);
    json_write_double(&writer, value);
    assert_string_equal((const char *)out.ptr, expected);
}

static void writes_doubles(void **state)
{
    expect_double(1, "1");
    expect_double(0.1, "0.1");
    expect_double(1e300, "1e+300");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double(NAN, "null");
    expect_double(INFINITY, "null");
    expect_double(-INFINITY, "null");
}

static void what_does_not_fit_fails_the_buf(void **state)
{
    CLEANUP(buf_finish) struct buf out;
    struct json_writer writer;
    buf_init(&out, 5);
    json_writer_init(&writer, &out);
    json_write_text(&writer, STR("abcdefgh"));
    assert_true(out.failed);
}

static void any_text_reads_back(void **state)
{
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[60];
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; round % 2 && i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)(1 + bytes[i] % 127);
        struct str text = str_make(bytes, sizeof(bytes));
        CLEANUP(buf_finish) struct buf out;
        struct json_writer writer;
        buf_init(&out, 1000);
        json_writer_init(&writer, &out);
        json_write_text(&writer, text);
        assert_true(str_is_utf8(buf_str(&out)));
        /* jansson refuses \u0000. */
        if (str_find(text, '\0') >= 0)
            continue;
        CLEANUP(json_document_destroy) struct json_document *document = NULL;
        struct str back;
        assert_int_equal(json_parse(buf_str(&out), 1000, &document, NULL), STATUS_OK);
        assert_true(json_value_text(json_root(document), &back));
        if (str_is_utf8(text))
            assert_true(str_equal(text, back));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nests_with_commas),   cmocka_unit_test(escapes_text),
        cmocka_unit_test(writes_doubles),      cmocka_unit_test(what_does_not_fit_fails_the_buf),
        cmocka_unit_test(any_text_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
