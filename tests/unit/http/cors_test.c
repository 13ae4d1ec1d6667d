/*
 * cors_test.c — which pages and hosts are taken, and what browsers are told.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

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
    const struct http_cors cors = {.origins = origins, .origin_count = origin_count};
    struct error error = ERROR_NONE;
    enum status status = http_cors_check(&cors, &request, &error);
    if ((status == STATUS_OK) != row->taken)
        fail_msg("%s %s from %s, origin %s: status %d", row->method, row->authority, row->peer,
                 row->origin ? row->origin : "none", status);
    if (row->taken)
        return;
    assert_int_equal(status, STATUS_PERMISSION_DENIED);
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

/* Whatever the method, a conversation is more than a look. */
static void pages_of_other_origins_open_no_conversation(void **state)
{
    static const struct {
        const char *method;
        const char *origin; /* NULL: none */
        const char *site;   /* the same */
        bool taken;
    } rows[] = {
        {"GET", NULL, NULL, true},
        {"GET", "http://localhost:8000", NULL, true},
        {"GET", "http://app.example", NULL, true},
        {"GET", "http://evil.example", NULL, false},
        {"GET", "null", NULL, false},
        {"GET", NULL, "cross-site", false},
        {"CONNECT", "http://evil.example", NULL, false},
    };
    static const struct str listed = {.ptr = "http://app.example",
                                      .len = sizeof("http://app.example") - 1};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct http_header headers[2];
        size_t count = 0;
        if (rows[i].origin)
            headers[count++] = (struct http_header){STR("origin"), str_of(rows[i].origin)};
        if (rows[i].site)
            headers[count++] = (struct http_header){STR("sec-fetch-site"), str_of(rows[i].site)};
        struct http_request request = {
            .method = str_of(rows[i].method),
            .scheme = STR("http"),
            .authority = STR("localhost:8000"),
            .protocol = STR("websocket"),
            .peer = STR(LOCAL),
            .headers = {.items = headers, .count = count},
            .arena = &arena,
        };
        const struct http_cors cors = {.origins = &listed, .origin_count = 1};
        struct error error = ERROR_NONE;
        assert_int_equal(http_cors_check(&cors, &request, &error) == STATUS_OK, rows[i].taken);
    }
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

static void pages_without_an_origin(void **state)
{
    static const struct {
        const char *site;
        bool taken;
    } rows[] = {{"cross-site", false}, {"same-origin", true}, {"none", true}, {NULL, true}};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct http_header header = {STR("sec-fetch-site"),
                                           str_of(rows[i].site ? rows[i].site : "")};
        struct http_request request = {
            .method = STR("POST"),
            .authority = STR("localhost"),
            .peer = STR(LOCAL),
            .headers = {.items = &header, .count = rows[i].site ? 1 : 0},
            .arena = &arena,
        };
        struct error error = ERROR_NONE;
        assert_int_equal(http_cors_check(NULL, &request, &error) == STATUS_OK, rows[i].taken);
    }
}

/* --- what browsers are told ------------------------------------------------------------------- */

/* "name: value\n" of each header of the answer to a page of `origin`. */
static void answer(const char *listed, const struct http_header *headers, size_t count,
                   bool preflight, char *out, size_t size)
{
    const struct str origin = str_of(listed ? listed : "");
    const struct http_cors cors = {.origins = &origin, .origin_count = listed ? 1 : 0};
    const struct http_request request = {
        .method = preflight ? STR("OPTIONS") : STR("POST"),
        .headers = {.items = headers, .count = count},
    };
    assert_int_equal(http_cors_is_preflight(&request), preflight);
    struct http_header answers[HTTP_CORS_PREFLIGHT_HEADERS_MAX];
    size_t answered = preflight ? http_cors_preflight_headers(&cors, &request, answers)
                                : http_cors_headers(&cors, &request, answers);
    assert_true(answered <= (preflight ? HTTP_CORS_PREFLIGHT_HEADERS_MAX : HTTP_CORS_HEADERS_MAX));
    out[0] = 0;
    for (size_t i = 0; i < answered; i++) {
        size_t len = strlen(out);
        snprintf(out + len, size - len, "%.*s: %.*s\n", STR_ARGS(answers[i].name),
                 STR_ARGS(answers[i].value));
    }
}

#define PAGE "http://app.example"

static void answers_to_pages(void **state)
{
    char text[2000];
    const struct http_header page = {STR("origin"), STR(PAGE)};
    answer(PAGE, &page, 1, false, text, sizeof(text));
    assert_non_null(strstr(text, "access-control-allow-origin: " PAGE "\n"));
    assert_non_null(strstr(text, "access-control-allow-credentials: true\n"));
    assert_non_null(strstr(text, "access-control-expose-headers: x-request-id, grpc-status, "
                                 "grpc-message"));
    assert_non_null(strstr(text, "vary: origin\n"));
    /* Without credentials. */
    answer("*", &page, 1, false, text, sizeof(text));
    assert_non_null(strstr(text, "access-control-allow-origin: *\n"));
    assert_null(strstr(text, "credentials"));
    /* The answer depends on the origin where it has none, too. */
    answer("http://other.example", &page, 1, false, text, sizeof(text));
    assert_string_equal(text, "vary: origin\n");
    answer(PAGE, NULL, 0, false, text, sizeof(text));
    assert_string_equal(text, "vary: origin\n");
    answer(NULL, &page, 1, false, text, sizeof(text));
    assert_string_equal(text, "");
}

static void answers_to_preflights(void **state)
{
    char text[2000];
    const struct http_header headers[] = {
        {STR("access-control-request-method"), STR("POST")},
        {STR("origin"), STR(PAGE)},
        {STR("access-control-request-private-network"), STR("true")},
        {STR("access-control-request-headers"), STR("content-type,volley-trace,x-grpc-web")},
    };
    answer(PAGE, headers, 4, true, text, sizeof(text));
    assert_non_null(strstr(text, "access-control-allow-origin: " PAGE "\n"));
    assert_non_null(strstr(text, "access-control-allow-methods: GET, HEAD, POST, "));
    assert_non_null(
        strstr(text, "access-control-allow-headers: content-type,volley-trace,x-grpc-web\n"));
    assert_non_null(strstr(text, "access-control-allow-private-network: true\n"));
    assert_non_null(strstr(text, "access-control-max-age: 600\n"));
    answer(PAGE, headers, 2, true, text, sizeof(text));
    assert_non_null(strstr(text, "access-control-allow-headers: content-type, authorization, "
                                 "x-grpc-web, x-user-agent, grpc-timeout"));
    assert_null(strstr(text, "private-network"));
    answer("http://other.example", headers, 4, true, text, sizeof(text));
    assert_string_equal(text, "vary: origin\n");
    answer(NULL, headers, 1, true, text, sizeof(text));
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_other_origins_have_no_effect),
        cmocka_unit_test(pages_of_other_origins_open_no_conversation),
        cmocka_unit_test(loopback_has_only_its_own_names),
        cmocka_unit_test(a_star_takes_all),
        cmocka_unit_test(pages_without_an_origin),
        cmocka_unit_test(answers_to_pages),
        cmocka_unit_test(answers_to_preflights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
