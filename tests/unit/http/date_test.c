/*
 * date_test.c — HTTP's dates, both ways.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/date.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOVEMBER_1994 INT64_C(784111777)

static void formats(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {NOVEMBER_1994, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {4102444799, "Thu, 31 Dec 2099 23:59:59 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {-86400, "Wed, 31 Dec 1969 00:00:00 GMT"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[HTTP_DATE_SIZE];
        struct str date = http_date_format(rows[i].seconds, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(date.len, 29);
    }
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    for (int64_t seconds = -4000000000; seconds < 20000000000; seconds += 86399 * 97 + 1) {
        char text[HTTP_DATE_SIZE];
        int64_t back;
        assert_true(http_date_parse(http_date_format(seconds, text), 0, &back));
        assert_int_equal(back, seconds);
    }
}

static void reads_the_older_forms(void **state)
{
    (void)state;
    int64_t seconds;
    assert_true(http_date_parse(STR("Sunday, 06-Nov-94 08:49:37 GMT"), NOVEMBER_1994, &seconds));
    assert_int_equal(seconds, NOVEMBER_1994);
    assert_true(http_date_parse(STR("Sun Nov  6 08:49:37 1994"), 0, &seconds));
    assert_int_equal(seconds, NOVEMBER_1994);
    /* Seen from 2026, 94 is 1994 and 70 is 2070. */
    assert_true(http_date_parse(STR("Sunday, 06-Nov-94 08:49:37 GMT"), 1770000000, &seconds));
    assert_int_equal(seconds, NOVEMBER_1994);
    assert_true(http_date_parse(STR("Wednesday, 01-Jan-70 00:00:00 GMT"), 1770000000, &seconds));
    assert_int_equal(seconds, INT64_C(3155760000));
}

static void refuses_what_is_no_date(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Non 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 199x 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "1994-11-06T08:49:37Z",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        int64_t seconds;
        assert_false(http_date_parse(str_of(texts[i]), 0, &seconds));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(reads_the_older_forms),
        cmocka_unit_test(refuses_what_is_no_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
