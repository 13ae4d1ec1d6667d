/* recycler_test.c — what is freed is used again, within its bounds. SPDX-License-Identifier: Apache-2.0 */
#include "base/recycler.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

static void uses_a_freed_buffer_again(void **state)
{
    CLEANUP(recycler_destroy) struct recycler *recycler = recycler_create();
    struct buffer *first = recycler_take(recycler, 5 * MIB);
    assert_true(first->size >= 5 * MIB);
    assert_int_equal((uintptr_t)first->data % BUFFER_ALIGNMENT, 0);
    memset(first->data, 1, first->size);
    const uint8_t *data = first->data;
    struct buffer *second = recycler_take(recycler, 5 * MIB);
    assert_ptr_not_equal(second->data, data);
    buffer_unref(first);
    struct buffer *third = recycler_take(recycler, 4 * MIB);
    assert_ptr_equal(third->data, data);
    buffer_unref(second);
    buffer_unref(third);
}

static void takes_the_smallest_that_fits(void **state)
{
    CLEANUP(recycler_destroy) struct recycler *recycler = recycler_create();
    struct buffer *large = recycler_take(recycler, 8 * MIB);
    struct buffer *middle = recycler_take(recycler, 4 * MIB);
    struct buffer *small = recycler_take(recycler, 2 * MIB);
    const uint8_t *middle_data = middle->data;
    buffer_unref(large);
    buffer_unref(middle);
    buffer_unref(small);
    struct buffer *taken = recycler_take(recycler, 3 * MIB);
    assert_ptr_equal(taken->data, middle_data);
    buffer_unref(taken);
}

static void does_not_waste_a_large_one(void **state)
{
    CLEANUP(recycler_destroy) struct recycler *recycler = recycler_create();
    struct buffer *large = recycler_take(recycler, 32 * MIB);
    const uint8_t *data = large->data;
    buffer_unref(large);
    struct buffer *small = recycler_take(recycler, 2 * MIB);
    assert_ptr_not_equal(small->data, data);
    struct buffer *again = recycler_take(recycler, 32 * MIB);
    assert_ptr_equal(again->data, data);
    buffer_unref(small);
    buffer_unref(again);
}

static void small_ones_are_the_librarys(void **state)
{
    CLEANUP(recycler_destroy) struct recycler *recycler = recycler_create();
    struct buffer *buffer = recycler_take(recycler, 1000);
    assert_int_equal(buffer->size, 1000);
    buffer_unref(buffer);
}

/* More than may wait, of sizes that make the next takers drop what does not fit. */
static void more_come_back_than_may_wait(void **state)
{
    CLEANUP(recycler_destroy) struct recycler *recycler = recycler_create();
    struct buffer *buffers[RECYCLED_COUNT_MAX + 4];
    for (size_t i = 0; i < RECYCLED_COUNT_MAX + 4; i++)
        buffers[i] = recycler_take(recycler, 2 * MIB);
    for (size_t i = 0; i < RECYCLED_COUNT_MAX + 4; i++)
        buffer_unref(buffers[i]);
    struct buffer *large = recycler_take(recycler, RECYCLED_BYTES_MAX + 1);
    assert_true(large->size > RECYCLED_BYTES_MAX);
    memset(large->data, 1, 1);
    buffer_unref(large);
}

static void buffers_outlive_the_recycler(void **state)
{
    struct recycler *recycler = recycler_create();
    struct buffer *waiting = recycler_take(recycler, 2 * MIB);
    struct buffer *used = recycler_take(recycler, 2 * MIB);
    buffer_unref(waiting);
    recycler_destroy(recycler);
    memset(used->data, 7, used->size);
    buffer_unref(used);
    recycler_destroy(NULL);
}

static void *free_them(void *argument)
{
    struct buffer **buffers = argument;
    for (size_t i = 0; i < 4; i++)
        buffer_unref(buffers[i]);
    return NULL;
}

static void another_thread_frees(void **state)
{
    CLEANUP(recycler_destroy) struct recycler *recycler = recycler_create();
    for (unsigned round = 0; round < 50; round++) {
        struct buffer *buffers[4];
        for (size_t i = 0; i < 4; i++) {
            buffers[i] = recycler_take(recycler, 2 * MIB);
            buffers[i]->data[round] = (uint8_t)round;
        }
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, free_them, buffers), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_a_freed_buffer_again),
        cmocka_unit_test(takes_the_smallest_that_fits),
        cmocka_unit_test(does_not_waste_a_large_one),
        cmocka_unit_test(small_ones_are_the_librarys),
        cmocka_unit_test(more_come_back_than_may_wait),
        cmocka_unit_test(buffers_outlive_the_recycler),
        cmocka_unit_test(another_thread_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
