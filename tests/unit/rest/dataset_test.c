/*
 * dataset_test.c — names of datasets in URLs, their versions, and the conditions of requests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest/dataset.h"

#define ID "0b0e7a4e-6f0f-4b8e-9a3e-5a6d2f1c7e11"

static enum status read_name(struct rest_exchange *exchange, const char *text,
                             struct dataset_name *out)
{
    struct error error = ERROR_NONE;
    exchange->parameter = str_of(text);
    enum status status = rest_dataset_name(exchange, out, &error);
    if (status == STATUS_INVALID_ARGUMENT)
        assert_string_equal(rest_error_code(&error), "VALIDATION_ERROR");
    return status;
}

static void names_are_paths_or_ids(void **state)
{
    static const struct {
        const char *url;
        const char *path;
        const char *id;
    } rows[] = {
        {"a", "a", ""},
        {"a/b", "a/b", ""},
        {"a%2Fb/c", "a%2Fb/c", ""},
        {"a%2fb", "a%2Fb", ""},
        {"100%25", "100%25", ""},
        {"%67r%C3%B6%C3%9Fe",
         "gr\xC3\xB6\xC3\x9F"
         "e",
         ""},
        {"a+b", "a+b", ""},
        {"batch", "batch", ""},
        {"batch/x/y", "batch/x/y", ""},
        {ID "/x", ID "/x", ""},
        {ID, "", ID},
        {"batch/mine", "", "mine"},
        {"batch/" ID, "", ID},
    };
    struct rest_exchange exchange = {0};
    arena_init(&exchange.arena);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct dataset_name name;
        assert_int_equal(read_name(&exchange, rows[i].url, &name), STATUS_OK);
        assert_true(str_equal(name.path, str_of(rows[i].path)));
        assert_true(str_equal(name.id, str_of(rows[i].id)));
    }
    arena_finish(&exchange.arena);
}

static void bad_names_are_refused(void **state)
{
    static const char *const urls[] = {"",     "/",      "a/",          "/a",       "a//b",
                                       "%",    "%zz",    "a%F",         "%FF",      "batch/.x",
                                       "%00/", "batch/", "batch/a%20b", "batch/%2F"};
    struct rest_exchange exchange = {0};
    arena_init(&exchange.arena);
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        struct dataset_name name;
        assert_int_equal(read_name(&exchange, urls[i], &name), STATUS_INVALID_ARGUMENT);
    }
    arena_finish(&exchange.arena);
}

static void urls_lead_back_to_the_name(void **state)
{
    static const char *const paths[] = {"a/b", "a%2Fb", "100%25 of/x?y#z", "\xC3\xB6", "%0A",
                                        "..",  "a&b=c"};
    struct rest_exchange exchange = {0};
    arena_init(&exchange.arena);
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        struct dataset_name name;
        struct str url = rest_dataset_url(&exchange.arena, STR(ID), str_of(paths[i]));
        struct str prefix = STR("/v1/datasets/");
        assert_true(str_starts_with(url, prefix));
        assert_true(str_find(url, ' ') < 0 && str_find(url, '?') < 0 && str_find(url, '#') < 0);
        struct str tail = arena_copy(&exchange.arena, str_slice(url, prefix.len, url.len));
        assert_int_equal(read_name(&exchange, tail.ptr, &name), STATUS_OK);
        assert_true(str_equal(name.path, str_of(paths[i])));
    }
    struct str by_id = rest_dataset_url(&exchange.arena, STR(ID), STR_EMPTY);
    assert_true(str_equal(by_id, STR("/v1/datasets/" ID)));
    struct str by_own = rest_dataset_url(&exchange.arena, STR("mine"), STR_EMPTY);
    assert_true(str_equal(by_own, STR("/v1/datasets/batch/mine")));
    arena_finish(&exchange.arena);
}

/* 0: the request has no condition; else the status of its check. */
static int check(const char *name, const char *value, bool is_there)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct http_header headers[] = {{str_of(name), arena_copy(&arena, str_of(value))}};
    const struct http_request request = {.headers = {headers, 1}, .arena = &arena};
    const struct dataset_facts facts = {.id = STR("x"), .created_us = 0x10, .batches = 3};
    struct rest_condition condition;
    const struct put_condition *put = rest_condition_init(&condition, &request);
    struct error error = ERROR_NONE;
    if (!put)
        return -1;
    enum status status = put->check(put, is_there ? &facts : NULL, &error);
    if (status != STATUS_OK)
        assert_int_equal(rest_error_status(&error), 412);
    return status;
}

static void conditions_are_about_the_version(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    assert_true(str_equal(rest_dataset_version(&arena, STR("x"), 0x10, 3), STR("x-10-3")));
    static const struct {
        const char *name;
        const char *value;
        bool present; /* the outcome where there is the dataset, */
        bool absent;  /* and where there is none: whether it may happen */
    } rows[] = {
        {"if-match", "\"x-10-3\"", true, false},
        {"if-match", "\"x-10-3+csv\"", true, false},
        {"if-match", "\"a\", \"x-10-3+json-string\"", true, false},
        {"if-match", "W/\"x-10-3\"", false, false},
        {"if-match", "\"x-10-2\"", false, false},
        {"if-match", "x-10-3", false, false},
        {"if-match", "", false, false},
        {"if-match", "*", true, false},
        {"if-none-match", "*", false, true},
        {"if-none-match", "\"x-10-3\"", false, true},
        {"if-none-match", "W/\"x-10-3+csv\"", false, true},
        {"if-none-match", "\"x-10-4\"", true, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(check(rows[i].name, rows[i].value, true) == STATUS_OK, rows[i].present);
        assert_int_equal(check(rows[i].name, rows[i].value, false) == STATUS_OK, rows[i].absent);
    }
    assert_int_equal(check("range", "rows=1-2", true), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_paths_or_ids),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(urls_lead_back_to_the_name),
        cmocka_unit_test(conditions_are_about_the_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
