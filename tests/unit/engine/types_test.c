/*
 * types_test.c — every DuckDB type: its Arrow field, its values by both routes, its limits.
 *
 * Each case runs as it is (streaming) and from a table of 5000 rows (COPY), where every third value is
 * NULL, so that validity bits cross the borders of chunks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arrow/row_writer.h"
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

struct type_case {
    const char *value; /* SQL */
    const char *type;  /* as pyarrow prints it */
    const char *text;  /* of the value */
};

static const struct type_case cases[] = {
    {"true", "bool", "true"},
    {"(-128)::TINYINT", "int8", "-128"},
    {"(-32768)::SMALLINT", "int16", "-32768"},
    {"(-2147483648)::INTEGER", "int32", "-2147483648"},
    {"(-9223372036854775808)::BIGINT", "int64", "-9223372036854775808"},
    {"255::UTINYINT", "uint8", "255"},
    {"65535::USMALLINT", "uint16", "65535"},
    {"4294967295::UINTEGER", "uint32", "4294967295"},
    {"18446744073709551615::UBIGINT", "uint64", "18446744073709551615"},
    {"1.5::FLOAT", "float", "1.5"},
    {"(-2.25)::DOUBLE", "double", "-2.25"},
    {"99999999999999999999999999999999999999::HUGEINT", "decimal128(38, 0)",
     "99999999999999999999999999999999999999"},
    {"(-1)::HUGEINT", "decimal128(38, 0)", "-1"},
    {"7::UHUGEINT", "decimal128(38, 0)", "7"},
    {"(-12.3)::DECIMAL(4, 1)", "decimal128(4, 1)", "-12.3"},
    {"(-12345.67)::DECIMAL(9, 2)", "decimal128(9, 2)", "-12345.67"},
    {"(-123456789012.345)::DECIMAL(18, 3)", "decimal128(18, 3)", "-123456789012.345"},
    {"(-1234567890123456789012.5)::DECIMAL(38, 1)", "decimal128(38, 1)",
     "-1234567890123456789012.5"},
    {"''", "string", ""},
    {"'twelve bytes'", "string", "twelve bytes"},
    {"'thirteen byte'", "string", "thirteen byte"},
    {"'gr\xc3\xbc\xc3\x9f dich, a longer text than a head can hold'", "string",
     "gr\xc3\xbc\xc3\x9f dich, a longer text than a head can hold"},
    {"DATE '1970-01-02'", "date32[day]", "1970-01-02"},
    {"DATE '0044-03-15 (BC)'", "date32[day]", NULL},
    {"TIME '23:59:59.123456'", "time64[us]", "23:59:59.123456"},
    {"TIMESTAMP '2026-11-21 04:10:00.123456'", "timestamp[us]", NULL},
    {"'2026-11-21 04:10:00'::TIMESTAMP_S", "timestamp[s]", NULL},
    {"'2026-11-21 04:10:00.123'::TIMESTAMP_MS", "timestamp[ms]", NULL},
    {"'2026-11-21 04:10:00.123456789'::TIMESTAMP_NS", "timestamp[ns]", NULL},
    {"'2026-11-21 04:10:00+02'::TIMESTAMPTZ", "timestamp[us, tz=UTC]", NULL},
    {"'infinity'::TIMESTAMP", "timestamp[us]", NULL},
    {"'12:00:00+02'::TIMETZ", "time64[us]", "10:00:00.000000"},
    {"'01:00:00+02'::TIMETZ", "time64[us]", "23:00:00.000000"},
    {"INTERVAL '1 year 2 days 3 seconds'", "month_day_nano_interval", NULL},
    {"'\\xAA\\x00'::BLOB", "binary", NULL},
    {"'101'::BIT", "binary", NULL},
    {"'123456789012345678901234567890'::BIGNUM", "binary", NULL},
    {"'00112233-4455-6677-8899-aabbccddeeff'::UUID", "fixed_size_binary[16]", NULL},
    {"'{\"a\": 1}'::JSON", "string", "{\"a\": 1}"},
    {"'b'::ENUM('a', 'b', 'c')", "string", "b"},
    {"[1, NULL, 3]", "list<item: int32>", NULL},
    {"[]::INTEGER[]", "list<item: int32>", NULL},
    {"[['a', 'b'], NULL, []]", "list<item: list<item: string>>", NULL},
    {"[1, 2, 3]::INTEGER[3]", "fixed_size_list<item: int32>[3]", NULL},
    {"{'a': 1, 'b': 'x'}", "struct<a: int32, b: string>", NULL},
    {"{'a': [1, 2], 'b': {'c': NULL::DOUBLE}}",
     "struct<a: list<item: int32>, b: struct<c: double>>", NULL},
    {"MAP {'k': 1, 'l': 2}", "map<string, int32>", NULL},
    {"union_value(n := 5)", "sparse_union<n: int32=0>", NULL},
    {"'x'::UNION(n INTEGER, s VARCHAR)", "sparse_union<n: int32=0, s: string=1>", NULL},
    {"'Europe/Berlin'::TIME_ZONE", "dictionary<values=string, indices=int16, ordered=0>",
     "Europe/Berlin"},
};

static char *sql_of(const char *format, const char *value)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, 4096);
    buf_printf(&sql, format, value);
    return buf_steal(&sql);
}

static void value_text(const struct arrow_batch *batch, size_t column, int64_t row, struct buf *out)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct arrow_column *columns = arrow_columns_open(batch, &arena);
    buf_clear(out);
    row_writer_value_text(&columns[column], row, out);
    buf_append_text(out, ""); /* a NUL byte follows */
}

static void check_type(const struct type_case *item)
{
    char *sql = sql_of("SELECT %s AS v", item->value);
    CLEANUP(test_result_finish) struct test_result result = test_run(&engine, sql);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 4096);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
    arrow_field_type_text(&result.schema->fields[0], &text);
    if (!str_equal(buf_str(&text), str_of(item->type)))
        fail_msg("%s is %s instead of %s", item->value, (char *)text.ptr, item->type);
    assert_int_equal(result.rows, 1);
    value_text(result.batches[0], 0, 0, &text);
    if (item->text && !str_equal(buf_str(&text), str_of(item->text)))
        fail_msg("%s gives %.*s", item->value, STR_ARGS(buf_str(&text)));
    free(sql);
}

static void test_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check_type(&cases[i]);
}

/* What the streaming route gives for one value, the COPY route gives for each of many. */
static void check_table(const struct type_case *item)
{
    CLEANUP(buf_finish) struct buf expected;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&expected, 4096);
    buf_init(&text, 4096);
    char *one = sql_of("SELECT %s AS v", item->value);
    char *many = sql_of("CREATE OR REPLACE TABLE many AS SELECT i, %s AS v FROM range(5000) t(i); "
                        "UPDATE many SET v = NULL WHERE i %% 3 = 0",
                        item->value);
    CLEANUP(test_result_finish) struct test_result single = test_run(&engine, one);
    assert_int_equal(single.status, STATUS_OK);
    value_text(single.batches[0], 0, 0, &expected);
    test_execute(&engine, many);
    CLEANUP(test_result_finish)
    struct test_result result = test_run(&engine, "SELECT v, i FROM many WHERE i <> 1 ORDER BY i");
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", item->value, result.error.message);
    assert_int_equal(result.rows, 4999);
    bool is_union = result.schema->fields[0].type == ARROW_UNION;
    int64_t i = 0;
    for (size_t b = 0; b < result.batch_count; b++) {
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        struct arrow_column *columns = arrow_columns_open(result.batches[b], &arena);
        for (int64_t row = 0; row < result.batches[b]->rows; row++, i++) {
            int64_t number = arrow_column_integer(&columns[1], row);
            assert_int_equal(number, i == 0 ? 0 : i + 1);
            if (number % 3 == 0) {
                assert_true(is_union || arrow_column_is_null(&columns[0], row));
                continue;
            }
            buf_clear(&text);
            row_writer_value_text(&columns[0], row, &text);
            if (!str_equal(buf_str(&text), buf_str(&expected)))
                fail_msg("%s in row %d gives %.*s instead of %.*s", item->value, (int)number,
                         STR_ARGS(buf_str(&text)), STR_ARGS(buf_str(&expected)));
        }
    }
    free(one);
    free(many);
}

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check_table(&cases[i]);
}

static struct str metadata_of(const struct arrow_field *field, const char *key)
{
    for (size_t i = 0; i < field->metadata_count; i++)
        if (str_equal(field->metadata[i].key, str_of(key)))
            return field->metadata[i].value;
    return STR_EMPTY;
}

static void test_extensions(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *name;
        const char *metadata;
    } extensions[] = {
        {"uuid()", "arrow.uuid", ""},
        {"'1'::JSON", "arrow.json", ""},
        {"'1'::BIT", "arrow.opaque", "{\"type_name\":\"bit\",\"vendor_name\":\"DuckDB\"}"},
        {"1::BIGNUM", "arrow.opaque", "{\"type_name\":\"bignum\",\"vendor_name\":\"DuckDB\"}"},
        {"NULL::GEOMETRY", "geoarrow.wkb", "{}"},
        {"'x'", "", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(extensions); i++) {
        char *sql = sql_of("SELECT %s AS v", extensions[i].value);
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, sql);
        if (result.status != STATUS_OK)
            fail_msg("%s: %s", sql, result.error.message);
        const struct arrow_field *field = &result.schema->fields[0];
        assert_true(
            str_equal(metadata_of(field, "ARROW:extension:name"), str_of(extensions[i].name)));
        assert_true(str_equal(metadata_of(field, "ARROW:extension:metadata"),
                              str_of(extensions[i].metadata)));
        free(sql);
    }
}

static const uint8_t *first_values(const struct test_result *result, struct arena *arena)
{
    return arrow_columns_open(result->batches[0], arena)[0].values;
}

static void test_bytes(void **state)
{
    (void)state;
    static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    CLEANUP(test_result_finish)
    struct test_result one =
        test_run(&engine, "SELECT '00112233-4455-6677-8899-aabbccddeeff'::UUID");
    assert_memory_equal(first_values(&one, &arena), uuid, sizeof(uuid));
    CLEANUP(test_result_finish)
    struct test_result two =
        test_run(&engine, "SELECT INTERVAL '14 months 3 days 0.000002 seconds'");
    const uint8_t *interval = first_values(&two, &arena);
    assert_int_equal(*(const int32_t *)interval, 14);
    assert_int_equal(*(const int32_t *)(interval + 4), 3);
    assert_int_equal(*(const int64_t *)(interval + 8), 2000);
    CLEANUP(test_result_finish)
    struct test_result three = test_run(&engine, "SELECT TIMESTAMPTZ '1970-01-01 00:00:01.5+00'");
    assert_int_equal(*(const int64_t *)first_values(&three, &arena), 1500000);
}

/* Nothing of a null's slot may hold old memory. */
static void test_null_slots_are_zero(void **state)
{
    (void)state;
    test_execute(&engine,
                 "CREATE TABLE holes AS SELECT i, CASE WHEN i % 2 = 0 THEN i + 77 END AS v, "
                 "CASE WHEN i % 2 = 0 THEN (i * 3)::DECIMAL(15, 2) END AS d, "
                 "CASE WHEN i % 2 = 0 THEN uuid() END AS u FROM range(3000) t(i)");
    CLEANUP(test_result_finish)
    struct test_result result = test_run(&engine, "SELECT v, d, u FROM holes ORDER BY i");
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    static const uint8_t zeros[16];
    struct arrow_column *columns = arrow_columns_open(result.batches[0], &arena);
    for (size_t c = 0; c < 3; c++) {
        size_t width = arrow_field_width(columns[c].field);
        assert_true(columns[c].null_count > 0);
        for (int64_t row = 1; row < result.batches[0]->rows; row += 2) {
            assert_true(arrow_column_is_null(&columns[c], row));
            assert_memory_equal(columns[c].values + (size_t)row * width, zeros, width);
        }
    }
    /* Without nulls there are no bits at all. */
    CLEANUP(test_result_finish)
    struct test_result full = test_run(&engine, "SELECT i FROM holes WHERE i > 5 ORDER BY i");
    assert_int_equal(full.batches[0]->buffers[0].len, 0);
}

static void test_limits(void **state)
{
    (void)state;
    test_fails(&engine, "SELECT 100000000000000000000000000000000000000::HUGEINT AS big",
               STATUS_OUT_OF_RANGE, "column 'big' holds a HUGEINT of more than 38 digits");
    test_fails(&engine,
               "SELECT (-100000000000000000000000000000000000000)::HUGEINT AS big FROM range(3)",
               STATUS_OUT_OF_RANGE, "'big'");
    test_fails(&engine, "SELECT 340282366920938463463374607431768211455::UHUGEINT AS u",
               STATUS_OUT_OF_RANGE, "UHUGEINT");
    test_fails(&engine, "SELECT 1::VARIANT AS v", STATUS_UNIMPLEMENTED, "v::JSON");
    test_rows(&engine, "SELECT sum(i) FROM range(10) t(i)", "45");
}

static void test_zones(void **state)
{
    (void)state;
    test_execute(&engine, "CREATE TABLE meetings (instant TIMESTAMPTZ, zone TIME_ZONE)");
    test_execute(&engine, "INSERT INTO meetings VALUES "
                          "('2026-03-29 00:30:00+00', 'Europe/Berlin'), "
                          "('2026-03-29 00:30:00+00', 'America/New_York'), (NULL, NULL)");
    test_schema(&engine, "FROM meetings",
                "instant: timestamp[ms, tz=UTC], "
                "zone: dictionary<values=string, indices=int16, ordered=0>");
    test_schema(&engine, "SELECT instant FROM meetings", "instant: timestamp[us, tz=UTC]");
    CLEANUP(test_result_finish) struct test_result result = test_run(&engine, "FROM meetings");
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    assert_int_equal(result.status, STATUS_OK);
    struct arrow_column *columns = arrow_columns_open(result.batches[0], &arena);
    assert_int_equal(arrow_column_integer(&columns[0], 0), 1774744200000);
    assert_true(str_equal(arrow_column_bytes(&columns[1], 1), STR("America/New_York")));
    assert_true(arrow_column_is_null(&columns[1], 2));
    struct engine_result_options plain = {.dictionaries = ENGINE_DICTIONARIES_OFF,
                                          .timestamp_unit = ARROW_NANOSECOND + 1};
    CLEANUP(test_result_finish)
    struct test_result text = test_run_in(&engine, engine.session, "FROM meetings", &plain);
    assert_int_equal(text.schema->fields[1].type, ARROW_UTF8);
    assert_false(text.schema->fields[1].is_dictionary);
    assert_int_equal(text.schema->fields[0].unit, ARROW_NANOSECOND);
    columns = arrow_columns_open(text.batches[0], &arena);
    assert_int_equal(arrow_column_integer(&columns[0], 0), 1774744200000000000);
    assert_true(str_equal(arrow_column_bytes(&columns[1], 0), STR("Europe/Berlin")));
    static const char *const wrong[] = {
        "SELECT '+02:00'::TIME_ZONE", "SELECT 'UTC+2'::volley.TIME_ZONE",
        "SELECT 'CEST'::volley.main.TIME_ZONE", "SELECT 'Europe/Atlantis'::TIME_ZONE",
        "INSERT INTO meetings VALUES (now(), '+02:00')"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        test_fails(&engine, wrong[i], STATUS_INVALID_ARGUMENT, "'Europe/Berlin'");
    test_rows(&engine, "SELECT 'UTC'::volley.TIME_ZONE", "UTC");
    test_rows(&engine, "SELECT [zone] FROM meetings LIMIT 1", "[\"Europe/Berlin\"]");
}

/* Seconds and milliseconds round towards the past, also before 1970. */
static void test_units(void **state)
{
    (void)state;
    static const struct {
        enum arrow_unit unit;
        int64_t value;
    } units[] = {{ARROW_SECOND, -2},
                 {ARROW_MILLISECOND, -1500},
                 {ARROW_MICROSECOND, -1500000},
                 {ARROW_NANOSECOND, -1500000000}};
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        struct engine_result_options options = {.timestamp_unit = (int)units[i].unit + 1};
        CLEANUP(test_result_finish)
        struct test_result result = test_run_in(
            &engine, engine.session, "SELECT TIMESTAMPTZ '1969-12-31 23:59:58.5+00'", &options);
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        assert_int_equal(*(const int64_t *)first_values(&result, &arena), units[i].value);
    }
    struct engine_result_options nanoseconds = {.timestamp_unit = ARROW_NANOSECOND + 1};
    CLEANUP(test_result_finish)
    struct test_result far =
        test_run_in(&engine, engine.session, "SELECT TIMESTAMPTZ '4000-01-01 00:00:00+00' AS far",
                    &nanoseconds);
    assert_int_equal(far.status, STATUS_OUT_OF_RANGE);
}

static void test_nested(void **state)
{
    (void)state;
    test_rows(&engine, "SELECT [i, NULL, i + 1] FROM range(2) t(i)", "[0,null,1]\n[1,null,2]");
    test_rows(&engine, "SELECT [[i], [], NULL] FROM range(2) t(i)", "[[0],[],null]\n[[1],[],null]");
    test_rows(&engine, "SELECT {'a': i, 'b': [i::VARCHAR]} FROM range(2) t(i)",
              "{\"a\":0,\"b\":[\"0\"]}\n{\"a\":1,\"b\":[\"1\"]}");
    test_rows(&engine, "SELECT CASE WHEN i = 1 THEN NULL ELSE [i, i] END FROM range(3) t(i)",
              "[0,0]\nNULL\n[2,2]");
    test_rows(&engine, "SELECT list_filter(range(i), lambda x : x % 2 = 1) FROM range(6) t(i)",
              "[]\n[]\n[1]\n[1]\n[1,3]\n[1,3]");
    /* Lists that are not in the order of their rows. */
    test_rows(&engine, "SELECT l FROM (SELECT i, range(i) l FROM range(5) t(i)) ORDER BY i DESC",
              "[0,1,2,3]\n[0,1,2]\n[0,1]\n[0]\n[]");
    test_rows(&engine, "SELECT l FROM (SELECT i, range(i) l FROM range(5) t(i)) WHERE i % 2 = 0",
              "[]\n[0,1]\n[0,1,2,3]");
    /* Constant and dictionary vectors arrive flat. */
    test_rows(&engine, "SELECT {'k': 'same'}, i FROM range(3) t(i)",
              "{\"k\":\"same\"}|0\n{\"k\":\"same\"}|1\n{\"k\":\"same\"}|2");
}

static void test_time_overflow(void **state)
{
    (void)state;
    test_fails(&engine, "SELECT to_microseconds(9223372036854775807) AS i", STATUS_OUT_OF_RANGE,
               "column 'i'");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_null_slots_are_zero),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_time_overflow),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
