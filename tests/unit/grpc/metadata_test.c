/*
 * Metadata: names, base64 in all its forms, the limits of a header list.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static int set_up(void **state)
{
    static struct arena arena;
    arena_init(&arena);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    arena_finish(*state);
    return 0;
}

static void test_base64_round_trip(void **state)
{
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct str text = metadata_encode(*state, str_make(bytes, len));
        assert_int_equal(text.len, (len * 4 + 2) / 3);
        struct str decoded;
        assert_true(metadata_decode(*state, text, &decoded));
        assert_true(str_equal(decoded, str_make(bytes, len)));
    }
}

static void test_base64_forms(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"Zm9vYg==", "foob"}, {"Zm9vYg", "foob"}, {"Zm9vYmE=", "fooba"},
        {"Zm9vYmE", "fooba"}, {"Zm9v", "foo"},    {"", ""},
        {"Zm9v,YmFy", "foo"}, {" Zm9v ", "foo"},  {"++//", "\xfb\xef\xff"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct str decoded;
        assert_true(metadata_decode(*state, str_of(cases[i].text), &decoded));
        assert_true(str_equal(decoded, str_of(cases[i].expected)));
        assert_true(metadata_is_base64(str_of(cases[i].text)));
    }
}

static void test_base64_rejects(void **state)
{
    static const char *const wrong[] = {
        "Z", "Zm9vY", "Zm9vYg=", "Zm9vYg===", "====", "=", "Zm 9v", "Zm9v!", "Zm9v\x80", "Zm=v"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct str decoded;
        assert_false(metadata_decode(*state, str_of(wrong[i]), &decoded));
        assert_false(metadata_is_base64(str_of(wrong[i])));
    }
    /* Decoding looks at the first of several values, the check at all. */
    assert_false(metadata_is_base64(STR("Zm9v,Z")));
}

static void test_reserved_names(void **state)
{
    assert_true(metadata_is_reserved(STR("grpc-timeout")));
    assert_true(metadata_is_reserved(STR("grpc-status")));
    assert_true(metadata_is_reserved(STR("content-type")));
    assert_true(metadata_is_reserved(STR("te")));
    assert_true(metadata_is_reserved(STR("connection")));
    assert_false(metadata_is_reserved(STR("grpc-status-details-bin")));
    assert_false(metadata_is_reserved(STR("authorization")));
    assert_false(metadata_is_reserved(STR("user-agent")));
}

static void test_valid_names_and_values(void **state)
{
    assert_true(metadata_is_valid(STR("x-a_b.0"), STR("any text ~")));
    assert_false(metadata_is_valid(STR(""), STR("v")));
    assert_false(metadata_is_valid(STR("Upper"), STR("v")));
    assert_false(metadata_is_valid(STR(":path"), STR("v")));
    assert_false(metadata_is_valid(STR("a b"), STR("v")));
    assert_false(metadata_is_valid(STR("x"), STR("line\nbreak")));
    assert_false(metadata_is_valid(STR("x"), STR("\xc3\xa9")));
    assert_true(metadata_is_valid(STR("x-bin"), STR("\n\xc3\xa9")));
}

static void test_add(void **state)
{
    struct metadata metadata = {.count = 0};
    assert_true(metadata_add(&metadata, *state, STR("a"), STR("1")));
    assert_true(metadata_add(&metadata, *state, STR("a"), STR("2")));
    assert_true(metadata_add(&metadata, *state, STR("b-bin"), STR("foob")));
    assert_false(metadata_add(&metadata, *state, STR("grpc-status"), STR("0")));
    assert_false(metadata_add(&metadata, *state, STR("x"), STR("\r\n")));
    struct http_header headers[8];
    assert_int_equal(metadata_headers(&metadata, headers, 8), 3);
    assert_true(str_equal(headers[1].value, STR("2")));
    assert_true(str_equal(headers[2].value, STR("Zm9vYg")));
    assert_int_equal(metadata_headers(&metadata, headers, 1), 1);
}

static void test_add_limits(void **state)
{
    struct metadata metadata = {.count = 0};
    static char value[METADATA_BYTES_MAX];
    memset(value, 'v', sizeof(value));
    assert_false(metadata_add(&metadata, *state, STR("x"), str_make(value, sizeof(value))));
    assert_true(metadata_add(&metadata, *state, STR("x"), str_make(value, 6000)));
    assert_false(metadata_add(&metadata, *state, STR("x"), str_make(value, 112)));
    assert_true(metadata_add(&metadata, *state, STR("x"), str_make(value, 78)));
    assert_true(metadata.bytes == METADATA_BYTES_MAX);
    assert_false(metadata_add(&metadata, *state, STR("x"), STR_EMPTY));

    struct metadata many = {.count = 0};
    for (size_t i = 0; i < METADATA_COUNT_MAX; i++)
        assert_true(metadata_add(&many, *state, STR("x"), STR("1")));
    assert_false(metadata_add(&many, *state, STR("x"), STR("1")));
}

static void test_check(void **state)
{
    struct http_header good[] = {
        {.name = STR("a-bin"), .value = STR("Zm9v,YmE=")},
        {.name = STR("text"), .value = STR("!!!")},
        {.name = STR("grpc-trace-bin"), .value = STR("!!!")},
    };
    struct http_headers headers = {.items = good, .count = ARRAY_COUNT(good)};
    struct error error = ERROR_NONE;
    assert_int_equal(metadata_check(&headers, &error), STATUS_OK);
    good[1].name = STR("text-bin");
    assert_int_equal(metadata_check(&headers, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "text-bin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_base64_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_base64_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_base64_rejects, set_up, tear_down),
        cmocka_unit_test(test_reserved_names),
        cmocka_unit_test(test_valid_names_and_values),
        cmocka_unit_test_setup_teardown(test_add, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_add_limits, set_up, tear_down),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
