/*
 * buffer_pool_test.c — blocks are aligned, reused last freed first, bounded, and outlive the pool.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buffer_pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BLOCK BUFFER_POOL_BLOCK_BYTES

static void blocks_are_aligned_and_writable(void **state)
{
    CLEANUP(buffer_pool_destroy) struct buffer_pool *pool = buffer_pool_create(BLOCK);
    CLEANUP(buffer_unref) struct buffer *block = buffer_pool_take(pool, BLOCK / 4);
    assert_int_equal(block->size, BLOCK);
    assert_int_equal((uintptr_t)block->data % BLOCK, 0);
    block->data[0] = 1;
    block->data[BLOCK - 1] = 1;
    assert_int_equal(buffer_pool_used_bytes(pool), BLOCK);
}

static void other_sizes_are_ordinary(void **state)
{
    CLEANUP(buffer_pool_destroy) struct buffer_pool *pool = buffer_pool_create(BLOCK);
    CLEANUP(buffer_unref) struct buffer *small = buffer_pool_take(pool, BLOCK / 4 - 1);
    CLEANUP(buffer_unref) struct buffer *large = buffer_pool_take(pool, BLOCK + 1);
    assert_int_equal(small->size, BLOCK / 4 - 1);
    assert_int_equal(large->size, BLOCK + 1);
    assert_int_equal(buffer_pool_used_bytes(pool), 0);
}

static void last_freed_is_first_reused(void **state)
{
    CLEANUP(buffer_pool_destroy) struct buffer_pool *pool = buffer_pool_create(4 * BLOCK);
    struct buffer *a = buffer_pool_take(pool, BLOCK);
    struct buffer *b = buffer_pool_take(pool, BLOCK);
    uint8_t *a_bytes = a->data;
    uint8_t *b_bytes = b->data;
    buffer_unref(a);
    buffer_unref(b);
    assert_int_equal(buffer_pool_retained_bytes(pool), 2 * BLOCK);
    CLEANUP(buffer_unref) struct buffer *first = buffer_pool_take(pool, BLOCK);
    CLEANUP(buffer_unref) struct buffer *second = buffer_pool_take(pool, BLOCK);
    assert_ptr_equal(first->data, b_bytes);
    assert_ptr_equal(second->data, a_bytes);
    assert_int_equal(buffer_pool_retained_bytes(pool), 0);
}

static void retention_is_bounded(void **state)
{
    CLEANUP(buffer_pool_destroy) struct buffer_pool *pool = buffer_pool_create(2 * BLOCK + 5);
    struct buffer *blocks[5];
    for (int i = 0; i < 5; i++)
        blocks[i] = buffer_pool_take(pool, BLOCK);
    assert_int_equal(buffer_pool_used_bytes(pool), 5 * BLOCK);
    for (int i = 0; i < 5; i++)
        buffer_unref(blocks[i]);
    assert_int_equal(buffer_pool_used_bytes(pool), 0);
    assert_int_equal(buffer_pool_retained_bytes(pool), 2 * BLOCK);
}

static void blocks_outlive_the_pool(void **state)
{
    struct buffer_pool *pool = buffer_pool_create(4 * BLOCK);
    struct buffer *kept = buffer_pool_take(pool, BLOCK);
    buffer_unref(buffer_pool_take(pool, BLOCK));
    buffer_pool_destroy(pool);
    kept->data[12345] = 1;
    buffer_unref(kept);
    buffer_pool_destroy(NULL);
}

static void *take_and_give(void *argument)
{
    struct buffer_pool *pool = argument;
    for (int i = 0; i < 300; i++) {
        struct buffer *a = buffer_pool_take(pool, BLOCK);
        struct buffer *b = buffer_pool_take(pool, BLOCK);
        a->data[0]++;
        b->data[0]++;
        buffer_unref(a);
        buffer_unref(b);
    }
    return NULL;
}

static void threads_share_a_pool(void **state)
{
    pthread_t threads[4];
    CLEANUP(buffer_pool_destroy) struct buffer_pool *pool = buffer_pool_create(3 * BLOCK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, pool), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(buffer_pool_used_bytes(pool), 0);
    assert_in_range(buffer_pool_retained_bytes(pool), 2 * BLOCK, 3 * BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_writable),
        cmocka_unit_test(other_sizes_are_ordinary),
        cmocka_unit_test(last_freed_is_first_reused),
        cmocka_unit_test(retention_is_bounded),
        cmocka_unit_test(blocks_outlive_the_pool),
        cmocka_unit_test(threads_share_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
