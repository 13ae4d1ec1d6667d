/*
 * The inbox: one message waits, what follows is deferred with its window closed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int set_up(void **state)
{
    static struct inbox inbox;
    inbox_init(&inbox, 100, STR_EMPTY, false);
    *state = &inbox;
    return 0;
}

static int tear_down(void **state)
{
    inbox_finish(*state);
    return 0;
}

static void assert_takes(struct inbox *inbox, struct str expected, size_t expected_consumed)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    size_t consumed;
    assert_int_equal(inbox_take(inbox, &message, &consumed, NULL), STATUS_OK);
    assert_true(str_equal(slice_str(message), expected));
    assert_int_equal(consumed, expected_consumed);
}

static void test_defers_what_follows(void **state)
{
    struct inbox *inbox = *state;
    struct str bytes = STR("\0\0\0\0\1a\0\0\0\0\2bb\0\0\0\0\3c");
    assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    assert_true(inbox->has_message);
    assert_int_equal(bytes.len, 13);
    assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    assert_int_equal(bytes.len, 13);
    inbox_defer(inbox, bytes);
    assert_takes(inbox, STR("a"), 7);
    assert_true(inbox->has_message);
    assert_takes(inbox, STR("bb"), 6);
    assert_false(inbox->has_message);
    bytes = STR("cc");
    assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    assert_takes(inbox, STR("ccc"), 0);
    assert_int_equal(inbox->message_count, 3);
    assert_int_equal(inbox_end(inbox, NULL), STATUS_OK);
    assert_true(inbox_is_drained(inbox));
}

static void test_end_inside_a_message(void **state)
{
    struct inbox *inbox = *state;
    struct str bytes = STR("\0\0");
    assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    assert_int_equal(inbox_end(inbox, NULL), STATUS_INTERNAL);
}

static void test_end_inside_a_deferred_message(void **state)
{
    struct inbox *inbox = *state;
    struct str bytes = STR("\0\0\0\0\1a");
    assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    inbox_defer(inbox, STR("\0\0\0\0\5bb"));
    assert_int_equal(inbox_end(inbox, NULL), STATUS_OK);
    assert_false(inbox_is_drained(inbox));
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    size_t consumed;
    assert_int_equal(inbox_take(inbox, &message, &consumed, NULL), STATUS_INTERNAL);
    assert_int_equal(consumed, 7);
}

static void test_fault_in_deferred_bytes(void **state)
{
    struct inbox *inbox = *state;
    struct str bytes = STR("\0\0\0\0\0");
    assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    inbox_defer(inbox, STR("\0\0\0\1\0xx"));
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    size_t consumed;
    assert_int_equal(inbox_take(inbox, &message, &consumed, NULL), STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defers_what_follows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_inside_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_inside_a_deferred_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fault_in_deferred_bytes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
