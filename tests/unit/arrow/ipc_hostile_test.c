/*
 * ipc_hostile_test.c — damaged and malicious batches: refused, or valid through and through.
 *
 * Whatever the decoder accepts is read completely afterwards (written as rows, cut in slices, encoded
 * again), so that the sanitizers see every byte that a reader would follow.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arrow/ipc.h"
#include "column_case.h"
#include "sample.h"

static enum status read_stream(const uint8_t *bytes, size_t size)
{
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
    ipc_stream_reader_feed(reader, bytes, size);
    for (;;) {
        enum ipc_stream_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        struct error error = ERROR_NONE;
        enum status status = ipc_stream_reader_next(reader, &step, &batch, &error);
        if (status != STATUS_OK) {
            assert_true(error.status == status && error.message[0] != '\0');
            return status;
        }
        if (step != IPC_STREAM_BATCH)
            return STATUS_OK;
        case_read_completely(batch);
    }
}

static struct slice create_stream(struct arrow_schema *schema, int64_t rows)
{
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, rows, 1);
    ipc_stream_begin(&stream, schema);
    ipc_stream_batch(&stream, batch);
    return slices_join(&stream);
}

static void truncated_anywhere(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(slice_finish) struct slice stream = create_stream(schema, 9);
    for (size_t size = 0; size < stream.len; size++) {
        uint8_t *copy = malloc(size + 1); /* exact, so that reading beyond is seen */
        assert_non_null(copy);
        memcpy(copy, stream.ptr, size);
        assert_int_equal(read_stream(copy, size), STATUS_OK);
        free(copy);
    }
}

static void check_flips(struct arrow_schema *schema, int64_t rows)
{
    CLEANUP(slice_finish) struct slice stream = create_stream(schema, rows);
    CLEANUP(buffer_unref) struct buffer *copy = buffer_create_copy(stream.ptr, stream.len);
    assert_int_equal(read_stream(copy->data, copy->size), STATUS_OK);
    size_t refused = 0;
    for (size_t i = 0; i < copy->size; i++) {
        static const uint8_t masks[] = {0x01, 0x80, 0xFF, 0x10};
        for (size_t j = 0; j < sizeof(masks); j++) {
            copy->data[i] ^= masks[j];
            refused += read_stream(copy->data, copy->size) != STATUS_OK;
            copy->data[i] ^= masks[j];
        }
    }
    assert_true(refused > 0);
}

static void every_byte_flipped(void **state)
{
    for (size_t i = 0; i < sample_field_count(); i++) {
        CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create_part(i, 1);
        check_flips(schema, 5);
    }
    CLEANUP(arrow_schema_unref) struct arrow_schema *few = sample_schema_create_part(36, 6);
    check_flips(few, 3);
}

/* The header alone, cut at every byte, its body whole. */
static void headers_cut_anywhere(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create_part(40, 4);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 9, 1);
    CLEANUP(case_close) struct column_case it = case_open(batch);
    for (size_t size = 0; size < batch->header.len; size++) {
        buffer_unref(it.header);
        it.header = buffer_create_copy(batch->header.ptr, size);
        assert_int_equal(case_decode(&it), STATUS_INVALID_ARGUMENT);
    }
}

/* Slots of the tables that say nothing: no nodes, no buffers, no length, no body. */
static void absent_parts_are_not_there(void **state)
{
    static const size_t slots[] = {8, 10, 12, 14, 50, 52, 54}; /* in the two vtables */
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 9, 1);
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        CLEANUP(case_close) struct column_case it = case_open(batch);
        assert_int_not_equal(it.header->data[slots[i]], 0);
        memset(it.header->data + slots[i], 0, 2);
        assert_int_not_equal(case_decode(&it), STATUS_OK);
    }
}

/* --- numbers in the header ------------------------------------------------------------------------- */

static void impossible_lengths(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, NULL);
    CASE_PATCHES(schema, CASE_ROWS_AT, -1, 19, 21, INT64_C(1) << 31, INT64_C(1) << 59, INT64_MAX,
                 INT64_MIN);
    CASE_PATCHES(schema, CASE_NODES_AT, -1, 0, 19, 21, INT64_C(1) << 31, INT64_C(1) << 59,
                 INT64_MAX);
    CASE_PATCHES(schema, CASE_NODES_AT + 8, -1, 1, 21, INT64_MAX);
    CASE_PATCHES(schema, CASE_NODE_COUNT_AT - 4, 0, INT64_C(2) << 32, -(INT64_C(1) << 32));
    /* The length of the body: negative, far, and another than what came. */
    CASE_PATCHES(schema, 24, -1, 0, 8, INT64_MAX, INT64_MIN, INT64_C(1) << 40);
}

static void impossible_buffers(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, NULL);
    size_t offsets = case_buffers_at(schema) + 16;
    size_t bytes = case_buffers_at(schema) + 32;
    CASE_PATCHES(schema, offsets, -8, 4, INT64_C(1) << 40, INT64_MAX, INT64_MAX - 7);
    CASE_PATCHES(schema, offsets + 8, -1, -8, 0, 83, INT64_MAX, INT64_C(1) << 40);
    CASE_PATCHES(schema, bytes, 0, 8, 1, -8, INT64_MAX - 7); /* 0, 8: over the offsets */
    CASE_PATCHES(schema, bytes + 8, 0, 1, -1, INT64_MAX, 1000);
    CASE_PATCHES(schema, case_buffers_at(schema) - 4, 0, INT64_C(1) << 32, INT64_C(4) << 32);
}

/* 2^60 rows of nothing are a valid batch by the format. */
static void rows_without_bytes_are_limited(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("n"), ARROW_NULL, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 0, 1);
    CLEANUP(case_close) struct column_case it = case_open(batch);
    case_patch(it.header, CASE_ROWS_AT, INT64_C(1) << 60);
    case_patch(it.header, CASE_NODES_AT, INT64_C(1) << 60);
    assert_int_equal(case_decode(&it), STATUS_RESOURCE_EXHAUSTED);
    case_patch(it.header, CASE_ROWS_AT, 1000);
    case_patch(it.header, CASE_NODES_AT, 1000);
    assert_int_equal(case_decode(&it), STATUS_OK);
}

/* --- content of the body ---------------------------------------------------------------------------- */

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

/* --- dictionaries ----------------------------------------------------------------------------------- */

static void fill_dictionary(struct arrow_schema *schema, struct arrow_field *field)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = 8;
}

/* The sample's dictionaries have 11 values. */
static enum status decode_index(int8_t index, bool is_null)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    ipc_stream_begin(&stream, schema);
    const struct arrow_node node = {1, is_null};
    const uint8_t validity = 0;
    struct slice buffers[] = {is_null ? slice_copy(&validity, 1) : SLICE_EMPTY,
                              slice_copy(&index, 1)};
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = arrow_batch_create(schema, 1, &node, buffers);
    ipc_stream_batch(&stream, batch);
    CLEANUP(slice_finish) struct slice joined = slices_join(&stream);
    return read_stream(joined.ptr, joined.len);
}

static void indices_are_inside_the_dictionary(void **state)
{
    assert_int_equal(decode_index(0, false), STATUS_OK);
    assert_int_equal(decode_index(10, false), STATUS_OK);
    assert_int_equal(decode_index(11, false), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_index(-1, false), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_index(-1, true), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(every_byte_flipped),
        cmocka_unit_test(headers_cut_anywhere),
        cmocka_unit_test(absent_parts_are_not_there),
        cmocka_unit_test(impossible_lengths),
        cmocka_unit_test(impossible_buffers),
        cmocka_unit_test(rows_without_bytes_are_limited),
        cmocka_unit_test(offsets_are_checked),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(nulls_are_counted),
        cmocka_unit_test(decimals_stay_within_their_precision),
        cmocka_unit_test(times_are_within_a_day),
        cmocka_unit_test(unions_are_checked),
        cmocka_unit_test(children_are_long_enough_and_not_too_long),
        cmocka_unit_test(map_keys_are_not_null),
        cmocka_unit_test(indices_are_inside_the_dictionary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
