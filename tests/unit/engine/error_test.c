/*
 * error_test.c — errors of real statements: SQLSTATE, place and nearest name, whatever the engine tells.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error_codes.h"
#include "base/memory.h"
#include "engine_support.h"

static struct test_engine engine;

static int set_up(void **state)
{
    (void)state;
    test_engine_open(&engine, NULL);
    test_execute(&engine,
                 "CREATE TABLE trades (id INTEGER PRIMARY KEY, price DOUBLE NOT NULL, "
                 "symbol VARCHAR, qty INTEGER CHECK (qty > 0)); "
                 "INSERT INTO trades VALUES (1, 1, 'a', 1); CREATE SCHEMA sales; "
                 "CREATE TABLE sales.orders (order_id INTEGER PRIMARY KEY, customer VARCHAR); "
                 "CREATE TABLE child (id INTEGER, trade INTEGER REFERENCES trades (id)); "
                 "INSERT INTO child VALUES (1, 1); CREATE VIEW looks AS SELECT 1 AS one; "
                 "CREATE SEQUENCE ticket_numbers MAXVALUE 2; CREATE INDEX by_symbol ON trades "
                 "(symbol); CREATE TYPE mood AS ENUM ('sad', 'ok')");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_engine_close(&engine);
    return 0;
}

struct error_case {
    const char *sql;
    const char *sqlstate;
    unsigned line; /* 0: no place */
    unsigned column;
    const char *nearest; /* "": none; NULL: any */
    const char *part;    /* of the message */
};

static void check_case(const struct error_case *wanted)
{
    CLEANUP(test_result_finish) struct test_result result = test_run(&engine, wanted->sql);
    const struct error *error = &result.error;
    if (result.status == STATUS_OK)
        fail_msg("%s: succeeded", wanted->sql);
    const char *sqlstate = error_sqlstate(error);
    if (strcmp(sqlstate, wanted->sqlstate) != 0 || !strstr(error->message, wanted->part))
        fail_msg("%s: %s '%s'", wanted->sql, sqlstate, error->message);
    if (error_code_of(error)->status != result.status)
        fail_msg("%s: status %s is not the table's", wanted->sql, status_name(result.status));
    if (error->line != wanted->line || error->column != wanted->column)
        fail_msg("%s: %u:%u\n%s", wanted->sql, error->line, error->column, error->message);
    if (wanted->nearest && strcmp(error->nearest, wanted->nearest) != 0)
        fail_msg("%s: nearest '%s'\n%s", wanted->sql, error->nearest, error->message);
    bool has_excerpt = strstr(error->message, "\n\nLINE ") != NULL;
    if (has_excerpt != (wanted->line > 0))
        fail_msg("%s: excerpt in '%s'", wanted->sql, error->message);
}

#define CHECK_CASES(cases)                                                                         \
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)                                                \
    check_case(&(cases)[i])

static void test_syntax(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"SELEC 1", "42601", 1, 1, "", "\"SELEC\""},
        {"SELECT 1,\n  2 +", "42601", 2, 6, "", "end of input\n\nLINE 2:   2 +\n             ^"},
        {"SELECT '\xc3\xbc', 1 +", "42601", 1, 16, "", "end of input"},
        {"SELECT (1  \n ", "42601", 1, 10, "", "end of input"},
        {"SELECT '\xc3\xbc\xc3\xbc', 'x", "42601", 1, 14, "", "unterminated"},
        {"SELECT '\xc3\xbc\xe2\x98\xba', 1 FORM t x", "42601", 1, 21, "", "near \"t\""},
        {"-- \xe2\x98\xba\nSELECT 1 FORM t x", "42601", 2, 15, "", "near \"t\""},
        {"INSERT INTO trades VALUES (1, 2)", "42601", 0, 0, "", "trades has 4 columns"},
        {"SELECT 'a' LIKE 'b' ESCAPE 'cc'", "22025", 0, 0, "", "Escape string"},
    };
    CHECK_CASES(cases);
}

/* The engine tells most of them. */
static void test_names(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"SELECT * FROM trade", "42P01", 1, 15, "trades", "Did you mean \"trades\"?"},
        {"SELECT *\nFROM sales.ordrs", "42P01", 2, 6, "orders", "ordrs"},
        {"SELECT * FROM orders", "42P01", 1, 15, "sales.orders", "orders"},
        {"SELECT pric FROM trades", "42703", 1, 8, "price", "\"pric\""},
        {"SELECT t.pric FROM trades t", "42703", 1, 8, "price", "Table \"t\""},
        {"SELECT t.id FROM trades t JOIN sales.orders o ON t.id = o.ordr_id", "42703", 1, 57,
         "order_id", "Table \"o\""},
        {"SELECT id FROM trades a, trades b", "42702", 1, 8, "", "a.id"},
        {"SELECT x.price FROM trades t", "42P01", 1, 8, "t", "\"x\" not found"},
        {"SELECT uper('a')", "42883", 1, 8, "upper", "uper"},
        {"SELECT upper(1, 2)", "42883", 1, 8, "", "upper(VARCHAR)"},
        {"SELECT 1::INTEGR", "42704", 1, 11, "main.INTEGER", "INTEGR"},
        {"SELECT 1::TXT", "42704", 1, 11, "text", "Did you mean \"text\"?"},
        {"SELECT {'alpha': 1}.alpa", "42703", 1, 21, "alpha", "alpa"},
        {"SET TimeZone = 'Europ/Berlin'", "22009", 1, 16, "Europe/Berlin", "Europ/Berlin"},
    };
    CHECK_CASES(cases);
}

/* What it leaves out: the place, the nearest name, or both. */
static void test_names_the_engine_is_silent_about(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"SELECT * FROM sale.orders", "3F000", 1, 15, "sales", "Did you mean \"sales\"?"},
        {"DROP SCHEMA sale", "3F000", 1, 13, "sales", "Did you mean \"sales\"?"},
        {"CREATE TABLE sale.x (i INTEGER)", "3F000", 1, 14, "sales", "sale"},
        {"USE sale", "3F000", 1, 5, "sales", "sale"},
        {"SELECT * FROM memry.main.trades", "3D000", 1, 15, "memory", "\"memory\"?"},
        {"SELECT nextval('ticket_numbrs')", "42704", 1, 16, "ticket_numbers", "ticket_numbrs"},
        {"SELECT * FROM trades t JOIN sales.orders o USING (order_i)", "42703", 1, 51, "order_id",
         "Did you mean \"order_id\"?"},
        {"SELECT * EXCLUDE (pric) FROM trades", "42703", 1, 19, "price", "pric"},
        {"DROP TABLE trads", "42P01", 1, 12, "trades", "trads"},
        {"INSERT INTO trads VALUES (1)", "42P01", 1, 13, "trades", "trads"},
        {"INSERT INTO trades (id, pric) VALUES (1, 2)", "42703", 1, 25, "price", "pric"},
        {"UPDATE trades SET pric = 1", "42703", 1, 19, "price", "pric"},
        {"SELECT 1;\nDROP TABLE \"Trads\"", "42P01", 2, 12, "trades", "Trads"},
        /* No system table is what somebody meant, and a name that stands twice has no place. */
        {"SELECT * FROM nothing_like_it", "42P01", 1, 15, "", "not exist!\n\nLINE 1"},
        {"INSERT INTO trads SELECT 1 AS trads", "42P01", 0, 0, "trades", "trads"},
    };
    CHECK_CASES(cases);
}

static void test_data(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"SELECT 'abc'::INTEGER", "22P02", 1, 13, "", "'abc'"},
        {"SELECT (i || 'x')::INTEGER FROM range(50000) t(i)", "22P02", 1, 18, "", "0x"},
        {"SELECT CAST(i AS UTINYINT) FROM range(300) t(i)", "22003", 1, 8, "", "256"},
        {"SELECT 2147483647::INTEGER + 1::INTEGER", "22003", 0, 0, "", "Overflow"},
        {"SELECT i + 9223372036854775807 FROM range(3) t(i)", "22003", 0, 0, "", "Overflow"},
        {"SELECT sqrt(-1)", "22003", 0, 0, "", "square root"},
        {"SELECT 'x'::DATE", "22007", 1, 11, "", "invalid date"},
        {"SELECT '2020-13-01'::DATE", "22008", 1, 20, "", "2020-13-01"},
        {"SELECT make_date(2020, 13, 1)", "22008", 0, 0, "", "2020-13-1"},
        {"SELECT '{x'::JSON", "22032", 1, 12, "", "Malformed JSON"},
        {"SELECT regexp_matches('a', '(')", "2201B", 0, 0, "", "missing )"},
        {"SELECT DATE '2020-01-01'::INTEGER", "42846", 1, 25, "", "DATE -> INTEGER"},
        {"SELECT (SELECT i FROM range(3) t(i))", "21000", 0, 0, "", "More than one row"},
        {"SELECT nextval('ticket_numbers') FROM range(9)", "2200H", 0, 0, "", "ticket_numbers"},
        {"SELECT price FROM trades GROUP BY symbol", "42803", 1, 8, "", "price"},
        {"SELECT error('mine')", "22023", 0, 0, "", "mine"},
        {"SELECT ?", "07001", 0, 0, "", "1 parameters"},
    };
    CHECK_CASES(cases);
}

static void test_objects_and_constraints(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"CREATE TABLE trades (i INTEGER)", "42P07", 0, 0, "", "\"trades\" already exists"},
        {"CREATE SCHEMA sales", "42P06", 0, 0, "", "\"sales\" already exists"},
        {"ALTER TABLE child ADD COLUMN trade INTEGER", "42701", 0, 0, "", "trade"},
        {"CREATE INDEX by_symbol ON trades (symbol)", "42710", 0, 0, "", "by_symbol"},
        {"DROP SCHEMA sales", "2BP01", 0, 0, "", "orders"},
        {"DROP TABLE trades", "2BP01", 0, 0, "", "child"},
        {"DROP TABLE looks", "42809", 0, 0, "", "looks"},
        {"INSERT INTO trades VALUES (1, 1, 'x', 1)", "23505", 0, 0, "", "id: 1"},
        {"INSERT INTO main.trades VALUES (1, 1, 'x', 1);", "23505", 0, 0, "",
         "(table main.trades)"},
        {"INSERT INTO trades VALUES (5, NULL, 'x', 1)", "23502", 0, 0, "", "trades.price"},
        {"INSERT INTO trades VALUES (6, 1, 'x', -1)", "23514", 0, 0, "", "trades"},
        {"INSERT INTO child VALUES (1, 99)", "23503", 0, 0, "", "(table child)"},
        {"DELETE FROM trades WHERE id = 1", "23503", 0, 0, "", "(table trades)"},
        {"COMMIT", "25P01", 0, 0, "", "no transaction"},
        {"BEGIN; BEGIN", "25001", 1, 8, "", "within a transaction"},
    };
    CHECK_CASES(cases);
}

static void test_refusals_have_their_place(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"SELECT 1;\n  ATTACH 'x.db'", "42501", 2, 3, "", "rule 'attach'"},
        {"COPY trades TO '/tmp/x.csv'", "42501", 1, 13, "", "rule 'copy-to'"},
        {"SET TimeZon = 'UTC'", "42501", 1, 5, "timezone", "not a session's own"},
        {"SELECT * FROM dataset.nope", "42P01", 1, 15, "", "'nope'"},
    };
    CHECK_CASES(cases);
}

/* A long list of candidates gives way to the place, and so does a long line. */
static void test_long_messages_keep_their_place(void **state)
{
    (void)state;
    CLEANUP(test_result_finish) struct test_result result = test_run(&engine, "SELECT [1] + 1");
    assert_non_null(strstr(result.error.message, "...\n\nLINE 1: SELECT [1] + 1\n"));
    assert_in_range(strlen(result.error.message), 512, ERROR_MESSAGE_MAX - 1);

    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, (size_t)1 << 16);
    buf_append_text(&sql, "SELECT ");
    for (int i = 0; i < 3000; i++)
        buf_append_text(&sql, "'\xc3\xbc', ");
    buf_append_text(&sql, "pric FROM trades");
    CLEANUP(test_result_finish)
    struct test_result wide = test_run(&engine, (const char *)sql.ptr);
    assert_int_equal(wide.error.column, 8 + 5 * 3000);
    assert_true(str_is_utf8(str_of(wide.error.message)));
    assert_in_range(strlen(wide.error.message), 64, 512);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_the_engine_is_silent_about),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_objects_and_constraints),
        cmocka_unit_test(test_refusals_have_their_place),
        cmocka_unit_test(test_long_messages_keep_their_place),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
