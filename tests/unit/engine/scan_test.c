/*
 * scan_test.c — what SQL reads of columns of fixed width.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Three values of fixed width, the second NULL. */
#define THREE(test, maker, ctype, ...)                                                             \
    do {                                                                                           \
        add_node((maker), 3, 1);                                                                   \
        ADD((maker), uint8_t, 5);                                                                  \
        ADD((maker), ctype, __VA_ARGS__);                                                          \
        end((maker), (test));                                                                      \
    } while (0)

static void test_integers(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_INT);
    field->bit_width = 8;
    field->is_signed = true;
    THREE(*state, &maker, int8_t, -128, 1, 127);
    expect(*state, "TINYINT", "-128\nNULL\n127");

    field = begin(&maker, ARROW_INT);
    field->bit_width = 16;
    THREE(*state, &maker, uint16_t, 0, 1, 65535);
    expect(*state, "USMALLINT", "0\nNULL\n65535");

    field = begin(&maker, ARROW_INT);
    field->bit_width = 32;
    THREE(*state, &maker, uint32_t, 0, 1, 4294967295);
    expect(*state, "UINTEGER", "0\nNULL\n4294967295");

    field = begin(&maker, ARROW_INT);
    field->bit_width = 64;
    THREE(*state, &maker, uint64_t, 0, 1, UINT64_MAX);
    expect(*state, "UBIGINT", "0\nNULL\n18446744073709551615");
}

static void test_floats(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_FLOAT);
    field->bit_width = 16;
    add_node(&maker, 8, 1);
    ADD(&maker, uint8_t, 0xFD);
    ADD(&maker, uint16_t, 0x3C00, 0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8000, 0xFC00, 0x7E00);
    end(&maker, *state);
    expect(*state, "FLOAT", "1.0\nNULL\n-2.0\n65504.0\n5.9604645e-08\n-0.0\n-inf\nnan");

    field = begin(&maker, ARROW_FLOAT);
    field->bit_width = 64;
    THREE(*state, &maker, double, 0.5, 1, -1e300);
    expect(*state, "DOUBLE", "0.5\nNULL\n-1e+300");
}

static void test_booleans(void **state)
{
    struct column_maker maker;
    begin(&maker, ARROW_BOOL);
    add_node(&maker, 11, 1);
    ADD(&maker, uint8_t, 0xFD, 0x07);
    ADD(&maker, uint8_t, 0xA9, 0x05);
    end(&maker, *state);
    expect(*state, "BOOLEAN",
           "true\nNULL\nfalse\ntrue\nfalse\ntrue\nfalse\ntrue\ntrue\nfalse\ntrue");

    struct arrow_field *field = begin(&maker, ARROW_INT);
    field->bit_width = 8;
    field->is_signed = true;
    arrow_field_add_metadata(maker.schema, field, STR("ARROW:extension:name"), STR("arrow.bool8"));
    THREE(*state, &maker, int8_t, 0, 1, -7);
    expect(*state, "BOOLEAN", "false\nNULL\ntrue");
}

static void test_nulls(void **state)
{
    struct column_maker maker;
    begin(&maker, ARROW_NULL);
    add_node(&maker, 3, 3);
    end(&maker, *state);
    expect(*state, "\"NULL\"", "NULL\nNULL\nNULL");
}

static void test_dates_and_times(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_DATE);
    field->unit = ARROW_DAY;
    THREE(*state, &maker, int32_t, 0, 1, -1);
    expect(*state, "DATE", "1970-01-01\nNULL\n1969-12-31");

    field = begin(&maker, ARROW_DATE);
    field->unit = ARROW_MILLISECOND;
    THREE(*state, &maker, int64_t, 86400000, INT64_MAX, -1);
    expect(*state, "DATE", "1970-01-02\nNULL\n1969-12-31");

    field = begin(&maker, ARROW_TIME);
    field->unit = ARROW_SECOND;
    field->bit_width = 32;
    THREE(*state, &maker, int32_t, 1, -1, 86399);
    expect(*state, "TIME", "00:00:01\nNULL\n23:59:59");

    field = begin(&maker, ARROW_TIME);
    field->unit = ARROW_MILLISECOND;
    field->bit_width = 32;
    THREE(*state, &maker, int32_t, 1, INT32_MAX, 86399999);
    expect(*state, "TIME", "00:00:00.001\nNULL\n23:59:59.999");

    field = begin(&maker, ARROW_TIME);
    field->unit = ARROW_NANOSECOND;
    field->bit_width = 64;
    THREE(*state, &maker, int64_t, 1, INT64_MIN, 86399999999999);
    expect(*state, "TIME_NS", "00:00:00.000000001\nNULL\n23:59:59.999999999");
}

static void test_timestamps(void **state)
{
    static const char *const zones[] = {"", "Europe/Berlin"};
    static const char *const types[2][4] = {
        {"TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS"},
        {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE",
         "TIMESTAMP WITH TIME ZONE"},
    };
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    for (size_t zone = 0; zone < 2; zone++) {
        for (int unit = ARROW_SECOND; unit <= ARROW_NANOSECOND; unit++) {
            struct column_maker maker;
            struct arrow_field *field = begin(&maker, ARROW_TIMESTAMP);
            field->unit = (enum arrow_unit)unit;
            field->timezone = str_of(zones[zone]);
            THREE(*state, &maker, int64_t, per_second[unit], INT64_MIN, -per_second[unit]);
            expect(*state, types[zone][unit],
                   zone ? "1970-01-01 00:00:01+00\nNULL\n1969-12-31 23:59:59+00"
                        : "1970-01-01 00:00:01\nNULL\n1969-12-31 23:59:59");
        }
    }
}

static void test_intervals(void **state)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    struct column_maker maker;
    struct arrow_field *field;
    for (int unit = ARROW_SECOND; unit <= ARROW_NANOSECOND; unit++) {
        field = begin(&maker, ARROW_DURATION);
        field->unit = (enum arrow_unit)unit;
        THREE(*state, &maker, int64_t, 3600 * per_second[unit], INT64_MAX, -per_second[unit]);
        expect(*state, "INTERVAL", "01:00:00\nNULL\n-00:00:01");
    }
    field = begin(&maker, ARROW_INTERVAL);
    field->interval_unit = ARROW_YEAR_MONTH;
    THREE(*state, &maker, int32_t, 13, 0, -1);
    expect(*state, "INTERVAL", "1 year 1 month\nNULL\n-1 month");

    field = begin(&maker, ARROW_INTERVAL);
    field->interval_unit = ARROW_DAY_TIME;
    THREE(*state, &maker, int32_t, 1, 1500, 7, 7, -1, 0);
    expect(*state, "INTERVAL", "1 day 00:00:01.5\nNULL\n-1 day");
}

static void test_month_day_nano(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_INTERVAL);
    field->interval_unit = ARROW_MONTH_DAY_NANO;
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 1, 2, 3000, 0, -1, -2, -1000, -1);
    end(&maker, *state);
    expect(*state, "INTERVAL", "1 month 2 days 00:00:00.000003\n-1 month -2 days -00:00:00.000001");
}

static struct arrow_field *begin_decimal(struct column_maker *maker, int width, int precision,
                                         int scale)
{
    struct arrow_field *field = begin(maker, ARROW_DECIMAL);
    field->bit_width = width;
    field->precision = precision;
    field->scale = scale;
    return field;
}

static void test_decimals(void **state)
{
    struct column_maker maker;
    begin_decimal(&maker, 32, 4, 1);
    THREE(*state, &maker, int32_t, 9999, INT32_MAX, -1);
    expect(*state, "DECIMAL(4,1)", "999.9\nNULL\n-0.1");

    begin_decimal(&maker, 64, 18, 2);
    THREE(*state, &maker, int64_t, 999999999999999999, INT64_MAX, -5);
    expect(*state, "DECIMAL(18,2)", "9999999999999999.99\nNULL\n-0.05");

    begin_decimal(&maker, 128, 9, 0);
    THREE(*state, &maker, __int128, 1, (__int128)INT64_MAX * 4, -999999999);
    expect(*state, "DECIMAL(9,0)", "1\nNULL\n-999999999");

    begin_decimal(&maker, 128, 38, 38);
    THREE(*state, &maker, __int128, 1, 0, -1);
    expect(*state, "DECIMAL(38,38)",
           ".00000000000000000000000000000000000001\nNULL\n"
           "-.00000000000000000000000000000000000001");

    begin_decimal(&maker, 256, 38, 1);
    THREE(*state, &maker, int64_t, 15, 0, 0, 0, 1, 2, 3, 4, -15, -1, -1, -1);
    expect(*state, "DECIMAL(38,1)", "1.5\nNULL\n-1.5");

    begin_decimal(&maker, 256, 76, 1);
    THREE(*state, &maker, int64_t, 0, 0, 1, 0, 1, 2, 3, 4, -15, -1, -1, -1);
    expect(*state, "VARCHAR", "34028236692093846346337460743176821145.6\nNULL\n-1.5");
}

static void test_what_does_not_fit(void **state)
{
    struct column_maker maker;
    struct arrow_field *field;
    begin_decimal(&maker, 128, 4, 0);
    THREE(*state, &maker, __int128, 1, 2, 10000);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "column 'v': a value has more");
    begin_decimal(&maker, 256, 38, 0);
    THREE(*state, &maker, int64_t, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "column 'v': a value has more");
    field = begin(&maker, ARROW_DATE);
    field->unit = ARROW_MILLISECOND;
    THREE(*state, &maker, int64_t, 1, 2, INT64_MAX);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "column 'v': a value is beyond");
    field = begin(&maker, ARROW_TIME);
    field->unit = ARROW_MICROSECOND;
    field->bit_width = 64;
    THREE(*state, &maker, int64_t, 1, 2, 86400000001);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "column 'v': a value is beyond");
    field = begin(&maker, ARROW_TIMESTAMP);
    field->unit = ARROW_SECOND;
    field->timezone = STR("UTC");
    THREE(*state, &maker, int64_t, 1, 2, INT64_MAX / 1000);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "column 'v': a value is beyond");
    field = begin(&maker, ARROW_DURATION);
    field->unit = ARROW_MILLISECOND;
    THREE(*state, &maker, int64_t, 1, 2, INT64_MIN);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "column 'v': a value is beyond");
    begin(&maker, ARROW_STRUCT);
    add_node(&maker, 1, 0);
    ADD_NO_NULLS(&maker);
    end(&maker, *state);
    test_fails(*state, "FROM batch('t')", STATUS_UNIMPLEMENTED,
               "column 'v' of type struct<>: the engine has no struct");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_booleans),        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_dates_and_times), cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_intervals),       cmocka_unit_test(test_month_day_nano),
        cmocka_unit_test(test_decimals),        cmocka_unit_test(test_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
