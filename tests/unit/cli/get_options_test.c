/*
 * get_options_test.c — columns and rows as `volley get` and names as `volley put` read them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/get_options.h"
#include "cli/put_options.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect_columns(const char *text, const char *const *names, size_t count)
{
    CLEANUP(arena_finish) struct arena arena;
    struct dataset_range range = DATASET_RANGE_ALL;
    arena_init(&arena);
    assert_int_equal(get_columns_parse(&arena, str_of(text), &range, NULL), STATUS_OK);
    assert_int_equal(range.column_count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(str_equal(range.columns[i], str_of(names[i])));
}

static void test_columns(void **state)
{
    (void)state;
    expect_columns("", NULL, 0);
    expect_columns("a", (const char *[]){"a"}, 1);
    expect_columns("a,b c, d ", (const char *[]){"a", "b c", "d"}, 3);
    expect_columns("\"a,b\",c", (const char *[]){"a,b", "c"}, 2);
    expect_columns("c,\"a\"\"b\"", (const char *[]){"c", "a\"b"}, 2);
    expect_columns("\",\"", (const char *[]){","}, 1);
}

static void test_wrong_columns(void **state)
{
    (void)state;
    static const char *const texts[] = {",",      "a,",     ",a",   "a,,b", "\"a",
                                        "\"a\"b", "\"a\",", "\"\"", "\"",   " "};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        CLEANUP(arena_finish) struct arena arena;
        struct dataset_range range = DATASET_RANGE_ALL;
        struct error error = ERROR_NONE;
        arena_init(&arena);
        if (get_columns_parse(&arena, str_of(texts[i]), &range, &error) != STATUS_INVALID_ARGUMENT)
            fail_msg("taken: %s", texts[i]);
        assert_non_null(strstr(error.message, "--columns"));
    }
}

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t total;
        uint64_t from, limit;
    } cases[] = {
        {"", -1, 0, UINT64_MAX},   {"0-0", -1, 0, 1},         {"5-9", 3, 5, 5},
        {"7-", -1, 7, UINT64_MAX}, {"-3", 10, 7, UINT64_MAX}, {"-30", 10, 0, UINT64_MAX},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct dataset_range range = DATASET_RANGE_ALL;
        assert_int_equal(get_rows_parse(str_of(cases[i].text), cases[i].total, &range, NULL),
                         STATUS_OK);
        assert_true(range.from == cases[i].from && range.limit == cases[i].limit);
    }
}

static void test_wrong_rows(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "5", "-", "9-8", "a-b", "1-b", "1-2-3", "--1", " 1-2", "99999999999999999999-"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct dataset_range range = DATASET_RANGE_ALL;
        if (get_rows_parse(str_of(texts[i]), 100, &range, NULL) != STATUS_INVALID_ARGUMENT)
            fail_msg("taken: %s", texts[i]);
    }
    struct dataset_range range = DATASET_RANGE_ALL;
    assert_int_equal(get_rows_parse(STR("-3"), -1, &range, NULL), STATUS_INVALID_ARGUMENT);
}

static enum status read_put(char *const *arguments, size_t count, struct put_options *options,
                            struct arena *arena)
{
    return put_options_read(options, arena, arguments, count, NULL);
}

static void test_put_words(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    struct put_options options;
    arena_init(&arena);
    char *named[] = {(char *)"a", (char *)"b", (char *)"name", (char *)"--mode=replace"};
    assert_int_equal(read_put(named, 4, &options, &arena), STATUS_OK);
    assert_int_equal(options.file_count, 2);
    assert_true(str_equal(options.name, STR("name")));
    assert_int_equal(options.mode, PUT_REPLACE);
    assert_int_equal(options.format, INPUT_FORMAT_UNKNOWN);
    assert_int_equal(options.durability.len, 0);
    char *single[] = {(char *)"a", (char *)"--format", (char *)"arrow-file"};
    assert_int_equal(read_put(single, 3, &options, &arena), STATUS_OK);
    assert_int_equal(options.file_count, 1);
    assert_int_equal(options.name.len, 0);
    assert_int_equal(options.format, INPUT_ARROW);
    char *fresh[] = {(char *)"--new", (char *)"a", (char *)"b"};
    assert_int_equal(read_put(fresh, 3, &options, &arena), STATUS_OK);
    assert_int_equal(options.file_count, 2);
    assert_int_equal(options.name.len, 0);
    char *twice[] = {(char *)"-", (char *)"-", (char *)"name"};
    assert_int_equal(read_put(twice, 3, &options, &arena), STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_put(NULL, 0, &options, &arena), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),   cmocka_unit_test(test_wrong_columns),
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_wrong_rows),
        cmocka_unit_test(test_put_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
