/*
 * fields_test.c — requests held against tables: values, fallbacks, bounds, and every fault at once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/fields.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct wish {
    struct str sql;
    unsigned engine;
    int64_t priority;
    double share;
    bool is_quiet;
    const struct json_value *tags;
};

static const char *const engines[] = {"duckdb", "clickhouse", NULL};

static const struct rest_field wish_fields[] = {
    {.name = "sql",
     .type = REST_TEXT,
     REST_INTO(struct wish, sql),
     .required = true,
     .min = 1,
     .max = 40},
    {.name = "engine",
     .type = REST_CHOICE,
     REST_INTO(struct wish, engine),
     .choices = engines,
     .fallback = "clickhouse"},
    {.name = "priority",
     .type = REST_INTEGER,
     REST_INTO(struct wish, priority),
     .fallback = "3",
     .min = 1,
     .max = 5},
    {.name = "share", .type = REST_NUMBER, REST_INTO(struct wish, share), .min = 0, .max = 1},
    {.name = "quiet", .type = REST_BOOL, REST_INTO(struct wish, is_quiet)},
    {.name = "tags", .type = REST_VALUE, REST_INTO(struct wish, tags)},
};
static const struct rest_object wish_object = {.name = "Wish", REST_FIELDS(wish_fields)};
static const struct rest_object wish_list = {
    .name = "Wishes", REST_FIELDS(wish_fields), .items_max = 2};

struct page {
    int64_t limit;
    int64_t offset;
    struct str format;
};
static const struct rest_field page_fields[] = {
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct page, limit),
     .fallback = "50",
     .min = 1,
     .max = 1000},
    {.name = "offset",
     .type = REST_INTEGER,
     REST_INTO(struct page, offset),
     .fallback = "0",
     .max = INT64_MAX},
    {.name = "format", .type = REST_TEXT, REST_INTO(struct page, format), .is_option = true},
};
static const struct rest_object page_object = {.name = "Page", REST_FIELDS(page_fields)};

struct fixture {
    struct rest_route route;
    struct rest_exchange exchange;
    struct http_request request;
    struct http_header header;
    struct error error;
};

static void begin(struct fixture *fixture, const char *query, struct str body)
{
    *fixture = (struct fixture){.route = {.parameters = &page_object, .body = &wish_object}};
    struct rest_exchange *exchange = &fixture->exchange;
    arena_init(&exchange->arena);
    buf_init(&exchange->body, REST_BODY_BYTES_MAX);
    buf_append_str(&exchange->body, body);
    fixture->request.arena = &exchange->arena;
    fixture->request.query = str_of(query);
    exchange->route = &fixture->route;
    exchange->input = &fixture->request;
    fixture->error = ERROR_NONE;
}

static void finish(struct fixture *fixture)
{
    json_document_destroy(fixture->exchange.document);
    buf_finish(&fixture->exchange.body);
    arena_finish(&fixture->exchange.arena);
}

static void add_header(struct fixture *fixture, const char *name, const char *value)
{
    fixture->header = (struct http_header){str_of(name), str_of(value)};
    fixture->request.headers = (struct http_headers){.items = &fixture->header, .count = 1};
}

static enum status read(struct fixture *fixture, struct page *page, struct wish *wish)
{
    return rest_request_read(&fixture->exchange, page, wish, &fixture->error);
}

static struct str faults_of(struct fixture *fixture)
{
    struct buf text;
    struct json_writer json;
    buf_init(&text, 1 << 16);
    json_writer_init(&json, &text);
    rest_write_faults(&json, fixture->exchange.faults);
    struct str copy = arena_copy(&fixture->exchange.arena, buf_str(&text));
    buf_finish(&text);
    return copy;
}

/* The request is refused; each of the texts stands in the faults, and there are `count`. */
static void expect_faults(const char *query, const char *body, size_t count,
                          const char *const texts[])
{
    struct fixture fixture;
    struct page page = {0};
    struct wish wish = {0};
    begin(&fixture, query, str_of(body));
    assert_int_equal(read(&fixture, &page, &wish), STATUS_INVALID_ARGUMENT);
    assert_string_equal(fixture.error.code, "VALIDATION_ERROR");
    assert_int_equal(fixture.exchange.faults->count, count);
    struct str told = faults_of(&fixture);
    for (size_t i = 0; texts[i]; i++) {
        if (str_find_str(told, str_of(texts[i])) < 0)
            fail_msg("%.*s does not say %s", STR_ARGS(told), texts[i]);
    }
    finish(&fixture);
}

static void reads_every_type(void **state)
{
    struct fixture fixture;
    struct page page = {0};
    struct wish wish = {0};
    begin(&fixture, "limit=7&format=a%20b&other=1",
          STR("{\"sql\":\" SELECT 1 \",\"engine\":\"duckdb\",\"priority\":5.0,\"share\":0.25,"
              "\"quiet\":true,\"tags\":{\"a\":1},\"more\":null}"));
    assert_int_equal(read(&fixture, &page, &wish), STATUS_OK);
    assert_int_equal(page.limit, 7);
    assert_int_equal(page.offset, 0);
    assert_true(str_equal(page.format, STR("a b")));
    assert_true(str_equal(wish.sql, STR(" SELECT 1 ")));
    assert_int_equal(wish.engine, 0);
    assert_int_equal(wish.priority, 5);
    assert_true(wish.share == 0.25 && wish.is_quiet);
    assert_true(json_value_is_object(wish.tags));
    finish(&fixture);
}

static void texts_are_text(void **state)
{
    expect_faults("format=a%00b", "{\"sql\":\"x\"}", 1,
                  (const char *const[]){"string_unicode", NULL});
    expect_faults("format=%ff", "{\"sql\":\"x\"}", 1,
                  (const char *const[]){"string_unicode", NULL});
}

static void what_is_absent_or_null_is_the_fallback_or_stays(void **state)
{
    struct fixture fixture;
    struct page page = {0};
    struct wish wish = {.share = 0.5};
    begin(&fixture, "", STR("{\"sql\":\"x\",\"priority\":null}"));
    assert_int_equal(read(&fixture, &page, &wish), STATUS_OK);
    assert_int_equal(page.limit, 50);
    assert_int_equal(wish.engine, 1);
    assert_int_equal(wish.priority, 3);
    assert_true(wish.share == 0.5 && !wish.is_quiet && !wish.tags);
    finish(&fixture);
}

static void an_option_may_come_as_a_header(void **state)
{
    struct fixture fixture;
    struct page page = {0};
    struct wish wish = {0};
    begin(&fixture, "", STR("{\"sql\":\"x\"}"));
    add_header(&fixture, "volley-format", "csv");
    assert_int_equal(read(&fixture, &page, &wish), STATUS_OK);
    assert_true(str_equal(page.format, STR("csv")));
    finish(&fixture);
    begin(&fixture, "format=json", STR("{\"sql\":\"x\"}"));
    add_header(&fixture, "volley-format", "csv");
    assert_int_equal(read(&fixture, &page, &wish), STATUS_OK);
    assert_true(str_equal(page.format, STR("json")));
    finish(&fixture);
}

static void every_fault_is_told_with_its_place(void **state)
{
    const char *const texts[] = {
        "\"loc\":[\"query\",\"limit\"],\"msg\":\"parameter 'limit' must be 1 to 1000, not 0\","
        "\"type\":\"greater_than_equal\"",
        "\"loc\":[\"query\",\"offset\"],\"msg\":\"parameter 'offset' must be a whole number, not "
        "'x'\","
        "\"type\":\"int_parsing\"",
        "\"loc\":[\"body\",\"sql\"],\"msg\":\"field 'sql' is required\",\"type\":\"missing\"",
        "\"loc\":[\"body\",\"engine\"],\"msg\":\"field 'engine' must be one of duckdb, clickhouse, "
        "not 'db2'\",\"type\":\"enum\"",
        "\"loc\":[\"body\",\"priority\"],\"msg\":\"field 'priority' must be 1 to 5, not 6\","
        "\"type\":\"less_than_equal\"",
        "\"loc\":[\"body\",\"share\"],\"msg\":\"field 'share' must be a "
        "number\",\"type\":\"float_type\"",
        "\"loc\":[\"body\",\"quiet\"],\"msg\":\"field 'quiet' must be true or "
        "false\",\"type\":\"bool_type\"",
        "\"loc\":[\"body\",\"tags\"],\"msg\":\"field 'tags' must be an object or a list\"",
        NULL};
    expect_faults("limit=0&offset=x",
                  "{\"engine\":\"db2\",\"priority\":6,\"share\":\"1\",\"quiet\":1,\"tags\":\"a\"}",
                  8, texts);
}

static void refuses_values_of_other_types_and_bounds(void **state)
{
    const char *const numbers[] = {"must be a whole number", NULL};
    expect_faults("", "{\"sql\":\"x\",\"priority\":\"3\"}", 1, numbers);
    expect_faults("", "{\"sql\":\"x\",\"priority\":2.5}", 1, numbers);
    expect_faults("", "{\"sql\":\"x\",\"priority\":1e300}", 1, numbers);
    expect_faults("", "{\"sql\":\"x\",\"priority\":[1]}", 1, numbers);
    expect_faults("", "{\"sql\":7}", 1, (const char *const[]){"must be a string", NULL});
    expect_faults("", "{\"sql\":\" \\n\"}", 1, (const char *const[]){"must not be empty", NULL});
    expect_faults("", "{\"sql\":\"12345678901234567890123456789012345678901\"}", 1,
                  (const char *const[]){"may have 40 bytes, not 41", NULL});
    expect_faults("offset=-1", "{\"sql\":\"x\"}", 1,
                  (const char *const[]){"must be at least 0, not -1", NULL});
    expect_faults("limit=%zz", "{\"sql\":\"x\"}", 1,
                  (const char *const[]){"\"loc\":[\"query\"]", NULL});
}

static void refuses_what_is_no_object(void **state)
{
    const char *const invalid[] = {"\"loc\":[\"body\"]", "\"type\":\"json_invalid\"", NULL};
    expect_faults("", "{\"sql\":", 1, invalid);
    expect_faults("", "{\"sql\":\"a\",\"sql\":\"b\"}", 1, invalid);
    expect_faults("", "{\"sql\":\"\xff\"}", 1, invalid);
    expect_faults("", "{\"priority\":99999999999999999999}", 1, invalid);
    expect_faults("", "[]", 1, (const char *const[]){"model_attributes_type", NULL});
    expect_faults("", "\"x\"", 1, (const char *const[]){"model_attributes_type", NULL});
    expect_faults("", " ", 1, (const char *const[]){"needs a JSON body", NULL});
}

static void strict_routes_refuse_what_no_table_names(void **state)
{
    struct fixture fixture;
    struct page page = {0};
    struct wish wish = {0};
    begin(&fixture, "limt=1", STR("{\"sql\":\"x\",\"priorty\":1,\"b\":2}"));
    fixture.route.problem_json = true;
    assert_int_equal(read(&fixture, &page, &wish), STATUS_INVALID_ARGUMENT);
    assert_int_equal(fixture.exchange.faults->count, 3);
    struct str told = faults_of(&fixture);
    assert_true(str_find_str(told, STR("\"loc\":[\"query\",\"limt\"],\"msg\":\"unknown query "
                                       "parameter 'limt'; the query parameters are limit, "
                                       "offset, format\"")) >= 0);
    assert_true(str_find_str(told, STR("\"loc\":[\"body\",\"priorty\"]")) >= 0);
    assert_true(str_find_str(told, STR("extra_forbidden")) >= 0);
    finish(&fixture);
}

static void more_faults_than_are_told_are_counted(void **state)
{
    struct fixture fixture;
    struct page page = {0};
    struct wish wish = {0};
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_append_text(&body, "{\"sql\":\"x\"");
    for (int i = 0; i < 1000; i++)
        buf_printf(&body, ",\"unknown_%d\":1", i);
    buf_append_text(&body, "}");
    begin(&fixture, "", buf_str(&body));
    fixture.route.problem_json = true;
    assert_int_equal(read(&fixture, &page, &wish), STATUS_INVALID_ARGUMENT);
    assert_int_equal(fixture.exchange.faults->count, 1000);
    assert_true(strlen(fixture.error.message) < ERROR_MESSAGE_MAX);
    assert_true(str_find_str(faults_of(&fixture), STR("unknown_32'")) < 0);
    buf_finish(&body);
    finish(&fixture);
}

static void other_types_and_sizes_have_codes_of_their_own(void **state)
{
    struct fixture fixture;
    struct page page = {0};
    struct wish wish = {0};
    begin(&fixture, "", STR("{\"sql\":\"x\"}"));
    add_header(&fixture, "content-type", "text/csv");
    assert_int_equal(read(&fixture, &page, &wish), STATUS_INVALID_ARGUMENT);
    assert_string_equal(fixture.error.code, "UNSUPPORTED_MEDIA_TYPE");
    finish(&fixture);

    struct buf body;
    buf_init(&body, 1 << 20);
    buf_append_text(&body, "[0");
    for (int i = 0; i < JSON_VALUES_MAX; i++)
        buf_append_text(&body, ",0");
    buf_append_text(&body, "]");
    begin(&fixture, "", buf_str(&body));
    assert_int_equal(read(&fixture, &page, &wish), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(fixture.error.code, "PAYLOAD_TOO_LARGE");
    buf_finish(&body);
    finish(&fixture);
}

static void a_list_is_checked_and_its_members_are_read_one_by_one(void **state)
{
    struct fixture fixture;
    const struct json_value *list = NULL;
    begin(&fixture, "", STR("[{\"sql\":\"a\"},{\"priority\":9}]"));
    fixture.route.body = &wish_list;
    assert_int_equal(rest_request_read_list(&fixture.exchange, &list, &fixture.error), STATUS_OK);
    assert_int_equal(json_value_count(list), 2);
    struct rest_faults *faults = fixture.exchange.faults;
    struct wish wish = {0};
    rest_object_read(&wish_list, json_value_at(list, 0), 0, false, &wish, faults);
    assert_int_equal(faults->count, 0);
    rest_object_read(&wish_list, json_value_at(list, 1), 1, false, &wish, faults);
    assert_int_equal(faults->count, 2);
    assert_true(str_find_str(faults_of(&fixture), STR("\"loc\":[\"body\",1,\"priority\"]")) >= 0);
    finish(&fixture);

    static const char *const refused[] = {"[]", "[1,2,3]", "{}", "1", ""};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        begin(&fixture, "", str_of(refused[i]));
        fixture.route.body = &wish_list;
        assert_int_equal(rest_request_read_list(&fixture.exchange, &list, &fixture.error),
                         STATUS_INVALID_ARGUMENT);
        assert_string_equal(fixture.error.code, "VALIDATION_ERROR");
        finish(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(texts_are_text),
        cmocka_unit_test(what_is_absent_or_null_is_the_fallback_or_stays),
        cmocka_unit_test(an_option_may_come_as_a_header),
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(refuses_values_of_other_types_and_bounds),
        cmocka_unit_test(refuses_what_is_no_object),
        cmocka_unit_test(strict_routes_refuse_what_no_table_names),
        cmocka_unit_test(more_faults_than_are_told_are_counted),
        cmocka_unit_test(other_types_and_sizes_have_codes_of_their_own),
        cmocka_unit_test(a_list_is_checked_and_its_members_are_read_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
