/*
 * hostile_test.c — bombs, cut streams, damaged streams, and what comes after the end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <lz4frame.h>

#include "base/memory.h"
#include "compress/decoder.h"
#include "compress/encoder.h"

#define MEBIBYTE ((size_t)1 << 20)

static const enum compress_format formats[] = {COMPRESS_GZIP, COMPRESS_DEFLATE, COMPRESS_ZSTD,
                                               COMPRESS_LZ4};

static void encode(enum compress_format format, const void *plain, size_t size, struct slices *out)
{
    if (format == COMPRESS_LZ4) {
        size_t bound = LZ4F_compressFrameBound(size, NULL);
        CLEANUP(buffer_unref) struct buffer *frame = buffer_create(bound);
        size_t len = LZ4F_compressFrame(frame->data, bound, plain, size, NULL);
        assert_false(LZ4F_isError(len));
        slices_append_copy(out, frame->data, len);
        return;
    }
    CLEANUP(slices_finish) struct slices in;
    slices_init(&in);
    slices_append(&in, slice_make(plain, size, NULL));
    assert_int_equal(compress_encode(format, 9, &in, out, NULL), STATUS_OK);
}

static struct slice encoded(enum compress_format format, const void *plain, size_t size)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    encode(format, plain, size, &out);
    return slices_join(&out);
}

/* Decodes in one go, counting what comes out; the status of the first error. */
static enum status decode_within(enum compress_format format, const struct compress_limits *limits,
                                 struct str in, size_t *out_bytes, struct error *error)
{
    CLEANUP(compress_decoder_destroy)
    struct compress_decoder *decoder = compress_decoder_create(format, limits);
    uint8_t block[5000];
    size_t size = sizeof(block);
    *out_bytes = 0;
    while (size == sizeof(block)) {
        TRY(compress_decoder_read(decoder, &in, block, sizeof(block), &size, error));
        *out_bytes += size;
    }
    return compress_decoder_end(decoder, error);
}

static enum status decode(enum compress_format format, size_t output_bytes_max, struct str in,
                          struct error *error)
{
    struct compress_limits limits = compress_limits_of(output_bytes_max);
    size_t bytes;
    return decode_within(format, &limits, in, &bytes, error);
}

static void output_is_limited_to_the_byte(void **state)
{
    uint8_t plain[20000];
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * i >> 3);
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slice_finish) struct slice coded = encoded(formats[i], plain, sizeof(plain));
        struct error error = ERROR_NONE;
        assert_int_equal(decode(formats[i], sizeof(plain), slice_str(coded), &error), STATUS_OK);
        assert_int_equal(decode(formats[i], sizeof(plain) - 1, slice_str(coded), &error),
                         STATUS_RESOURCE_EXHAUSTED);
        assert_non_null(strstr(error.message, "more than 19999 bytes"));
        assert_int_equal(decode(formats[i], 0, slice_str(coded), &error),
                         STATUS_RESOURCE_EXHAUSTED);
    }
}

static void a_bomb_goes_off_at_the_ratio(void **state)
{
    uint8_t *zeros = memory_new(64 * MEBIBYTE);
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slice_finish) struct slice coded = encoded(formats[i], zeros, 64 * MEBIBYTE);
        struct compress_limits limits = compress_limits_of(1024 * MEBIBYTE);
        struct error error = ERROR_NONE;
        size_t bytes;
        assert_int_equal(decode_within(formats[i], &limits, slice_str(coded), &bytes, &error),
                         STATUS_RESOURCE_EXHAUSTED);
        assert_non_null(strstr(error.message, "more than 100 times"));
        assert_in_range(bytes, 3 * MEBIBYTE, 40 * MEBIBYTE);
    }
    free(zeros);
}

/* Up to ratio_free_bytes a table of equal values is just that. */
static void small_streams_may_grow_as_they_like(void **state)
{
    uint8_t *zeros = memory_new(4 * MEBIBYTE);
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slice_finish) struct slice coded = encoded(formats[i], zeros, 4 * MEBIBYTE);
        assert_int_equal(decode(formats[i], 8 * MEBIBYTE, slice_str(coded), NULL), STATUS_OK);
    }
    free(zeros);
}

static void a_cut_stream_is_told_from_a_whole_one(void **state)
{
    static const char plain[] =
        "a stream that is cut at each of its bytes, one after the other, cut";
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slice_finish) struct slice coded = encoded(formats[i], plain, sizeof(plain));
        for (size_t len = 0; len < coded.len; len++) {
            struct error error = ERROR_NONE;
            struct str cut = str_slice(slice_str(coded), 0, len);
            assert_int_equal(decode(formats[i], 1000, cut, &error), STATUS_INVALID_ARGUMENT);
            assert_non_null(strstr(error.message, "ends before its end"));
        }
        assert_int_equal(decode(formats[i], 1000, slice_str(coded), NULL), STATUS_OK);
    }
}

static void what_follows_the_end_is_refused(void **state)
{
    static const char *const tails[] = {"x", "GET / HTTP/1.1\r\n\r\n", "\x1f", "\x1f\x8b\x08"};
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        for (size_t t = 0; t < ARRAY_COUNT(tails); t++) {
            CLEANUP(slices_finish) struct slices out;
            slices_init(&out);
            encode(formats[i], "whole", 5, &out);
            slices_append_copy(&out, tails[t], strlen(tails[t]));
            CLEANUP(slice_finish) struct slice coded = slices_join(&out);
            assert_int_equal(decode(formats[i], 1000, slice_str(coded), NULL),
                             STATUS_INVALID_ARGUMENT);
        }
    }
}

/* Every single-bit fault is an error or harmless; none crashes or grows past the limit. */
static void damage_never_harms(void **state)
{
    uint8_t plain[600];
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i / 9 * 7);
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slice_finish) struct slice coded = encoded(formats[i], plain, sizeof(plain));
        CLEANUP(buffer_unref) struct buffer *copy = buffer_create_copy(coded.ptr, coded.len);
        size_t errors = 0;
        for (size_t bit = 0; bit < coded.len * 8; bit++) {
            copy->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            errors += decode(formats[i], 2000, str_make((char *)copy->data, coded.len), NULL) !=
                      STATUS_OK;
            copy->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_true(errors > coded.len);
    }
}

static void another_format_is_refused(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slice_finish) struct slice coded = encoded(formats[i], "hello", 5);
        for (size_t other = 0; other < ARRAY_COUNT(formats); other++) {
            enum status status = decode(formats[other], 1000, slice_str(coded), NULL);
            assert_int_equal(status, other == i ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        }
    }
}

/* A window beyond what HTTP allows would make each request cost that much memory. */
static void a_huge_zstd_window_is_refused(void **state)
{
    /* Magic, a descriptor without single segment, the window descriptor for 2^27 bytes, an empty last
     * raw block. */
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00};
    static const uint8_t modest[] = {0x28,           0xb5, 0x2f, 0xfd, 0x00,
                                     (23 - 10) << 3, 0x01, 0x00, 0x00};
    assert_int_equal(
        decode(COMPRESS_ZSTD, 1000, str_make((const char *)frame, sizeof(frame)), NULL),
        STATUS_INVALID_ARGUMENT);
    assert_int_equal(
        decode(COMPRESS_ZSTD, 1000, str_make((const char *)modest, sizeof(modest)), NULL),
        STATUS_OK);
}

/* Members without content cost the sender 20 bytes each and bring nothing: they end with the input. */
static void empty_members_come_to_an_end(void **state)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    for (int i = 0; i < 1000; i++)
        encode(COMPRESS_GZIP, "", 0, &out);
    CLEANUP(slice_finish) struct slice coded = slices_join(&out);
    assert_int_equal(decode(COMPRESS_GZIP, 0, slice_str(coded), NULL), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_is_limited_to_the_byte),
        cmocka_unit_test(a_bomb_goes_off_at_the_ratio),
        cmocka_unit_test(small_streams_may_grow_as_they_like),
        cmocka_unit_test(a_cut_stream_is_told_from_a_whole_one),
        cmocka_unit_test(what_follows_the_end_is_refused),
        cmocka_unit_test(damage_never_harms),
        cmocka_unit_test(another_format_is_refused),
        cmocka_unit_test(a_huge_zstd_window_is_refused),
        cmocka_unit_test(empty_members_come_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
