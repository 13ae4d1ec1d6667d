/*
 * request_test.c — headers by name, query strings, percent escapes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/request.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void gets_headers_by_name(void **state)
{
    (void)state;
    const struct http_header items[] = {
        {STR("a"), STR("1")}, {STR("b"), STR("")}, {STR("a"), STR("2")}};
    const struct http_headers headers = {items, 3};
    assert_true(str_equal(http_headers_get(&headers, STR("a")), STR("1")));
    assert_non_null(http_headers_get(&headers, STR("b")).ptr);
    assert_null(http_headers_get(&headers, STR("c")).ptr);
}

static void gets_query_values(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct http_request request = {
        .arena = &arena,
        .query = STR("a=1&b=x%20y+z&%63=d&empty=&flag&a=2&bad=%zz&last=%"),
    };
    struct str value;
    assert_true(http_query_get(&request, STR("a"), &value));
    assert_true(str_equal(value, STR("1")));
    assert_true(http_query_get(&request, STR("b"), &value));
    assert_true(str_equal(value, STR("x y z")));
    assert_true(http_query_get(&request, STR("c"), &value));
    assert_true(str_equal(value, STR("d")));
    assert_true(http_query_get(&request, STR("empty"), &value));
    assert_int_equal(value.len, 0);
    assert_true(http_query_get(&request, STR("flag"), &value));
    assert_false(http_query_get(&request, STR("bad"), &value));
    assert_false(http_query_get(&request, STR("last"), &value));
    assert_false(http_query_get(&request, STR("none"), &value));
}

static void decodes_percent_escapes(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str text;
    assert_int_equal(http_percent_decode(&arena, STR("%41%2f%e2%98%BA+"), false, &text, NULL),
                     STATUS_OK);
    assert_true(str_equal(text, STR("A/\xe2\x98\xba+")));
    assert_int_equal(http_percent_decode(&arena, STR(""), false, &text, NULL), STATUS_OK);
    assert_int_equal(text.len, 0);
    static const char *const broken[] = {"%", "%4", "a%g0", "%0g", "%%41"};
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        struct error error = ERROR_NONE;
        assert_int_equal(http_percent_decode(&arena, str_of(broken[i]), false, &text, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_true(str_find_str(str_of(error.message), STR("hexadecimal")) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets_headers_by_name),
        cmocka_unit_test(gets_query_values),
        cmocka_unit_test(decodes_percent_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
