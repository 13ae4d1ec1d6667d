/*
 * origin_test.c — which pages and hosts the door takes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/rest_private.h"

struct row {
    const char *method;
    const char *authority;
    const char *peer;
    const char *origin; /* NULL: no such header */
    bool taken;
};

static void check(const struct row *row, const struct str *origins, size_t origin_count)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct http_header header = {STR("origin"), str_of(row->origin ? row->origin : "")};
    struct http_request request = {
        .method = str_of(row->method),
        .scheme = STR("http"),
        .authority = str_of(row->authority),
        .peer = str_of(row->peer),
        .headers = {.items = &header, .count = row->origin ? 1 : 0},
        .arena = &arena,
    };
    struct rest rest = {
        .options = {.cors_origins = origins, .cors_origin_count = origin_count},
    };
    struct rest_exchange exchange = {.rest = &rest, .request = &request, .input = &request};
    struct error error = ERROR_NONE;
    enum status status = rest_check_origin(&exchange, &error);
    if ((status == STATUS_OK) != row->taken)
        fail_msg("%s %s from %s, origin %s: status %d", row->method, row->authority, row->peer,
                 row->origin ? row->origin : "none", status);
    if (row->taken)
        return;
    assert_int_equal(status, STATUS_PERMISSION_DENIED);
    assert_int_equal(rest_error_status(&error), 403);
    assert_non_null(strstr(error.message, "cors-origins"));
}

#define LOCAL "127.0.0.1:50000"
#define REMOTE "192.0.2.7:50000"

static void pages_of_other_origins_have_no_effect(void **state)
{
    static const struct str origins[] = {
        {.ptr = "http://app.example", .len = sizeof("http://app.example") - 1}};
    static const struct row rows[] = {
        {"POST", "localhost:8000", LOCAL, NULL, true},
        {"POST", "localhost:8000", LOCAL, "http://localhost:8000", true},
        {"POST", "localhost:8000", LOCAL, "http://LOCALHOST:8000", true},
        {"POST", "localhost:8000", LOCAL, "http://app.example", true},
        {"POST", "localhost:8000", LOCAL, "https://localhost:8000", false},
        {"POST", "localhost:8000", LOCAL, "http://localhost:8001", false},
        {"POST", "localhost:8000", LOCAL, "http://app.example.org", false},
        {"POST", "localhost:8000", LOCAL, "null", false},
        {"POST", "localhost:8000", LOCAL, "", false},
        {"POST", "", LOCAL, "http://", false},
        {"DELETE", "localhost:8000", LOCAL, "http://evil.example", false},
        {"DELETE", "db.example", REMOTE, "http://evil.example", false},
        {"PATCH", "localhost:8000", "unix", "http://evil.example", false},
        {"GET", "localhost:8000", LOCAL, "http://evil.example", true},
        {"HEAD", "localhost:8000", LOCAL, "http://evil.example", true},
        {"OPTIONS", "localhost:8000", LOCAL, "http://evil.example", true},
        {"get", "localhost:8000", LOCAL, "http://evil.example", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], origins, 1);
}

static void loopback_has_only_its_own_names(void **state)
{
    static const struct str origins[] = {
        {.ptr = "http://listed.example:8000", .len = sizeof("http://listed.example:8000") - 1}};
    static const struct row rows[] = {
        {"GET", "localhost", LOCAL, NULL, true},
        {"GET", "LocalHost:8000", LOCAL, NULL, true},
        {"GET", "127.0.0.1", LOCAL, NULL, true},
        {"GET", "127.0.0.2:8000", LOCAL, NULL, true},
        {"GET", "[::1]", "[::1]:50000", NULL, true},
        {"GET", "[::1]:8000", "[::1]:50000", NULL, true},
        {"GET", "", LOCAL, NULL, true},
        {"GET", "listed.example:8000", LOCAL, NULL, true},
        {"GET", "listed.example", LOCAL, NULL, false},
        {"GET", "evil.example:8000", LOCAL, NULL, false},
        {"GET", "evil.example", "[::1]:50000", NULL, false},
        {"GET", "evil.example", "[::ffff:127.0.0.1]:50000", NULL, false},
        {"GET", "127.evil.example", LOCAL, NULL, false},
        {"GET", "127.0.0.1.evil.example", LOCAL, NULL, false},
        {"GET", "localhost.evil.example", LOCAL, NULL, false},
        {"GET", "[::1", LOCAL, NULL, false},
        {"GET", "[::1].evil.example", LOCAL, NULL, false},
        {"GET", ":8000", LOCAL, NULL, false},
        {"GET", "localhost:80@evil.example", LOCAL, NULL, false},
        {"OPTIONS", "evil.example", LOCAL, NULL, false},
        /* The page has the name that was turned to this machine: the same origin, to a browser. */
        {"POST", "evil.example:8000", LOCAL, "http://evil.example:8000", false},
        {"GET", "db.example", REMOTE, NULL, true},
        {"GET", "/run/volley.sock", "unix", NULL, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], origins, 1);
}

static void a_star_takes_all(void **state)
{
    static const struct str origins[] = {{.ptr = "*", .len = sizeof("*") - 1}};
    static const struct row rows[] = {
        {"POST", "localhost:8000", LOCAL, "http://any.example", true},
        {"POST", "any.example:8000", LOCAL, "null", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], origins, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_other_origins_have_no_effect),
        cmocka_unit_test(loopback_has_only_its_own_names),
        cmocka_unit_test(a_star_takes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
