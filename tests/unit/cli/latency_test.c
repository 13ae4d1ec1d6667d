/*
 * Percentiles from buckets: exact below 32 ns, within 1/32 above.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/latency.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_small_values_are_exact(void **state)
{
    struct latency *latency = NEW(struct latency);
    assert_int_equal(latency_percentile_ns(latency, 50), 0);
    for (uint64_t i = 1; i <= 20; i++)
        latency_add(latency, i);
    assert_int_equal(latency_percentile_ns(latency, 50), 10);
    assert_int_equal(latency_percentile_ns(latency, 100), 20);
    assert_int_equal(latency_percentile_ns(latency, 0), 1);
    assert_int_equal(latency->min_ns, 1);
    assert_int_equal(latency->sum_ns, 210);
    free(latency);
}

static void test_error_is_bounded(void **state)
{
    for (uint64_t value = 1; value < UINT64_C(1) << 50; value = value * 5 / 3 + 1) {
        struct latency *latency = NEW(struct latency);
        latency_add(latency, value);
        latency_add(latency, value * 4);
        uint64_t low = latency_percentile_ns(latency, 50);
        assert_true(low >= value && low <= value + value / 32 + 1);
        assert_int_equal(latency_percentile_ns(latency, 100), value * 4);
        free(latency);
    }
}

static void test_merge_and_extremes(void **state)
{
    struct latency *a = NEW(struct latency);
    struct latency *b = NEW(struct latency);
    for (size_t i = 0; i < 99; i++)
        latency_add(a, 1000);
    latency_add(b, UINT64_MAX);
    latency_merge(a, b);
    assert_int_equal(a->count, 100);
    assert_true(latency_percentile_ns(a, 99) < 1040);
    assert_true(latency_percentile_ns(a, 100) > UINT64_C(1) << 40);
    assert_int_equal(a->min_ns, 1000);
    assert_true(a->max_ns == UINT64_MAX);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_error_is_bounded),
        cmocka_unit_test(test_merge_and_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
