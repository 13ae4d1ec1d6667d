/*
 * clickhouse_test.c — what a server's texts mean, which statements are reads, and answers that come in
 * pieces, break off, or are none. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arrow/ipc.h"
#include "base/memory.h"
#include "clickhouse/clickhouse_private.h"

#include <string.h>

static struct clickhouse nobody = {.user = {"ann", 3}};

/* --- exceptions --------------------------------------------------------------------------------- */

static void exceptions_are_found_and_cut(void **state)
{
    static const struct {
        const char *text;
        const char *code;
        const char *message;
    } cases[] = {
        {"Code: 62. DB::Exception: Syntax error. (SYNTAX_ERROR) (version 26.9.2.1)\n",
         "QUERY_SYNTAX_ERROR", "ClickHouse: Code: 62. DB::Exception: Syntax error. (SYNTAX_ERROR)"},
        {"Code: 60, e.displayText() = DB::Exception: Table t doesn't exist. (version 18.16.1)",
         "TABLE_NOT_FOUND",
         "ClickHouse: Code: 60, e.displayText() = DB::Exception: Table t doesn't exist."},
        {"rows\1\2Code: 5. none\r\n__exception__\r\nabc\r\nCode: 159. DB::Exception: slow\r\n19 "
         "abc\r\n__exception__\r\n",
         "QUERY_TIMEOUT", "ClickHouse: Code: 159. DB::Exception: slow"},
        {"Code: 1. DB::Exception: a row of a log Code: 241. DB::Exception: memory", "INVALID_SQL",
         "ClickHouse: Code: 1. DB::Exception: a row of a log Code: 241. DB::Exception: memory"},
        {"x Code: 1. DB::Exception: a row of a log Code: 241. DB::Exception: memory",
         "RESOURCE_EXHAUSTED", "ClickHouse: Code: 241. DB::Exception: memory"},
        {"Code: 47. DB::Exception: no \xff\1 column\nStack trace:\n0. main", "INVALID_SQL",
         "ClickHouse: Code: 47. DB::Exception: no \xEF\xBF\xBD  column"},
        {"Code: 516. DB::Exception: no", "ENGINE_UNAVAILABLE", NULL},
        {"Code: 73. DB::Exception: Unknown format ArrowStream", "ENGINE_UNAVAILABLE", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct error error = ERROR_NONE;
        assert_true(clickhouse_read_exception(&nobody, str_of(cases[i].text), &error));
        assert_string_equal(error.code, cases[i].code);
        if (cases[i].message)
            assert_string_equal(error.message, cases[i].message);
    }
}

static void what_is_no_exception_is_none(void **state)
{
    static const char *const texts[] = {
        "", "Code: ", "Code: x. DB::Exception", "Code: 12", "code: 62. DB::",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct error error = ERROR_NONE;
        assert_false(clickhouse_read_exception(&nobody, str_of(texts[i]), &error));
        assert_int_equal(error.status, STATUS_OK);
    }
    assert_false(clickhouse_read_exception(&nobody, STR_EMPTY, NULL));
}

static void a_place_and_a_login_are_told(void **state)
{
    struct error error = ERROR_NONE;
    assert_true(clickhouse_read_exception(
        &nobody, STR("Code: 62. DB::Exception: failed at position 8 ('x')"), &error));
    assert_int_equal(error.position, 7);
    assert_true(clickhouse_read_exception(
        &nobody, STR("Code: 62. DB::Exception: failed at position 0"), &error));
    assert_int_equal(error.position, -1);
    assert_true(clickhouse_read_exception(&nobody, STR("Code: 193. DB::Exception: x"), &error));
    assert_non_null(strstr(error.message, "'ann'"));
    assert_non_null(strstr(error.message, "clickhouse-password"));
}

/* --- statements --------------------------------------------------------------------------------- */

static void reads_are_told_from_effects(void **state)
{
    static const struct {
        const char *sql;
        enum statement_kind kind;
    } cases[] = {
        {"select 1", STATEMENT_QUERY},
        {" \n-- INSERT\n/* DROP */ # x\n((SELECT 1))", STATEMENT_QUERY},
        {"WITH x AS (SELECT 1) SELECT * FROM x", STATEMENT_QUERY},
        {"SHOW TABLES", STATEMENT_QUERY},
        {"EXPLAIN SELECT 1", STATEMENT_QUERY},
        {"INSERT INTO t VALUES (1)", STATEMENT_UPDATE},
        {"CREATE TABLE t (n Int8) ENGINE = Memory", STATEMENT_DEFINITION},
        {"selects", STATEMENT_DEFINITION},
        {"OPTIMIZE TABLE t", STATEMENT_DEFINITION},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        enum statement_kind kind = STATEMENT_TRANSACTION;
        assert_int_equal(
            clickhouse_methods.read(&nobody.engine, str_of(cases[i].sql), NULL, &kind, NULL),
            STATUS_OK);
        assert_int_equal(kind, cases[i].kind);
    }
}

static void what_is_no_statement_is_refused(void **state)
{
    static const char *const texts[] = {"", " ", "-- x", "/* x", "(", "1", "#"};
    const struct engine_result_options views = {.views = true};
    enum statement_kind kind;
    struct error error = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(
            clickhouse_methods.read(&nobody.engine, str_of(texts[i]), NULL, &kind, &error),
            STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.code, "QUERY_SYNTAX_ERROR");
    }
    assert_int_equal(
        clickhouse_methods.read(&nobody.engine, STR("SELECT 1"), &views, &kind, &error),
        STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.code, "VALIDATION_ERROR");
}

/* --- answers ------------------------------------------------------------------------------------ */

#define ROWS 4
#define BATCHES 3

/* A stream of BATCHES batches of ROWS numbers each. */
static struct slice make_stream(void)
{
    static const int64_t numbers[ROWS] = {1, 2, 3, 4};
    CLEANUP(slices_finish) struct slices stream;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("n"), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_schema_seal(schema, NULL);
    slices_init(&stream);
    ipc_stream_begin(&stream, schema);
    for (size_t i = 0; i < BATCHES; i++) {
        struct slice buffers[] = {SLICE_EMPTY, slice_copy(numbers, sizeof(numbers))};
        const struct arrow_node node = {ROWS, 0};
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = arrow_batch_create(schema, ROWS, &node, buffers);
        ipc_stream_batch(&stream, batch);
    }
    ipc_stream_end(&stream);
    return slices_join(&stream);
}

struct outcome {
    struct error error;
    enum status status;
    int64_t rows;
    unsigned schemas;
    bool is_full;
};

static enum status count_schema(void *context, struct arrow_schema *schema, struct error *error)
{
    struct outcome *outcome = context;
    assert_int_equal(schema->field_count, 1);
    outcome->schemas++;
    return STATUS_OK;
}

/* The answer `bytes` in pieces of `step`, whose rows are counted. */
static struct outcome take(struct str bytes, size_t step, uint64_t row_limit)
{
    struct outcome outcome = {.error = ERROR_NONE};
    struct error failure = ERROR_NONE;
    const struct remote_sink to = {NULL, count_schema, &outcome};
    CLEANUP(clickhouse_intake_destroy)
    struct clickhouse_intake *intake = clickhouse_intake_create(&nobody, &to, row_limit, 1 << 20);
    struct fetch_sink sink = clickhouse_intake_sink(intake);
    enum status status = STATUS_OK;
    for (size_t at = 0; at < bytes.len && status == STATUS_OK; at += step)
        status = sink.write(sink.context, str_slice(bytes, at, at + step), &failure);
    outcome.is_full = clickhouse_intake_is_full(intake);
    outcome.status = clickhouse_intake_end(intake, status, &failure, &outcome.rows, &outcome.error);
    return outcome;
}

static void a_stream_comes_in_any_pieces(void **state)
{
    static const size_t steps[] = {1, 3, 7, 64, 1000, 100000};
    CLEANUP(slice_finish) struct slice stream = make_stream();
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        struct outcome outcome = take(slice_str(stream), steps[i], 0);
        assert_int_equal(outcome.status, STATUS_OK);
        assert_int_equal(outcome.rows, ROWS * BATCHES);
        assert_int_equal(outcome.schemas, 1);
    }
}

static void a_row_limit_is_kept(void **state)
{
    CLEANUP(slice_finish) struct slice stream = make_stream();
    for (uint64_t limit = 1; limit <= ROWS * BATCHES; limit++) {
        struct outcome outcome = take(slice_str(stream), 50, limit);
        assert_int_equal(outcome.status, STATUS_OK);
        assert_int_equal(outcome.rows, limit);
        assert_true(outcome.is_full);
    }
    assert_false(take(slice_str(stream), 50, ROWS * BATCHES + 1).is_full);
}

/* At every place. */
static void a_stream_that_breaks_off_is_none(void **state)
{
    static const struct str why = {"Code: 395. DB::Exception: why", 29};
    CLEANUP(slice_finish) struct slice stream = make_stream();
    for (size_t size = 1; size < stream.len; size++) {
        struct str part = str_slice(slice_str(stream), 0, size);
        struct outcome cut = take(part, 100, 0);
        assert_int_equal(cut.status, STATUS_UNAVAILABLE);
        assert_string_equal(cut.error.code, "ENGINE_UNAVAILABLE");
        CLEANUP(buf_finish) struct buf text;
        buf_init(&text, 1 << 16);
        buf_append_str(&text, part);
        buf_append_str(&text, why);
        struct outcome told = take(buf_str(&text), 100, 0);
        assert_int_equal(told.status, STATUS_INVALID_ARGUMENT);
        assert_string_equal(told.error.message, "ClickHouse: Code: 395. DB::Exception: why");
    }
}

static void what_is_no_stream_is_left_soon(void **state)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_zeros(&text, 1 << 20);
    struct outcome outcome = take(buf_str(&text), 4096, 0);
    assert_int_equal(outcome.status, STATUS_INTERNAL);
    assert_string_equal(outcome.error.code, "DATABASE_ERROR");
    assert_int_equal(take(STR_EMPTY, 1, 0).status, STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exceptions_are_found_and_cut),
        cmocka_unit_test(what_is_no_exception_is_none),
        cmocka_unit_test(a_place_and_a_login_are_told),
        cmocka_unit_test(reads_are_told_from_effects),
        cmocka_unit_test(what_is_no_statement_is_refused),
        cmocka_unit_test(a_stream_comes_in_any_pieces),
        cmocka_unit_test(a_row_limit_is_kept),
        cmocka_unit_test(a_stream_that_breaks_off_is_none),
        cmocka_unit_test(what_is_no_stream_is_left_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
