/*
 * ipc_content_hostile_test.c — batches of the right shape with wrong content: offsets, text, nulls, numbers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "column_case.h"
#include "sample.h"

static enum status decode_text(const int32_t offsets[4], struct str bytes, struct str validity,
                               int64_t null_count)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, NULL);
    const struct arrow_node node = {3, null_count};
    const struct str buffers[] = {validity, str_make(offsets, 16), bytes};
    return case_decode_column(schema, 3, &node, buffers);
}

static enum status decode_valid_text(int32_t a, int32_t b, int32_t c, int32_t d, struct str bytes)
{
    const int32_t offsets[] = {a, b, c, d};
    return decode_text(offsets, bytes, STR_EMPTY, 0);
}

static void offsets_are_checked(void **state)
{
    assert_int_equal(decode_valid_text(0, 1, 2, 6, STR("abcdef")), STATUS_OK);
    assert_int_equal(decode_valid_text(2, 2, 4, 6, STR("abcdef")), STATUS_OK);
    assert_int_equal(decode_valid_text(0, 1, 2, 7, STR("abcdef")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(0, 3, 2, 6, STR("abcdef")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(-1, 1, 2, 6, STR("abcdef")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(0, 0, 0, INT32_MAX, STR("a")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(0, INT32_MIN, 0, 0, STR("a")), STATUS_INVALID_ARGUMENT);
}

static void utf8_is_checked(void **state)
{
    assert_int_equal(decode_valid_text(0, 2, 4, 8, STR("\xC3\xA4xx\xF0\x9F\x98\x80")), STATUS_OK);
    /* Cut through a character, overlong, surrogate, alone. */
    assert_int_equal(decode_valid_text(0, 1, 2, 2, STR("\xC3\xA4")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(0, 2, 2, 2, STR("\xC0\x80")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(0, 3, 3, 3, STR("\xED\xA0\x80")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(0, 0, 0, 1, STR("\x80")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_valid_text(0, 0, 0, 1, STR("\xFF")), STATUS_INVALID_ARGUMENT);
    /* Below a null anything may stand. */
    const int32_t offsets[] = {0, 1, 2, 3};
    assert_int_equal(decode_text(offsets,
                                 STR("a\xFF"
                                     "b"),
                                 STR("\x05"), 1),
                     STATUS_OK);
    assert_int_equal(decode_text(offsets,
                                 STR("a\xFF"
                                     "b"),
                                 STR("\x03"), 1),
                     STATUS_INVALID_ARGUMENT);
}

static void nulls_are_counted(void **state)
{
    const int32_t offsets[] = {0, 1, 2, 3};
    assert_int_equal(decode_text(offsets, STR("abc"), STR("\x05"), 1), STATUS_OK);
    assert_int_equal(decode_text(offsets, STR("abc"), STR("\x05"), 2), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_text(offsets, STR("abc"), STR("\x05"), 0), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_text(offsets, STR("abc"), STR("\xFF"), 0), STATUS_OK);
    assert_int_equal(decode_text(offsets, STR("abc"), STR_EMPTY, 1), STATUS_INVALID_ARGUMENT);
}

/* 9 rows need two bytes of bits. */
static void bitmaps_are_long_enough(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_BOOL, NULL);
    const struct arrow_node node = {9, 1};
    struct str buffers[] = {STR("\xFF\x00"), STR("\xFF\x01")};
    buffers[0].len = buffers[1].len = 2;
    assert_int_equal(case_decode_column(schema, 9, &node, buffers), STATUS_OK);
    buffers[0].len = 1;
    assert_int_equal(case_decode_column(schema, 9, &node, buffers), STATUS_INVALID_ARGUMENT);
    buffers[0].len = 2;
    buffers[1].len = 1;
    assert_int_equal(case_decode_column(schema, 9, &node, buffers), STATUS_INVALID_ARGUMENT);
}

static void fill_wide(struct arrow_schema *schema, struct arrow_field *field)
{
    field->byte_width = INT32_MAX;
}

/* Rows times the width of a value are more than was sent, and more than 32 bits. */
static void widths_do_not_overflow(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_FIXED_BINARY, fill_wide);
    const struct str buffers[] = {STR_EMPTY, STR("few bytes")};
    static const int64_t rows[] = {1, 2, 3, 1 << 20, 1 << 24};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct arrow_node node = {rows[i], 0};
        assert_int_equal(case_decode_column(schema, rows[i], &node, buffers),
                         STATUS_INVALID_ARGUMENT);
    }
}

static void fill_decimal(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 128;
    field->precision = 3;
}

static enum status decode_decimal(int64_t low, int64_t high)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_DECIMAL, fill_decimal);
    const int64_t value[] = {low, high};
    const struct arrow_node node = {1, 0};
    return case_decode_column(schema, 1, &node, (const struct str[]){STR_EMPTY, CASE_BYTES(value)});
}

static void decimals_stay_within_their_precision(void **state)
{
    assert_int_equal(decode_decimal(999, 0), STATUS_OK);
    assert_int_equal(decode_decimal(-999, -1), STATUS_OK);
    assert_int_equal(decode_decimal(1000, 0), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_decimal(-1000, -1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_decimal(0, 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_decimal(0, INT64_MIN), STATUS_INVALID_ARGUMENT);
}

static void fill_time(struct arrow_schema *schema, struct arrow_field *field)
{
    field->unit = ARROW_MICROSECOND;
    field->bit_width = 64;
}

static enum status decode_time(int64_t value)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_TIME, fill_time);
    const struct arrow_node node = {1, 0};
    return case_decode_column(schema, 1, &node,
                              (const struct str[]){STR_EMPTY, str_make(&value, sizeof(value))});
}

static void times_are_within_a_day(void **state)
{
    assert_int_equal(decode_time(0), STATUS_OK);
    assert_int_equal(decode_time(INT64_C(86400000000)), STATUS_OK);
    assert_int_equal(decode_time(INT64_C(86400000001)), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_time(-1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_time(INT64_MIN), STATUS_INVALID_ARGUMENT);
}

static void fill_union(struct arrow_schema *schema, struct arrow_field *field, bool is_dense)
{
    static const int32_t type_ids[] = {0, 9};
    field->is_dense = is_dense;
    field->type_ids = type_ids;
    arrow_field_add_children(schema, field, 2);
    arrow_field_init(schema, &field->children[0], STR("a"), ARROW_BOOL);
    arrow_field_init(schema, &field->children[1], STR("b"), ARROW_BOOL);
}

static void fill_dense(struct arrow_schema *schema, struct arrow_field *field)
{
    fill_union(schema, field, true);
}

static void fill_sparse(struct arrow_schema *schema, struct arrow_field *field)
{
    fill_union(schema, field, false);
}

static enum status decode_dense(const int8_t ids[3], int32_t a, int32_t b, int32_t c)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UNION, fill_dense);
    const int32_t offsets[] = {a, b, c};
    const struct arrow_node nodes[] = {{3, 0}, {2, 0}, {1, 0}};
    const struct str buffers[] = {str_make(ids, 3), CASE_BYTES(offsets), STR_EMPTY,
                                  STR("\x03"),      STR_EMPTY,           STR("\x01")};
    return case_decode_column(schema, 3, nodes, buffers);
}

static void unions_are_checked(void **state)
{
    static const int8_t good[] = {0, 9, 0};
    static const int8_t unknown[] = {0, 1, 0};
    static const int8_t negative[] = {0, -9, 0};
    assert_int_equal(decode_dense(good, 0, 0, 1), STATUS_OK);
    assert_int_equal(decode_dense(unknown, 0, 0, 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_dense(negative, 0, 0, 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_dense(good, 0, 0, 2), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_dense(good, 0, 1, 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_dense(good, -1, 0, 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_dense(good, 1, 0, 1), STATUS_OK);
    assert_int_equal(decode_dense(good, 1, 0, 0), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_dense(good, 0, 0, INT32_MAX), STATUS_INVALID_ARGUMENT);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UNION, fill_sparse);
    struct arrow_node nodes[] = {{3, 0}, {3, 0}, {3, 0}};
    const struct str buffers[] = {str_make(good, 3), STR_EMPTY, STR("\x03"), STR_EMPTY,
                                  STR("\x01")};
    assert_int_equal(case_decode_column(schema, 3, nodes, buffers), STATUS_OK);
    nodes[2].length = 2;
    assert_int_equal(case_decode_column(schema, 3, nodes, buffers), STATUS_INVALID_ARGUMENT);
}

static void fill_list(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_NULL);
    field->list_size = INT32_MAX;
}

static void children_are_long_enough_and_not_too_long(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *list = sample_schema_of(STR("x"), ARROW_LIST, fill_list);
    const int32_t offsets[] = {0, 7};
    struct arrow_node nodes[] = {{1, 0}, {7, 7}};
    const struct str buffers[] = {STR_EMPTY, CASE_BYTES(offsets)};
    assert_int_equal(case_decode_column(list, 1, nodes, buffers), STATUS_OK);
    nodes[1].length = nodes[1].null_count = 6;
    assert_int_equal(case_decode_column(list, 1, nodes, buffers), STATUS_INVALID_ARGUMENT);
    /* A list of 2^31 nulls has no bytes, but would be written as text. */
    const int32_t far[] = {0, INT32_MAX};
    nodes[1].length = nodes[1].null_count = INT32_MAX;
    assert_int_equal(
        case_decode_column(list, 1, nodes, (const struct str[]){STR_EMPTY, CASE_BYTES(far)}),
        STATUS_INVALID_ARGUMENT);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *fixed = sample_schema_of(STR("x"), ARROW_FIXED_LIST, fill_list);
    const struct arrow_node wide[] = {{3, 0}, {INT32_MAX, INT32_MAX}};
    assert_int_equal(case_decode_column(fixed, 3, wide, (const struct str[]){STR_EMPTY}),
                     STATUS_INVALID_ARGUMENT);
}

static void fill_map(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    struct arrow_field *entries = &field->children[0];
    arrow_field_init(schema, entries, STR("entries"), ARROW_STRUCT);
    arrow_field_add_children(schema, entries, 2);
    arrow_field_init(schema, &entries->children[0], STR("key"), ARROW_BOOL);
    arrow_field_init(schema, &entries->children[1], STR("value"), ARROW_BOOL);
}

static void map_keys_are_not_null(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_MAP, fill_map);
    const int32_t offsets[] = {0, 2};
    struct arrow_node nodes[] = {{1, 0}, {2, 0}, {2, 0}, {2, 1}};
    struct str buffers[] = {STR_EMPTY,   CASE_BYTES(offsets), STR_EMPTY,  STR("\x03"),
                            STR("\x03"), STR("\x01"),         STR("\x03")};
    assert_int_equal(case_decode_column(schema, 1, nodes, buffers), STATUS_OK);
    nodes[2].null_count = 1;
    buffers[3] = STR("\x01");
    assert_int_equal(case_decode_column(schema, 1, nodes, buffers), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_checked),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(nulls_are_counted),
        cmocka_unit_test(bitmaps_are_long_enough),
        cmocka_unit_test(widths_do_not_overflow),
        cmocka_unit_test(decimals_stay_within_their_precision),
        cmocka_unit_test(times_are_within_a_day),
        cmocka_unit_test(unions_are_checked),
        cmocka_unit_test(children_are_long_enough_and_not_too_long),
        cmocka_unit_test(map_keys_are_not_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
