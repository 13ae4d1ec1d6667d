/*
 * coding_test.c — Accept-Encoding: weights, the star, identity, and what is malformed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/coding.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static enum http_coding choose(const char *value)
{
    const struct http_header item = {STR("accept-encoding"), str_of(value)};
    const struct http_headers headers = {&item, 1};
    return http_coding_choose(&headers);
}

static bool takes_identity(const char *value)
{
    const struct http_header item = {STR("accept-encoding"), str_of(value)};
    const struct http_headers headers = {&item, 1};
    return http_coding_takes_identity(&headers);
}

static void picks_what_the_client_likes_best(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum http_coding coding;
    } rows[] = {
        {"", HTTP_CODING_IDENTITY},
        {"gzip", HTTP_CODING_GZIP},
        {"zstd", HTTP_CODING_ZSTD},
        {"GZIP", HTTP_CODING_GZIP},
        {"x-gzip", HTTP_CODING_GZIP},
        {"gzip, zstd", HTTP_CODING_ZSTD},
        {"gzip, deflate, br, zstd", HTTP_CODING_ZSTD},
        {"gzip, deflate, br", HTTP_CODING_GZIP},
        {"gzip;q=1.0, zstd;q=0.9", HTTP_CODING_GZIP},
        {"gzip;q=0.5,zstd;q=0.501", HTTP_CODING_ZSTD},
        {"gzip ; Q=0.001", HTTP_CODING_GZIP},
        {"gzip;q=0", HTTP_CODING_IDENTITY},
        {"gzip;q=0.000, zstd;q=0", HTTP_CODING_IDENTITY},
        {"*", HTTP_CODING_ZSTD},
        {"*;q=0.1", HTTP_CODING_ZSTD},
        {"zstd;q=0, *", HTTP_CODING_GZIP},
        {"identity, gzip;q=0.5", HTTP_CODING_IDENTITY},
        {"identity, gzip", HTTP_CODING_GZIP},
        {"identity;q=0.2, gzip;q=0.5", HTTP_CODING_GZIP},
        {"br, deflate", HTTP_CODING_IDENTITY},
        {"identity;q=0", HTTP_CODING_NONE},
        {"identity;q=0, gzip", HTTP_CODING_GZIP},
        {"*;q=0", HTTP_CODING_NONE},
        {"*;q=0, identity", HTTP_CODING_IDENTITY},
        {"identity;q=0, *;q=0.5", HTTP_CODING_ZSTD},
        {", ,gzip,", HTTP_CODING_GZIP},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        assert_int_equal(choose(rows[i].value), rows[i].coding);
}

static void malformed_members_count_as_absent(void **state)
{
    (void)state;
    static const char *const values[] = {
        "gzip;q=2", "gzip;q=1.001", "gzip;q=-1",    "gzip;q=.5",  "gzip;q=0.1234",
        "gzip;q=",  "gzip;q",       "gzip;level=9", "gzip;q=1e0", "gzip;q=0,5",
        "\"gzip\"", "gzip zstd",    ";q=1",         "gzip;q=1;x", "gzip;q= 1",
    };
    for (size_t i = 0; i < ARRAY_COUNT(values); i++)
        assert_int_equal(choose(values[i]), HTTP_CODING_IDENTITY);
}

static void several_fields_are_one_list(void **state)
{
    (void)state;
    const struct http_header items[] = {{STR("accept-encoding"), STR("gzip;q=0.5")},
                                        {STR("accept"), STR("zstd")},
                                        {STR("accept-encoding"), STR("identity;q=0")}};
    const struct http_headers headers = {items, 3};
    assert_int_equal(http_coding_choose(&headers), HTTP_CODING_GZIP);
    assert_false(http_coding_takes_identity(&headers));
    const struct http_headers none = {items + 1, 1};
    assert_int_equal(http_coding_choose(&none), HTTP_CODING_IDENTITY);
    assert_true(http_coding_takes_identity(&none));
}

static void identity_is_taken_unless_refused(void **state)
{
    (void)state;
    assert_true(takes_identity(""));
    assert_true(takes_identity("gzip"));
    assert_true(takes_identity("gzip, *;q=0.1"));
    assert_true(takes_identity("*;q=0, identity;q=0.1"));
    assert_false(takes_identity("identity;q=0"));
    assert_false(takes_identity("gzip, *;q=0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_what_the_client_likes_best),
        cmocka_unit_test(malformed_members_count_as_absent),
        cmocka_unit_test(several_fields_are_one_list),
        cmocka_unit_test(identity_is_taken_unless_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
