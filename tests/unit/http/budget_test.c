/*
 * budget_test.c — token buckets. SPDX-License-Identifier: Apache-2.0
 */
#include "http/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void takes_a_burst_then_a_tenth_of_it_a_second(void **state)
{
    (void)state;
    struct http_budget budget = http_budget_make(20, 1000);
    for (int i = 0; i < 20; i++)
        assert_true(http_budget_take(&budget, 20, 1000));
    assert_false(http_budget_take(&budget, 20, 1000));
    assert_false(http_budget_take(&budget, 20, NANOSECONDS_PER_SECOND - 1));
    assert_true(http_budget_take(&budget, 20, NANOSECONDS_PER_SECOND));
    assert_true(http_budget_take(&budget, 20, NANOSECONDS_PER_SECOND));
    assert_false(http_budget_take(&budget, 20, NANOSECONDS_PER_SECOND));
}

/* A small budget comes back as well, and one of nothing never. */
static void gives_at_least_one_a_second(void **state)
{
    (void)state;
    struct http_budget budget = http_budget_make(1, 0);
    assert_true(http_budget_take(&budget, 1, 0));
    assert_false(http_budget_take(&budget, 1, 0));
    assert_true(http_budget_take(&budget, 1, NANOSECONDS_PER_SECOND));
    struct http_budget none = http_budget_make(0, 0);
    assert_false(http_budget_take(&none, 0, UINT64_MAX / 2));
}

static void never_holds_more_than_the_burst(void **state)
{
    (void)state;
    struct http_budget budget = http_budget_make(3, 0);
    http_budget_give(&budget, 3, UINT64_MAX / 2);
    uint64_t late_ns = UINT64_MAX / 2;
    for (int i = 0; i < 3; i++)
        assert_true(http_budget_take(&budget, 3, late_ns));
    assert_false(http_budget_take(&budget, 3, late_ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_burst_then_a_tenth_of_it_a_second),
        cmocka_unit_test(gives_at_least_one_a_second),
        cmocka_unit_test(never_holds_more_than_the_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
