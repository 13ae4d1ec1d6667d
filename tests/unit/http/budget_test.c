/*
 * budget_test.c — token buckets. SPDX-License-Identifier: Apache-2.0
 */
#include "http/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void takes_a_burst_then_a_rate(void **state)
{
    (void)state;
    struct http_budget budget = http_budget_make(5, 2, 1000);
    for (int i = 0; i < 5; i++)
        assert_true(http_budget_take(&budget, 1000));
    assert_false(http_budget_take(&budget, 1000));
    assert_false(http_budget_take(&budget, 999 + NANOSECONDS_PER_SECOND));
    assert_true(http_budget_take(&budget, 1000 + NANOSECONDS_PER_SECOND));
    assert_true(http_budget_take(&budget, 1000 + NANOSECONDS_PER_SECOND));
    assert_false(http_budget_take(&budget, 1000 + NANOSECONDS_PER_SECOND));
}

static void never_holds_more_than_the_burst(void **state)
{
    (void)state;
    struct http_budget budget = http_budget_make(3, 1000000, 0);
    http_budget_give(&budget, UINT32_MAX);
    uint64_t late_ns = UINT64_MAX / 2;
    for (int i = 0; i < 3; i++)
        assert_true(http_budget_take(&budget, late_ns));
    assert_false(http_budget_take(&budget, late_ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_burst_then_a_rate),
        cmocka_unit_test(never_holds_more_than_the_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
