/*
 * row_writer_test.c — rows as JSON, NDJSON, CSV and plain text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arrow/column.h"
#include "arrow/row_writer.h"
#include "sample.h"

/* Two columns: a bigint (1, null, 3) and a text ("a", "", null). */
static struct arrow_batch *create_batch(void)
{
    static const int64_t numbers[] = {INT64_C(9007199254740993), 0, -3};
    static const int32_t offsets[] = {0, 5, 5, 5};
    static const uint8_t not_second = 5;
    static const uint8_t not_third = 3;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(2);
    arrow_field_init(schema, &schema->fields[0], STR("n"), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_field_init(schema, &schema->fields[1], STR("t,\""), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    const struct arrow_node nodes[] = {{3, 1}, {3, 1}};
    struct slice buffers[] = {slice_copy(&not_second, 1), slice_copy(numbers, sizeof(numbers)),
                              slice_copy(&not_third, 1), slice_copy(offsets, sizeof(offsets)),
                              slice_copy("a,\"\nb", 5)};
    return arrow_batch_create(schema, 3, nodes, buffers);
}

static void check_rows(enum row_format format, bool integers_as_text, const char *expected)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_batch();
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(format, batch->schema, integers_as_text);
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1 << 16);
    int64_t row = 0;
    row_writer_begin(writer, &out);
    row_writer_rows(writer, batch, &row, SIZE_MAX, &out);
    row_writer_end(writer, &out);
    assert_int_equal(row, 3);
    assert_string_equal((const char *)out.ptr, expected);
}

static void json_is_one_object(void **state)
{
    check_rows(ROW_JSON, false,
               "{\"columns\":[{\"name\":\"n\",\"type\":\"int64\"},"
               "{\"name\":\"t,\\\"\",\"type\":\"string\"}],\"data\":["
               "{\"n\":9007199254740993,\"t,\\\"\":\"a,\\\"\\nb\"},"
               "{\"n\":null,\"t,\\\"\":\"\"},"
               "{\"n\":-3,\"t,\\\"\":null}],\"rows\":3}\n");
}

static void ndjson_is_one_object_a_line(void **state)
{
    check_rows(ROW_NDJSON, true,
               "{\"n\":\"9007199254740993\",\"t,\\\"\":\"a,\\\"\\nb\"}\n"
               "{\"n\":null,\"t,\\\"\":\"\"}\n"
               "{\"n\":\"-3\",\"t,\\\"\":null}\n");
}

static void tsv_has_a_line_for_each_row(void **state)
{
    check_rows(ROW_TSV, false,
               "n\tt,\"\n"
               "9007199254740993\ta,\"\\nb\n"
               "\\N\t\n"
               "-3\t\\N\n");
}

static void csv_tells_null_from_empty(void **state)
{
    check_rows(ROW_CSV, false,
               "n,\"t,\"\"\"\r\n"
               "9007199254740993,\"a,\"\"\nb\"\r\n"
               ",\"\"\r\n"
               "-3,\r\n");
}

static void append_all(struct row_writer *writer, struct arrow_batch *batch, size_t step,
                       struct buf *out)
{
    for (int64_t row = 0; row < batch->rows;) {
        int64_t before = row;
        row_writer_rows(writer, batch, &row, out->len + step, out);
        assert_true(row > before);
    }
}

/* Any target gives the same text, over several batches. */
static void rows_go_on_where_they_stopped(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    static const enum row_format formats[] = {ROW_JSON, ROW_NDJSON, ROW_CSV, ROW_TSV};
    for (size_t i = 0; i < 3; i++) {
        struct buf outs[2];
        for (size_t j = 0; j < 2; j++) {
            CLEANUP(row_writer_destroy)
            struct row_writer *writer = row_writer_create(formats[i], schema, false);
            buf_init(&outs[j], (size_t)1 << 26);
            row_writer_begin(writer, &outs[j]);
            for (uint64_t seed = 0; seed < 3; seed++) {
                CLEANUP(arrow_batch_unref)
                struct arrow_batch *batch = sample_batch_create(schema, 40, seed);
                append_all(writer, batch, j == 0 ? 1 : 10000, &outs[j]);
            }
            row_writer_end(writer, &outs[j]);
        }
        assert_false(outs[0].failed);
        assert_true(str_equal(buf_str(&outs[0]), buf_str(&outs[1])));
        buf_finish(&outs[0]);
        buf_finish(&outs[1]);
    }
}

static void full_buffer_ends_the_rows(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 40, 1);
    for (size_t size_max = 0; size_max < 6000; size_max += 97) {
        CLEANUP(row_writer_destroy)
        struct row_writer *writer = row_writer_create(ROW_CSV, schema, false);
        CLEANUP(buf_finish) struct buf out;
        buf_init(&out, size_max);
        int64_t row = 0;
        row_writer_rows(writer, batch, &row, SIZE_MAX, &out);
        assert_true(out.failed && row < batch->rows && out.len <= size_max);
        assert_int_equal(buf_check(&out, "result", NULL), STATUS_RESOURCE_EXHAUSTED);
    }
}

static void no_columns_are_empty_objects(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(0);
    arrow_schema_seal(schema, NULL);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = arrow_batch_create(schema, 2, NULL, NULL);
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(ROW_JSON, schema, false);
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1000);
    int64_t row = 0;
    row_writer_begin(writer, &out);
    row_writer_rows(writer, batch, &row, SIZE_MAX, &out);
    row_writer_end(writer, &out);
    assert_string_equal((const char *)out.ptr, "{\"columns\":[],\"data\":[{},{}],\"rows\":2}\n");
    row_writer_destroy(NULL);
}

static void plain_text_has_no_quotes(void **state)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_batch();
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1000);
    row_writer_value_text(&columns[1], 0, &out);
    assert_string_equal((const char *)out.ptr, "a,\"\nb");
    buf_clear(&out);
    row_writer_value_text(&columns[0], 1, &out);
    row_writer_value_text(&columns[1], 1, &out);
    assert_int_equal(out.len, 0);
    row_writer_value_text(&columns[0], 2, &out);
    assert_string_equal((const char *)out.ptr, "-3");
}

static void plain_text_of_every_type(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 30, 1);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (size_t i = 0; i < schema->field_count; i++) {
        CLEANUP(buf_finish) struct buf out;
        buf_init(&out, (size_t)1 << 20);
        for (int64_t row = 0; row < batch->rows; row++)
            row_writer_value_text(&columns[i], row, &out);
        assert_false(out.failed);
        assert_true(out.len > 0 || schema->fields[i].type == ARROW_NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_one_object),
        cmocka_unit_test(ndjson_is_one_object_a_line),
        cmocka_unit_test(tsv_has_a_line_for_each_row),
        cmocka_unit_test(csv_tells_null_from_empty),
        cmocka_unit_test(rows_go_on_where_they_stopped),
        cmocka_unit_test(full_buffer_ends_the_rows),
        cmocka_unit_test(no_columns_are_empty_objects),
        cmocka_unit_test(plain_text_has_no_quotes),
        cmocka_unit_test(plain_text_of_every_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
