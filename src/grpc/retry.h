/*
 * retry.h — when a failed call is tried again, and after how long.
 *
 * Only two kinds of failure are worth another try: the server has certainly not begun to work on the
 * call (its connection was refused, or the call was), or the caller says that the call has no effect and
 * the status tells that a later try may succeed.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct grpc_retry {
    unsigned tries_max; /* the first included; 1: never again */
    uint64_t first_delay_ms;
    uint64_t delay_ms_max;
    unsigned jitter_percent; /* a delay varies by this much either way */
};
/* 3 tries, 100 ms doubling up to 30 s, 20 % either way. */
extern const struct grpc_retry grpc_retry_default;

/* How far a call got before it failed. */
enum grpc_progress {
    GRPC_NOT_BEGUN,  /* the server has not begun to work on it */
    GRPC_IDEMPOTENT, /* it may have; doing it twice does no harm */
    GRPC_EFFECTIVE,  /* it may have, and what it does may not be done twice */
};

/* True when a try may follow the failed ones (`tries` of them), and the time to wait before it. The
 * server's own advice (error->retry_after_ms) is heeded when it is longer. */
bool grpc_retry_next(const struct grpc_retry *retry, unsigned tries, enum grpc_progress progress,
                     const struct error *error, uint64_t *out_delay_ms);
