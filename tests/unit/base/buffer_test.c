/*
 * buffer_test.c — references of buffers, slices and scatter lists are given back exactly once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buffer.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct counted {
    struct buffer buffer;
    int *released;
};

static void release_counted(struct buffer *buffer)
{
    struct counted *counted = CONTAINER_OF(buffer, struct counted, buffer);
    (*counted->released)++;
    free(counted);
}

static struct slice counted_slice(const char *text, int *released)
{
    struct counted *counted = NEW(struct counted);
    counted->released = released;
    counted->buffer.release = release_counted;
    counted->buffer.references = 1;
    return slice_make(text, strlen(text), &counted->buffer);
}

static void expect_text(const struct slices *slices, const char *text)
{
    CLEANUP(slice_finish) struct slice joined = slices_join(slices);
    assert_int_equal(slices->bytes, strlen(text));
    assert_true(str_equal(slice_str(joined), str_of(text)));
}

static void buffers_are_aligned(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 1000001};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        CLEANUP(buffer_unref) struct buffer *buffer = buffer_create(sizes[i]);
        assert_int_equal((uintptr_t)buffer->data % BUFFER_ALIGNMENT, 0);
        assert_int_equal(buffer->size, sizes[i]);
        memset(buffer->data, 1, sizes[i]);
    }
    CLEANUP(buffer_unref) struct buffer *copy = buffer_create_copy("abc", 3);
    assert_memory_equal(copy->data, "abc", 3);
    buffer_unref(NULL);
}

static void the_last_reference_releases(void **state)
{
    int released = 0;
    struct slice slice = counted_slice("abc", &released);
    struct slice other = slice_ref(slice);
    slice_finish(&slice);
    assert_int_equal(released, 0);
    slice_finish(&other);
    assert_int_equal(released, 1);
    slice_finish(&other);
    assert_int_equal(released, 1);
}

static void append_and_consume(void **state)
{
    int released = 0;
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    for (int i = 0; i < 30; i++)
        slices_append(&slices, counted_slice("abcd", &released));
    slices_append(&slices, counted_slice("", &released));
    assert_int_equal(released, 1);
    assert_int_equal(slices.count, 30);
    slices_consume(&slices, 0);
    slices_consume(&slices, 3);
    assert_int_equal(released, 1);
    slices_consume(&slices, 1);
    assert_int_equal(released, 2);
    slices_consume(&slices, 4 * 27 + 1);
    assert_int_equal(slices.count, 2);
    expect_text(&slices, "bcdabcd");
    slices_append(&slices, slice_of_str(STR("xy")));
    expect_text(&slices, "bcdabcdxy");
    slices_consume(&slices, 9);
    assert_int_equal(released, 31);
    assert_int_equal(slices.count, 0);
    expect_text(&slices, "");
}

static void a_queue_does_not_grow(void **state)
{
    int released = 0;
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    for (int i = 0; i < 1000; i++) {
        slices_append(&slices, counted_slice("ab", &released));
        if (i >= 4)
            slices_consume(&slices, 2);
    }
    assert_int_equal(slices.count, 4);
    assert_true(slices.capacity <= 16);
    assert_int_equal(released, 996);
}

static void small_copies_share_a_buffer(void **state)
{
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, "", 0);
    slices_append_copy(&slices, "abc", 3);
    slices_append_copy(&slices, "def", 3);
    assert_int_equal(slices.count, 1);
    expect_text(&slices, "abcdef");
    slices_consume(&slices, 4);
    slices_append_copy(&slices, "ghi", 3);
    assert_int_equal(slices.count, 1);
    expect_text(&slices, "efghi");
    char large[5000];
    memset(large, 'x', sizeof(large));
    slices_append_copy(&slices, large, sizeof(large));
    assert_int_equal(slices.count, 2);
    assert_int_equal(slices.bytes, 5005);
}

static void shared_bytes_are_never_overwritten(void **state)
{
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, "abc", 3);
    CLEANUP(slice_finish) struct slice kept = slice_ref(*slices_at(&slices, 0));
    slices_append_copy(&slices, "def", 3);
    assert_int_equal(slices.count, 2);
    slices_append_copy(&slices, "ghi", 3);
    assert_int_equal(slices.count, 2);
    expect_text(&slices, "abcdefghi");
    assert_true(str_equal(slice_str(kept), STR("abc")));
    /* A buffer that somebody else made is not ours to fill. */
    struct buffer *foreign = buffer_create(100);
    memcpy(foreign->data, "jk", 2);
    slices_append(&slices, slice_make(foreign->data, 2, foreign));
    slices_append_copy(&slices, "lm", 2);
    assert_int_equal(slices.count, 4);
    expect_text(&slices, "abcdefghijklm");
}

static void moves(void **state)
{
    int released = 0;
    CLEANUP(slices_finish) struct slices to;
    CLEANUP(slices_finish) struct slices from;
    slices_init(&to);
    slices_init(&from);
    slices_append(&from, counted_slice("ab", &released));
    slices_append(&from, counted_slice("cd", &released));
    slices_consume(&from, 2);
    slices_move(&to, &from);
    assert_int_equal(from.bytes + from.count, 0);
    expect_text(&to, "cd");
    slices_append(&from, counted_slice("ef", &released));
    slices_append(&from, counted_slice("gh", &released));
    slices_move(&to, &from);
    assert_int_equal(from.bytes + from.count, 0);
    expect_text(&to, "cdefgh");
    slices_append(&from, counted_slice("ij", &released));
    expect_text(&from, "ij");
    slices_finish(&to);
    slices_finish(&from);
    assert_int_equal(released, 5);
}

static void join_of_one_is_a_reference(void **state)
{
    int released = 0;
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    slices_append(&slices, counted_slice("ab", &released));
    struct slice joined = slices_join(&slices);
    assert_ptr_equal(joined.ptr, slices_at(&slices, 0)->ptr);
    slices_finish(&slices);
    assert_int_equal(released, 0);
    slice_finish(&joined);
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_are_aligned),
        cmocka_unit_test(the_last_reference_releases),
        cmocka_unit_test(append_and_consume),
        cmocka_unit_test(a_queue_does_not_grow),
        cmocka_unit_test(small_copies_share_a_buffer),
        cmocka_unit_test(shared_bytes_are_never_overwritten),
        cmocka_unit_test(moves),
        cmocka_unit_test(join_of_one_is_a_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
