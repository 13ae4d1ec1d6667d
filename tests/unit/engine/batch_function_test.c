/*
 * batch_function_test.c — datasets in statements: names, joins, tables made of them, what happens when a
 * dataset changes between prepare and run, and many threads. SPDX-License-Identifier: Apache-2.0
 */
#include "engine_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/put.h"

#define BATCH_ROWS 10000

static int set_up(void **state)
{
    struct test_engine *test = NEW(struct test_engine);
    test_engine_open(test, NULL);
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    test_engine_close(*state);
    free(*state);
    return 0;
}

static struct arrow_schema *make_schema(const char *name)
{
    struct arrow_schema *schema = arrow_schema_create(2);
    arrow_field_init(schema, &schema->fields[0], str_of(name), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_field_init(schema, &schema->fields[1], STR("t"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    return schema;
}

/* Rows first..first + count of (i, 'a text of row i'). */
static struct arrow_batch *make_batch(struct arrow_schema *schema, int64_t first, int64_t count)
{
    struct buffer *numbers = buffer_create((size_t)(count + 1) * 8);
    struct buffer *offsets = buffer_create((size_t)(count + 1) * 4);
    struct buffer *bytes = buffer_create((size_t)(count + 1) * 40);
    int32_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        ((int64_t *)(void *)numbers->data)[i] = first + i;
        ((int32_t *)(void *)offsets->data)[i] = at;
        at += snprintf((char *)bytes->data + at, 40, "a text of row %d", (int)(first + i));
    }
    ((int32_t *)(void *)offsets->data)[count] = at;
    const struct arrow_node nodes[] = {{count, 0}, {count, 0}};
    struct slice buffers[] = {
        SLICE_EMPTY,
        slice_make(numbers->data, (size_t)count * 8, numbers),
        SLICE_EMPTY,
        slice_make(offsets->data, (size_t)(count + 1) * 4, offsets),
        slice_make(bytes->data, (size_t)at, bytes),
    };
    return arrow_batch_create(schema, count, nodes, buffers);
}

static void put(struct test_engine *test, const char *path, enum put_mode mode, const char *column,
                int64_t first, size_t batches)
{
    struct error error = ERROR_NONE;
    struct put *put = NULL;
    struct put_result result;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema(column);
    const struct put_options options = {.path = str_of(path), .mode = mode, .schema = schema};
    enum status status = put_begin(test->store, &options, &put, &error);
    for (size_t i = 0; status == STATUS_OK && i < batches; i++)
        status = put_append(put, make_batch(schema, first + (int64_t)i * BATCH_ROWS, BATCH_ROWS),
                            &error);
    if (status == STATUS_OK)
        status = put_commit(put, &result, &error);
    if (status != STATUS_OK)
        fail_msg("%s", error.message);
    put_destroy(put);
}

static void drop(struct test_engine *test, const char *name)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(test->store, str_of(name), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
}

/* --- names -------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    put(*state, "shop/orders", PUT_REPLACE, "i", 0, 2);
    test_rows(*state, "SELECT count(*), max(i) FROM batch('shop/orders')", "20000|19999");
    test_rows(*state, "SELECT count(*) FROM dataset.shop.orders", "20000");
    test_rows(*state, "SELECT count(*) FROM dataset.\"shop\".\"orders\" WHERE orders.i < 10", "10");
    test_rows(*state, "SELECT o.t FROM dataset.shop.orders o WHERE o.i = 12345",
              "a text of row 12345");
    test_rows(*state, "SELECT column_name FROM (DESCRIBE dataset.shop.orders)", "i\nt");
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    char sql[128];
    assert_int_equal(
        store_find_name(((struct test_engine *)*state)->store, STR("shop/orders"), &dataset, NULL),
        STATUS_OK);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM batch('%.*s')", STR_ARGS(dataset_id(dataset)));
    test_rows(*state, sql, "20000");
}

static void test_deep_paths(void **state)
{
    put(*state, "a/b/c/d/e%2F", PUT_REPLACE, "i", 0, 1);
    test_rows(*state, "SELECT count(*) FROM dataset.a.b.c.d.\"e/\"", "10000");
    test_fails(*state, "SELECT count(*) FROM dataset.a.b.c.d.f", STATUS_NOT_FOUND,
               "there is no dataset 'a/b/c/d/f'");
}

static void test_unknown(void **state)
{
    test_fails(*state, "FROM batch('nothing')", STATUS_NOT_FOUND, "there is no dataset 'nothing'");
    test_fails(*state, "FROM batch('')", STATUS_INVALID_ARGUMENT, "needs the id or the path");
    test_fails(*state, "FROM batch(NULL)", STATUS_INVALID_ARGUMENT, "needs the id or the path");
    test_fails(*state, "FROM batch()", STATUS_INVALID_ARGUMENT, "batch");
    test_fails(*state, "FROM dataset.no.thing", STATUS_NOT_FOUND, "there is no dataset 'no/thing'");
    CLEANUP(test_result_finish)
    struct test_result result = test_run(*state, "SELECT 1, * FROM dataset.nothing");
    assert_int_equal(result.error.position, 17);
}

/* As in all of SQL, case does not matter, unless it tells two datasets apart. */
static void test_case(void **state)
{
    put(*state, "Shop/Letters", PUT_REPLACE, "i", 0, 1);
    test_rows(*state, "SELECT count(*) FROM DATASET.shop.\"LETTERS\" WHERE letters.I < 5", "5");
    test_fails(*state, "FROM batch('shop/letters')", STATUS_NOT_FOUND,
               "there is no dataset 'shop/letters': it expired, was dropped or never existed; did "
               "you mean 'Shop/Letters'?");
    put(*state, "shop/letters", PUT_REPLACE, "i", 0, 2);
    test_rows(*state, "SELECT count(*) FROM dataset.shop.letters", "20000");
    test_rows(*state, "SELECT count(*) FROM dataset.Shop.Letters", "10000");
    test_fails(*state, "SELECT count(*) FROM dataset.SHOP.letters", STATUS_NOT_FOUND,
               "there is no dataset 'SHOP/letters'");
    test_fails(*state, "SELECT count(*) FROM dataset.shop.lettres", STATUS_NOT_FOUND,
               "did you mean 'shop/letters'?");
    drop(*state, "Shop/Letters");
    drop(*state, "shop/letters");
}

/* A schema of that name keeps its tables, unless a dataset has their path. */
static void test_a_schema_called_dataset(void **state)
{
    test_execute(*state, "CREATE SCHEMA dataset");
    test_execute(*state, "CREATE TABLE dataset.mine AS SELECT 42 AS i");
    test_rows(*state, "FROM dataset.mine", "42");
    put(*state, "mine", PUT_REPLACE, "i", 0, 1);
    test_rows(*state, "SELECT count(*) FROM dataset.mine", "10000");
    test_rows(*state, "FROM memory.dataset.mine", "42");
    test_execute(*state, "DROP SCHEMA dataset CASCADE");
}

static void test_error_positions(void **state)
{
    put(*state, "shop/orders", PUT_REPLACE, "i", 0, 1);
    const char *sql = "SELECT 1 FROM dataset.shop.orders WHERE\n missing > 1";
    CLEANUP(test_result_finish) struct test_result result = test_run(*state, sql);
    assert_int_equal(result.status, STATUS_INVALID_ARGUMENT);
    assert_int_equal(result.error.position, strstr(sql, "missing") - sql);
    CLEANUP(test_result_finish)
    struct test_result same_line =
        test_run(*state, "SELECT i FROM dataset.shop.orders WHERE missing > 1");
    assert_int_equal(same_line.error.position, 40);
    assert_non_null(strstr(same_line.error.message,
                           "LINE 1: SELECT i FROM dataset.shop.orders WHERE missing > 1\n"));
    /* One that only comes while the statement runs. */
    CLEANUP(test_result_finish)
    struct test_result at_run =
        test_run(*state, "SELECT t::INTEGER FROM dataset.shop.orders WHERE i > 3");
    assert_int_equal(at_run.status, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(at_run.error.message, "a text of row"));
}

/* --- statements --------------------------------------------------------------------------------- */

static void test_joins_and_tables(void **state)
{
    put(*state, "facts", PUT_REPLACE, "i", 0, 3);
    test_execute(*state,
                 "CREATE TABLE names AS SELECT range AS i, 'n' || range AS n FROM range(5)");
    test_rows(*state, "SELECT n, t FROM names JOIN dataset.facts USING (i) WHERE i > 2 ORDER BY i",
              "n3|a text of row 3\nn4|a text of row 4");
    test_rows(*state, "SELECT count(*) FROM batch('facts') a, dataset.facts b WHERE a.i = b.i + 1",
              "29999");
    test_execute(*state, "CREATE TABLE made AS FROM dataset.facts");
    test_rows(*state, "SELECT count(*), count(DISTINCT t) FROM made", "30000|30000");
    assert_int_equal(test_execute(*state, "INSERT INTO made FROM batch('facts')"), 30000);
    test_rows(*state, "SELECT count(*), sum(i) FROM made", "60000|899970000");
    test_execute(*state, "CREATE VIEW seen AS SELECT i FROM dataset.facts");
    test_rows(*state, "SELECT max(i) FROM seen", "29999");
    test_rows(*state, "WITH c AS (FROM dataset.facts) SELECT count(*) FROM c WHERE i % 2 = 0",
              "15000");
    test_execute(*state, "DROP TABLE names");
    test_execute(*state, "DROP TABLE made");
    test_execute(*state, "DROP VIEW seen");
}

static void test_order(void **state)
{
    put(*state, "ordered", PUT_REPLACE, "i", 0, 40);
    CLEANUP(test_result_finish)
    struct test_result result = test_run(*state, "SELECT i FROM dataset.ordered");
    int64_t expected = 0;
    for (size_t i = 0; i < result.batch_count; i++) {
        const int64_t *values = (const void *)result.batches[i]->buffers[1].ptr;
        for (int64_t row = 0; row < result.batches[i]->rows; row++)
            assert_int_equal(values[row], expected++);
    }
    assert_int_equal(expected, 400000);
    test_rows(*state, "SELECT i FROM dataset.ordered LIMIT 2 OFFSET 25000", "25000\n25001");
}

static void test_a_batch_larger_than_a_part(void **state)
{
    struct test_engine *test = *state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema("i");
    struct put *put = NULL;
    struct put_result result;
    const struct put_options options = {.path = STR("large"), .schema = schema};
    assert_int_equal(put_begin(test->store, &options, &put, NULL), STATUS_OK);
    assert_int_equal(put_append(put, make_batch(schema, 0, 300001), NULL), STATUS_OK);
    assert_int_equal(put_append(put, make_batch(schema, 0, 0), NULL), STATUS_OK);
    assert_int_equal(put_append(put, make_batch(schema, 300001, 1), NULL), STATUS_OK);
    assert_int_equal(put_commit(put, &result, NULL), STATUS_OK);
    put_destroy(put);
    test_rows(test, "SELECT count(*), sum(i), count(DISTINCT t) FROM batch('large')",
              "300002|45000450001|300002");
}

static void test_states(void **state)
{
    struct test_engine *test = *state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema("i");
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    const struct dataset_options options = {.id = STR("result"), .ttl_ms = 60000, .schema = schema};
    assert_int_equal(dataset_create(test->store, &options, &dataset, NULL), STATUS_OK);
    test_fails(test, "FROM batch('result')", STATUS_FAILED_PRECONDITION,
               "dataset 'result' is open");
    assert_int_equal(dataset_append(dataset, make_batch(schema, 0, 3), NULL), STATUS_OK);
    dataset_complete(dataset);
    test_rows(test, "SELECT i FROM batch('result')", "0\n1\n2");
    dataset_drop(dataset);
    test_fails(test, "FROM batch('result')", STATUS_NOT_FOUND, "there is no dataset 'result'");
}

/* --- between prepare and run -------------------------------------------------------------------- */

static struct engine_statement *prepare(struct test_engine *test, const char *sql)
{
    struct engine_statement *statement = NULL;
    struct error error = ERROR_NONE;
    if (engine_prepare(test->session, str_of(sql), NULL, &statement, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return statement;
}

static enum status run(struct test_engine *test, struct engine_statement *statement,
                       int64_t *out_rows, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    const struct dataset_options options = {
        .id = STR("output"), .ttl_ms = 60000, .schema = engine_statement_schema(statement)};
    assert_int_equal(dataset_create(test->store, &options, &dataset, NULL), STATUS_OK);
    enum status status = engine_statement_run(statement, dataset, out_rows, error);
    dataset_complete(dataset);
    dataset_drop(dataset);
    return status;
}

/* One that no client named: for statements of the server's own, and for the one it was made for. */
static void put_private(struct test_engine *test, const char *id)
{
    struct put *put = NULL;
    struct put_result result;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema("i");
    const struct put_options options = {.id = str_of(id), .mode = PUT_REPLACE, .schema = schema};
    assert_int_equal(put_begin(test->store, &options, &put, NULL), STATUS_OK);
    assert_int_equal(put_append(put, make_batch(schema, 0, 3), NULL), STATUS_OK);
    assert_int_equal(put_commit(put, &result, NULL), STATUS_OK);
    put_destroy(put);
}

static void expect_three_rows(struct test_engine *test, struct engine_statement *statement)
{
    int64_t rows = 0;
    assert_int_equal(run(test, statement, &rows, NULL), STATUS_OK);
    assert_int_equal(rows, 3);
    engine_statement_destroy(statement);
}

static void test_private(void **state)
{
    struct test_engine *test = *state;
    struct engine_statement *statement;
    put_private(test, ".one");
    put_private(test, ".two");
    test_fails(test, "FROM batch('.one')", STATUS_NOT_FOUND, "there is no dataset '.one'");
    test_fails(test, "FROM dataset.\".one\"", STATUS_NOT_FOUND, "there is no dataset '.one'");
    const char *const texts[] = {"FROM batch('.one')", "FROM batch('.one') LIMIT 10"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(engine_prepare_over(test->session, str_of(texts[i]), STR(".one"), NULL,
                                             &statement, NULL),
                         STATUS_OK);
        expect_three_rows(test, statement);
        test_fails(test, texts[i], STATUS_NOT_FOUND, "there is no dataset '.one'");
        assert_int_equal(engine_prepare_over(test->session, str_of(texts[i]), STR(".two"), NULL,
                                             &statement, NULL),
                         STATUS_NOT_FOUND);
        assert_int_equal(engine_prepare_own(test->session, str_of(texts[i]), &statement, NULL),
                         STATUS_OK);
        expect_three_rows(test, statement);
    }
    put(test, ".one", PUT_REPLACE, "i", 0, 1); /* a path of a client's */
    test_rows(test, "SELECT count(*) FROM batch('.one')", "10000");
}

static const char *const both_routes[] = {"SELECT i FROM dataset.changing",
                                          "SELECT i FROM dataset.changing LIMIT 2000"};

static void test_appended_meanwhile(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(both_routes); i++) {
        put(*state, "changing", PUT_REPLACE, "i", 0, 1);
        CLEANUP(engine_statement_destroy)
        struct engine_statement *statement = prepare(*state, "SELECT count(i) FROM dataset.changing"
                                                             " WHERE i >= 0");
        put(*state, "changing", PUT_APPEND, "i", 0, 2);
        int64_t rows;
        assert_int_equal(run(*state, statement, &rows, NULL), STATUS_OK);
        test_rows(*state, "SELECT count(*) FROM dataset.changing", "30000");
    }
}

static void test_dropped_meanwhile(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(both_routes); i++) {
        struct error error = ERROR_NONE;
        int64_t rows;
        put(*state, "changing", PUT_REPLACE, "i", 0, 1);
        CLEANUP(engine_statement_destroy)
        struct engine_statement *statement = prepare(*state, both_routes[i]);
        drop(*state, "changing");
        assert_int_equal(run(*state, statement, &rows, &error), STATUS_NOT_FOUND);
        assert_string_equal(
            error.message,
            "there is no dataset 'changing': it expired, was dropped or never existed");
    }
}

static void test_replaced_meanwhile(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(both_routes); i++) {
        struct error error = ERROR_NONE;
        int64_t rows = -1;
        put(*state, "changing", PUT_REPLACE, "i", 0, 1);
        CLEANUP(engine_statement_destroy)
        struct engine_statement *statement = prepare(*state, both_routes[i]);
        CLEANUP(engine_statement_destroy)
        struct engine_statement *all =
            prepare(*state, i ? "FROM dataset.changing LIMIT 2000" : "FROM dataset.changing");
        put(*state, "changing", PUT_REPLACE, "other", 0, 2);
        assert_int_equal(run(*state, statement, &rows, &error), STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "\"i\" not found"));
        drop(*state, "changing");
        put(*state, "changing", PUT_REPLACE, "i", 0, 2);
        assert_int_equal(run(*state, statement, &rows, &error), STATUS_OK);
        assert_int_equal(rows, i ? 2000 : 20000);
        (void)all;
    }
}

/* The same text again is served from the cache, but never with the columns of another dataset. */
static void test_cached_statements(void **state)
{
    for (int i = 0; i < 3; i++) {
        put(*state, "cached", PUT_REPLACE, i % 2 ? "odd" : "even", 0, 1);
        for (int j = 0; j < 3; j++) {
            test_schema(*state, "FROM dataset.cached",
                        i % 2 ? "odd: int64, t: string" : "even: int64, t: string");
            test_rows(*state, "SELECT count(*) FROM dataset.cached", "10000");
        }
    }
    drop(*state, "cached");
    test_fails(*state, "SELECT count(*) FROM dataset.cached", STATUS_NOT_FOUND, "'cached'");
    test_execute(*state, "CREATE SCHEMA dataset");
    test_execute(*state, "CREATE TABLE dataset.cached AS SELECT 7");
    for (int i = 0; i < 3; i++)
        test_rows(*state, "FROM dataset.cached", "7");
    put(*state, "cached", PUT_REPLACE, "i", 0, 1);
    test_rows(*state, "SELECT count(*) FROM dataset.cached", "10000");
    test_schema(*state, "FROM dataset.cached", "i: int64, t: string");
    test_execute(*state, "DROP SCHEMA dataset CASCADE");
}

static void append_again(void *context)
{
    for (int i = 0; i < 40; i++)
        put(context, "growing", PUT_APPEND, "i", 0, 1);
}

/* All scans of a statement read the same rows, though they start one after the other. */
static void test_growing_while_read(void **state)
{
    struct thread *thread;
    put(*state, "growing", PUT_REPLACE, "i", 0, 1);
    assert_int_equal(thread_start("put", 0, append_again, *state, &thread, NULL), STATUS_OK);
    for (int i = 0; i < 40; i++) {
        test_rows(*state,
                  "SELECT (SELECT count(*) FROM dataset.growing WHERE i >= 0) = "
                  "(SELECT count(t) FROM batch('growing')), "
                  "(SELECT count(*) FROM dataset.growing) = count(*) "
                  "FROM dataset.growing a JOIN (FROM batch('growing') LIMIT 1) b ON b.i < 1",
                  "true|true");
        test_rows(*state,
                  "SELECT count(*) FROM (SELECT count(*) AS n FROM dataset.growing GROUP BY i) "
                  "WHERE n != (SELECT count(*) FROM dataset.growing WHERE i = 0)",
                  "0");
    }
    thread_join(thread);
    test_rows(*state, "SELECT count(*) FROM dataset.growing", "410000");
}

/* A reader ends in peace when its dataset is dropped under it. */
static void test_dropped_while_read(void **state)
{
    struct test_engine *test = *state;
    put(test, "large", PUT_REPLACE, "i", 0, 30);
    CLEANUP(test_result_finish)
    struct test_result result = test_run(test, "SELECT i, t FROM dataset.large");
    drop(test, "large");
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.rows, 300000);
}

/* --- threads ------------------------------------------------------------------------------------ */

struct worker {
    struct test_engine *test;
    size_t number;
};

static void query_and_replace(void *context)
{
    const struct worker *worker = context;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(worker->test->engine);
    for (int i = 0; i < 20; i++) {
        if (worker->number == 0) {
            put(worker->test, "busy", PUT_REPLACE, i % 2 ? "a" : "b", 0, 4);
            continue;
        }
        CLEANUP(test_result_finish)
        struct test_result result = test_run_in(
            worker->test, session, "SELECT count(*), count(DISTINCT t) FROM dataset.busy", NULL);
        bool is_stale = result.status == STATUS_ABORTED;
        if (result.status != STATUS_OK && !is_stale)
            fprintf(stderr, "status %d: %s\n", (int)result.status, result.error.message);
        assert_true(result.status == STATUS_OK || is_stale);
    }
}

static void test_threads(void **state)
{
    struct thread *threads[4];
    struct worker workers[4];
    put(*state, "busy", PUT_REPLACE, "b", 0, 4);
    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        workers[i] = (struct worker){*state, i};
        assert_int_equal(
            thread_start("query", 0, query_and_replace, &workers[i], &threads[i], NULL), STATUS_OK);
    }
    for (size_t i = 0; i < ARRAY_COUNT(threads); i++)
        thread_join(threads[i]);
}

/* Reads what is sent as .in, and a dataset that is there. */
static void read_both(void *context)
{
    struct test_engine *test = context;
    struct error error = ERROR_NONE;
    int64_t rows = 0;
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    enum status status =
        engine_prepare_over(test->session,
                            STR("SELECT (SELECT count(*) FROM batch('other') WHERE i >= 0), "
                                "(SELECT count(*) FROM batch('.in') WHERE i >= 0)"),
                            STR(".in"), NULL, &statement, &error);
    if (status == STATUS_OK)
        status = run(test, statement, &rows, &error);
    if (status != STATUS_OK)
        fprintf(stderr, "%s\n", error.message);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(rows, 1);
}

/* Whether all of it was read within ten seconds. */
static bool is_read_in_time(struct test_engine *test, const char *name)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_facts facts = {0};
    uint64_t deadline_ns = clock_now_ns() + 10 * NANOSECONDS_PER_SECOND;
    assert_int_equal(store_find_name(test->store, str_of(name), &dataset, NULL), STATUS_OK);
    while (!facts.read_to_end && clock_now_ns() < deadline_ns) {
        usleep(1000);
        dataset_facts(dataset, &facts);
    }
    return facts.read_to_end;
}

/* Whether a statement reads its other input while it waits for one that is still sent. */
static bool is_other_read_meanwhile(struct test_engine *test)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema("i");
    const struct put_options options = {
        .id = STR(".in"), .mode = PUT_CREATE, .schema = schema, .is_open = true};
    struct put *input = NULL;
    struct put_result result;
    struct thread *thread;
    put(test, "other", PUT_REPLACE, "i", 0, 1);
    assert_int_equal(put_begin(test->store, &options, &input, NULL), STATUS_OK);
    assert_int_equal(thread_start("read", 0, read_both, test, &thread, NULL), STATUS_OK);
    bool is_read = is_read_in_time(test, "other");
    assert_int_equal(put_commit(input, &result, NULL), STATUS_OK);
    thread_join(thread);
    put_destroy(input);
    drop(test, ".in");
    return is_read;
}

/* The engine has two: which of the inputs they take up first is theirs to choose, hence several times. */
static void test_a_waiting_input_takes_one_thread(void **state)
{
    for (int i = 0; i < 8; i++)
        assert_true(is_other_read_meanwhile(*state));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_deep_paths),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_case),
        cmocka_unit_test(test_a_schema_called_dataset),
        cmocka_unit_test(test_error_positions),
        cmocka_unit_test(test_joins_and_tables),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_a_batch_larger_than_a_part),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_appended_meanwhile),
        cmocka_unit_test(test_dropped_meanwhile),
        cmocka_unit_test(test_replaced_meanwhile),
        cmocka_unit_test(test_cached_statements),
        cmocka_unit_test(test_growing_while_read),
        cmocka_unit_test(test_dropped_while_read),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_a_waiting_input_takes_one_thread),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
