/*
 * A list of datasets: what is in it, and that it keeps nothing alive.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/dataset_list.h"

#include "store/put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int setup(void **state)
{
    const struct store_options options = {.memory_bytes_max = (size_t)8 << 20,
                                          .dataset_bytes_max = (size_t)8 << 20,
                                          .dataset_count_max = 100};
    *state = store_create(&options);
    return 0;
}

static int teardown(void **state)
{
    store_destroy(*state);
    return 0;
}

/* A kept dataset without batches. */
static void put(struct store *store, const char *path)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(0);
    arrow_schema_seal(schema, NULL);
    const struct put_options options = {
        .path = str_of(path), .mode = PUT_CREATE, .ttl_ms = 60000, .schema = schema};
    CLEANUP(put_destroy) struct put *put = NULL;
    struct put_result result;
    assert_int_equal(put_begin(store, &options, &put, NULL), STATUS_OK);
    assert_int_equal(put_commit(put, &result, NULL), STATUS_OK);
}

static void drop(struct store *store, const char *path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(store, str_of(path), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
}

static void expect_next(struct dataset_list *list, const char *path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = dataset_list_next(list);
    struct dataset_facts facts;
    assert_non_null(dataset);
    dataset_facts(dataset, &facts);
    assert_true(str_equal(facts.path, str_of(path)));
}

static void test_those_of_a_prefix_oldest_first(void **state)
{
    struct dataset_list list = {0};
    put(*state, "b/1");
    put(*state, "a/1");
    put(*state, "b/0");
    dataset_list_make(&list, *state, STR("b/"));
    expect_next(&list, "b/1");
    expect_next(&list, "b/0");
    assert_null(dataset_list_next(&list));
    dataset_list_finish(&list);
}

static void test_what_is_dropped_meanwhile_is_freed_and_left_out(void **state)
{
    size_t before = store_bytes(*state);
    struct dataset_list list = {0};
    put(*state, "a");
    put(*state, "b");
    put(*state, "c");
    dataset_list_make(&list, *state, STR_EMPTY);
    expect_next(&list, "a");
    drop(*state, "a");
    drop(*state, "b");
    size_t one = store_bytes(*state);
    drop(*state, "c");
    assert_true(one > before);
    assert_int_equal(store_bytes(*state), before);
    assert_null(dataset_list_next(&list));
    dataset_list_finish(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_those_of_a_prefix_oldest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_dropped_meanwhile_is_freed_and_left_out, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
