/*
 * engine_test.c — statements through the real engine: kinds, counts, routes, errors, sessions, stop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arrow/builder.h"
#include "base/memory.h"
#include "engine_support.h"

static struct test_engine engine;

static int set_up(void **state)
{
    (void)state;
    test_engine_open(&engine, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_engine_close(&engine);
    return 0;
}

static void test_simple(void **state)
{
    (void)state;
    test_rows(&engine, "SELECT 1", "1");
    test_rows(&engine, "SELECT 1 AS a, 'x' AS b, NULL AS c;  -- end", "1|x|NULL");
    test_rows(&engine, "SELECT * FROM range(3) t(i) ORDER BY i DESC -- end", "2\n1\n0");
    test_rows(&engine, "SELECT i FROM range(5) t(i) WHERE i > 10", "");
    test_schema(&engine, "SELECT 1 AS a, 'x' AS b, 2.5 AS c",
                "a: int32, b: string, c: decimal128(2, 1)");
    assert_int_equal(test_execute(&engine, "SELECT * FROM range(100)"), 100);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum statement_kind kind;
        int64_t rows;
    } cases[] = {
        {"CREATE TABLE kinds (a INTEGER, b VARCHAR)", STATEMENT_DEFINITION, -1},
        {"INSERT INTO kinds VALUES (1, 'a'), (2, 'b'), (3, 'c')", STATEMENT_UPDATE, 3},
        {"UPDATE kinds SET b = 'z' WHERE a > 1", STATEMENT_UPDATE, 2},
        {"DELETE FROM kinds WHERE a = 3", STATEMENT_UPDATE, 1},
        {"INSERT INTO kinds VALUES (4, 'd') RETURNING a", STATEMENT_RETURNING, 1},
        {"MERGE INTO kinds USING (SELECT 4 AS a) s ON kinds.a = s.a WHEN MATCHED THEN DELETE",
         STATEMENT_UPDATE, 1},
        {"SELECT * FROM kinds", STATEMENT_QUERY, 2},
        {"WITH x AS (SELECT 1) SELECT * FROM x", STATEMENT_QUERY, 1},
        {"FROM kinds", STATEMENT_QUERY, 2},
        {"(SELECT 1) UNION ALL (SELECT 2)", STATEMENT_QUERY, 2},
        {"VALUES (1), (2)", STATEMENT_QUERY, 2},
        {"SHOW TABLES", STATEMENT_QUERY, 1},
        {"DESCRIBE kinds", STATEMENT_QUERY, 2},
        {"SUMMARIZE kinds", STATEMENT_QUERY, 2},
        {"EXPLAIN SELECT * FROM kinds", STATEMENT_QUERY, 1},
        {"EXPLAIN ANALYZE SELECT * FROM kinds", STATEMENT_QUERY, 1},
        {"EXPLAIN ANALYZE INSERT INTO kinds VALUES (9, 'i')", STATEMENT_RETURNING, 1},
        {"SET VARIABLE v = 7", STATEMENT_DEFINITION, -1},
        {"BEGIN", STATEMENT_TRANSACTION, -1},
        {"ROLLBACK", STATEMENT_TRANSACTION, -1},
        {"PIVOT kinds ON b IN ('x', 'y') USING count(*)", STATEMENT_QUERY, -2},
        {"DROP TABLE kinds", STATEMENT_DEFINITION, -1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, cases[i].sql);
        if (result.status != STATUS_OK)
            fail_msg("%s: %s", cases[i].sql, result.error.message);
        if (result.kind != cases[i].kind || (cases[i].rows != -2 && result.rows != cases[i].rows))
            fail_msg("%s: %s, %lld rows", cases[i].sql, statement_kind_name(result.kind),
                     (long long)result.rows);
    }
}

/* The same rows by both routes, in order, with batches within their limits. */
static void test_large(void **state)
{
    (void)state;
    test_execute(&engine,
                 "CREATE TABLE large AS SELECT i, i::VARCHAR AS s, "
                 "CASE WHEN i % 7 = 0 THEN NULL ELSE i * 2 END AS n FROM range(300000) t(i)");
    CLEANUP(test_result_finish) struct test_result result = test_run(&engine, "FROM large");
    assert_int_equal(result.rows, 300000);
    int64_t next = 0;
    for (size_t b = 0; b < result.batch_count; b++) {
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        struct arrow_column *columns = arrow_columns_open(result.batches[b], &arena);
        assert_true(result.batches[b]->body_bytes <= (size_t)1 << 20);
        if (b + 1 < result.batch_count)
            assert_true(result.batches[b]->rows >= 16384);
        for (int64_t row = 0; row < result.batches[b]->rows; row++, next++) {
            char text[24];
            snprintf(text, sizeof(text), "%lld", (long long)next);
            assert_int_equal(arrow_column_integer(&columns[0], row), next);
            assert_true(str_equal(arrow_column_bytes(&columns[1], row), str_of(text)));
            assert_int_equal(arrow_column_is_null(&columns[2], row), next % 7 == 0);
            if (next % 7)
                assert_int_equal(arrow_column_integer(&columns[2], row), next * 2);
        }
    }
    assert_int_equal(next, 300000);
}

/* --- errors -------------------------------------------------------------------------------------- */

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum status status;
        const char *code;
        int64_t position; /* -2: any */
        const char *part;
    } cases[] = {
        {"SELEKT 1", STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR", 0, "syntax error"},
        {"SELECT 1,\n  FROM", STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR", -2, "syntax error"},
        {"SELECT 1\n FORM t x", STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR", 15, "LINE 2"},
        {"SELECT * FROM nowhere", STATUS_NOT_FOUND, "TABLE_NOT_FOUND", 14, "nowhere"},
        {"SELECT '\xc3\xbc\xc3\xbc' FROM nowhere", STATUS_NOT_FOUND, "TABLE_NOT_FOUND", 19,
         "nowhere"},
        {"SELECT * FROM s.nowhere", STATUS_NOT_FOUND, "TABLE_NOT_FOUND", -2, "nowhere"},
        {"SELECT * FROM a.b.c", STATUS_NOT_FOUND, "TABLE_NOT_FOUND", -2, ""},
        {"SELECT nothing FROM range(1)", STATUS_INVALID_ARGUMENT, "INVALID_SQL", 7, "nothing"},
        {"SELECT no_such_function(1)", STATUS_INVALID_ARGUMENT, "INVALID_SQL", 7,
         "no_such_function"},
        {"SELECT 'x'::INTEGER", STATUS_INVALID_ARGUMENT, "INVALID_SQL", -2, "Could not convert"},
        {"SELECT (i || 'x')::INTEGER FROM range(5) t(i)", STATUS_INVALID_ARGUMENT, "INVALID_SQL",
         -2, "Could not convert"},
        {"SELECT 1::TINYINT + 127::TINYINT", STATUS_INVALID_ARGUMENT, "INVALID_SQL", -2,
         "Overflow"},
        {"CREATE TABLE errors (a INTEGER)", STATUS_ALREADY_EXISTS, "ALREADY_EXISTS", -2,
         "already exists"},
        {"INSERT INTO errors VALUES (1)", STATUS_ALREADY_EXISTS, "DATA_VALIDATION_FAILED", -2,
         "Duplicate key"},
        {"INSERT INTO errors VALUES (NULL)", STATUS_FAILED_PRECONDITION, "DATA_VALIDATION_FAILED",
         -2, "NOT NULL"},
        {"INSERT INTO errors VALUES (-1)", STATUS_FAILED_PRECONDITION, "DATA_VALIDATION_FAILED", -2,
         "CHECK"},
        {"SELECT ?", STATUS_INVALID_ARGUMENT, "INVALID_SQL", -2, "1 parameters"},
        {"ROLLBACK", STATUS_FAILED_PRECONDITION, "FAILED_PRECONDITION", -2,
         "no transaction is active"},
        {"SELECT error('mine') FROM range(3)", STATUS_INVALID_ARGUMENT, "INVALID_SQL", -2, "mine"},
    };
    test_execute(&engine, "CREATE TABLE errors (a INTEGER PRIMARY KEY CHECK (a > 0)); "
                          "INSERT INTO errors VALUES (1)");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, cases[i].sql);
        const struct error *error = &result.error;
        if (result.status != cases[i].status || error->status != cases[i].status || !error->code ||
            strcmp(error->code, cases[i].code) != 0 || !strstr(error->message, cases[i].part))
            fail_msg("%s: %s %s '%s'", cases[i].sql, status_name(result.status), error->code,
                     error->message);
        if (cases[i].position != -2 && error->position != cases[i].position)
            fail_msg("%s: position %d\n%s", cases[i].sql, (int)error->position, error->message);
    }
    test_execute(&engine, "DROP TABLE errors");
}

/* A COPY wraps the statement in two lines of ours; neither they nor its words may show. */
static void test_error_in_copy(void **state)
{
    (void)state;
    CLEANUP(test_result_finish)
    struct test_result result =
        test_run(&engine, "  SELECT i,\n (i || 'x')::INTEGER FROM range(50000) t(i)");
    assert_int_equal(result.status, STATUS_INVALID_ARGUMENT);
    assert_null(strstr(result.error.message, "COPY"));
    assert_null(strstr(result.error.message, "LINE 3"));
}

/* --- stop ---------------------------------------------------------------------------------------- */

struct stopped {
    const char *sql;
    struct engine_statement *statement;
    struct dataset *dataset;
    enum status status;
    struct error error;
};

static void run_stopped(void *argument)
{
    struct stopped *stopped = argument;
    int64_t rows;
    stopped->status =
        engine_statement_run(stopped->statement, stopped->dataset, &rows, &stopped->error);
}

/* Starts the statement, stops it once it runs (by progress or a first batch), and waits. */
static void check_stopped(const char *sql, bool wait_for_rows)
{
    struct stopped stopped = {.sql = sql, .error = ERROR_NONE};
    struct thread *thread = NULL;
    struct dataset_facts facts = {0};
    assert_int_equal(
        engine_prepare(engine.session, str_of(sql), NULL, &stopped.statement, &stopped.error),
        STATUS_OK);
    struct dataset_options options = {
        .id = STR("stopped"), .ttl_ms = 1000, .schema = engine_statement_schema(stopped.statement)};
    assert_int_equal(dataset_create(engine.store, &options, &stopped.dataset, NULL), STATUS_OK);
    assert_int_equal(thread_start("stopped", 0, run_stopped, &stopped, &thread, NULL), STATUS_OK);
    while (wait_for_rows && facts.batches == 0)
        dataset_facts(stopped.dataset, &facts);
    engine_statement_interrupt(stopped.statement);
    thread_join(thread);
    if (stopped.status != STATUS_CANCELLED)
        fail_msg("%s: %s %s", sql, status_name(stopped.status), stopped.error.message);
    assert_string_equal(stopped.error.code, "QUERY_CANCELLED");
    assert_true(engine_statement_progress(stopped.statement) < 0);
    /* The session goes on. */
    test_rows(&engine, "SELECT 1", "1");
    dataset_drop(stopped.dataset);
    dataset_unref(stopped.dataset);
    engine_statement_destroy(stopped.statement);
}

static void test_interrupt(void **state)
{
    (void)state;
    check_stopped("SELECT * FROM range(100000000000)", true);           /* COPY, rows */
    check_stopped("SELECT count(*) FROM range(100000000000) a", false); /* stream, none */
    check_stopped("SELECT * FROM range(100000000000) LIMIT 2000 OFFSET 90000000000", false);
    check_stopped("SELECT a.i FROM range(10000000) a(i), range(10000000) b(i) ORDER BY 1", false);
    check_stopped("CREATE TABLE never AS SELECT * FROM range(100000000000)", false);
    test_fails(&engine, "FROM never", STATUS_NOT_FOUND, "never");
}

/* An interrupt that comes before the start counts too. */
static void test_interrupt_before_start(void **state)
{
    (void)state;
    struct engine_statement *statement = NULL;
    struct error error = ERROR_NONE;
    int64_t rows;
    assert_int_equal(engine_prepare(engine.session, STR("CREATE TABLE early (a INTEGER)"), NULL,
                                    &statement, &error),
                     STATUS_OK);
    engine_statement_interrupt(statement);
    engine_statement_interrupt(statement);
    assert_int_equal(engine_statement_run(statement, NULL, &rows, &error), STATUS_CANCELLED);
    engine_statement_destroy(statement);
    test_fails(&engine, "FROM early", STATUS_NOT_FOUND, "early");
}

/* Values are inserted without the optimizer; nobody can tell. */
static void test_insert_of_values(void **state)
{
    (void)state;
    test_execute(&engine, "CREATE SEQUENCE number START 5");
    test_execute(&engine,
                 "CREATE TABLE plain (a INTEGER PRIMARY KEY, b DATE, c VARCHAR DEFAULT 'd', "
                 "e DECIMAL(9, 2) CHECK (e > 0), f INTEGER[], g BIGINT DEFAULT "
                 "nextval('number'))");
    test_execute(&engine, "INSERT INTO plain VALUES (1 + 1, DATE '2026-01-02', upper('x'), 1.5, "
                          "[1, 2], DEFAULT)");
    test_execute(&engine, "INSERT INTO plain (a, e) VALUES ('3', 2), (4, '2.25'::DOUBLE)");
    test_execute(&engine, "INSERT INTO plain (a, e, c) VALUES (5, (VALUES (7)), NULL)");
    test_rows(&engine,
              "SELECT string_agg(concat_ws('|', a, b, c, e, f, g), ' ' ORDER BY a) FROM plain",
              "2|2026-01-02|X|1.50|[1, 2]|5 3|d|2.00|6 4|d|2.25|7 5|7.00|8");
    test_fails(&engine, "INSERT INTO plain (a, e) VALUES (4, 1)", STATUS_ALREADY_EXISTS,
               "uplicate");
    test_fails(&engine, "INSERT INTO plain (a, e) VALUES (9, -1)", STATUS_FAILED_PRECONDITION,
               "CHECK");
    test_fails(&engine, "INSERT INTO plain (a, e) VALUES ('x', 1)", STATUS_INVALID_ARGUMENT, "'x'");
    test_fails(&engine, "INSERT INTO plain (nothing) VALUES (1)", STATUS_INVALID_ARGUMENT,
               "nothing");
    test_rows(&engine, "SELECT count(*) FROM plain", "4");
    test_execute(&engine, "DROP TABLE plain");
    test_execute(&engine, "DROP SEQUENCE number");
}

/* Without a dataset rows are counted and dropped, whatever the route. */
static void test_rows_without_a_dataset(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "INSERT INTO unread SELECT i FROM range(300000) t(i) RETURNING a",
        "SELECT a FROM unread",
        "DELETE FROM unread RETURNING a, a + 1",
    };
    test_execute(&engine, "CREATE TABLE unread (a BIGINT)");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
        struct error error = ERROR_NONE;
        int64_t rows = 0;
        assert_int_equal(engine_prepare(engine.session, str_of(texts[i]), NULL, &statement, &error),
                         STATUS_OK);
        assert_int_equal(engine_statement_run(statement, NULL, &rows, &error), STATUS_OK);
        assert_int_equal(rows, 300000);
    }
    test_execute(&engine, "DROP TABLE unread");
}

/* --- batches ------------------------------------------------------------------------------------- */

/* Long texts and lists: a batch stays below its bytes unless one row alone is larger. */
static void test_batch_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int64_t rows;
        bool single_rows_only;
    } cases[] = {
        {"SELECT repeat('x', 100000 + i % 7) FROM range(200) t(i)", 200, false},
        {"SELECT repeat('x', 1500000) FROM range(5) t(i)", 5, true},
        {"SELECT range(50000 + i) FROM range(40) t(i)", 40, false},
        {"SELECT [repeat('y', 1000)] FROM range(20000) t(i)", 20000, false},
        {"SELECT CASE WHEN i % 1000 = 0 THEN repeat('z', 300000) ELSE 's' END FROM range(40000) "
         "t(i)",
         40000, false},
        {"SELECT {'a': repeat('x', 3000), 'b': i} FROM range(3000) t(i)", 3000, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, cases[i].sql);
        int64_t rows = 0;
        if (result.status != STATUS_OK)
            fail_msg("%s: %s", cases[i].sql, result.error.message);
        for (size_t b = 0; b < result.batch_count; b++) {
            rows += result.batches[b]->rows;
            if (result.batches[b]->body_bytes > (size_t)1 << 20)
                assert_true(cases[i].single_rows_only && result.batches[b]->rows == 1);
        }
        assert_int_equal(rows, cases[i].rows);
        assert_int_equal(result.rows, rows);
    }
}

static void test_message_bytes(void **state)
{
    (void)state;
    struct engine_result_options options = {.message_bytes_max = 100000};
    CLEANUP(test_result_finish)
    struct test_result result =
        test_run_in(&engine, engine.session, "SELECT * FROM range(200000)", &options);
    assert_int_equal(result.rows, 200000);
    assert_true(result.batch_count >= 16);
    for (size_t b = 0; b < result.batch_count; b++)
        assert_true(result.batches[b]->body_bytes <= 100000);
    options.message_bytes_max = (size_t)8 << 20;
    CLEANUP(test_result_finish)
    struct test_result wide = test_run_in(
        &engine, engine.session, "SELECT i, repeat('a', 200) FROM range(200000) t(i)", &options);
    assert_int_equal(wide.rows, 200000);
    assert_true(wide.batches[0]->body_bytes > (size_t)4 << 20);
    assert_true(wide.batches[0]->body_bytes <= (size_t)8 << 20);
}

static void test_many_columns(void **state)
{
    (void)state;
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, (size_t)1 << 20);
    buf_append_text(&sql, "SELECT 0");
    for (int i = 1; i < 2000; i++)
        buf_printf(&sql, ", %d", i);
    CLEANUP(test_result_finish) struct test_result result = test_run(&engine, (char *)sql.ptr);
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.schema->field_count, 2000);
    for (int i = 2000; i < 10001; i++)
        buf_printf(&sql, ", %d", i);
    test_fails(&engine, (char *)sql.ptr, STATUS_INVALID_ARGUMENT, "10000");
    buf_clear(&sql);
    buf_append_text(&sql, "SELECT ");
    for (int i = 0; i < 70; i++)
        buf_append_byte(&sql, '[');
    for (int i = 0; i < 70; i++)
        buf_append_byte(&sql, ']');
    buf_append_text(&sql, " AS deep");
    test_fails(&engine, (char *)sql.ptr, STATUS_INVALID_ARGUMENT, "levels deep");
}

/* What no planner should be given is refused before it costs time or stack. */
static void test_deep_statements(void **state)
{
    (void)state;
    static const char *const parts[][2] = {{"SELECT 1", " + 1"},
                                           {"SELECT ", "- "},
                                           {"SELECT ", "NOT "},
                                           {"SELECT [1]", "[1]"},
                                           {"SELECT 'a'", " || 'a'"}};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        CLEANUP(buf_finish) struct buf sql;
        buf_init(&sql, (size_t)4 << 20);
        buf_append_text(&sql, parts[i][0]);
        for (int n = 0; n < 200000; n++)
            buf_append_text(&sql, parts[i][1]);
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, (char *)sql.ptr);
        assert_int_equal(result.status, STATUS_INVALID_ARGUMENT);
    }
}

/* --- system tables -------------------------------------------------------------------------------- */

static struct arrow_schema *table_schema;

static enum status snapshot(void *context, struct arrow_batch **out_batch, struct error *error)
{
    struct builder_limits limits = {.rows_max = 100000, .bytes_max = SIZE_MAX};
    int *calls = context;
    if (++*calls == 3)
        return error_set(error, STATUS_INTERNAL, "no snapshot today");
    struct batch_builder *builder = batch_builder_create(table_schema, NULL, &limits);
    for (int i = 0; i < 5000; i++) {
        builder_append_integer(batch_builder_column(builder, 0), i);
        if (i % 5 == 0)
            builder_append_null(batch_builder_column(builder, 1));
        else
            builder_append_bytes(batch_builder_column(builder, 1),
                                 STR("a text of more than twelve"));
        builder_append_integer(batch_builder_column(builder, 2), i % 2);
        builder_append_integer(batch_builder_column(builder, 3), 1774744200000000);
        builder_append_double(batch_builder_column(builder, 4), i / 2.0);
    }
    *out_batch = batch_builder_seal(builder);
    batch_builder_destroy(builder);
    return STATUS_OK;
}

static void test_system_tables(void **state)
{
    (void)state;
    int calls = 0;
    struct test_engine own;
    table_schema = arrow_schema_create(5);
    struct arrow_field *fields = table_schema->fields;
    arrow_field_init(table_schema, &fields[0], STR("id"), ARROW_INT);
    fields[0].bit_width = 64;
    fields[0].is_signed = true;
    arrow_field_init(table_schema, &fields[1], STR("text"), ARROW_UTF8);
    arrow_field_init(table_schema, &fields[2], STR("odd"), ARROW_BOOL);
    arrow_field_init(table_schema, &fields[3], STR("since"), ARROW_TIMESTAMP);
    fields[3].unit = ARROW_MICROSECOND;
    fields[3].timezone = STR("UTC");
    arrow_field_init(table_schema, &fields[4], STR("half"), ARROW_FLOAT);
    fields[4].bit_width = 64;
    arrow_schema_seal(table_schema, NULL);
    struct engine_table tables[] = {{"things", table_schema, snapshot, &calls}};
    struct engine_options options = test_engine_options();
    options.tables = tables;
    options.table_count = 1;
    test_engine_open(&own, &options);
    test_schema(&own, "FROM volley.things",
                "id: int64, text: string, odd: bool, since: timestamp[us, tz=UTC], half: double");
    test_rows(
        &own,
        "SELECT count(*), sum(id), count(text), sum(odd::INTEGER), sum(half) FROM volley.things",
        "5000|12497500|4000|2500|6248750.0");
    test_rows(&own,
              "SELECT text, id, odd FROM volley.main.things WHERE id IN (4095, 4096) ORDER BY id",
              "NULL|4095|true\na text of more than twelve|4096|false");
    test_fails(&own, "SELECT count(*) FROM volley.things", STATUS_INVALID_ARGUMENT,
               "no snapshot today");
    test_fails(&own, "FROM volley_table('other')", STATUS_INVALID_ARGUMENT, "no system table");
    test_fails(&own, "SELECT * FROM things", STATUS_NOT_FOUND, "things");
    test_engine_close(&own);
    arrow_schema_unref(table_schema);
}

static void test_setup_statements(void **state)
{
    (void)state;
    static const char *const setup[] = {"CREATE TABLE demo AS SELECT 3 AS x", "SELECT 1", NULL};
    struct test_engine own;
    struct engine_options options = test_engine_options();
    options.setup = setup;
    test_engine_open(&own, &options);
    test_rows(&own, "FROM demo", "3");
    assert_string_equal(engine_name(own.engine), "duckdb");
    assert_int_equal(engine_version(own.engine)[0], 'v');
    assert_true(str_equal(engine_catalog(own.engine), STR("memory")));
    assert_int_equal(engine_check(own.engine, NULL), STATUS_OK);
    test_engine_close(&own);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_error_in_copy),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_interrupt_before_start),
        cmocka_unit_test(test_insert_of_values),
        cmocka_unit_test(test_rows_without_a_dataset),
        cmocka_unit_test(test_batch_bytes),
        cmocka_unit_test(test_message_bytes),
        cmocka_unit_test(test_many_columns),
        cmocka_unit_test(test_deep_statements),
        cmocka_unit_test(test_system_tables),
        cmocka_unit_test(test_setup_statements),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
