/*
 * ipc_references_hostile_test.c — columns that refer to values by position: list views, runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "column_case.h"
#include "sample.h"

#define REFUSED STATUS_INVALID_ARGUMENT

/* --- list views ----------------------------------------------------------------------------------- */

static void fill_list(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_BOOL);
}

/* Of a child of 8 values. */
static enum status decode_list_view(int32_t start, int32_t size, bool is_null)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("l"), ARROW_LIST_VIEW, fill_list);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *large = sample_schema_of(STR("l"), ARROW_LARGE_LIST_VIEW, fill_list);
    const int32_t starts[] = {3, start};
    const int32_t sizes[] = {2, size};
    const int64_t large_starts[] = {3, start};
    const int64_t large_sizes[] = {2, size};
    const struct arrow_node nodes[] = {{2, is_null}, {8, 0}};
    const struct str validity = is_null ? STR("\x01") : STR_EMPTY;
    struct str buffers[] = {validity, CASE_BYTES(starts), CASE_BYTES(sizes), STR_EMPTY,
                            STR("\x55")};
    enum status status = case_decode_column(schema, 2, nodes, buffers);
    buffers[1] = CASE_BYTES(large_starts);
    buffers[2] = CASE_BYTES(large_sizes);
    assert_int_equal(case_decode_column(large, 2, nodes, buffers), status);
    return status;
}

static void list_views_stay_inside(void **state)
{
    assert_int_equal(decode_list_view(0, 8, false), STATUS_OK);
    assert_int_equal(decode_list_view(8, 0, false), STATUS_OK);
    assert_int_equal(decode_list_view(0, 0, false), STATUS_OK);
    assert_int_equal(decode_list_view(9, 0, false), REFUSED);
    assert_int_equal(decode_list_view(1, 8, false), REFUSED);
    assert_int_equal(decode_list_view(-1, 1, false), REFUSED);
    assert_int_equal(decode_list_view(0, -1, false), REFUSED);
    assert_int_not_equal(decode_list_view(INT32_MAX, INT32_MAX, false), STATUS_OK);
    assert_int_equal(decode_list_view(INT32_MAX, 1, false), REFUSED);
    assert_int_equal(decode_list_view(INT32_MIN, 0, false), REFUSED);
    /* Also below a null: the format has it so. */
    assert_int_equal(decode_list_view(7, 2, true), REFUSED);
    assert_int_equal(decode_list_view(6, 2, true), STATUS_OK);
}

static enum status decode_large_list_view(int64_t start, int64_t size)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("l"), ARROW_LARGE_LIST_VIEW, fill_list);
    const struct arrow_node nodes[] = {{1, 0}, {8, 0}};
    const struct str buffers[] = {STR_EMPTY, CASE_BYTES(&start), CASE_BYTES(&size), STR_EMPTY,
                                  STR("\x55")};
    return case_decode_column(schema, 1, nodes, buffers);
}

static void large_list_views_do_not_overflow(void **state)
{
    static const int64_t far[] = {INT64_MAX,           INT64_MIN,        INT64_C(1) << 62,
                                  INT64_C(0x7FFFFFFF), INT64_C(1) << 32, -1};
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        assert_int_not_equal(decode_large_list_view(far[i], 1), STATUS_OK);
        assert_int_not_equal(decode_large_list_view(1, far[i]), STATUS_OK);
        assert_int_not_equal(decode_large_list_view(far[i], far[i]), STATUS_OK);
        assert_int_not_equal(decode_large_list_view(far[i], (int64_t)(8 - (uint64_t)far[i])),
                             STATUS_OK);
    }
}

/* Each of them has all values: 2^25 in all, of which a reader might write each. */
static void overlapping_list_views_are_bounded(void **state)
{
    enum { LISTS = 1 << 12, VALUES = 1 << 13 };
    static int32_t starts[LISTS];
    static int32_t sizes[LISTS];
    static uint8_t bits[VALUES / 8];
    for (size_t i = 0; i < LISTS; i++)
        sizes[i] = VALUES;
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("l"), ARROW_LIST_VIEW, fill_list);
    const struct arrow_node nodes[] = {{LISTS, 0}, {VALUES, 0}};
    struct slice buffers[] = {SLICE_EMPTY, slice_make(starts, sizeof(starts), NULL),
                              slice_make(sizes, sizeof(sizes), NULL), SLICE_EMPTY,
                              slice_make(bits, sizeof(bits), NULL)};
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = arrow_batch_create(schema, LISTS, nodes, buffers);
    CLEANUP(case_close) struct column_case it = case_open(batch);
    struct ipc_limits limits = ipc_limits_default;
    for (int pass = 0; pass < 2; pass++) {
        CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = ipc_decoder_create(&limits);
        CLEANUP(arrow_batch_unref) struct arrow_batch *decoded = NULL;
        assert_int_equal(ipc_decode(decoder, schema->message, SLICE_EMPTY, &decoded, NULL), 0);
        struct slice body = slice_make(it.body->data, it.body->size, it.body);
        assert_int_equal(ipc_decode(decoder, batch->header, body, &decoded, NULL),
                         pass ? STATUS_RESOURCE_EXHAUSTED : STATUS_OK);
        limits.cells_max = ((int64_t)1 << 25) - 1;
    }
}

/* --- runs ----------------------------------------------------------------------------------------- */

static void fill_runs(struct arrow_schema *schema, struct arrow_field *field, int32_t bits)
{
    arrow_field_add_children(schema, field, 2);
    arrow_field_init(schema, &field->children[0], STR("run_ends"), ARROW_INT);
    field->children[0].is_signed = true;
    field->children[0].bit_width = bits;
    arrow_field_init(schema, &field->children[1], STR("values"), ARROW_BOOL);
}

static void fill_runs16(struct arrow_schema *schema, struct arrow_field *field)
{
    fill_runs(schema, field, 16);
}

static void fill_runs32(struct arrow_schema *schema, struct arrow_field *field)
{
    fill_runs(schema, field, 32);
}

static void fill_runs64(struct arrow_schema *schema, struct arrow_field *field)
{
    fill_runs(schema, field, 64);
}

/* 10 rows in three runs. */
static enum status decode_runs(int64_t a, int64_t b, int64_t c)
{
    const struct arrow_node nodes[] = {{10, 0}, {3, 0}, {3, 0}};
    const int64_t wide[] = {a, b, c};
    const int32_t middle[] = {(int32_t)a, (int32_t)b, (int32_t)c};
    const int16_t narrow[] = {(int16_t)a, (int16_t)b, (int16_t)c};
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema16 = sample_schema_of(STR("r"), ARROW_RUN_END_ENCODED, fill_runs16);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema32 = sample_schema_of(STR("r"), ARROW_RUN_END_ENCODED, fill_runs32);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema64 = sample_schema_of(STR("r"), ARROW_RUN_END_ENCODED, fill_runs64);
    struct str buffers[] = {STR_EMPTY, CASE_BYTES(wide), STR_EMPTY, STR("\x05")};
    enum status status = case_decode_column(schema64, 10, nodes, buffers);
    buffers[1] = CASE_BYTES(middle);
    assert_int_equal(case_decode_column(schema32, 10, nodes, buffers), status);
    buffers[1] = CASE_BYTES(narrow);
    assert_int_equal(case_decode_column(schema16, 10, nodes, buffers), status);
    return status;
}

static void run_ends_rise_to_the_length(void **state)
{
    assert_int_equal(decode_runs(1, 2, 10), STATUS_OK);
    assert_int_equal(decode_runs(1, 10, 11), STATUS_OK);
    assert_int_equal(decode_runs(1, 10, 30000), STATUS_OK);
    assert_int_equal(decode_runs(1, 2, 9), REFUSED);
    assert_int_equal(decode_runs(0, 2, 10), REFUSED);
    assert_int_equal(decode_runs(-1, 2, 10), REFUSED);
    assert_int_equal(decode_runs(2, 2, 10), REFUSED);
    assert_int_equal(decode_runs(3, 2, 10), REFUSED);
    assert_int_equal(decode_runs(1, 12, 10), REFUSED);
    assert_int_equal(decode_runs(1, 2, INT16_MIN), REFUSED);
}

static void runs_have_values(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("r"), ARROW_RUN_END_ENCODED, fill_runs32);
    const int32_t ends[] = {1, 2, 10};
    struct arrow_node nodes[] = {{10, 0}, {3, 0}, {3, 0}};
    struct str buffers[] = {STR_EMPTY, CASE_BYTES(ends), STR_EMPTY, STR("\x05")};
    assert_int_equal(case_decode_column(schema, 10, nodes, buffers), STATUS_OK);
    nodes[2].length = 2;
    assert_int_equal(case_decode_column(schema, 10, nodes, buffers), REFUSED);
    nodes[2].length = 3;
    /* Null run ends, and none at all. */
    nodes[1].null_count = 1;
    buffers[0] = STR("\x03");
    assert_int_equal(case_decode_column(schema, 10, nodes, buffers), REFUSED);
    nodes[1] = (struct arrow_node){0};
    buffers[0] = buffers[1] = STR_EMPTY;
    assert_int_equal(case_decode_column(schema, 10, nodes, buffers), REFUSED);
    nodes[0].length = 0;
    assert_int_equal(case_decode_column(schema, 0, nodes, buffers), STATUS_OK);
    /* One run of more rows than are taken: it has no bytes. */
    const int32_t far[] = {INT32_MAX};
    nodes[0].length = INT32_MAX;
    nodes[1].length = nodes[2].length = 1;
    buffers[1] = CASE_BYTES(far);
    assert_int_not_equal(case_decode_column(schema, INT32_MAX, nodes, buffers), STATUS_OK);
}

static void fill_list_of_runs(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_RUN_END_ENCODED);
    fill_runs(schema, &field->children[0], 32);
}

static void runs_in_lists_are_limited_too(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("l"), ARROW_LIST, fill_list_of_runs);
    const int32_t offsets[] = {0, INT32_MAX};
    const int32_t ends[] = {INT32_MAX};
    const struct arrow_node nodes[] = {{1, 0}, {INT32_MAX, 0}, {1, 0}, {1, 0}};
    const struct str buffers[] = {STR_EMPTY,        CASE_BYTES(offsets), STR_EMPTY,
                                  CASE_BYTES(ends), STR_EMPTY,           STR("\x01")};
    assert_int_equal(case_decode_column(schema, 1, nodes, buffers), REFUSED);
}

/* --- lengths of children -------------------------------------------------------------------------- */

static void fill_struct(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("a"), ARROW_BOOL);
    field->list_size = 3;
}

static void children_are_as_long_as_needed(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *pairs = sample_schema_of(STR("s"), ARROW_STRUCT, fill_struct);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *fixed = sample_schema_of(STR("f"), ARROW_FIXED_LIST, fill_struct);
    const struct str buffers[] = {STR_EMPTY, STR_EMPTY, STR("\x55")};
    const struct arrow_node exact[] = {{2, 0}, {2, 0}};
    const struct arrow_node less[] = {{2, 0}, {1, 0}};
    const struct arrow_node six[] = {{2, 0}, {6, 0}};
    const struct arrow_node five[] = {{2, 0}, {5, 0}};
    assert_int_equal(case_decode_column(pairs, 2, exact, buffers), STATUS_OK);
    assert_int_equal(case_decode_column(pairs, 2, less, buffers), REFUSED);
    assert_int_equal(case_decode_column(fixed, 2, six, buffers), STATUS_OK);
    assert_int_equal(case_decode_column(fixed, 2, five, buffers), REFUSED);
}

static enum status decode_large_text(int64_t a, int64_t b)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_LARGE_UTF8, NULL);
    const int64_t offsets[] = {a, b};
    const struct arrow_node node = {1, 0};
    return case_decode_column(schema, 1, &node,
                              (const struct str[]){STR_EMPTY, CASE_BYTES(offsets), STR("abc")});
}

static void large_offsets_are_checked(void **state)
{
    assert_int_equal(decode_large_text(0, 3), STATUS_OK);
    assert_int_equal(decode_large_text(1, 2), STATUS_OK);
    assert_int_equal(decode_large_text(0, 4), REFUSED);
    assert_int_equal(decode_large_text(0, INT64_C(1) << 62), REFUSED);
    assert_int_equal(decode_large_text(INT64_C(1) << 62, INT64_C(1) << 62), REFUSED);
    assert_int_equal(decode_large_text(-1, 3), REFUSED);
    assert_int_equal(decode_large_text(INT64_MAX, INT64_MIN), REFUSED);
    assert_int_equal(decode_large_text(INT64_MIN, 0), REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_views_stay_inside),
        cmocka_unit_test(large_list_views_do_not_overflow),
        cmocka_unit_test(overlapping_list_views_are_bounded),
        cmocka_unit_test(run_ends_rise_to_the_length),
        cmocka_unit_test(runs_have_values),
        cmocka_unit_test(runs_in_lists_are_limited_too),
        cmocka_unit_test(children_are_as_long_as_needed),
        cmocka_unit_test(large_offsets_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
