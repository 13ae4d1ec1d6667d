/*
 * The inbox: one message waits, what follows is deferred or assembled ahead, with its window closed.
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

static void assert_takes(struct inbox *inbox, struct str expected, size_t expected_closed)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    assert_int_equal(inbox_take(inbox, &message, NULL), STATUS_OK);
    assert_true(str_equal(slice_str(message), expected));
    assert_int_equal(inbox_closed_bytes(inbox), expected_closed);
}

static void read_all(struct inbox *inbox, struct str bytes)
{
    while (bytes.len > 0 && inbox_has_room(inbox))
        assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    if (bytes.len > 0)
        inbox_defer(inbox, bytes);
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
    assert_int_equal(inbox_closed_bytes(inbox), 13);
    assert_takes(inbox, STR("a"), 6);
    assert_true(inbox->has_message);
    assert_takes(inbox, STR("bb"), 0);
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
    assert_int_equal(inbox_take(inbox, &message, NULL), STATUS_INTERNAL);
    assert_int_equal(inbox_closed_bytes(inbox), 0);
}

static void test_fault_in_deferred_bytes(void **state)
{
    struct inbox *inbox = *state;
    struct str bytes = STR("\0\0\0\0\0");
    assert_int_equal(inbox_read(inbox, &bytes, NULL), STATUS_OK);
    inbox_defer(inbox, STR("\0\0\0\1\0xx"));
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    assert_int_equal(inbox_take(inbox, &message, NULL), STATUS_RESOURCE_EXHAUSTED);
}

static void test_reads_ahead(void **state)
{
    struct inbox *inbox = *state;
    inbox->reads_ahead = true;
    read_all(inbox, STR("\0\0\0\0\1a\0\0\0\0\2bb\0\0\0\0\0\0\0\0\0\3c"));
    assert_int_equal(inbox->message_count, 3);
    assert_int_equal(inbox->backlog.bytes, 0);
    assert_int_equal(inbox_closed_bytes(inbox), 7 + 5 + 6);
    assert_int_equal(inbox_held_bytes(inbox), 1 + 2 + 1);
    assert_false(inbox_is_midway(inbox)); /* it has no room for the rest */
    uint8_t *place;
    assert_int_equal(inbox_place(inbox, &place), 2);
    assert_takes(inbox, STR("a"), 5 + 6);
    assert_takes(inbox, STR("bb"), 6);
    assert_takes(inbox, STR(""), 0);
    assert_true(inbox_is_midway(inbox));
    read_all(inbox, STR("cc"));
    assert_int_equal(inbox_end(inbox, NULL), STATUS_OK);
    assert_false(inbox_is_drained(inbox));
    assert_takes(inbox, STR("ccc"), 0);
    assert_true(inbox_is_drained(inbox));
}

static void test_reads_no_further_ahead(void **state)
{
    struct inbox *inbox = *state;
    inbox->reads_ahead = true;
    for (int i = 0; i < INBOX_AHEAD_MAX + 3; i++)
        read_all(inbox, STR("\0\0\0\0\1a"));
    assert_int_equal(inbox->ahead_count, INBOX_AHEAD_MAX);
    assert_int_equal(inbox->backlog.bytes, 2 * 6);
    for (size_t i = INBOX_AHEAD_MAX + 3; i-- > 0;)
        assert_takes(inbox, STR("a"), i > 0 ? 6 * (i - 1) : 0);
    assert_false(inbox->has_message);
}

static void test_end_inside_a_message_ahead(void **state)
{
    struct inbox *inbox = *state;
    inbox->reads_ahead = true;
    read_all(inbox, STR("\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\5cc"));
    assert_int_equal(inbox_end(inbox, NULL), STATUS_OK);
    assert_takes(inbox, STR("a"), 7);
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    assert_int_equal(inbox_take(inbox, &message, NULL), STATUS_INTERNAL);
    assert_true(str_equal(slice_str(message), STR("b")));
}

static void test_messages_ahead_are_dropped(void **state)
{
    struct inbox *inbox = *state;
    inbox->reads_ahead = true;
    read_all(inbox, STR("\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\5cc"));
    inbox_finish(inbox);
    assert_int_equal(inbox_closed_bytes(inbox), 0);
    assert_int_equal(inbox_held_bytes(inbox), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defers_what_follows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_inside_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_inside_a_deferred_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fault_in_deferred_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reads_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reads_no_further_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_inside_a_message_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_messages_ahead_are_dropped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
