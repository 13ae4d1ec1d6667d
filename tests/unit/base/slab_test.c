/*
 * slab_test.c — buffers in shared blocks: placement, reuse, and memory that goes back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/slab.h"

#define MIB ((size_t)1 << 20)
#define PAGE_BYTES ((size_t)4096)

/* Pages of the buffer's whole pages that are in memory. */
static size_t resident_pages(const uint8_t *data, size_t size)
{
    static unsigned char flags[SLAB_BLOCK_BYTES / PAGE_BYTES];
    uint8_t *start = (uint8_t *)align_up((uintptr_t)data, PAGE_BYTES);
    size_t length = ((uintptr_t)data + size - (uintptr_t)start) & ~(PAGE_BYTES - 1);
    size_t resident = 0;
    assert_int_equal(mincore(start, length, flags), 0);
    for (size_t i = 0; i < length / PAGE_BYTES; i++)
        resident += flags[i] & 1;
    return resident;
}

static void buffers_stand_side_by_side(void **state)
{
    CLEANUP(slab_finish) struct slab slab = {0};
    struct buffer *buffers[3];
    static const size_t sizes[] = {100, 0, 2 * 64};
    for (size_t i = 0; i < 3; i++) {
        buffers[i] = slab_take(&slab, sizes[i]);
        assert_int_equal((uintptr_t)buffers[i]->data % BUFFER_ALIGNMENT, 0);
        assert_int_equal(buffers[i]->size, sizes[i]);
        if (sizes[i] > 0)
            memset(buffers[i]->data, (int)i + 1, sizes[i]);
    }
    assert_ptr_equal(buffers[1]->data, buffers[0]->data + 128);
    assert_ptr_equal(buffers[2]->data, buffers[1]->data);
    assert_int_equal(buffers[0]->data[99], 1);
    for (size_t i = 0; i < 3; i++)
        buffer_unref(buffers[i]);
}

static void a_full_block_is_followed_by_another(void **state)
{
    CLEANUP(slab_finish) struct slab slab = {0};
    struct buffer *first = slab_take(&slab, SLAB_BLOCK_BYTES - 64);
    struct buffer *second = slab_take(&slab, 128);
    struct buffer *large = slab_take(&slab, SLAB_BLOCK_BYTES + 1);
    memset(second->data, 7, 128);
    large->data[SLAB_BLOCK_BYTES] = 9;
    buffer_unref(first);
    assert_int_equal(second->data[127], 7);
    buffer_unref(second);
    buffer_unref(large);
}

static void what_is_freed_goes_back(void **state)
{
    CLEANUP(slab_finish) struct slab slab = {0};
    struct buffer *buffers[4];
    for (size_t i = 0; i < 4; i++) {
        buffers[i] = slab_take(&slab, 4 * MIB + 64);
        memset(buffers[i]->data, (int)i + 1, buffers[i]->size);
    }
    const uint8_t *freed = buffers[1]->data;
    assert_true(resident_pages(freed, 4 * MIB) > 0);
    buffer_unref(buffers[1]);
    assert_int_equal(resident_pages(freed, 4 * MIB), 0);
    /* Neighbours keep theirs, to the last byte. */
    assert_int_equal(buffers[0]->data[4 * MIB + 63], 1);
    assert_int_equal(buffers[2]->data[0], 3);
    buffer_unref(buffers[0]);
    buffer_unref(buffers[2]);
    buffer_unref(buffers[3]);
}

static void pages_go_back_after_the_slab_too(void **state)
{
    struct slab slab = {0};
    struct buffer *first = slab_take(&slab, 4 * MIB);
    struct buffer *second = slab_take(&slab, 4 * MIB);
    memset(first->data, 1, 4 * MIB);
    memset(second->data, 2, 4 * MIB);
    slab_finish(&slab);
    const uint8_t *freed = first->data;
    buffer_unref(first);
    assert_int_equal(resident_pages(freed, 4 * MIB), 0);
    assert_int_equal(second->data[0], 2);
    buffer_unref(second);
}

static void an_empty_block_is_begun_anew(void **state)
{
    CLEANUP(slab_finish) struct slab slab = {0};
    uint8_t *place = NULL;
    for (int i = 0; i < 100; i++) {
        struct buffer *buffer = slab_take(&slab, MIB);
        if (i == 0)
            place = buffer->data;
        assert_ptr_equal(buffer->data, place);
        memset(buffer->data, i, MIB);
        buffer_unref(buffer);
        assert_true(resident_pages(place, MIB) > 0);
    }
}

/* Only when there is much, and each is large. */
static void a_stream_begins_without_a_block(void **state)
{
    CLEANUP(slab_finish) struct slab slab = {0};
    for (int i = 0; i < 4; i++) {
        struct buffer *early = slab_take_streamed(&slab, MIB);
        assert_null(slab.block);
        buffer_unref(early);
    }
    struct buffer *small = slab_take_streamed(&slab, 100);
    assert_null(slab.block);
    struct buffer *first = slab_take_streamed(&slab, MIB);
    struct buffer *second = slab_take_streamed(&slab, MIB);
    assert_non_null(slab.block);
    assert_ptr_equal(second->data, first->data + MIB);
    buffer_unref(small);
    buffer_unref(first);
    buffer_unref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_stand_side_by_side),
        cmocka_unit_test(a_full_block_is_followed_by_another),
        cmocka_unit_test(what_is_freed_goes_back),
        cmocka_unit_test(pages_go_back_after_the_slab_too),
        cmocka_unit_test(an_empty_block_is_begun_anew),
        cmocka_unit_test(a_stream_begins_without_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
