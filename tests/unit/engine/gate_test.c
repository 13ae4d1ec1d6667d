/*
 * gate_test.c — the tokenizer, the fingerprint and the two tables of the gate.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/memory.h"
#include "engine/gate.h"

/* "kind:text" of each token, one after the other. */
static void tokens_text(struct str sql, struct buf *out)
{
    static const char kinds[] = "?wqsnp.";
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            break;
        assert_ptr_equal(token.text.ptr, sql.ptr + token.offset);
        buf_printf(out, "%s%c:%.*s", out->len ? " " : "", kinds[token.kind], STR_ARGS(token.text));
    }
}

static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *tokens;
    } cases[] = {
        {"SELECT a1, \"b c\" FROM t;", "w:SELECT w:a1 .:, q:\"b c\" w:FROM w:t .:;"},
        {"'it''s' \"a\"\"b\"", "s:'it''s' q:\"a\"\"b\""},
        {"E'a\\'b' x", "s:E'a\\'b' w:x"},
        {"'a\\' x", "s:'a\\' w:x"},
        {"e'' 'b'", "s:e'' s:'b'"},
        {"'a'\n'b' c", "s:'a'\n'b' w:c"},
        {"'a' -- x\n 'b' c", "s:'a' -- x\n 'b' w:c"},
        {"E''\n'\\'' evil()", "s:E''\n'\\'' w:evil .:( .:)"},
        {"'a' 'b'", "s:'a' s:'b'"},
        {"x'41' b'01' n'z'", "s:x'41' s:b'01' s:n'z'"},
        {"U&\"\\0061\" u&'x'", "q:U&\"\\0061\" s:u&'x'"},
        {"$$a'b$$ $tag$ $$ ; $tag$ z", "s:$$a'b$$ s:$tag$ $$ ; $tag$ w:z"},
        {"$1 $name ? $", "p:$1 p:$name p:? .:$"},
        {"a$b$c", "w:a$b$c"},
        {"/* a /* nested */ still */ x", "w:x"},
        {"a--b\nc-- d\re", "w:a w:c w:e"},
        {"1 1.5 .5 1e5 1e-5 1_000 1ex 1..2",
         "n:1 n:1.5 n:.5 n:1e5 n:1e-5 n:1_000 n:1 w:ex n:1 .:. n:.2"},
        {"a\xc2\xa0"
         "b\xe2\x80\x83"
         "c\xef\xbb\xbf"
         "d",
         "w:a w:b w:c w:d"},
        {"gr\xc3\xbc\xc3\x9f", "w:gr\xc3\xbc\xc3\x9f"},
        {"a->>'b'", "w:a .:- .:> .:> s:'b'"},
        {"'open", "s:'open"},
        {"/* open", ""},
        {"$x$ open", "s:$x$ open"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(buf_finish) struct buf out;
        buf_init(&out, 4096);
        tokens_text(str_of(cases[i].sql), &out);
        if (!str_equal(buf_str(&out), str_of(cases[i].tokens)))
            fail_msg("%s: %.*s", cases[i].sql, STR_ARGS(buf_str(&out)));
    }
}

/* Every prefix of a text with all kinds of tokens ends, inside its bounds. */
static void test_tokens_of_prefixes(void **state)
{
    (void)state;
    struct str sql =
        STR("SELECT E'a\\'' || U&\"x\" || $t$ '$t$ || 1.5e+3 /* /* */ */ -- c\n, 'a'\n'b' $1");
    for (size_t size = 0; size <= sql.len; size++) {
        char *copy = memory_new(size + 1);
        memcpy(copy, sql.ptr, size);
        struct sql_tokenizer tokenizer;
        sql_tokenizer_init(&tokenizer, str_make(copy, size));
        for (;;) {
            struct sql_token token = sql_tokenizer_next(&tokenizer);
            assert_true(token.offset + token.text.len <= size);
            if (token.kind == SQL_END)
                break;
            assert_true(token.text.len > 0);
        }
        free(copy);
    }
}

static void test_fingerprint(void **state)
{
    (void)state;
    uint64_t base = sql_fingerprint(STR("SELECT a FROM t WHERE x = 5 AND y = 'q'"));
    assert_int_equal(base,
                     sql_fingerprint(STR("select a\nfrom  t where x=17 and y = 'other' -- c")));
    assert_int_equal(base, sql_fingerprint(STR("select a from t where x=$1 and y = ?")));
    assert_int_not_equal(base, sql_fingerprint(STR("SELECT b FROM t WHERE x = 5 AND y = 'q'")));
    assert_int_not_equal(sql_fingerprint(STR("a b")), sql_fingerprint(STR("ab")));
    assert_int_equal(sql_fingerprint(STR("")), sql_fingerprint(STR(" /* */ ")));
}

static void test_without_literals(void **state)
{
    (void)state;
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 4096);
    sql_without_literals(STR("SELECT 'secret',  5 /* secret */ FROM t WHERE k='x'"), 4096, &out);
    assert_true(str_equal(buf_str(&out), STR("SELECT ?, ? FROM t WHERE k=?")));
    buf_clear(&out);
    sql_without_literals(STR("SELECT abcdefgh FROM t"), 10, &out);
    assert_true(str_equal(buf_str(&out), STR("SELECT")));
}

static void check_refused(const char *sql, const char *part)
{
    struct error error = ERROR_NONE;
    enum status status = gate_check_text(str_of(sql), NULL, 0, &error);
    if (status != STATUS_PERMISSION_DENIED || !strstr(error.message, part))
        fail_msg("%s: %s '%s'", sql, status_name(status), error.message);
    assert_string_equal(error.code, "STATEMENT_NOT_ALLOWED");
    assert_true(error.position >= 0 && (size_t)error.position < strlen(sql));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *part;
    } cases[] = {
        {"ATTACH 'x.db'", "rule 'attach'"},
        {"  /* c */ attach ':memory:' AS m", "allow-statements=attach"},
        {"SELECT 1; DETACH m", "rule 'attach'"},
        {"INSTALL httpfs", "rule 'extensions'"},
        {"LOAD 'x'", "rule 'extensions'"},
        {"FORCE CHECKPOINT", "rule 'maintenance'"},
        {"CHECKPOINT", "rule 'maintenance'"},
        {"EXPORT DATABASE 'x'", "rule 'export'"},
        {"IMPORT DATABASE 'x'", "rule 'export'"},
        {"PRAGMA threads", "rule 'pragma'"},
        {"PRAGMA threads=3", "rule 'pragma'"},
        {"SELECT 1; PRAGMA enable_profiling", "rule 'pragma'"},
        {"PRAGMA version='x'", "rule 'pragma'"},
        {"PRAGMA table_info = 't'", "rule 'pragma'"},
        {"PRAGMA \"version\"", "rule 'pragma'"},
        {"PRAGMA table_info(query('ATTACH x'))", "rule 'dynamic-sql'"},
        {"CALL enable_logging()", "not allowed"},
        {"CALL pragma_version()", "rule 'call'"},
        {"PREPARE p AS SELECT 1", "rule 'prepare'"},
        {"EXECUTE p", "rule 'prepare'"},
        {"EXPLAIN ANALYZE CALL x()", "rule 'call'"},
        {"EXPLAIN (ANALYZE, FORMAT json) PRAGMA threads", "rule 'pragma'"},
        {"EXPLAIN ANALYSE CALL x()", "rule 'call'"},
        {"EXPLAIN (\"analyze\") ATTACH 'x'", "rule 'attach'"},
        {"EXPLAIN LOAD x", "rule 'extensions'"},
        {"CREATE SECRET s (TYPE s3)", "rule 'secrets'"},
        {"create or replace persistent secret s (type s3)", "rule 'secrets'"},
        {"DROP SECRET s", "rule 'secrets'"},
        {"DROP PERSISTENT SECRET s", "rule 'secrets'"},
        {"FROM enable_logging(storage='file')", "enable_logging() is not allowed"},
        {"FROM \"enable_logging\" ()", "rule 'logging'"},
        {"FROM \"ENABLE_logging\"/* x */ -- y\n ( )", "rule 'logging'"},
        {"SELECT * FROM main.Enable_Logging()", "rule 'logging'"},
        {"FROM enable_logging\xc2\xa0()", "rule 'logging'"},
        {"SELECT * FROM query('SELECT 1')", "rule 'dynamic-sql'"},
        {"SELECT * FROM query_table('t')", "rule 'dynamic-sql'"},
        {"FROM json_execute_serialized_sql('x')", "rule 'dynamic-sql'"},
        {"SELECT sleep_ms(1000)", "rule 'sleep'"},
        {"SELECT * FROM duckdb_secrets()", "rule 'secrets'"},
        {"FROM duckdb_logs()", "rule 'logging'"},
        {"FROM force_checkpoint()", "rule 'maintenance'"},
        {"CREATE MACRO m() AS TABLE FROM enable_logging()", "rule 'logging'"},
        {"SELECT (SELECT count(*) FROM query('x'))", "rule 'dynamic-sql'"},
        {"SELECT E'\\'', 1 FROM query('x')", "rule 'dynamic-sql'"},
        {"SELECT 'a\\', 1 FROM query('x')", "rule 'dynamic-sql'"},
        {"SELECT E''\n'\\''' FROM query(' FROM query('x')", "rule 'dynamic-sql'"},
        {"SELECT $$'$$ FROM query('x')", "rule 'dynamic-sql'"},
        {"SELECT /* /* */ ' */ 1 FROM query('x')", "rule 'dynamic-sql'"},
        {"SELECT 1 -- '\n FROM query('x')", "rule 'dynamic-sql'"},
        {"FROM U&\"enable\\005flogging\"()", "Unicode escapes"},
        {"SELECT a FROM t\r; attach 'x'", "rule 'attach'"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check_refused(cases[i].sql, cases[i].part);
}

static void test_allowed(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "SELECT query, checkpoint FROM \"enable_logging\" WHERE query = 'FROM query(1)'",
        "SELECT 'ATTACH x; CALL y()' -- ATTACH\n /* ; CALL enable_logging() */",
        "SELECT $$ query('x') $$",
        "INSERT INTO query VALUES (1)",
        "CREATE TABLE secret (a INTEGER)",
        "DROP TABLE IF EXISTS secret",
        "SELECT attach FROM t; SELECT load FROM t",
        "EXPLAIN SELECT attach FROM t",
        "SELECT * FROM t AS call",
        "PRAGMA database_list",
        "pragma /* x */ TABLE_info('t'); SELECT 1; PRAGMA version;",
        "EXPLAIN PRAGMA version",
        "SELECT pragma FROM t; CREATE TABLE pragma (a INTEGER)",
        "SELECT U&'\\0061'",
        "",
        ";;",
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct error error = ERROR_NONE;
        if (gate_check_text(str_of(cases[i]), NULL, 0, &error) != STATUS_OK)
            fail_msg("%s: %s", cases[i], error.message);
    }
}

static void test_rules_switched_off(void **state)
{
    (void)state;
    struct str rules[] = {STR("attach"), STR("dynamic-sql")};
    struct error error = ERROR_NONE;
    assert_int_equal(gate_check_text(STR("ATTACH 'x'; FROM query('y')"), rules, 2, &error),
                     STATUS_OK);
    assert_int_equal(gate_check_text(STR("CALL x()"), rules, 2, &error), STATUS_PERMISSION_DENIED);
}

static void check_invalid(struct str sql, const char *part)
{
    struct error error = ERROR_NONE;
    assert_int_equal(gate_check_text(sql, NULL, 0, &error), STATUS_INVALID_ARGUMENT);
    if (!strstr(error.message, part))
        fail_msg("%s", error.message);
}

static void test_limits(void **state)
{
    (void)state;
    check_invalid(STR("SELECT 1\0; ATTACH 'x'"), "zero byte");
    check_invalid(STR("SELECT '\xff'"), "UTF-8");
    size_t size = SQL_TEXT_BYTES_MAX + 1;
    char *text = memory_new(size);
    memset(text, ' ', size);
    check_invalid(str_make(text, size), "limit");
    struct error error = ERROR_NONE;
    memset(text, '(', SQL_NESTING_MAX);
    assert_int_equal(gate_check_text(str_make(text, SQL_NESTING_MAX), NULL, 0, &error), STATUS_OK);
    text[SQL_NESTING_MAX] = '[';
    check_invalid(str_make(text, SQL_NESTING_MAX + 1), "nested");
    free(text);
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, (size_t)1 << 20);
    buf_append_text(&sql, "SELECT 1");
    for (int i = 0; i < 1001; i++)
        buf_append_text(&sql, " UNION ALL SELECT 1");
    check_invalid(buf_str(&sql), "UNION");
    buf_clear(&sql);
    buf_append_text(&sql, "SELECT true");
    for (int i = 0; i < 5001; i++)
        buf_append_text(&sql, i % 2 ? " AND true" : " OR true");
    check_invalid(buf_str(&sql), "AND and OR");
    buf_clear(&sql);
    buf_append_text(&sql, "SELECT (SELECT 1");
    for (int i = 1; i < 10000; i++)
        buf_append_text(&sql, ", f(1, 2, 3)");
    size_t largest = sql.len;
    buf_append_text(&sql, " FROM t ORDER BY 1, 2, 3), 2; SELECT 1, 2");
    assert_int_equal(gate_check_text(buf_str(&sql), NULL, 0, &error), STATUS_OK);
    sql.len = largest;
    buf_append_text(&sql, ", 1) FROM t");
    check_invalid(buf_str(&sql), "more than 10000 columns");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_tokens_of_prefixes),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_without_literals),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_rules_switched_off),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
