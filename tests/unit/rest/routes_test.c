/*
 * routes_test.c — finding routes, and the HTTP form of errors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/rest_private.h"

static const struct rest_route *find(struct arena *arena, const char *method, const char *path,
                                     struct str *out_parameter, struct str *out_allow)
{
    *out_parameter = STR_EMPTY;
    return rest_route_find(arena, str_of(method), str_of(path), out_parameter, out_allow);
}

static void finds_a_route_and_its_parameter(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str parameter;
    struct str allow;
    const struct rest_route *route =
        find(&arena, "DELETE", "/v1/queries/0b0e7a4e", &parameter, &allow);
    assert_non_null(route);
    assert_string_equal(route->pattern, "/v1/queries/{id}");
    assert_true(str_equal(parameter, STR("0b0e7a4e")));
}

static void a_parameter_may_stand_in_the_middle(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str parameter;
    struct str allow;
    const struct rest_route *route =
        find(&arena, "GET", "/v1/queries/0b0e7a4e/result", &parameter, &allow);
    assert_non_null(route);
    assert_string_equal(route->pattern, "/v1/queries/{id}/result");
    assert_true(str_equal(parameter, STR("0b0e7a4e")));
    static const char *const paths[] = {"/v1/queries//result", "/v1/queries/result",
                                        "/v1/queries/a/b/result", "/v1/queries/a/result/",
                                        "/v1/queries/a/results"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        route = find(&arena, "GET", paths[i], &parameter, &allow);
        assert_null(route);
    }
}

static void a_whole_path_goes_before_a_parameter(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str parameter;
    struct str allow;
    const struct rest_route *route = find(&arena, "GET", "/v1/queries/events", &parameter, &allow);
    assert_non_null(route);
    assert_string_equal(route->pattern, "/v1/queries/events");
    /* Also where it is there for another method only. */
    assert_null(find(&arena, "GET", "/query/submit", &parameter, &allow));
    assert_true(str_equal(allow, STR("POST")));
    assert_null(find(&arena, "DELETE", "/v1/queries/events", &parameter, &allow));
    assert_true(str_equal(allow, STR("GET, HEAD")));
}

static void an_open_parameter_takes_all_segments_as_they_were_sent(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str parameter;
    struct str allow;
    const struct rest_route *route =
        find(&arena, "GET", "/v1/datasets/a%2Fb//c/", &parameter, &allow);
    assert_non_null(route);
    assert_string_equal(route->pattern, "/v1/datasets/{path...}");
    assert_true(str_equal(parameter, STR("a%2Fb//c/")));
    assert_null(find(&arena, "GET", "/v1/datasets/", &parameter, &allow));
    assert_null(find(&arena, "TRACE", "/v1/datasets/a", &parameter, &allow));
    assert_true(str_equal(allow, STR("GET, HEAD, PUT, POST, PATCH, DELETE")));
}

static void head_finds_the_route_of_get(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str parameter;
    struct str allow;
    assert_non_null(find(&arena, "HEAD", "/health", &parameter, &allow));
    assert_null(find(&arena, "HEAD", "/v1/query", &parameter, &allow));
}

static void tells_the_methods_of_a_known_path(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str parameter;
    struct str allow;
    assert_null(find(&arena, "PUT", "/v1/queries", &parameter, &allow));
    assert_true(str_equal(allow, STR("GET, HEAD")));
    assert_null(find(&arena, "GET", "/v1/query", &parameter, &allow));
    assert_true(str_equal(allow, STR("POST")));
}

static void an_unknown_path_has_no_methods(void **state)
{
    static const char *const paths[] = {
        "/nothing", "/v1/queries/", "/v1/queries/a/b", "/health/", "", "*"};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct str parameter;
        struct str allow;
        assert_null(find(&arena, "GET", paths[i], &parameter, &allow));
        assert_int_equal(allow.len, 0);
    }
}

static void every_status_has_an_http_status_and_a_code(void **state)
{
    for (int status = 1; status < STATUS_COUNT; status++) {
        struct error error = ERROR_NONE;
        error_set(&error, (enum status)status, "x");
        assert_in_range(rest_error_status(&error), 400, 504);
        assert_non_null(rest_error_code(&error));
    }
}

static void a_code_decides_over_the_status(void **state)
{
    static const struct {
        enum status status;
        const char *code;
        unsigned http_status;
    } rows[] = {
        {STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR", 422},
        {STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE", 406},
        {STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL", 429},
        {STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", 413},
        {STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED", 403},
        {STATUS_NOT_FOUND, "TABLE_NOT_FOUND", 404},
        {STATUS_UNAVAILABLE, "SHUTTING_DOWN", 503},
        {STATUS_FAILED_PRECONDITION, "RESULT_NOT_READY", 409},
        {STATUS_NOT_FOUND, "RESULT_EXPIRED", 410},
        {STATUS_FAILED_PRECONDITION, "PRECONDITION_FAILED", 412},
        {STATUS_OUT_OF_RANGE, "RANGE_NOT_SATISFIABLE", 416},
        {STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED", 422},
        {STATUS_RESOURCE_EXHAUSTED, "STORAGE_FULL", 507},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error error = ERROR_NONE;
        error_set_code(&error, rows[i].status, rows[i].code, "x");
        assert_int_equal(rest_error_status(&error), rows[i].http_status);
        assert_string_equal(rest_error_code(&error), rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_route_and_its_parameter),
        cmocka_unit_test(a_parameter_may_stand_in_the_middle),
        cmocka_unit_test(a_whole_path_goes_before_a_parameter),
        cmocka_unit_test(an_open_parameter_takes_all_segments_as_they_were_sent),
        cmocka_unit_test(head_finds_the_route_of_get),
        cmocka_unit_test(tells_the_methods_of_a_known_path),
        cmocka_unit_test(an_unknown_path_has_no_methods),
        cmocka_unit_test(every_status_has_an_http_status_and_a_code),
        cmocka_unit_test(a_code_decides_over_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
