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
        cmocka_unit_test(indices_are_inside_the_dictionary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
