/*
 * trace_test.c — traceparent: what is taken and what is passed over.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "http/trace.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void takes_a_valid_one(void **state)
{
    (void)state;
    struct str trace_id = STR_EMPTY;
    struct str span_id = STR_EMPTY;
    assert_true(http_trace_parse(STR("00-" TRACE "-" SPAN "-01"), &trace_id, &span_id));
    assert_true(str_equal(trace_id, STR(TRACE)));
    assert_true(str_equal(span_id, STR(SPAN)));
}

static void takes_later_versions(void **state)
{
    (void)state;
    static const struct str values[] = {
        STR("cc-" TRACE "-" SPAN "-01"),
        STR("cc-" TRACE "-" SPAN "-01-what-the-future-adds"),
    };
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        struct str trace_id = STR_EMPTY;
        struct str span_id = STR_EMPTY;
        assert_true(http_trace_parse(values[i], &trace_id, &span_id));
        assert_true(str_equal(span_id, STR(SPAN)));
    }
}

static void passes_over_the_rest(void **state)
{
    (void)state;
    static const struct str values[] = {
        STR(""),
        STR("00"),
        STR("00-" TRACE),
        STR("00-" TRACE "-" SPAN),
        STR("00-" TRACE "-" SPAN "-0"),
        STR("00-" TRACE "-" SPAN "-01-more"),
        STR("00-" TRACE "-" SPAN "-01-"),
        STR("cc-" TRACE "-" SPAN "-01x"),
        STR("ff-" TRACE "-" SPAN "-01"),
        STR("0x-" TRACE "-" SPAN "-01"),
        STR("00_" TRACE "-" SPAN "-01"),
        STR("00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01"),
        STR("00-00000000000000000000000000000000-" SPAN "-01"),
        STR("00-" TRACE "-0000000000000000-01"),
        STR("00-" TRACE "-00f067aa0ba902bg-01"),
        STR("00-" SPAN "-" TRACE "-01"),
    };
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        struct str trace_id = STR_EMPTY;
        struct str span_id = STR_EMPTY;
        if (http_trace_parse(values[i], &trace_id, &span_id))
            fail_msg("'%.*s' was taken", STR_ARGS(values[i]));
        assert_int_equal(trace_id.len, 0);
        assert_int_equal(span_id.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_valid_one),
        cmocka_unit_test(takes_later_versions),
        cmocka_unit_test(passes_over_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
