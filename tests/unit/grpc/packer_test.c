/*
 * Response messages on their way out: compressed where it helps, framed, base64, in bounded steps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/packer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "compress/decoder.h"
#include "grpc/frame.h"

/* A message of many slices, with room for its prefix. */
static void make_message(struct slices *message, size_t size, bool is_random)
{
    slices_init(message);
    frame_reserve_prefix(message);
    uint32_t seed = 1;
    for (size_t left = size; left > 0;) {
        size_t len = left < 50001 ? left : 50001;
        struct buffer *buffer = buffer_create(len);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            buffer->data[i] = is_random ? (uint8_t)(seed >> 24) : (uint8_t)(i / 100);
        }
        slices_append(message, slice_make(buffer->data, len, buffer));
        left -= len;
    }
}

static struct slice pack(const enum compress_format *format, bool is_text, size_t size,
                         bool is_random, int *out_steps)
{
    struct slices message;
    make_message(&message, size, is_random);
    struct packer packer = {.busy = false};
    packer_start(&packer, format, is_text, &message);
    slices_finish(&message);
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    bool done = false;
    for (*out_steps = 0; !done; ++*out_steps) {
        assert_true(packer_is_busy(&packer));
        assert_int_equal(packer_step(&packer, &out, &done, NULL), STATUS_OK);
    }
    assert_false(packer_is_busy(&packer));
    return slices_join(&out);
}

static struct slice plain_message(size_t size, bool is_random)
{
    CLEANUP(slices_finish) struct slices message;
    make_message(&message, size, is_random);
    frame_fill_prefix(&message, false);
    return slices_join(&message);
}

static size_t length_of(const uint8_t *prefix)
{
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
}

static const size_t sizes[] = {0, 1, 2, 3, 1000, 196607, 196608, 500000};

static void test_text(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        int steps;
        CLEANUP(slice_finish) struct slice text = pack(NULL, true, sizes[i], true, &steps);
        CLEANUP(slice_finish) struct slice expected = plain_message(sizes[i], true);
        assert_int_equal(text.len, BASE64_SIZE(expected.len));
        assert_true((size_t)steps >= sizes[i] / 200000);
        struct base64_decoder decoder = {.held = 0};
        uint8_t *decoded = memory_new(text.len + 3);
        size_t len;
        struct str rest = slice_str(text);
        assert_true(base64_decode(&decoder, &rest, decoded, text.len + 3, &len));
        assert_int_equal(rest.len, 0);
        assert_int_equal(len, expected.len);
        assert_memory_equal(decoded, expected.ptr, len);
        free(decoded);
    }
}

static void test_compressed(void **state)
{
    static const enum compress_format formats[] = {COMPRESS_GZIP, COMPRESS_DEFLATE};
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        int steps;
        CLEANUP(slice_finish) struct slice packed = pack(&formats[i], false, 500000, false, &steps);
        CLEANUP(slice_finish) struct slice expected = plain_message(500000, false);
        assert_true(packed.len < 20000);
        assert_true(steps >= 500000 / 65536);
        assert_int_equal(packed.ptr[0], 1);
        assert_int_equal(length_of(packed.ptr), packed.len - FRAME_PREFIX_BYTES);
        CLEANUP(slices_finish) struct slices coded;
        CLEANUP(slices_finish) struct slices plain;
        slices_init(&coded);
        slices_init(&plain);
        slices_append_copy(&coded, packed.ptr + FRAME_PREFIX_BYTES,
                           packed.len - FRAME_PREFIX_BYTES);
        struct compress_limits limits = compress_limits_of(500000);
        assert_int_equal(compress_decode(formats[i], &limits, &coded, &plain, NULL), STATUS_OK);
        CLEANUP(slice_finish) struct slice whole = slices_join(&plain);
        assert_int_equal(whole.len, 500000);
        assert_memory_equal(whole.ptr, expected.ptr + FRAME_PREFIX_BYTES, whole.len);
    }
}

static void test_what_does_not_shrink_stays_plain(void **state)
{
    enum compress_format gzip = COMPRESS_GZIP;
    static const size_t lens[] = {0, 10, 200000};
    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        int steps;
        CLEANUP(slice_finish) struct slice sent = pack(&gzip, false, lens[i], true, &steps);
        CLEANUP(slice_finish) struct slice expected = plain_message(lens[i], true);
        assert_int_equal(sent.len, expected.len);
        assert_memory_equal(sent.ptr, expected.ptr, sent.len);
    }
}

static void test_compressed_text(void **state)
{
    enum compress_format gzip = COMPRESS_GZIP;
    int steps;
    CLEANUP(slice_finish) struct slice binary = pack(&gzip, false, 300000, false, &steps);
    CLEANUP(slice_finish) struct slice text = pack(&gzip, true, 300000, false, &steps);
    CLEANUP(slices_finish) struct slices expected;
    slices_init(&expected);
    packer_append_text(&expected, slice_str(binary));
    CLEANUP(slice_finish) struct slice joined = slices_join(&expected);
    assert_true(str_equal(slice_str(text), slice_str(joined)));
}

static void test_stopped_midway(void **state)
{
    enum compress_format gzip = COMPRESS_GZIP;
    struct slices message;
    make_message(&message, 500000, true);
    struct packer packer = {.busy = false};
    packer_finish(&packer);
    packer_start(&packer, &gzip, true, &message);
    slices_finish(&message);
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    bool done;
    assert_int_equal(packer_step(&packer, &out, &done, NULL), STATUS_OK);
    assert_false(done);
    assert_int_equal(out.bytes, 0);
    packer_finish(&packer);
    assert_false(packer_is_busy(&packer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_what_does_not_shrink_stays_plain),
        cmocka_unit_test(test_compressed_text),
        cmocka_unit_test(test_stopped_midway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
