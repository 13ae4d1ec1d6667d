/*
 * containers_test.c — list, map, arena and checked arithmetic.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/arena.h"
#include "base/checked.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct item {
    int number;
    struct list link;
};

static void list_keeps_order(void **state)
{
    struct list list;
    struct item items[4] = {{0}, {1}, {2}, {3}};
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_take_first(&list));
    list_append(&list, &items[1].link);
    list_append(&list, &items[2].link);
    list_prepend(&list, &items[0].link);
    int expected = 0;
    LIST_FOR_EACH (item, &list, struct item, link) {
        assert_int_equal(item->number, expected++);
        if (item->number == 1)
            list_remove(&item->link);
    }
    assert_int_equal(expected, 3);
    assert_false(list_is_linked(&items[1].link));
    list_remove(&items[1].link);
    struct list other;
    list_init(&other);
    list_append(&other, &items[3].link);
    list_move_all(&list, &other);
    assert_true(list_is_empty(&other));
    list_move_all(&list, &other);
    assert_int_equal(LIST_FIRST(&list, struct item, link)->number, 0);
    assert_ptr_equal(list_take_first(&list), &items[0].link);
    assert_ptr_equal(list_take_first(&list), &items[2].link);
    assert_ptr_equal(list_take_first(&list), &items[3].link);
    assert_true(list_is_empty(&list));
}

static void map_sets_gets_removes(void **state)
{
    CLEANUP(map_finish) struct map map;
    int a = 1;
    int b = 2;
    map_init(&map);
    assert_null(map_get(&map, STR("x")));
    assert_null(map_remove(&map, STR("x")));
    char key[] = "key";
    assert_null(map_set(&map, str_of(key), &a));
    key[0] = 'K';
    assert_ptr_equal(map_get(&map, STR("key")), &a);
    assert_null(map_get(&map, str_of(key)));
    assert_ptr_equal(map_set(&map, STR("key"), &b), &a);
    assert_int_equal(map.count, 1);
    assert_null(map_set(&map, STR_EMPTY, &a));
    assert_ptr_equal(map_get(&map, STR("")), &a);
    assert_ptr_equal(map_remove(&map, STR("key")), &b);
    assert_null(map_remove(&map, STR("key")));
    assert_int_equal(map.count, 1);
}

/* Against a plain array: any order of setting and removing leaves the same content. */
static void map_agrees_with_an_array(void **state)
{
    enum { KEYS = 300 };
    static int present[KEYS];
    CLEANUP(map_finish) struct map map;
    map_init(&map);
    size_t count = 0;
    for (int step = 0; step < 20000; step++) {
        uint64_t random = random_u64();
        int number = (int)(random % KEYS);
        char key[16];
        snprintf(key, sizeof(key), "key-%d", number);
        bool remove = (random >> 32) % 2;
        void *before =
            remove ? map_remove(&map, str_of(key)) : map_set(&map, str_of(key), &present[number]);
        assert_ptr_equal(before, present[number] ? &present[number] : NULL);
        count += (size_t)!remove - (size_t)present[number];
        present[number] = !remove;
        assert_int_equal(map.count, count);
    }
    size_t cursor = 0;
    size_t seen = 0;
    struct str key;
    void *value;
    while (map_next(&map, &cursor, &key, &value)) {
        assert_int_equal(*(int *)value, 1);
        assert_ptr_equal(map_get(&map, key), value);
        seen++;
    }
    assert_int_equal(seen, count);
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 5000, 100000, 3};
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
            uint8_t *memory = arena_new(&arena, sizes[i]);
            assert_int_equal((uintptr_t)memory % 16, 0);
            for (size_t at = 0; at < sizes[i]; at++)
                assert_int_equal(memory[at], 0);
            memset(memory, 0xFF, sizes[i]);
        }
    }
    arena_finish(&arena);
    assert_non_null(ARENA_NEW(&arena, struct item));
    assert_non_null(ARENA_NEW_ARRAY(&arena, struct item, 7));
}

static void arena_copies_text(void **state)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str copy = arena_copy(&arena, STR("abc"));
    assert_string_equal(copy.ptr, "abc");
    assert_int_equal(copy.len, 3);
    assert_string_equal(arena_copy(&arena, STR_EMPTY).ptr, "");
    struct str printed = arena_printf(&arena, "%s-%05000d", "x", 1);
    assert_int_equal(printed.len, 5002);
    assert_int_equal(printed.ptr[5001], '1');
    assert_int_equal(printed.ptr[5002], 0);
}

static void arithmetic_tells_overflow(void **state)
{
    size_t size;
    uint8_t byte;
    assert_true(checked_add((size_t)1, (size_t)2, &size));
    assert_int_equal(size, 3);
    assert_false(checked_add(SIZE_MAX, (size_t)1, &size));
    assert_false(checked_sub((size_t)1, (size_t)2, &size));
    assert_false(checked_mul(SIZE_MAX / 2, (size_t)3, &size));
    assert_false(checked_mul(16, 16, &byte));
    assert_true(checked_mul(16, 15, &byte));
    assert_int_equal(align_up(0, 8), 0);
    assert_int_equal(align_up(1, 8), 8);
    assert_int_equal(align_up(64, 64), 64);
}

static void arena_begins_with_the_caller_s_memory(void **state)
{
    (void)state;
    _Alignas(16) unsigned char memory[256];
    struct arena arena;
    arena_init_with(&arena, memory, sizeof(memory));
    unsigned char *first = arena_new(&arena, 64);
    assert_true(first >= memory && first + 64 <= memory + sizeof(memory));
    assert_int_equal(first[63], 0);
    for (size_t i = 0; i < 100; i++)
        memset(arena_new(&arena, 100), 1, 100);
    arena_finish(&arena);
    assert_non_null(arena_new(&arena, 10));
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_keeps_order),
        cmocka_unit_test(map_sets_gets_removes),
        cmocka_unit_test(map_agrees_with_an_array),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_copies_text),
        cmocka_unit_test(arena_begins_with_the_caller_s_memory),
        cmocka_unit_test(arithmetic_tells_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
