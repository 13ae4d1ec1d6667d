/*
 * batch_test.c — batches, what they cost, slices of them, columns.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arrow/column.h"
#include "arrow/row_writer.h"
#include "base/memory.h"
#include "column_case.h"
#include "sample.h"

static struct arrow_schema *create_text_schema(void)
{
    return sample_schema_of(STR("text"), ARROW_UTF8, NULL);
}

/* Three texts: "ab", null, "cde". */
static struct arrow_batch *create_text_batch(struct arrow_schema *schema)
{
    static const int32_t offsets[] = {0, 2, 2, 5};
    static const uint8_t validity = 5;
    const struct arrow_node node = {3, 1};
    struct slice buffers[] = {slice_copy(&validity, 1), slice_copy(offsets, sizeof(offsets)),
                              slice_copy("abcde", 5)};
    return arrow_batch_create(schema, 3, &node, buffers);
}

static void body_is_padded_to_8(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = create_text_schema();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_text_batch(schema);
    assert_int_equal(batch->body_bytes, 8 + 16 + 8);
    assert_int_equal(batch->header.len % 8, 0);
    assert_true(batch->memory_bytes > batch->header.len);
}

static void memory_counts_adjacent_owners_once(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = create_text_schema();
    struct buffer *shared = buffer_create(4096);
    memset(shared->data, 0, 4096);
    const struct arrow_node node = {1, 0};
    struct slice one[] = {SLICE_EMPTY, slice_make(shared->data, 8, buffer_ref(shared)),
                          slice_make(shared->data + 8, 0, shared)};
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = arrow_batch_create(schema, 1, &node, one);
    CLEANUP(arrow_batch_unref) struct arrow_batch *own = create_text_batch(schema);
    size_t fixed = batch->memory_bytes - 4096;
    assert_true(fixed > 0 && fixed < 2048);
    assert_in_range(own->memory_bytes, fixed + 22, fixed + 3 * 64);
}

static void header_outlives_the_batch(void **state)
{
    struct arrow_schema *schema = create_text_schema();
    struct arrow_batch *batch = create_text_batch(schema);
    struct slice header = slice_ref(batch->header);
    uint8_t first = header.ptr[0];
    assert_ptr_equal(arrow_batch_ref(batch), batch);
    arrow_batch_unref(batch);
    arrow_batch_unref(batch);
    arrow_schema_unref(schema);
    assert_int_equal(header.ptr[0], first);
    slice_finish(&header);
    arrow_batch_unref(NULL);
}

/* Readers in Java refuse a column of text without its first offset. */
static void empty_text_has_one_offset(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 0, 1);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (size_t i = 0; i < schema->field_count; i++) {
        int32_t offset = -1;
        if (schema->fields[i].is_dictionary ||
            (schema->fields[i].type != ARROW_UTF8 && schema->fields[i].type != ARROW_LIST &&
             schema->fields[i].type != ARROW_MAP))
            continue;
        assert_non_null(columns[i].values);
        memcpy(&offset, columns[i].values, sizeof(offset));
        assert_int_equal(offset, 0);
    }
}

static void columns_are_readable(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = create_text_schema();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_text_batch(schema);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *column = arrow_columns_open(batch, &arena);
    assert_int_equal(column->length, 3);
    assert_false(arrow_column_is_null(column, 0));
    assert_true(arrow_column_is_null(column, 1));
    assert_true(str_equal(arrow_column_bytes(column, 0), STR("ab")));
    assert_true(str_equal(arrow_column_bytes(column, 2), STR("cde")));
}

static struct arrow_batch *create_fixed_batch(struct arrow_field shape, const void *bytes,
                                              size_t size, int64_t rows)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("x"), shape.type);
    shape.name = schema->fields[0].name;
    schema->fields[0] = shape;
    arrow_schema_seal(schema, NULL);
    const struct arrow_node node = {rows, 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_copy(bytes, size)};
    return arrow_batch_create(schema, rows, &node, buffers);
}

static int64_t read_integer(struct arrow_field shape, const void *bytes, size_t size)
{
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = create_fixed_batch(shape, bytes, size, 1);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    return arrow_column_integer(arrow_columns_open(batch, &arena), 0);
}

static void integers_are_extended_by_their_sign(void **state)
{
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    for (int32_t width = 8; width <= 64; width *= 2) {
        struct arrow_field shape = {.type = ARROW_INT, .bit_width = width, .is_signed = true};
        size_t size = (size_t)width / 8;
        assert_int_equal(read_integer(shape, ones, size), -1);
        shape.is_signed = false;
        assert_int_equal(read_integer(shape, ones, size),
                         width == 64 ? -1 : (INT64_C(1) << width) - 1);
    }
    struct arrow_field date = {.type = ARROW_DATE, .unit = ARROW_DAY};
    assert_int_equal(read_integer(date, ones, 4), -1);
}

static void dictionary_bytes_are_looked_up(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *all = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(all, 20, 2);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (size_t i = 0; i < all->field_count; i++) {
        if (!all->fields[i].is_dictionary || all->fields[i].child_count > 0)
            continue;
        for (int64_t row = 0; row < 20; row++) {
            int64_t index = arrow_column_integer(&columns[i], row);
            struct str direct = arrow_column_bytes(columns[i].dictionary, index);
            assert_true(str_equal(arrow_column_bytes(&columns[i], row), direct));
        }
    }
}

/* --- slices --------------------------------------------------------------------------------------- */

static void append_rows(struct arrow_batch *batch, struct buf *out)
{
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(ROW_NDJSON, batch->schema, false);
    int64_t row = 0;
    row_writer_rows(writer, batch, &row, SIZE_MAX, out);
    assert_int_equal(row, batch->rows);
    assert_false(out->failed);
}

/* The rows of a slice are the rows of the batch. */
static void check_slice(struct arrow_batch *batch, int64_t first, int64_t count)
{
    CLEANUP(buf_finish) struct buf expected;
    CLEANUP(buf_finish) struct buf actual;
    buf_init(&expected, (size_t)1 << 26);
    buf_init(&actual, (size_t)1 << 26);
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(ROW_NDJSON, batch->schema, false);
    for (int64_t row = first; row < first + count;)
        row_writer_rows(writer, batch, &row, expected.len + 1, &expected);
    CLEANUP(arrow_batch_unref) struct arrow_batch *part = arrow_batch_slice(batch, first, count);
    assert_int_equal(part->rows, count);
    append_rows(part, &actual);
    assert_true(str_equal(buf_str(&expected), buf_str(&actual)));
}

static void slices_hold_the_rows_of_every_type(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    for (uint64_t seed = 0; seed < 4; seed++) {
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = sample_batch_create(schema, 100, seed);
        check_slice(batch, 0, 0);
        check_slice(batch, 0, 1);
        check_slice(batch, 0, 99);
        check_slice(batch, 3, 5);
        check_slice(batch, 8, 64);
        check_slice(batch, 63, 37);
        check_slice(batch, 100, 0);
    }
}

static void slices_of_slices_are_slices(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 90, 9);
    CLEANUP(arrow_batch_unref) struct arrow_batch *part = arrow_batch_slice(batch, 5, 70);
    check_slice(part, 11, 40);
    CLEANUP(arrow_batch_unref) struct arrow_batch *direct = arrow_batch_slice(batch, 16, 40);
    CLEANUP(arrow_batch_unref) struct arrow_batch *twice = arrow_batch_slice(part, 11, 40);
    CLEANUP(buf_finish) struct buf a;
    CLEANUP(buf_finish) struct buf b;
    buf_init(&a, (size_t)1 << 24);
    buf_init(&b, (size_t)1 << 24);
    append_rows(direct, &a);
    append_rows(twice, &b);
    assert_true(str_equal(buf_str(&a), buf_str(&b)));
}

static void whole_slice_is_the_batch(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = create_text_schema();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_text_batch(schema);
    CLEANUP(arrow_batch_unref) struct arrow_batch *whole = arrow_batch_slice(batch, 0, 3);
    assert_ptr_equal(whole, batch);
}

static void slice_without_nulls_has_no_validity(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = create_text_schema();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_text_batch(schema);
    CLEANUP(arrow_batch_unref) struct arrow_batch *last = arrow_batch_slice(batch, 2, 1);
    assert_int_equal(last->nodes[0].null_count, 0);
    assert_int_equal(last->buffers[0].len, 0);
    assert_int_equal(last->buffers[2].len, 3);
    assert_ptr_equal(last->buffers[2].owner, batch->buffers[2].owner);
}

/* --- growing ---------------------------------------------------------------------------------------- */

/* Parts of a batch, one behind the other, are the batch again; what was there before stays as it was. */
static void grow_by_parts(struct arrow_batch *whole, int64_t first, int64_t step)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *grown = arrow_batch_slice(whole, 0, first);
    for (int64_t row = first; row < whole->rows; row += step) {
        int64_t count = whole->rows - row < step ? whole->rows - row : step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *more = arrow_batch_slice(whole, row, count);
        CLEANUP(arrow_batch_unref) struct arrow_batch *before = STEAL(grown);
        size_t bytes;
        grown = arrow_batch_grow(before, more, &bytes);
        assert_non_null(grown);
        assert_true(arrow_batch_grew_from(grown, before));
        assert_false(arrow_batch_grew_from(before, grown));
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *expected = arrow_batch_slice(whole, 0, before->rows);
        case_assert_same_rows(before, expected);
        case_read_completely(grown);
    }
    assert_int_equal(grown->rows, whole->rows);
    case_assert_same_rows(grown, whole);
}

static void every_type_grows(void **state)
{
    for (size_t i = 0; i < sample_field_count(); i++) {
        CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create_part(i, 1);
        for (uint64_t seed = 0; seed < 2; seed++) {
            CLEANUP(arrow_batch_unref)
            struct arrow_batch *whole = sample_batch_create(schema, 60, seed);
            grow_by_parts(whole, 0, 7);
            grow_by_parts(whole, 1, 1);
            grow_by_parts(whole, 30, 30);
        }
    }
}

static void small_parts_do_not_copy_all(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_BINARY, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *whole = sample_batch_create(schema, 20000, 0);
    CLEANUP(arrow_batch_unref) struct arrow_batch *grown = arrow_batch_slice(whole, 0, 1);
    size_t total = 0;
    for (int64_t row = 1; row < whole->rows; row++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *more = arrow_batch_slice(whole, row, 1);
        CLEANUP(arrow_batch_unref) struct arrow_batch *before = STEAL(grown);
        size_t bytes;
        grown = arrow_batch_grow(before, more, &bytes);
        total += bytes;
    }
    assert_true(total < 8 * whole->body_bytes);
}

static void two_continuations_of_one_beginning(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *whole = sample_batch_create(schema, 40, 0);
    CLEANUP(arrow_batch_unref) struct arrow_batch *start = arrow_batch_slice(whole, 0, 10);
    CLEANUP(arrow_batch_unref) struct arrow_batch *a = arrow_batch_slice(whole, 10, 15);
    CLEANUP(arrow_batch_unref) struct arrow_batch *b = arrow_batch_slice(whole, 25, 15);
    size_t bytes;
    CLEANUP(arrow_batch_unref) struct arrow_batch *one = arrow_batch_grow(start, a, &bytes);
    CLEANUP(arrow_batch_unref) struct arrow_batch *first = arrow_batch_grow(one, a, &bytes);
    CLEANUP(arrow_batch_unref) struct arrow_batch *second = arrow_batch_grow(one, b, &bytes);
    CLEANUP(arrow_batch_unref) struct arrow_batch *tail = arrow_batch_slice(second, 25, 15);
    case_assert_same_rows(tail, b);
    CLEANUP(arrow_batch_unref) struct arrow_batch *other = arrow_batch_slice(first, 25, 15);
    case_assert_same_rows(other, a);
}

/* --- projection --------------------------------------------------------------------------------- */

static void columns_are_what_they_were(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 33, 1);
    size_t count = schema->field_count;
    size_t *columns = NEW_ARRAY(size_t, count);
    for (size_t i = 0; i < count; i++)
        columns[i] = count - 1 - i;
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *reversed = arrow_schema_project(schema, columns, count);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *part = arrow_batch_project(batch, reversed, columns, count);
    assert_ptr_equal(part->schema, reversed);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *again = arrow_schema_project(reversed, columns, count);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *back = arrow_batch_project(part, again, columns, count);
    assert_true(arrow_schema_equal(again, schema));
    assert_true(sample_batches_equal(back, batch));
    for (size_t i = 0; i < schema->dictionary_count; i++)
        assert_ptr_equal(again->dictionaries[i], schema->dictionaries[i]);
    free(columns);
    /* No column at all still has rows. */
    CLEANUP(arrow_schema_unref) struct arrow_schema *none = arrow_schema_project(schema, NULL, 0);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *empty = arrow_batch_project(batch, none, NULL, 0);
    assert_int_equal(empty->rows, 33);
    assert_int_equal(none->metadata_count, schema->metadata_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_padded_to_8),
        cmocka_unit_test(memory_counts_adjacent_owners_once),
        cmocka_unit_test(header_outlives_the_batch),
        cmocka_unit_test(empty_text_has_one_offset),
        cmocka_unit_test(columns_are_readable),
        cmocka_unit_test(integers_are_extended_by_their_sign),
        cmocka_unit_test(dictionary_bytes_are_looked_up),
        cmocka_unit_test(slices_hold_the_rows_of_every_type),
        cmocka_unit_test(slices_of_slices_are_slices),
        cmocka_unit_test(whole_slice_is_the_batch),
        cmocka_unit_test(slice_without_nulls_has_no_validity),
        cmocka_unit_test(every_type_grows),
        cmocka_unit_test(small_parts_do_not_copy_all),
        cmocka_unit_test(two_continuations_of_one_beginning),
        cmocka_unit_test(columns_are_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
