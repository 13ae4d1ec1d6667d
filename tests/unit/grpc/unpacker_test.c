/*
 * Compressed messages: whole ones, lies about the size, bombs, damage; never more memory than allowed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/unpacker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "compress/encoder.h"

#define LIMIT ((size_t)1 << 20)

/* `size` bytes that compress a little, or very well. */
static struct slice plain_bytes(size_t size, bool is_random)
{
    struct buffer *buffer = buffer_create(size);
    uint32_t seed = 1;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        buffer->data[i] = is_random ? (uint8_t)(seed >> 24) : 0;
    }
    return slice_make(buffer->data, size, buffer);
}

static struct slice packed_copy(enum compress_format format, struct slice plain)
{
    CLEANUP(slices_finish) struct slices in;
    CLEANUP(slices_finish) struct slices out;
    slices_init(&in);
    slices_init(&out);
    slices_append(&in, slice_ref(plain));
    assert_int_equal(compress_encode(format, 0, &in, &out, NULL), STATUS_OK);
    CLEANUP(slice_finish) struct slice joined = slices_join(&out);
    return slice_copy(joined.ptr, joined.len);
}

/* All steps; how many there were. */
static enum status unpack(enum compress_format format, struct slice packed, size_t limit,
                          struct slice *out_message, int *out_steps, struct error *error)
{
    struct unpacker unpacker = {.decoder = NULL};
    enum status status = unpacker_start(&unpacker, format, &packed, limit, error);
    bool done = false;
    *out_steps = 0;
    while (status == STATUS_OK && !done) {
        assert_true(unpacker_is_busy(&unpacker));
        ++*out_steps;
        status = unpacker_step(&unpacker, out_message, &done, error);
    }
    if (status == STATUS_OK)
        assert_false(unpacker_is_busy(&unpacker));
    unpacker_finish(&unpacker);
    slice_finish(&packed);
    return status;
}

static void test_messages_come_out_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 500000, LIMIT};
    static const enum compress_format formats[] = {COMPRESS_GZIP, COMPRESS_DEFLATE};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (int kind = 0; kind < 4; kind++) {
            CLEANUP(slice_finish) struct slice plain = plain_bytes(sizes[i], kind & 1);
            struct slice packed = packed_copy(formats[kind >> 1], plain);
            CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
            int steps;
            assert_int_equal(unpack(formats[kind >> 1], packed, LIMIT, &message, &steps, NULL),
                             STATUS_OK);
            assert_true(str_equal(slice_str(message), slice_str(plain)));
            /* No step is longer than 64 KiB. */
            assert_true((size_t)steps >= sizes[i] / 65536);
        }
    }
}

static void expect_failure(struct slice packed, size_t limit, enum status expected, int steps_max)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    struct error error = ERROR_NONE;
    int steps;
    enum status status = unpack(COMPRESS_GZIP, packed, limit, &message, &steps, &error);
    assert_int_equal(status, expected);
    assert_int_equal(error.status, expected);
    assert_true(steps <= steps_max);
}

static void test_too_large_is_refused_before_it_is_read(void **state)
{
    CLEANUP(slice_finish) struct slice plain = plain_bytes(LIMIT + 1, true);
    expect_failure(packed_copy(COMPRESS_GZIP, plain), LIMIT, STATUS_RESOURCE_EXHAUSTED, 0);
}

static void test_bomb_of_a_thousand_to_one(void **state)
{
    CLEANUP(slice_finish) struct slice plain = plain_bytes((size_t)40 << 20, false);
    expect_failure(packed_copy(COMPRESS_GZIP, plain), (size_t)64 << 20, STATUS_RESOURCE_EXHAUSTED,
                   0);
}

static void test_bomb_that_says_it_is_small(void **state)
{
    CLEANUP(slice_finish) struct slice plain = plain_bytes((size_t)40 << 20, false);
    struct slice packed = packed_copy(COMPRESS_GZIP, plain);
    memset((uint8_t *)packed.ptr + packed.len - 4, 0, 4);
    ((uint8_t *)packed.ptr)[packed.len - 4] = 100;
    /* It gets the 100 bytes that it announces. */
    expect_failure(packed, (size_t)64 << 20, STATUS_INTERNAL, 1);
}

static void test_damage(void **state)
{
    CLEANUP(slice_finish) struct slice plain = plain_bytes(1000, true);
    CLEANUP(slice_finish) struct slice packed = packed_copy(COMPRESS_GZIP, plain);
    expect_failure(slice_copy(packed.ptr, packed.len - 1), LIMIT, STATUS_INTERNAL, 10);
    expect_failure(slice_copy(packed.ptr, 3), LIMIT, STATUS_INTERNAL, 10);
    expect_failure(SLICE_EMPTY, LIMIT, STATUS_INTERNAL, 10);
    expect_failure(slice_copy(plain.ptr, 1000), SIZE_MAX, STATUS_RESOURCE_EXHAUSTED, 0);
    struct slice flipped = slice_copy(packed.ptr, packed.len);
    ((uint8_t *)flipped.ptr)[packed.len / 2] ^= 0x10;
    expect_failure(flipped, LIMIT, STATUS_INTERNAL, 10);
    CLEANUP(slices_finish) struct slices longer;
    slices_init(&longer);
    slices_append_copy(&longer, packed.ptr, packed.len);
    slices_append_copy(&longer, "junk\350\3\0\0", 8);
    CLEANUP(slice_finish) struct slice joined = slices_join(&longer);
    expect_failure(slice_copy(joined.ptr, joined.len), LIMIT, STATUS_INTERNAL, 10);
}

static void test_stopped_midway(void **state)
{
    CLEANUP(slice_finish) struct slice plain = plain_bytes(LIMIT, true);
    struct slice packed = packed_copy(COMPRESS_GZIP, plain);
    struct unpacker unpacker = {.decoder = NULL};
    unpacker_finish(&unpacker);
    assert_int_equal(unpacker_start(&unpacker, COMPRESS_GZIP, &packed, LIMIT, NULL), STATUS_OK);
    assert_null(packed.owner);
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    bool done;
    assert_int_equal(unpacker_step(&unpacker, &message, &done, NULL), STATUS_OK);
    assert_false(done);
    unpacker_finish(&unpacker);
    assert_false(unpacker_is_busy(&unpacker));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_come_out_whole),
        cmocka_unit_test(test_too_large_is_refused_before_it_is_read),
        cmocka_unit_test(test_bomb_of_a_thousand_to_one),
        cmocka_unit_test(test_bomb_that_says_it_is_small),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_stopped_midway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
