/*
 * ipc_test.c — messages and streams out and in again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arrow/ipc.h"
#include "base/memory.h"
#include "sample.h"

static struct slice join_body(const struct arrow_batch *batch)
{
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    ipc_append_body(&parts, batch);
    assert_int_equal(parts.bytes, batch->body_bytes);
    return slices_join(&parts);
}

static void decode_dictionaries(struct ipc_decoder *decoder, const struct arrow_schema *schema)
{
    for (size_t i = 0; i < schema->dictionary_count; i++) {
        CLEANUP(slice_finish) struct slice message = ipc_dictionary_message(schema, i);
        CLEANUP(slice_finish) struct slice body = join_body(schema->dictionaries[i]);
        struct arrow_batch *none = NULL;
        assert_int_equal(ipc_decode(decoder, message, body, &none, NULL), STATUS_OK);
        assert_null(none);
    }
}

static struct ipc_decoder *create_ready_decoder(const struct arrow_schema *schema)
{
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    struct arrow_batch *none = NULL;
    struct error error = ERROR_NONE;
    assert_null(ipc_decoder_schema(decoder));
    if (ipc_decode(decoder, schema->message, SLICE_EMPTY, &none, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    assert_null(none);
    assert_true(arrow_schema_equal(ipc_decoder_schema(decoder), schema));
    decode_dictionaries(decoder, schema);
    return decoder;
}

static void check_round_trip(struct arrow_schema *schema, int64_t rows, uint64_t seed)
{
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = create_ready_decoder(schema);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, rows, seed);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    CLEANUP(arrow_batch_unref) struct arrow_batch *decoded = NULL;
    struct error error = ERROR_NONE;
    if (ipc_decode(decoder, batch->header, body, &decoded, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    assert_true(sample_batches_equal(batch, decoded));
    assert_ptr_equal(decoded->schema, ipc_decoder_schema(decoder));
    assert_true(str_equal(slice_str(decoded->header), slice_str(batch->header)));
    for (size_t i = 0; i < schema->dictionary_count; i++)
        assert_true(
            sample_batches_equal(decoded->schema->dictionaries[i], schema->dictionaries[i]));
    CLEANUP(slice_finish) struct slice again = join_body(decoded);
    assert_true(str_equal(slice_str(again), slice_str(body)));
}

static void every_type_survives_alone(void **state)
{
    static const int64_t rows[] = {0, 1, 7, 8, 65};
    for (size_t i = 0; i < sample_field_count(); i++) {
        CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create_part(i, 1);
        for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
            check_round_trip(schema, rows[j], 1);
            check_round_trip(schema, rows[j], 2);
        }
    }
}

static void all_types_survive_together(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    for (int64_t rows = 0; rows < 200; rows += 33)
        check_round_trip(schema, rows, (uint64_t)rows);
}

static void no_columns_and_no_rows_survive(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(0);
    arrow_schema_seal(schema, NULL);
    check_round_trip(schema, 0, 0);
    check_round_trip(schema, 5, 0);
}

static void body_may_be_misaligned_and_unowned(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 50, 3);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    for (size_t shift = 0; shift < 9; shift++) {
        CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = create_ready_decoder(schema);
        uint8_t *memory = malloc(body.len + 16);
        assert_non_null(memory);
        memcpy(memory + shift, body.ptr, body.len);
        CLEANUP(arrow_batch_unref) struct arrow_batch *decoded = NULL;
        struct slice shifted = slice_make(memory + shift, body.len, NULL);
        assert_int_equal(ipc_decode(decoder, batch->header, shifted, &decoded, NULL), STATUS_OK);
        memset(memory, 0xEE, body.len + 16);
        free(memory);
        assert_true(sample_batches_equal(batch, decoded));
    }
}

static void aligned_bodies_are_not_copied(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("text"), ARROW_UTF8, NULL);
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = create_ready_decoder(schema);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 50, 3);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    CLEANUP(arrow_batch_unref) struct arrow_batch *decoded = NULL;
    assert_int_equal(ipc_decode(decoder, batch->header, body, &decoded, NULL), STATUS_OK);
    assert_ptr_equal(decoded->buffers[1].owner, body.owner);
}

static void schema_is_encapsulated(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(slice_finish) struct slice bytes = ipc_encapsulated_schema(schema);
    assert_int_equal(bytes.len, schema->message.len + 8);
    assert_memory_equal(bytes.ptr, "\xFF\xFF\xFF\xFF", 4);
    CLEANUP(arrow_schema_unref) struct arrow_schema *decoded = NULL;
    assert_int_equal(ipc_decode_schema(bytes, &decoded, NULL), STATUS_OK);
    assert_true(arrow_schema_equal(schema, decoded));
    assert_int_equal(decoded->metadata_count, 1);
    assert_true(str_equal(slice_str(decoded->message), slice_str(schema->message)));
    assert_int_equal(decoded->dictionaries[0]->rows, 0);
}

static void encapsulated_schema_is_checked(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 0, 0);
    CLEANUP(slice_finish) struct slice bytes = ipc_encapsulated_schema(schema);
    struct arrow_schema *decoded = NULL;
    for (size_t size = 0; size < bytes.len; size++) {
        CLEANUP(slice_finish) struct slice part = slice_copy(bytes.ptr, size);
        assert_int_equal(ipc_decode_schema(part, &decoded, NULL), STATUS_INVALID_ARGUMENT);
    }
    CLEANUP(slices_finish) struct slices other;
    slices_init(&other);
    ipc_append_encapsulated(&other, batch->header);
    CLEANUP(slice_finish) struct slice joined = slices_join(&other);
    assert_int_equal(ipc_decode_schema(joined, &decoded, NULL), STATUS_INVALID_ARGUMENT);
    assert_null(decoded);
}

/* --- the order of messages ------------------------------------------------------------------------ */

static enum status decode_one(struct ipc_decoder *decoder, struct slice metadata, struct slice body)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    struct error error = ERROR_NONE;
    enum status status = ipc_decode(decoder, metadata, body, &batch, &error);
    assert_true(status == STATUS_OK || (error.status == status && error.message[0]));
    assert_true(status == STATUS_OK || !batch);
    return status;
}

static void order_of_messages_is_checked(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 4, 0);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    /* A batch before the schema; then nothing is taken any more. */
    assert_int_equal(decode_one(decoder, batch->header, body), STATUS_INVALID_ARGUMENT);
    assert_int_equal(decode_one(decoder, schema->message, SLICE_EMPTY), STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
    /* A batch before its dictionaries. */
    decoder = ipc_decoder_create(&ipc_limits_default);
    assert_int_equal(decode_one(decoder, schema->message, SLICE_EMPTY), STATUS_OK);
    assert_int_equal(decode_one(decoder, batch->header, body), STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
    /* The schema twice. */
    decoder = create_ready_decoder(schema);
    assert_int_equal(decode_one(decoder, schema->message, SLICE_EMPTY), STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
    /* A body of another length than announced, or on a schema. */
    decoder = create_ready_decoder(schema);
    body.len -= 8;
    assert_int_equal(decode_one(decoder, batch->header, body), STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
    decoder = ipc_decoder_create(&ipc_limits_default);
    assert_int_equal(decode_one(decoder, schema->message, body), STATUS_INVALID_ARGUMENT);
    body.len += 8;
    ipc_decoder_destroy(decoder);
    ipc_decoder_destroy(NULL);
}

static void equal_dictionaries_may_come_again(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = create_ready_decoder(schema);
    decode_dictionaries(decoder, schema);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 4, 0);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    assert_int_equal(decode_one(decoder, batch->header, body), STATUS_OK);
    decode_dictionaries(decoder, schema);
    assert_int_equal(decode_one(decoder, batch->header, body), STATUS_OK);
}

static void limits_hold(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 100, 0);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    struct ipc_limits cases[8];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        cases[i] = ipc_limits_default;
    cases[0].metadata_bytes_max = schema->message.len - 1;
    cases[1].body_bytes_max = body.len - 1;
    cases[2].rows_max = 99;
    cases[3].cells_max = 99;
    cases[4].fields_max = 0;
    cases[5].depth_max = 0;
    cases[6].batch_metadata_bytes_max = batch->header.len - 1;
    cases[7].messages_max = 1;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = ipc_decoder_create(&cases[i]);
        enum status status = decode_one(decoder, schema->message, SLICE_EMPTY);
        if (status == STATUS_OK)
            status = decode_one(decoder, batch->header, body);
        assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    }
}

/* --- streams -------------------------------------------------------------------------------------- */

#define STREAM_BATCHES 3

static struct slice create_stream(struct arrow_schema *schema)
{
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    ipc_stream_begin(&stream, schema);
    for (uint64_t i = 0; i < STREAM_BATCHES; i++) {
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = sample_batch_create(schema, (int64_t)i * 9, i);
        ipc_stream_batch(&stream, batch);
    }
    ipc_stream_end(&stream);
    return slices_join(&stream);
}

static enum ipc_stream_step read_batches(struct ipc_stream_reader *reader,
                                         struct arrow_schema *schema, uint64_t *count)
{
    for (;;) {
        enum ipc_stream_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        assert_int_equal(ipc_stream_reader_next(reader, &step, &batch, NULL), STATUS_OK);
        if (step != IPC_STREAM_BATCH)
            return step;
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *expected = sample_batch_create(schema, (int64_t)*count * 9, *count);
        assert_true(sample_batches_equal(batch, expected));
        ++*count;
    }
}

static void streams_may_come_in_any_parts(void **state)
{
    static const size_t sizes[] = {1, 7, 64, 1000, 4096, SIZE_MAX};
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(slice_finish) struct slice stream = create_stream(schema);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CLEANUP(ipc_stream_reader_destroy)
        struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
        uint64_t count = 0;
        enum ipc_stream_step step = IPC_STREAM_MORE;
        for (size_t done = 0; done < stream.len;) {
            size_t size = stream.len - done < sizes[i] ? stream.len - done : sizes[i];
            assert_int_equal(step, IPC_STREAM_MORE);
            ipc_stream_reader_feed(reader, stream.ptr + done, size);
            step = read_batches(reader, schema, &count);
            done += size;
        }
        assert_int_equal(step, IPC_STREAM_END);
        assert_int_equal(count, STREAM_BATCHES);
        assert_true(arrow_schema_equal(ipc_stream_reader_schema(reader), schema));
        /* What comes after the end is not looked at. */
        ipc_stream_reader_feed(reader, stream.ptr, stream.len);
        assert_int_equal(read_batches(reader, schema, &count), IPC_STREAM_END);
    }
}

/* Nothing is free: a batch without rows is charged, and there is an end to them. */
static void empty_batches_for_ever(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(0);
    arrow_schema_seal(schema, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *empty = sample_batch_create(schema, 0, 0);
    assert_true(empty->memory_bytes >= sizeof(*empty) + empty->header.len);
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    for (int i = 0; i < 10; i++)
        ipc_stream_batch(&stream, empty);
    CLEANUP(slice_finish) struct slice ten = slices_join(&stream);
    struct ipc_limits limits = ipc_limits_default;
    limits.messages_max = 1001;
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&limits);
    CLEANUP(slice_finish) struct slice start = ipc_encapsulated_schema(schema);
    ipc_stream_reader_feed(reader, start.ptr, start.len);
    size_t count = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        enum ipc_stream_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        status = ipc_stream_reader_next(reader, &step, &batch, NULL);
        if (status == STATUS_OK && step == IPC_STREAM_MORE)
            ipc_stream_reader_feed(reader, ten.ptr, ten.len);
        count += batch != NULL;
        assert_true(!batch || batch->memory_bytes >= sizeof(*batch) + batch->header.len);
    }
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(count, 1000);
}

static enum status read_prefix(const char *bytes, size_t size)
{
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
    ipc_stream_reader_feed(reader, (const uint8_t *)bytes, size);
    enum ipc_stream_step step = IPC_STREAM_MORE;
    struct arrow_batch *batch = NULL;
    enum status status = ipc_stream_reader_next(reader, &step, &batch, NULL);
    if (status != STATUS_OK)
        assert_int_equal(ipc_stream_reader_next(reader, &step, &batch, NULL),
                         STATUS_INVALID_ARGUMENT);
    return status;
}

static void prefixes_are_checked(void **state)
{
    assert_int_equal(read_prefix("\x10\0\0\0\0\0\0\0", 8), STATUS_INVALID_ARGUMENT);
    /* A negative length; the marker twice. */
    assert_int_equal(read_prefix("\xFF\xFF\xFF\xFF\xF8\xFF\xFF\xFF", 8), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(read_prefix("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(read_prefix("\xFF\xFF\xFF\xFF\x01\x00\x40\x00", 8), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(read_prefix("\xFF\xFF\xFF\xFF\x04\0\0\0\0\0\0\0", 12),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_prefix("\xFF\xFF\xFF\xFF\0\0\0\0", 8), STATUS_OK);
    assert_int_equal(read_prefix("\xFF\xFF\xFF\xFF\x08", 5), STATUS_OK);
    ipc_stream_reader_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_survives_alone),
        cmocka_unit_test(all_types_survive_together),
        cmocka_unit_test(no_columns_and_no_rows_survive),
        cmocka_unit_test(body_may_be_misaligned_and_unowned),
        cmocka_unit_test(aligned_bodies_are_not_copied),
        cmocka_unit_test(schema_is_encapsulated),
        cmocka_unit_test(encapsulated_schema_is_checked),
        cmocka_unit_test(order_of_messages_is_checked),
        cmocka_unit_test(equal_dictionaries_may_come_again),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(streams_may_come_in_any_parts),
        cmocka_unit_test(empty_batches_for_ever),
        cmocka_unit_test(prefixes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
