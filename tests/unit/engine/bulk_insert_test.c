/*
 * bulk_insert_test.c — which inserts become one statement over many rows, and which must not.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/bulk_insert.h"

/* Integer parameters of these names, the i-th of which has column count - 1 - i, of type `rows_type`. */
static bool write_rows(const char *sql, const char *const *names, size_t count,
                       enum arrow_type rows_type, char *out, size_t size)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *parameters = arrow_schema_create(count);
    CLEANUP(arrow_schema_unref) struct arrow_schema *rows = arrow_schema_create(count);
    CLEANUP(buf_finish) struct buf text;
    size_t columns[8];
    buf_init(&text, 65536);
    for (size_t i = 0; i < count; i++) {
        arrow_field_init(parameters, &parameters->fields[i], str_of(names[i]), ARROW_INT);
        parameters->fields[i].bit_width = 32;
        arrow_field_init(rows, &rows->fields[i], str_of(names[i]), rows_type);
        rows->fields[i].bit_width = rows_type == ARROW_INT ? 32 : 0;
        columns[i] = count - 1 - i;
    }
    arrow_schema_seal(parameters, NULL);
    arrow_schema_seal(rows, NULL);
    bool is_written = bulk_insert_write(str_of(sql), parameters, columns, rows, STR("rows"), &text);
    buf_append_byte(&text, '\0');
    assert_true(text.len <= size);
    memcpy(out, text.ptr, text.len);
    return is_written;
}

static bool write(const char *sql, const char *const *names, size_t count, char *out, size_t size)
{
    return write_rows(sql, names, count, ARROW_INT, out, size);
}

static const char *const numbers[] = {"1", "2"};
static const char *const names[] = {"a", "b"};
#define SOURCE "\nFROM batch('rows') AS parameter_rows(parameter_1, parameter_2)"

static void test_what_is_written(void **state)
{
    static const struct {
        const char *sql;
        const char *const *names;
        const char *written;
    } cases[] = {
        {"INSERT INTO t VALUES (?, ?)", numbers, "INSERT INTO t SELECT parameter_2, parameter_1"},
        {"insert into a.\"b c\".t(x, \"y\") values ( $2,$1 ) ; ", numbers,
         "insert into a.\"b c\".t(x, \"y\") SELECT  parameter_1,parameter_2 "},
        {"INSERT INTO t VALUES ($b, upper($a) || 'x, (')", names,
         "INSERT INTO t SELECT parameter_1, upper(parameter_2) || 'x, ('"},
        {"INSERT INTO t VALUES (? * 2 -- )\n, CAST(? AS DECIMAL(5, 2)))", numbers,
         "INSERT INTO t SELECT parameter_2 * 2 -- )\n, CAST(parameter_1 AS DECIMAL(5, 2))"},
        {"INSERT INTO t VALUES ([?, 1], {'x': ?::INTEGER}, now(), current_date, NULL)", numbers,
         "INSERT INTO t SELECT [parameter_2, 1], {'x': parameter_1::INTEGER}, now(), current_date, "
         "NULL"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char text[1000];
        char expected[1000];
        assert_true(write(cases[i].sql, cases[i].names, 2, text, sizeof(text)));
        snprintf(expected, sizeof(expected), "%s" SOURCE, cases[i].written);
        assert_string_equal(text, expected);
    }
    (void)state;
}

/* Texts for integers: an expression must see the integer. */
static void test_texts_for_other_types(void **state)
{
    static const char *const alone[] = {
        "INSERT INTO t VALUES (?, ?)",
        "INSERT INTO t VALUES (1, ?, 'x', ?)",
        "INSERT INTO t VALUES (?::DATE, CAST(? AS INTEGER))",
    };
    static const char *const inside[] = {
        "INSERT INTO t VALUES (?, coalesce(?, 7))",
        "INSERT INTO t VALUES (?, ? + 1)",
        "INSERT INTO t VALUES ([?], ?)",
    };
    char text[1000];
    for (size_t i = 0; i < ARRAY_COUNT(alone); i++)
        assert_true(write_rows(alone[i], numbers, 2, ARROW_UTF8, text, sizeof(text)));
    for (size_t i = 0; i < ARRAY_COUNT(inside); i++)
        assert_false(write_rows(inside[i], numbers, 2, ARROW_UTF8, text, sizeof(text)));
    (void)state;
}

static void test_what_is_left_as_it_is(void **state)
{
    static const char *const cases[] = {
        "INSERT INTO t VALUES (?, ?), (?, ?)",
        "INSERT INTO t VALUES (?, ?) ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (?, ?) RETURNING *",
        "INSERT OR REPLACE INTO t VALUES (?, ?)",
        "INSERT INTO t BY NAME VALUES (?, ?)",
        "INSERT INTO t SELECT ?, ?",
        "INSERT INTO t DEFAULT VALUES",
        "INSERT INTO t VALUES (?, DEFAULT)",
        "INSERT INTO t VALUES (?, (SELECT max(i) FROM t))",
        "INSERT INTO t VALUES (sum(?), ?)",
        "INSERT INTO t VALUES (\"sum\"(?), ?)",
        "INSERT INTO t VALUES (?.sum(), ?)",
        "INSERT INTO t VALUES (unnest(?), ?)",
        "INSERT INTO t VALUES (count(*), ?)",
        "INSERT INTO t VALUES (*, ?)",
        "INSERT INTO t VALUES (?, *)",
        "INSERT INTO t VALUES (row_number() OVER (), ?)",
        "INSERT INTO t VALUES (parameter_1, ?)",
        "INSERT INTO t VALUES ([x FOR x IN ?], ?)",
        "INSERT INTO t VALUES (?1, ?)",
        "INSERT INTO t VALUES (?, ?, ?)",
        "INSERT INTO t VALUES ($1, $3)",
        "INSERT INTO t VALUES (?, ?); INSERT INTO t VALUES (1, 2)",
        "INSERT INTO t VALUES (?, ?",
        "INSERT INTO t VALUES (?; ?)",
        "WITH x AS (SELECT 1) INSERT INTO t VALUES (?, ?)",
        "EXPLAIN INSERT INTO t VALUES (?, ?)",
        "UPDATE t SET i = ? WHERE i = ?",
        "INSERT INTO t AS u VALUES (?, ?)",
        "INSERT",
        "",
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char text[1000];
        if (write(cases[i], numbers, 2, text, sizeof(text)))
            fail_msg("%s gives %s", cases[i], text);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written),
        cmocka_unit_test(test_texts_for_other_types),
        cmocka_unit_test(test_what_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
