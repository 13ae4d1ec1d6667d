/*
 * retry_test.c — which failures are tried again, and after how long.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grpc/retry.h"

static bool next(unsigned tries, enum grpc_progress progress, enum status status,
                 uint64_t *out_delay_ms)
{
    struct error error = ERROR_NONE;
    (void)error_set(&error, status, "failed");
    return grpc_retry_next(&grpc_retry_default, tries, progress, &error, out_delay_ms);
}

static void only_passing_failures(void **state)
{
    (void)state;
    for (int status = STATUS_CANCELLED; status < STATUS_COUNT; status++) {
        uint64_t delay_ms;
        bool passing = status == STATUS_UNAVAILABLE || status == STATUS_RESOURCE_EXHAUSTED ||
                       status == STATUS_ABORTED;
        assert_int_equal(next(1, GRPC_NOT_BEGUN, (enum status)status, &delay_ms), passing);
        assert_int_equal(next(1, GRPC_IDEMPOTENT, (enum status)status, &delay_ms), passing);
        assert_false(next(1, GRPC_EFFECTIVE, (enum status)status, &delay_ms));
    }
}

static void three_tries_with_growing_delays(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t delay_ms = 0;
        assert_true(next(1, GRPC_IDEMPOTENT, STATUS_UNAVAILABLE, &delay_ms));
        assert_in_range(delay_ms, 80, 120);
        assert_true(next(2, GRPC_IDEMPOTENT, STATUS_UNAVAILABLE, &delay_ms));
        assert_in_range(delay_ms, 160, 240);
        assert_false(next(3, GRPC_IDEMPOTENT, STATUS_UNAVAILABLE, &delay_ms));
    }
}

static void delays_are_bounded(void **state)
{
    (void)state;
    const struct grpc_retry many = {.tries_max = 100, .first_delay_ms = 100, .delay_ms_max = 30000};
    struct error error = ERROR_NONE;
    (void)error_set(&error, STATUS_UNAVAILABLE, "failed");
    uint64_t delay_ms = 0;
    assert_true(grpc_retry_next(&many, 99, GRPC_IDEMPOTENT, &error, &delay_ms));
    assert_int_equal(delay_ms, 30000);
}

static void the_servers_advice_is_heeded(void **state)
{
    (void)state;
    struct error error = ERROR_NONE;
    (void)error_set(&error, STATUS_RESOURCE_EXHAUSTED, "busy");
    uint64_t delay_ms = 0;
    error.retry_after_ms = 5000;
    assert_true(grpc_retry_next(&grpc_retry_default, 1, GRPC_IDEMPOTENT, &error, &delay_ms));
    assert_in_range(delay_ms, 4000, 6000);
    error.retry_after_ms = 60000; /* longer than anybody waits here */
    assert_false(grpc_retry_next(&grpc_retry_default, 1, GRPC_IDEMPOTENT, &error, &delay_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_passing_failures),
        cmocka_unit_test(three_tries_with_growing_delays),
        cmocka_unit_test(delays_are_bounded),
        cmocka_unit_test(the_servers_advice_is_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
