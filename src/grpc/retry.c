/*
 * retry.c — the table of statuses worth another try, and the growing delay.
 *
 * Runs on: any thread. Owns: nothing. Leaves out: waiting (client.c).
 * Source: grpc/proposal A6 (retry design), doc/connection-backoff.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/retry.h"

#include "base/random.h"

const struct grpc_retry grpc_retry_default = {
    .tries_max = 3,
    .first_delay_ms = 100,
    .delay_ms_max = 30000,
    .jitter_percent = 20,
};

static bool is_passing(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_RESOURCE_EXHAUSTED ||
           status == STATUS_ABORTED;
}

static uint64_t grown_delay_ms(const struct grpc_retry *retry, unsigned tries)
{
    uint64_t delay_ms = retry->first_delay_ms;
    for (unsigned i = 1; i < tries && delay_ms < retry->delay_ms_max; i++)
        delay_ms *= 2;
    return delay_ms < retry->delay_ms_max ? delay_ms : retry->delay_ms_max;
}

/* Clients that failed together do not come back together. */
static uint64_t vary(uint64_t delay_ms, unsigned jitter_percent)
{
    uint64_t spread = delay_ms * jitter_percent / 100;
    return spread > 0 ? delay_ms - spread + random_u64() % (2 * spread + 1) : delay_ms;
}

bool grpc_retry_next(const struct grpc_retry *retry, unsigned tries, enum grpc_progress progress,
                     const struct error *error, uint64_t *out_delay_ms)
{
    if (tries >= retry->tries_max || progress == GRPC_EFFECTIVE || !is_passing(error->status))
        return false;
    uint64_t delay_ms = grown_delay_ms(retry, tries);
    if (error->retry_after_ms > delay_ms)
        delay_ms = error->retry_after_ms;
    if (delay_ms > retry->delay_ms_max)
        return false;
    *out_delay_ms = vary(delay_ms, retry->jitter_percent);
    return true;
}
