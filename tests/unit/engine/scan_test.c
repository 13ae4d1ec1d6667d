/*
 * scan_test.c — every Arrow type read by SQL: values, NULLs, slices, batches of every length.
 *
 * What the engine itself can send goes there and back; what it cannot is built by hand, buffer by buffer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "store/put.h"

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

/* --- putting ------------------------------------------------------------------------------------ */

/* Keeps the batches, whose references are taken over, as dataset `path`. */
static void put(struct test_engine *test, const char *path, struct arrow_schema *schema,
                struct arrow_batch **batches, size_t count)
{
    struct error error = ERROR_NONE;
    struct put *put = NULL;
    struct put_result result;
    const struct put_options options = {
        .path = str_of(path), .mode = PUT_REPLACE, .schema = schema};
    enum status status = put_begin(test->store, &options, &put, &error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = put_append(put, batches[i], &error);
    if (status == STATUS_OK)
        status = put_commit(put, &result, &error);
    if (status != STATUS_OK)
        fail_msg("%s", error.message);
    put_destroy(put);
}

/* A batch of one column under construction. */
struct column_maker {
    struct arrow_schema *schema;
    struct arrow_node nodes[16];
    size_t node_count;
    struct slice buffers[48];
    size_t buffer_count;
};

static struct arrow_field *begin(struct column_maker *maker, enum arrow_type type)
{
    *maker = (struct column_maker){.schema = arrow_schema_create(1)};
    struct arrow_field *field = &maker->schema->fields[0];
    arrow_field_init(maker->schema, field, STR("v"), type);
    return field;
}

static struct arrow_field *add_child(struct column_maker *maker, struct arrow_field *parent,
                                     size_t index, const char *name, enum arrow_type type)
{
    arrow_field_init(maker->schema, &parent->children[index], str_of(name), type);
    return &parent->children[index];
}

static void add_node(struct column_maker *maker, int64_t length, int64_t null_count)
{
    maker->nodes[maker->node_count++] = (struct arrow_node){length, null_count};
}

static void add_bytes(struct column_maker *maker, const void *bytes, size_t size)
{
    maker->buffers[maker->buffer_count++] = slice_copy(bytes, size);
}

#define ADD(maker, type, ...)                                                                      \
    do {                                                                                           \
        const type values_[] = {__VA_ARGS__};                                                      \
        add_bytes((maker), values_, sizeof(values_));                                              \
    } while (0)
#define ADD_NO_NULLS(maker) add_bytes((maker), NULL, 0)

/* Ends the column and keeps it as dataset "t": the batch as it is, its rows one by one in batches of their
 * own, and the batch again. */
static void end_with(struct column_maker *maker, struct test_engine *test,
                     struct arrow_batch **dictionaries)
{
    struct arrow_batch *batches[40];
    size_t count = 0;
    arrow_schema_seal(maker->schema, dictionaries);
    int64_t rows = maker->nodes[0].length;
    assert_int_equal(maker->node_count, maker->schema->node_count);
    assert_int_equal(maker->buffer_count, maker->schema->buffer_count);
    struct arrow_batch *batch =
        arrow_batch_create(maker->schema, rows, maker->nodes, maker->buffers);
    batches[count++] = batch;
    for (int64_t i = 0; i < rows; i++)
        batches[count++] = arrow_batch_slice(batch, i, 1);
    batches[count++] = arrow_batch_slice(batch, 0, 0);
    batches[count++] = arrow_batch_ref(batch);
    put(test, "t", maker->schema, batches, count);
    arrow_schema_unref(maker->schema);
}

static void end(struct column_maker *maker, struct test_engine *test)
{
    end_with(maker, test, NULL);
}

/* Asserts type and values, as SQL prints them, of dataset "t": three times, as `end` puts them. */
static void expect(struct test_engine *test, const char *type, const char *values)
{
    char three_times[8192];
    snprintf(three_times, sizeof(three_times), "%s\n%s\n%s", values, values, values);
    test_rows(test, "SELECT DISTINCT typeof(v) FROM batch('t')", type);
    test_rows(test, "SELECT v::VARCHAR FROM batch('t')", three_times);
    /* A table copies the values, so that nothing points into the batches any more. */
    test_execute(test, "CREATE OR REPLACE TABLE copied AS FROM dataset.t");
    test_rows(test, "SELECT v::VARCHAR FROM copied", three_times);
}

/* Three values of fixed width, the second NULL. */
#define THREE(test, maker, ctype, ...)                                                             \
    do {                                                                                           \
        add_node((maker), 3, 1);                                                                   \
        ADD((maker), uint8_t, 5);                                                                  \
        ADD((maker), ctype, __VA_ARGS__);                                                          \
        end((maker), (test));                                                                      \
    } while (0)

/* --- fixed width -------------------------------------------------------------------------------- */

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

/* --- texts -------------------------------------------------------------------------------------- */

#define TEXT "abcdefghijklmnopqrstuvwxyz"

static void test_texts(void **state)
{
    static const enum arrow_type narrow[] = {ARROW_UTF8, ARROW_BINARY};
    static const enum arrow_type wide[] = {ARROW_LARGE_UTF8, ARROW_LARGE_BINARY};
    static const char *const types[] = {"VARCHAR", "BLOB"};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        begin(&maker, narrow[i]);
        add_node(&maker, 6, 1);
        ADD(&maker, uint8_t, 0x3B);
        ADD(&maker, int32_t, 0, 0, 8, 9, 12, 25, 26);
        add_bytes(&maker, TEXT, 26);
        end(&maker, *state);
        expect(*state, types[i], "\nabcdefgh\nNULL\njkl\nmnopqrstuvwxy\nz");

        begin(&maker, wide[i]);
        add_node(&maker, 4, 0);
        ADD_NO_NULLS(&maker);
        ADD(&maker, int64_t, 0, 12, 25, 25, 26);
        add_bytes(&maker, TEXT, 26);
        end(&maker, *state);
        expect(*state, types[i], "abcdefghijkl\nmnopqrstuvwxy\n\nz");
    }
}

static void test_text_views(void **state)
{
    static const enum arrow_type view_types[] = {ARROW_UTF8_VIEW, ARROW_BINARY_VIEW};
    static const char *const types[] = {"VARCHAR", "BLOB"};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        begin(&maker, view_types[i]);
        add_node(&maker, 5, 1);
        ADD(&maker, uint8_t, 0x17);
        ADD(&maker, struct arrow_view, {.size = 0}, {.size = 3, .inlined = "abc"},
            {.size = 12, .inlined = "abcdefghijkl"}, {.size = 0},
            {.size = 13, .prefix = "bcde", .buffer = 0, .offset = 1});
        add_bytes(&maker, TEXT, 26);
        end(&maker, *state);
        expect(*state, types[i], "\nabc\nabcdefghijkl\nNULL\nbcdefghijklmn");
    }
}

static void test_fixed_binary(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_FIXED_BINARY);
    field->byte_width = 13;
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 2);
    add_bytes(&maker, TEXT, 26);
    end(&maker, *state);
    expect(*state, "BLOB", "NULL\nnopqrstuvwxyz");

    field = begin(&maker, ARROW_FIXED_BINARY);
    field->byte_width = 0;
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    ADD_NO_NULLS(&maker);
    end(&maker, *state);
    expect(*state, "BLOB", "\nNULL");

    field = begin(&maker, ARROW_FIXED_BINARY);
    field->byte_width = 16;
    arrow_field_add_metadata(maker.schema, field, STR("ARROW:extension:name"), STR("arrow.uuid"));
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    add_bytes(&maker, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff" TEXT, 32);
    end(&maker, *state);
    expect(*state, "UUID", "00112233-4455-6677-8899-aabbccddeeff\nNULL");
}

static void test_json(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_UTF8);
    arrow_field_add_metadata(maker.schema, field, STR("ARROW:extension:name"), STR("arrow.json"));
    add_node(&maker, 1, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 7);
    add_bytes(&maker, "{\"a\":1}", 7);
    end(&maker, *state);
    expect(*state, "JSON", "{\"a\":1}");
    test_rows(*state, "SELECT DISTINCT v.a FROM batch('t')", "1");
}

/* --- nested types ------------------------------------------------------------------------------- */

static void init_int32(struct arrow_field *field)
{
    field->bit_width = 32;
    field->is_signed = true;
}

static void test_lists(void **state)
{
    static const enum arrow_type types[] = {ARROW_LIST, ARROW_LARGE_LIST};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        struct arrow_field *field = begin(&maker, types[i]);
        arrow_field_add_children(maker.schema, field, 1);
        init_int32(add_child(&maker, field, 0, "item", ARROW_INT));
        add_node(&maker, 4, 1);
        ADD(&maker, uint8_t, 0x0B);
        if (i == 0)
            ADD(&maker, int32_t, 0, 2, 2, 4, 5);
        else
            ADD(&maker, int64_t, 0, 2, 2, 4, 5);
        add_node(&maker, 5, 1);
        ADD(&maker, uint8_t, 0x1D);
        ADD(&maker, int32_t, 1, 2, 3, 4, 5);
        end(&maker, *state);
        expect(*state, "INTEGER[]", "[1, NULL]\n[]\nNULL\n[5]");
    }
}

static void test_list_views(void **state)
{
    static const enum arrow_type types[] = {ARROW_LIST_VIEW, ARROW_LARGE_LIST_VIEW};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        struct arrow_field *field = begin(&maker, types[i]);
        arrow_field_add_children(maker.schema, field, 1);
        add_child(&maker, field, 0, "item", ARROW_UTF8);
        add_node(&maker, 5, 1);
        ADD(&maker, uint8_t, 0x1D);
        if (i == 0) {
            ADD(&maker, int32_t, 1, 0, 0, 0, 2);
            ADD(&maker, int32_t, 2, 0, 3, 0, 1);
        } else {
            ADD(&maker, int64_t, 1, 0, 0, 0, 2);
            ADD(&maker, int64_t, 2, 0, 3, 0, 1);
        }
        add_node(&maker, 3, 0);
        ADD_NO_NULLS(&maker);
        ADD(&maker, int32_t, 0, 1, 14, 15);
        add_bytes(&maker, TEXT, 15);
        end(&maker, *state);
        expect(*state, "VARCHAR[]", "[bcdefghijklmn, o]\nNULL\n[a, bcdefghijklmn, o]\n[]\n[o]");
    }
}

/* Few elements far apart: they are taken one by one. */
static void test_scattered_list_views(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_LIST_VIEW);
    arrow_field_add_children(maker.schema, field, 1);
    init_int32(add_child(&maker, field, 0, "item", ARROW_INT));
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 8, 0, 8);
    ADD(&maker, int32_t, 1, 2, 1);
    add_node(&maker, 9, 1);
    ADD(&maker, uint8_t, 0xFD, 0x01);
    ADD(&maker, int32_t, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    end(&maker, *state);
    expect(*state, "INTEGER[]", "[9]\n[1, NULL]\n[9]");
}

static void make_fixed_list(struct column_maker *maker, int32_t size, bool has_elements)
{
    struct arrow_field *field = begin(maker, ARROW_FIXED_LIST);
    field->list_size = size;
    arrow_field_add_children(maker->schema, field, 1);
    init_int32(add_child(maker, field, 0, "item", ARROW_INT));
    add_node(maker, 3, 1);
    ADD(maker, uint8_t, 5);
    add_node(maker, 3 * size, 0);
    ADD_NO_NULLS(maker);
    if (has_elements)
        ADD(maker, int32_t, 1, 2, 3, 4, 5, 6);
    else
        ADD_NO_NULLS(maker);
}

static void test_fixed_lists(void **state)
{
    struct column_maker maker;
    make_fixed_list(&maker, 2, true);
    end(&maker, *state);
    expect(*state, "INTEGER[2]", "[1, 2]\nNULL\n[5, 6]");
    test_rows(*state, "SELECT DISTINCT v[1] FROM batch('t') WHERE v IS NULL", "NULL");
    make_fixed_list(&maker, 0, false);
    end(&maker, *state);
    expect(*state, "INTEGER[]", "[]\nNULL\n[]");
}

static void test_structs(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_STRUCT);
    arrow_field_add_children(maker.schema, field, 3);
    init_int32(add_child(&maker, field, 0, "a", ARROW_INT));
    struct arrow_field *inner = add_child(&maker, field, 1, "A", ARROW_STRUCT);
    arrow_field_add_children(maker.schema, inner, 1);
    init_int32(add_child(&maker, inner, 0, "x", ARROW_INT));
    add_child(&maker, field, 2, "", ARROW_BOOL);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 3);
    ADD(&maker, int32_t, 1, 2, 3);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 10, 20, 30);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, uint8_t, 1);
    end(&maker, *state);
    expect(*state, "STRUCT(a INTEGER, A_1 STRUCT(x INTEGER), column_2 BOOLEAN)",
           "{'a': 1, 'A_1': {'x': 10}, 'column_2': true}\nNULL\n"
           "{'a': NULL, 'A_1': {'x': 30}, 'column_2': false}");
    test_rows(*state, "SELECT DISTINCT v.A_1.x FROM batch('t') WHERE v IS NULL", "NULL");
}

static void test_maps(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_MAP);
    arrow_field_add_children(maker.schema, field, 1);
    struct arrow_field *entries = add_child(&maker, field, 0, "entries", ARROW_STRUCT);
    arrow_field_add_children(maker.schema, entries, 2);
    add_child(&maker, entries, 0, "key", ARROW_UTF8);
    init_int32(add_child(&maker, entries, 1, "value", ARROW_INT));
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 0, 2, 2, 3);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 1, 14, 15);
    add_bytes(&maker, TEXT, 15);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 1, 2, 3);
    end(&maker, *state);
    expect(*state, "MAP(VARCHAR, INTEGER)", "{a=1, bcdefghijklmn=NULL}\nNULL\n{o=3}");
    test_rows(*state, "SELECT DISTINCT v['o'] FROM batch('t') WHERE v['o'] IS NOT NULL", "3");
}

static void test_maps_with_a_null_key(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_MAP);
    arrow_field_add_children(maker.schema, field, 1);
    struct arrow_field *entries = add_child(&maker, field, 0, "entries", ARROW_STRUCT);
    arrow_field_add_children(maker.schema, entries, 2);
    init_int32(add_child(&maker, entries, 0, "key", ARROW_INT));
    init_int32(add_child(&maker, entries, 1, "value", ARROW_INT));
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 1, 2);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    ADD(&maker, int32_t, 1, 2);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 1, 2);
    end(&maker, *state);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "a map has a NULL among");
}

static void make_union(struct column_maker *maker, bool is_dense)
{
    static const int32_t type_ids[] = {5, 3};
    struct arrow_field *field = begin(maker, ARROW_UNION);
    field->is_dense = is_dense;
    field->type_ids = type_ids;
    arrow_field_add_children(maker->schema, field, 2);
    init_int32(add_child(maker, field, 0, "n", ARROW_INT));
    add_child(maker, field, 1, "t", ARROW_UTF8);
    add_node(maker, 4, 0);
    ADD(maker, int8_t, 5, 3, 5, 3);
}

static void test_unions(void **state)
{
    struct column_maker maker;
    make_union(&maker, false);
    add_node(&maker, 4, 1);
    ADD(&maker, uint8_t, 0x0B);
    ADD(&maker, int32_t, 1, 2, 3, 4);
    add_node(&maker, 4, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 1, 14, 15, 16);
    add_bytes(&maker, TEXT, 16);
    end(&maker, *state);
    expect(*state, "UNION(n INTEGER, t VARCHAR)", "1\nbcdefghijklmn\nNULL\np");
    test_rows(*state, "SELECT DISTINCT v.n FROM batch('t') WHERE union_tag(v) = 't'", "NULL");

    make_union(&maker, true);
    ADD(&maker, int32_t, 1, 1, 0, 0);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 10, 20);
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    ADD(&maker, int32_t, 0, 13, 14);
    add_bytes(&maker, TEXT, 14);
    end(&maker, *state);
    expect(*state, "UNION(n INTEGER, t VARCHAR)", "20\nNULL\n10\nabcdefghijklm");
}

static void test_run_ends(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_RUN_END_ENCODED);
    arrow_field_add_children(maker.schema, field, 2);
    init_int32(add_child(&maker, field, 0, "run_ends", ARROW_INT));
    add_child(&maker, field, 1, "values", ARROW_UTF8);
    add_node(&maker, 6, 0);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 2, 3, 6);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 0, 13, 14, 15);
    add_bytes(&maker, TEXT, 15);
    end(&maker, *state);
    expect(*state, "VARCHAR", "abcdefghijklm\nabcdefghijklm\nNULL\no\no\no");
}

/* --- dictionaries ------------------------------------------------------------------------------- */

/* The values "abcdefghijklm", NULL, "o". */
static struct arrow_batch *make_values(void)
{
    struct column_maker maker;
    begin(&maker, ARROW_UTF8);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 0, 13, 14, 15);
    add_bytes(&maker, TEXT, 15);
    arrow_schema_seal(maker.schema, NULL);
    struct arrow_batch *batch = arrow_batch_create(maker.schema, 3, maker.nodes, maker.buffers);
    arrow_schema_unref(maker.schema);
    return batch;
}

static void init_dictionary(struct arrow_field *field, int32_t width)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = width;
}

static void test_dictionaries(void **state)
{
    struct column_maker maker;
    struct arrow_batch *values = make_values();
    init_dictionary(begin(&maker, ARROW_UTF8), 8);
    add_node(&maker, 5, 1);
    ADD(&maker, uint8_t, 0x17);
    ADD(&maker, int8_t, 2, 0, 1, 99, 0);
    end_with(&maker, *state, &values);
    expect(*state, "VARCHAR", "o\nabcdefghijklm\nNULL\nNULL\nabcdefghijklm");
    test_rows(*state, "SELECT v, count(*) FROM batch('t') GROUP BY v ORDER BY v NULLS LAST",
              "abcdefghijklm|6\no|3\nNULL|6");
}

static void test_dictionaries_inside(void **state)
{
    struct column_maker maker;
    struct arrow_batch *values = make_values();
    struct arrow_field *field = begin(&maker, ARROW_LIST);
    arrow_field_add_children(maker.schema, field, 1);
    init_dictionary(add_child(&maker, field, 0, "item", ARROW_UTF8), 16);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 3, 4);
    add_node(&maker, 4, 1);
    ADD(&maker, uint8_t, 0x0D);
    ADD(&maker, int16_t, 2, 77, 0, 1);
    end_with(&maker, *state, &values);
    expect(*state, "VARCHAR[]", "[o, NULL, abcdefghijklm]\n[NULL]");
}

/* --- what the engine sends itself --------------------------------------------------------------- */

/* The rows of a statement, kept as dataset `path`. */
static void put_rows(struct test_engine *test, const char *path, const char *sql)
{
    CLEANUP(test_result_finish) struct test_result result = test_run(test, sql);
    struct arrow_batch *batches[64];
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
    assert_true(result.batch_count <= 64);
    for (size_t i = 0; i < result.batch_count; i++)
        batches[i] = arrow_batch_ref(result.batches[i]);
    put(test, path, result.schema, batches, result.batch_count);
}

/* 70,000 rows of nested values with NULLs everywhere, there and back. */
static void test_there_and_back(void **state)
{
    static const char *const columns[] = {
        "if(i % 7 = 0, NULL, i)",
        "if(i % 5 = 0, NULL, 'text ' || repeat('x', i % 20))",
        "if(i % 3 = 0, NULL, i % 2 = 0)",
        "i::DECIMAL(20, 3) / 7",
        "[i, NULL, i + 1][:i % 4]",
        "if(i % 11 = 0, NULL, {'a': i, 'b': if(i % 13 = 0, NULL, ['t' || i, NULL])})",
        "[[i, NULL], NULL, []][i % 4:]",
        "MAP {i: 'v' || i, i + 1: NULL}",
        "if(i % 9 = 0, NULL, [i, i * 2, NULL])::BIGINT[3]",
        "if(i % 2 = 0, i, NULL)::UNION(n BIGINT, t VARCHAR)",
        "(i || 'x')::UNION(n BIGINT, t VARCHAR)",
        "make_timestamp(i * 1000000)::TIMESTAMP_S",
        "to_timestamp(i)",
        "to_microseconds(i) + to_months((i % 100)::INTEGER)",
        "md5(i::VARCHAR)::UUID",
        "('x' || i)::BLOB",
        "[{'k': i, 's': [{'z': 'deep ' || i}]}, NULL]",
    };
    char text[1024];
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        snprintf(text, sizeof(text),
                 "CREATE OR REPLACE TABLE source AS SELECT %s AS v, i FROM range(70000) r(i)",
                 columns[i]);
        test_execute(*state, text);
        put_rows(*state, "t", "FROM source ORDER BY i");
        test_rows(*state, "SELECT count(*), count(DISTINCT i) FROM batch('t')", "70000|70000");
        test_rows(*state, "SELECT count(*) FROM (FROM batch('t') SELECT v, i EXCEPT FROM source)",
                  "0");
        test_rows(*state,
                  "SELECT count(*) FROM batch('t') b JOIN source s USING (i) "
                  "WHERE b.v IS DISTINCT FROM s.v",
                  "0");
    }
}

static void test_empty(void **state)
{
    put_rows(*state, "t", "SELECT 1 AS a, 'x' AS b, [1] AS c WHERE false");
    test_rows(*state, "FROM batch('t')", "");
    test_rows(*state, "SELECT count(*), max(b) FROM batch('t')", "0|NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_dates_and_times),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_month_day_nano),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_text_views),
        cmocka_unit_test(test_fixed_binary),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_list_views),
        cmocka_unit_test(test_scattered_list_views),
        cmocka_unit_test(test_fixed_lists),
        cmocka_unit_test(test_structs),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_maps_with_a_null_key),
        cmocka_unit_test(test_unions),
        cmocka_unit_test(test_run_ends),
        cmocka_unit_test(test_dictionaries),
        cmocka_unit_test(test_dictionaries_inside),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
