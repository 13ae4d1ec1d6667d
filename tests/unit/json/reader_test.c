/*
 * reader_test.c — JSON within limits, typed members, and errors that name the field.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/reader.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct json_document *parse(const char *text)
{
    struct json_document *document = NULL;
    struct error error = ERROR_NONE;
    if (json_parse(str_of(text), 1 << 20, &document, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return document;
}

static void expect_refusal(struct str text, enum status status, const char *part)
{
    struct json_document *document = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(json_parse(text, 1 << 20, &document, &error), status);
    assert_null(document);
    if (!strstr(error.message, part))
        fail_msg("'%s' does not say '%s'", error.message, part);
}

static void typed_members(void **state)
{
    CLEANUP(json_document_destroy)
    struct json_document *document = parse(
        "{\"s\":\"gr\\u00fc\\n\",\"i\":-9223372036854775808,\"d\":1.5,\"b\":true,\"n\":null}");
    const struct json_value *root = json_root(document);
    struct str text;
    int64_t integer;
    double number;
    bool flag;
    bool present = false;
    assert_true(json_value_is_object(root));
    assert_false(json_value_is_array(root));
    assert_int_equal(json_member_text(root, "s", true, &text, &present, NULL), STATUS_OK);
    assert_true(present && str_equal(text, STR("gr\xC3\xBC\n")));
    assert_int_equal(json_member_integer(root, "i", true, &integer, NULL, NULL), STATUS_OK);
    assert_true(integer == INT64_MIN);
    assert_int_equal(json_member_double(root, "d", true, &number, NULL, NULL), STATUS_OK);
    assert_true(number == 1.5);
    assert_int_equal(json_member_double(root, "i", true, &number, NULL, NULL), STATUS_OK);
    assert_true(number == -9223372036854775808.0);
    assert_int_equal(json_member_bool(root, "b", true, &flag, NULL, NULL), STATUS_OK);
    assert_true(flag);
    assert_non_null(json_member(root, "n"));
    assert_null(json_member(root, "x"));
}

static void absent_members_leave_the_value(void **state)
{
    CLEANUP(json_document_destroy) struct json_document *document = parse("{\"n\":null}");
    const struct json_value *root = json_root(document);
    int64_t integer = 7;
    bool present = true;
    assert_int_equal(json_member_integer(root, "n", false, &integer, &present, NULL), STATUS_OK);
    assert_false(present);
    assert_int_equal(json_member_integer(root, "x", false, &integer, &present, NULL), STATUS_OK);
    assert_int_equal(integer, 7);
    struct error error = ERROR_NONE;
    assert_int_equal(json_member_integer(root, "n", true, &integer, NULL, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "field 'n' is required");
}

static void wrong_types_name_the_field(void **state)
{
    CLEANUP(json_document_destroy)
    struct json_document *document = parse("{\"sql\":5,\"rows\":1.5,\"flag\":\"true\"}");
    const struct json_value *root = json_root(document);
    struct error error = ERROR_NONE;
    struct str text = STR("before");
    int64_t integer;
    double number;
    bool flag;
    assert_int_equal(json_member_text(root, "sql", false, &text, NULL, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "field 'sql' must be a string");
    assert_true(str_equal(text, STR("before")));
    assert_int_equal(json_member_integer(root, "rows", true, &integer, NULL, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "field 'rows' must be a whole number");
    assert_int_equal(json_member_bool(root, "flag", true, &flag, NULL, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "field 'flag' must be true or false");
    assert_int_equal(json_member_double(root, "flag", true, &number, NULL, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "field 'flag' must be a number");
}

static void values_that_are_no_objects(void **state)
{
    CLEANUP(json_document_destroy) struct json_document *document = parse("\"text\"");
    const struct json_value *root = json_root(document);
    struct str text;
    assert_true(json_value_text(root, &text));
    assert_true(str_equal(text, STR("text")));
    assert_false(json_value_is_object(root));
    assert_null(json_member(root, "x"));
    assert_int_equal(json_member_text(root, "x", true, &text, NULL, NULL), STATUS_INVALID_ARGUMENT);
    assert_false(json_value_is_object(NULL));
    assert_false(json_value_text(NULL, &text));
}

static void arrays(void **state)
{
    CLEANUP(json_document_destroy) struct json_document *document = parse("[\"a\",2,[]]");
    const struct json_value *root = json_root(document);
    struct str text;
    assert_true(json_value_is_array(root));
    assert_false(json_value_is_object(root));
    assert_false(json_value_text(root, &text));
}

static void unknown_fields_are_named(void **state)
{
    static const char *const known[] = {"sql", "format", NULL};
    CLEANUP(json_document_destroy)
    struct json_document *good = parse("{\"sql\":1,\"format\":2}");
    CLEANUP(json_document_destroy) struct json_document *bad = parse("{\"sql\":1,\"fromat\":2}");
    struct error error = ERROR_NONE;
    assert_int_equal(json_check_keys(json_root(good), known, &error), STATUS_OK);
    assert_int_equal(json_check_keys(json_root(bad), known, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "unknown field 'fromat'; known fields are sql, format");
}

static void malformed_text_is_refused(void **state)
{
    static const char *const wrong[] = {"",         "{",     "{\"a\":1,}",  "[1,]",
                                        "nul",      "{a:1}", "'a'",         "01",
                                        "1e999",    "[1] x", "\"\xff\"",    "\"\\ud800\"",
                                        "\"a\nb\"", "NaN",   "\"\\u0000\"", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        expect_refusal(str_of(wrong[i]), STATUS_INVALID_ARGUMENT, "malformed JSON at line 1");
    expect_refusal(STR_EMPTY, STATUS_INVALID_ARGUMENT, "malformed JSON");
    expect_refusal(STR("{\"a\":1,\"a\":2}"), STATUS_INVALID_ARGUMENT, "duplicate");
    expect_refusal(str_make("[1]\0", 4), STATUS_INVALID_ARGUMENT, "malformed");
}

static void limits_hold(void **state)
{
    CLEANUP(buf_finish) struct buf text;
    struct json_document *document = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(json_parse(STR("[1]"), 2, &document, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.message, "the JSON text exceeds 2 bytes");
    buf_init(&text, 1 << 20);
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_append_byte(&text, '[');
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_append_byte(&text, ']');
    assert_int_equal(json_parse(buf_str(&text), 1 << 20, &document, &error), STATUS_OK);
    json_document_destroy(document);
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&text, i % 2 ? '{' : '[');
    expect_refusal(buf_str(&text), STATUS_INVALID_ARGUMENT, "nested deeper than 64");
    buf_clear(&text);
    buf_append_text(&text, "[0");
    for (int i = 0; i < JSON_VALUES_MAX; i++)
        buf_append_text(&text, ",0");
    buf_append_text(&text, "]");
    expect_refusal(buf_str(&text), STATUS_RESOURCE_EXHAUSTED, "more than 131072 values");
    /* Brackets in strings do not count, also behind an escaped quote. */
    document =
        parse("\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"");
    json_document_destroy(document);
}

static void any_bytes_are_survived(void **state)
{
    static const char alphabet[] = "{}[]\":,\\u0123eE.-truefalsn \n\xC3\xBC";
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[40];
        char text[sizeof(bytes)];
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++)
            text[i] = alphabet[bytes[i] % (sizeof(alphabet) - 1)];
        CLEANUP(json_document_destroy) struct json_document *document = NULL;
        enum status status =
            json_parse(str_make(text, bytes[0] % sizeof(text)), 100, &document, NULL);
        assert_true((status == STATUS_OK) == (document != NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_members),
        cmocka_unit_test(absent_members_leave_the_value),
        cmocka_unit_test(wrong_types_name_the_field),
        cmocka_unit_test(values_that_are_no_objects),
        cmocka_unit_test(arrays),
        cmocka_unit_test(unknown_fields_are_named),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
