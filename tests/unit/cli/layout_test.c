/*
 * Widths of text, and that no control character reaches a terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/layout.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const char *text, bool pipes, const char *expected, size_t columns)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1000);
    buf_append_text(&out, ">");
    size_t actual = layout_append(str_of(text), pipes, &out);
    assert_string_equal((const char *)out.ptr + 1, expected);
    assert_int_equal(actual, columns);
}

static void test_widths(void **state)
{
    check("", false, "", 0);
    check("abc", false, "abc", 3);
    check("Z\xc3\xbcrich", false, "Z\xc3\xbcrich", 6);
    check("\xe6\x97\xa5\xe6\x9c\xac", false, "\xe6\x97\xa5\xe6\x9c\xac", 4);
    check("e\xcc\x81", false, "e\xcc\x81", 1);
    check("\xf0\x9f\x90\xa7", false, "\xf0\x9f\x90\xa7", 2);
    check("a|b", false, "a|b", 3);
    check("a|b", true, "a\\|b", 4);
}

static void test_controls_are_shown(void **state)
{
    check("a\nb\tc\r", false, "a\\nb\\tc\\r", 9);
    check("\x1b[31m", false, "\\x1b[31m", 8);
    check("\x7f", false, "\\x7f", 4);
    check("\xc2\x9b", false, "\\x9b", 4);
    check("\xe2\x80\xae", false, "\\u202e", 6);
}

static void test_invalid_bytes_are_replaced(void **state)
{
    check("\xff", false, "\xef\xbf\xbd", 1);
    check("a\xc3", false, "a\xef\xbf\xbd", 2);
    check("\xc3(", false, "\xef\xbf\xbd(", 2);
    check("\xed\xa0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 3);
    check("\xf5\x80\x80\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 4);
}

static void test_lines_stay_lines(void **state)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1000);
    layout_append_lines(str_of("\nLINE 1:\t\x1b[2J|\r\n  \r^\xff\n\r"), &out);
    buf_append_byte(&out, '\0');
    assert_string_equal((const char *)out.ptr, "\nLINE 1:\t\\x1b[2J|\r\n  \\r^\xef\xbf\xbd\n\\r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_controls_are_shown),
        cmocka_unit_test(test_lines_stay_lines),
        cmocka_unit_test(test_invalid_bytes_are_replaced),
    };
    layout_prepare();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    layout_finish();
    return failed;
}
