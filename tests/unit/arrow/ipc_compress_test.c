/*
 * ipc_compress_test.c — compressed bodies: honest ones, and claims that are not true.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <zstd.h>

#include "arrow/flat_writer.h"
#include "arrow/ipc.h"
#include "arrow/ipc_format.h"
#include "base/checked.h"
#include "sample.h"

enum { LZ4 = IPC_CODEC_LZ4_FRAME, ZSTD = IPC_CODEC_ZSTD };

/* A RecordBatch message of one uint8 column without nulls whose one buffer has `size` bytes. */
static struct slice create_message(int64_t rows, size_t size, uint8_t codec, uint8_t method)
{
    static const uint8_t message_slots[] = {2, 1, 4, 8};
    static const uint8_t batch_slots[] = {8, 4, 4, 4};
    static const uint8_t compression_slots[] = {1, 1};
    CLEANUP(flat_writer_finish) struct flat_writer writer;
    flat_writer_init(&writer);
    size_t message = flat_writer_table(&writer, message_slots, 4);
    flat_writer_set(&writer, message, IPC_MESSAGE_VERSION, 2, IPC_VERSION_V5);
    flat_writer_set(&writer, message, IPC_MESSAGE_KIND, 1, IPC_KIND_BATCH);
    flat_writer_set(&writer, message, IPC_MESSAGE_BODY_LENGTH, 8, (int64_t)align_up(size, 8));
    size_t batch = flat_writer_table(&writer, batch_slots, 4);
    flat_writer_point_table(&writer, message, IPC_MESSAGE_HEADER, batch);
    flat_writer_set(&writer, batch, IPC_BATCH_LENGTH, 8, rows);
    const int64_t node[] = {rows, 0};
    const int64_t buffers[] = {0, 0, 0, (int64_t)size};
    const uint32_t counts[] = {1, 2};
    flat_writer_point(&writer, batch, IPC_BATCH_NODES);
    buf_append(&writer.bytes, &counts[0], 4);
    buf_append(&writer.bytes, node, sizeof(node));
    flat_writer_point(&writer, batch, IPC_BATCH_BUFFERS);
    buf_append(&writer.bytes, &counts[1], 4);
    buf_append(&writer.bytes, buffers, sizeof(buffers));
    size_t compression = flat_writer_table(&writer, compression_slots, 2);
    flat_writer_point_table(&writer, batch, IPC_BATCH_COMPRESSION, compression);
    flat_writer_set(&writer, compression, IPC_COMPRESSION_CODEC, 1, codec);
    flat_writer_set(&writer, compression, IPC_COMPRESSION_METHOD, 1, method);
    return slice_copy(writer.bytes.ptr, writer.bytes.len);
}

static void fill_byte(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 8;
}

struct attempt {
    uint8_t codec;
    uint8_t method;
    int64_t rows;
    int64_t claim; /* the length prefix */
    struct str frame;
    struct ipc_limits limits;
};

static enum status decode_attempt(const struct attempt *attempt, struct arrow_batch **out_batch)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_INT, fill_byte);
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = ipc_decoder_create(&attempt->limits);
    assert_int_equal(ipc_decode(decoder, schema->message, SLICE_EMPTY, out_batch, NULL), 0);
    size_t size = 8 + attempt->frame.len;
    CLEANUP(slice_finish)
    struct slice message = create_message(attempt->rows, size, attempt->codec, attempt->method);
    struct buffer *buffer = buffer_create(align_up(size, 8));
    CLEANUP(slice_finish) struct slice body = slice_make(buffer->data, buffer->size, buffer);
    memset(buffer->data, 0, buffer->size);
    memcpy(buffer->data, &attempt->claim, 8);
    if (attempt->frame.len > 0)
        memcpy(buffer->data + 8, attempt->frame.ptr, attempt->frame.len);
    return ipc_decode(decoder, message, body, out_batch, NULL);
}

static enum status try_attempt(const struct attempt *attempt)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    return decode_attempt(attempt, &batch);
}

static struct buffer *compress(uint8_t codec, const void *bytes, size_t size)
{
    if (codec == LZ4) {
        struct buffer *frame = buffer_create(LZ4F_compressFrameBound(size, NULL));
        frame->size = LZ4F_compressFrame(frame->data, frame->size, bytes, size, NULL);
        assert_false(LZ4F_isError(frame->size));
        return frame;
    }
    struct buffer *frame = buffer_create(ZSTD_compressBound(size));
    frame->size = ZSTD_compress(frame->data, frame->size, bytes, size, 1);
    assert_false(ZSTD_isError(frame->size));
    return frame;
}

#define PLAIN_SIZE 5000

static void fill_plain(uint8_t plain[PLAIN_SIZE])
{
    for (size_t i = 0; i < PLAIN_SIZE; i++)
        plain[i] = (uint8_t)(i / 7 * 31);
}

static void check_claims(uint8_t codec)
{
    uint8_t plain[PLAIN_SIZE];
    fill_plain(plain);
    CLEANUP(buffer_unref) struct buffer *frame = compress(codec, plain, sizeof(plain));
    struct attempt attempt = {.codec = codec,
                              .rows = PLAIN_SIZE,
                              .claim = PLAIN_SIZE,
                              .frame = str_make(frame->data, frame->size),
                              .limits = ipc_limits_default};
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    assert_int_equal(decode_attempt(&attempt, &batch), STATUS_OK);
    assert_int_equal(batch->buffers[1].len, PLAIN_SIZE);
    assert_memory_equal(batch->buffers[1].ptr, plain, PLAIN_SIZE);

    static const int64_t lies[] = {0,  1,  PLAIN_SIZE - 1, PLAIN_SIZE + 1, 2 * PLAIN_SIZE,
                                   -2, -9, INT64_MIN};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        attempt.claim = lies[i];
        assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
    }
    attempt.claim = INT64_C(1) << 62;
    assert_int_equal(try_attempt(&attempt), STATUS_RESOURCE_EXHAUSTED);
    attempt.claim = INT64_MAX;
    assert_int_equal(try_attempt(&attempt), STATUS_RESOURCE_EXHAUSTED);
    attempt.claim = INT64_C(64) << 20; /* more than a thousand times the frame */
    assert_int_equal(try_attempt(&attempt), STATUS_RESOURCE_EXHAUSTED);
    attempt.claim = PLAIN_SIZE;
    attempt.limits.decoded_bytes_max = PLAIN_SIZE - 1;
    assert_int_equal(try_attempt(&attempt), STATUS_RESOURCE_EXHAUSTED);
}

static void claims_are_checked(void **state)
{
    check_claims(LZ4);
    check_claims(ZSTD);
}

static void check_frames(uint8_t codec)
{
    uint8_t plain[PLAIN_SIZE];
    fill_plain(plain);
    CLEANUP(buffer_unref) struct buffer *frame = compress(codec, plain, sizeof(plain));
    struct attempt attempt = {
        .codec = codec, .rows = PLAIN_SIZE, .claim = PLAIN_SIZE, .limits = ipc_limits_default};
    for (size_t size = 0; size < frame->size; size++) {
        attempt.frame = str_make(frame->data, size);
        assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
    }
    /* Something behind the frame, and a frame twice. */
    CLEANUP(buffer_unref) struct buffer *twice = buffer_create(2 * frame->size);
    memcpy(twice->data, frame->data, frame->size);
    memcpy(twice->data + frame->size, frame->data, frame->size);
    attempt.frame = str_make(twice->data, frame->size + 1);
    assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
    attempt.frame = str_make(twice->data, 2 * frame->size);
    assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
    attempt.claim = attempt.rows = 2 * PLAIN_SIZE;
    assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
    /* Bits anywhere: refused, or still as long as claimed. */
    attempt.claim = attempt.rows = PLAIN_SIZE;
    attempt.frame = str_make(frame->data, frame->size);
    for (size_t i = 0; i < 8 * frame->size; i++) {
        frame->data[i / 8] ^= (uint8_t)(1 << i % 8);
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        if (decode_attempt(&attempt, &batch) == STATUS_OK)
            assert_int_equal(batch->buffers[1].len, PLAIN_SIZE);
        frame->data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

static void frames_are_checked(void **state)
{
    check_frames(LZ4);
    check_frames(ZSTD);
}

static void skippable_frames_are_no_buffer(void **state)
{
    static const char skippable[] = "\x50\x2A\x4D\x18\x04\0\0\0abcd";
    struct attempt attempt = {.rows = 4,
                              .claim = 4,
                              .frame = str_make(skippable, sizeof(skippable) - 1),
                              .limits = ipc_limits_default};
    attempt.codec = ZSTD;
    assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
    attempt.codec = LZ4;
    assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
}

/* A frame of 4 bytes as they are that asks for a window of 2 GiB: what is decompressed is its own window, so
 * that none is made, and a reader that made one would refuse this. */
static void windows_are_not_made(void **state)
{
    static const uint8_t frame[] = {0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xA8, 0x21,
                                    0x00, 0x00, 'a',  'b',  'c',  'd'};
    struct attempt attempt = {.codec = ZSTD,
                              .rows = 4,
                              .claim = 4,
                              .frame = str_make(frame, sizeof(frame)),
                              .limits = ipc_limits_default};
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    assert_int_equal(decode_attempt(&attempt, &batch), STATUS_OK);
    assert_memory_equal(batch->buffers[1].ptr, "abcd", 4);
}

static void minus_one_is_not_compressed(void **state)
{
    struct attempt attempt = {
        .codec = ZSTD, .rows = 5, .claim = -1, .frame = STR("hello"), .limits = ipc_limits_default};
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    assert_int_equal(decode_attempt(&attempt, &batch), STATUS_OK);
    assert_memory_equal(batch->buffers[1].ptr, "hello", 5);
    attempt.frame = STR("hell");
    assert_int_equal(try_attempt(&attempt), STATUS_INVALID_ARGUMENT);
}

static void other_codecs_are_not_taken(void **state)
{
    struct attempt attempt = {
        .codec = 2, .rows = 5, .claim = -1, .frame = STR("hello"), .limits = ipc_limits_default};
    assert_int_equal(try_attempt(&attempt), STATUS_UNIMPLEMENTED);
    attempt.codec = ZSTD;
    attempt.method = 1;
    assert_int_equal(try_attempt(&attempt), STATUS_UNIMPLEMENTED);
}

/* Many buffers that each claim a lot from little share one limit. */
static void claims_add_up(void **state)
{
    enum { SIZE = 1 << 20 };
    static uint8_t zeros[SIZE];
    CLEANUP(buffer_unref) struct buffer *frame = compress(ZSTD, zeros, SIZE);
    struct attempt attempt = {.codec = ZSTD,
                              .rows = SIZE,
                              .claim = SIZE,
                              .frame = str_make(frame->data, frame->size),
                              .limits = ipc_limits_default};
    assert_int_equal(try_attempt(&attempt), STATUS_OK);
    attempt.limits.decoded_bytes_max = SIZE - 1;
    assert_int_equal(try_attempt(&attempt), STATUS_RESOURCE_EXHAUSTED);
}

/* --- encoding --------------------------------------------------------------------------------------- */

static const enum ipc_compression compressions[] = {IPC_COMPRESSION_LZ4, IPC_COMPRESSION_ZSTD};

static void check_compressed(struct ipc_compressor *compressor, struct arrow_schema *schema,
                             int64_t rows)
{
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, rows, 1);
    CLEANUP(arrow_batch_unref) struct arrow_batch *decoded = NULL;
    assert_int_equal(ipc_decode(decoder, schema->message, SLICE_EMPTY, &decoded, NULL), 0);
    for (size_t i = 0; i < schema->dictionary_count; i++) {
        CLEANUP(slice_finish) struct slice message = ipc_dictionary_message(schema, i);
        CLEANUP(slices_finish) struct slices parts;
        slices_init(&parts);
        ipc_append_body(&parts, schema->dictionaries[i]);
        CLEANUP(slice_finish) struct slice body = slices_join(&parts);
        assert_int_equal(ipc_decode(decoder, message, body, &decoded, NULL), STATUS_OK);
    }
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    assert_int_equal(ipc_compress_batch(compressor, batch, &message, &parts, NULL), STATUS_OK);
    assert_int_equal(parts.bytes % 8, 0);
    CLEANUP(slice_finish) struct slice body = slices_join(&parts);
    struct error error = ERROR_NONE;
    if (ipc_decode(decoder, message, body, &decoded, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    assert_true(sample_batches_equal(batch, decoded));
}

static void every_type_is_compressed(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(ipc_compressor_destroy)
        struct ipc_compressor *compressor = ipc_compressor_create(compressions[i], 0);
        for (size_t field = 0; field < sample_field_count(); field++) {
            CLEANUP(arrow_schema_unref)
            struct arrow_schema *schema = sample_schema_create_part(field, 1);
            check_compressed(compressor, schema, 0);
            check_compressed(compressor, schema, 5);
            check_compressed(compressor, schema, 3000);
        }
        CLEANUP(arrow_schema_unref) struct arrow_schema *all = sample_schema_create();
        check_compressed(compressor, all, 100);
    }
}

static struct arrow_batch *create_bytes(struct arrow_schema *schema, size_t size, bool is_random)
{
    uint64_t random = 1;
    struct buffer *buffer = buffer_create(size);
    for (size_t i = 0; i < size; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        buffer->data[i] = is_random ? (uint8_t)(random >> 33) : 7;
    }
    const struct arrow_node node = {(int64_t)size, 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_make(buffer->data, size, buffer)};
    return arrow_batch_create(schema, (int64_t)size, &node, buffers);
}

/* What does not get smaller goes as it is, without a copy. */
static void only_what_pays_is_compressed(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_INT, fill_byte);
    for (size_t i = 0; i < 4; i++) {
        bool is_random = i / 2;
        CLEANUP(ipc_compressor_destroy)
        struct ipc_compressor *compressor = ipc_compressor_create(compressions[i % 2], 0);
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = create_bytes(schema, 100000, is_random);
        CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
        CLEANUP(slices_finish) struct slices body;
        slices_init(&body);
        assert_int_equal(ipc_compress_batch(compressor, batch, &message, &body, NULL), STATUS_OK);
        assert_true(is_random ? body.bytes == 100008 : body.bytes < 1000);
        assert_true(!is_random || slices_at(&body, 1)->owner == batch->buffers[1].owner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_checked),
        cmocka_unit_test(frames_are_checked),
        cmocka_unit_test(skippable_frames_are_no_buffer),
        cmocka_unit_test(windows_are_not_made),
        cmocka_unit_test(minus_one_is_not_compressed),
        cmocka_unit_test(other_codecs_are_not_taken),
        cmocka_unit_test(claims_add_up),
        cmocka_unit_test(every_type_is_compressed),
        cmocka_unit_test(only_what_pays_is_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
