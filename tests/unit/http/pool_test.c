/*
 * pool_test.c — blocks of a loop's pool. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void gives_room_for_what_was_asked(void **state)
{
    (void)state;
    struct http_pool pool = {0};
    for (size_t size = 0; size < 10000; size += 37) {
        unsigned char *bytes = http_pool_take(&pool, size);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        assert_true(http_pool_capacity(bytes) >= size);
        memset(bytes, 0xff, http_pool_capacity(bytes));
        http_pool_give(&pool, bytes);
    }
    http_pool_give(&pool, NULL);
    http_pool_finish(&pool);
}

static void keeps_no_more_than_a_bound(void **state)
{
    (void)state;
    static void *blocks[4000];
    struct http_pool pool = {0};
    for (size_t i = 0; i < 4000; i++)
        blocks[i] = http_pool_take(&pool, 4000);
    for (size_t i = 0; i < 4000; i++)
        http_pool_give(&pool, blocks[i]);
    assert_true(pool.kept_bytes <= (size_t)2 << 20);
    http_pool_finish(&pool);
    assert_int_equal(pool.kept_bytes, 0);
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    struct http_pool pool = {0};
    assert_null(http_pool_take(&pool, SIZE_MAX));
    assert_null(http_pool_take(&pool, SIZE_MAX - 8));
    nghttp2_mem memory = http2_memory(&pool);
    assert_null(memory.calloc(SIZE_MAX / 2, 4, memory.mem_user_data));
    http_pool_finish(&pool);
}

static void serves_nghttp2(void **state)
{
    (void)state;
    struct http_pool pool = {0};
    nghttp2_mem memory = http2_memory(&pool);
    char *text = memory.realloc(NULL, 6, memory.mem_user_data);
    memcpy(text, "hello", 6);
    text = memory.realloc(text, 20, memory.mem_user_data);
    text = memory.realloc(text, 200, memory.mem_user_data);
    text = memory.realloc(text, 100000, memory.mem_user_data);
    assert_string_equal(text, "hello");
    memset(text, 'x', 100000);
    memory.free(text, memory.mem_user_data);
    unsigned char *zeros = memory.calloc(10, 100, memory.mem_user_data);
    memset(zeros, 1, 1000);
    memory.free(zeros, memory.mem_user_data);
    zeros = memory.calloc(10, 100, memory.mem_user_data);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(zeros[i], 0);
    memory.free(zeros, memory.mem_user_data);
    http_pool_finish(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_room_for_what_was_asked),
        cmocka_unit_test(keeps_no_more_than_a_bound),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(serves_nghttp2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
