/*
 * output_test.c — the queue of framed bytes: order, references, cuts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/output.h"

#include "base/buf.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect_content(const struct http_output *output, const uint8_t *bytes, size_t size)
{
    struct iovec iovecs[2048];
    size_t gathered = 0;
    size_t count = http_output_gather(output, iovecs, 2048, SIZE_MAX, &gathered);
    assert_int_equal(gathered, size);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(iovecs[i].iov_base, bytes, iovecs[i].iov_len);
        bytes += iovecs[i].iov_len;
    }
}

static void merges_small_copies(void **state)
{
    (void)state;
    struct http_output output;
    http_output_init(&output);
    http_output_copy(&output, "abc", 3);
    http_output_copy_str(&output, STR("def"));
    assert_int_equal(output.count, 1);
    assert_int_equal(output.bytes, 6);
    expect_content(&output, (const uint8_t *)"abcdef", 6);
    http_output_drop(&output, 6);
    assert_int_equal(output.count, 0);
    assert_null(output.scratch);
    http_output_finish(&output);
}

static void refers_to_large_slices_and_copies_small_ones(void **state)
{
    (void)state;
    struct http_output output;
    struct slices queue;
    http_output_init(&output);
    slices_init(&queue);
    struct buffer *large = buffer_create(10000);
    memset(large->data, 'l', 10000);
    struct buffer *small = buffer_create(10);
    memset(small->data, 's', 10);
    slices_append(&queue, slice_make(small->data, 10, buffer_ref(small)));
    slices_append(&queue, slice_make(large->data, 10000, buffer_ref(large)));
    http_output_take(&output, &queue, 5010);
    assert_int_equal(queue.bytes, 5000);
    assert_int_equal(atomic_load(&small->references), 1);
    assert_int_equal(atomic_load(&large->references), 3);
    http_output_take(&output, &queue, 5000);
    assert_int_equal(queue.count, 0);
    assert_int_equal(atomic_load(&large->references), 3);
    struct iovec iovecs[8];
    size_t bytes = 0;
    assert_int_equal(http_output_gather(&output, iovecs, 8, SIZE_MAX, &bytes), 3);
    assert_ptr_equal(iovecs[1].iov_base, large->data);
    assert_ptr_equal(iovecs[2].iov_base, large->data + 5000);
    http_output_drop(&output, 5010);
    assert_int_equal(atomic_load(&large->references), 2);
    http_output_finish(&output);
    assert_int_equal(atomic_load(&large->references), 1);
    slices_finish(&queue);
    buffer_unref(large);
    buffer_unref(small);
}

/* Random appends and drops against a flat copy of the same bytes. */
static void keeps_order_under_any_sequence(void **state)
{
    (void)state;
    struct http_output output;
    http_output_init(&output);
    struct buf expected;
    buf_init(&expected, (size_t)64 << 20);
    size_t dropped = 0;
    uint32_t random = 1;
    for (int i = 0; i < 3000; i++) {
        random = random * 1664525 + 1013904223;
        size_t size = (random >> 8) % (i % 3 == 0 ? 3000 : 60) + 1;
        struct buffer *bytes = buffer_create(size);
        for (size_t k = 0; k < size; k++)
            bytes->data[k] = (uint8_t)(random + k);
        buf_append(&expected, bytes->data, size);
        if (random & 1) {
            http_output_copy(&output, bytes->data, size);
            buffer_unref(bytes);
        } else {
            struct slices queue;
            slices_init(&queue);
            slices_append(&queue, slice_make(bytes->data, size, bytes));
            http_output_take(&output, &queue, size / 2);
            http_output_take(&output, &queue, size - size / 2);
            slices_finish(&queue);
        }
        size_t drop = (random >> 16) % (output.bytes + 1);
        if (i % 4 == 0) {
            http_output_drop(&output, drop);
            dropped += drop;
        }
        assert_int_equal(http_output_sent(&output), dropped);
        if (i % 50 == 0 && output.count < 2048)
            expect_content(&output, expected.ptr + dropped, expected.len - dropped);
    }
    assert_int_equal(output.bytes, expected.len - dropped);
    http_output_finish(&output);
    buf_finish(&expected);
}

static void reserved_room_merges_and_may_exceed_a_block(void **state)
{
    (void)state;
    static uint8_t large[40000];
    struct http_output output;
    http_output_init(&output);
    http_output_copy(&output, "abc", 3);
    memcpy(http_output_reserve(&output, 100), "def", 3);
    http_output_commit(&output, 3);
    assert_int_equal(output.count, 1);
    expect_content(&output, (const uint8_t *)"abcdef", 6);
    http_output_drop(&output, 6);
    memset(large, 'x', sizeof(large));
    memcpy(http_output_reserve(&output, sizeof(large)), large, sizeof(large));
    http_output_commit(&output, sizeof(large));
    http_output_copy(&output, "x", 1);
    assert_int_equal(output.appended, 6 + sizeof(large) + 1);
    http_output_drop(&output, 1);
    expect_content(&output, large, sizeof(large));
    http_output_finish(&output);
}

/* A block goes to the next who copies only when nothing refers to it. */
static void hands_scratch_blocks_on(void **state)
{
    (void)state;
    struct http_scratches scratches = {.count = 0};
    struct http_output first;
    struct http_output second;
    http_output_init(&first);
    http_output_init(&second);
    first.spares = &scratches;
    second.spares = &scratches;
    http_output_copy(&first, "abc", 3);
    const struct buffer *block = first.scratch;
    http_output_drop(&first, 3);
    assert_int_equal(scratches.count, 1);
    http_output_copy(&second, "def", 3);
    assert_ptr_equal(second.scratch, block);
    assert_int_equal(scratches.count, 0);
    expect_content(&second, (const uint8_t *)"def", 3);
    http_output_drop(&second, 3);
    http_output_finish(&first);
    http_output_finish(&second);
    assert_int_equal(scratches.count, 1);
    http_scratches_finish(&scratches);
    assert_int_equal(scratches.count, 0);
}

static void gathers_within_bounds(void **state)
{
    (void)state;
    struct http_output output;
    http_output_init(&output);
    for (int i = 0; i < 10; i++) {
        struct slices queue;
        slices_init(&queue);
        struct buffer *bytes = buffer_create(1000);
        memset(bytes->data, 'x', 1000);
        slices_append(&queue, slice_make(bytes->data, 1000, bytes));
        http_output_take(&output, &queue, 1000);
        slices_finish(&queue);
    }
    struct iovec iovecs[10];
    size_t bytes = 0;
    assert_int_equal(http_output_gather(&output, iovecs, 3, SIZE_MAX, &bytes), 3);
    assert_int_equal(bytes, 3000);
    assert_int_equal(http_output_gather(&output, iovecs, 10, 4500, &bytes), 5);
    assert_int_equal(bytes, 5000);
    http_output_finish(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_small_copies),
        cmocka_unit_test(refers_to_large_slices_and_copies_small_ones),
        cmocka_unit_test(keeps_order_under_any_sequence),
        cmocka_unit_test(reserved_room_merges_and_may_exceed_a_block),
        cmocka_unit_test(hands_scratch_blocks_on),
        cmocka_unit_test(gathers_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
