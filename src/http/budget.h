/*
 * budget.h — a token bucket: how much of something a peer may do at once and per second.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct http_budget {
    uint32_t burst;
    uint32_t per_second;
    uint64_t tokens;
    uint64_t filled_ns; /* when tokens were last added */
};

static inline struct http_budget http_budget_make(uint32_t burst, uint32_t per_second,
                                                  uint64_t now_ns)
{
    return (struct http_budget){burst, per_second, burst, now_ns};
}

/* Gives tokens back, up to the burst. */
static inline void http_budget_give(struct http_budget *budget, uint32_t tokens)
{
    budget->tokens += tokens;
    if (budget->tokens > budget->burst)
        budget->tokens = budget->burst;
}

/* Takes one token; false when there is none. */
static inline bool http_budget_take(struct http_budget *budget, uint64_t now_ns)
{
    uint64_t seconds = (now_ns - budget->filled_ns) / NANOSECONDS_PER_SECOND;
    if (seconds > 0) {
        uint64_t filled = seconds < budget->burst ? seconds * budget->per_second : budget->burst;
        http_budget_give(budget, filled < budget->burst ? (uint32_t)filled : budget->burst);
        budget->filled_ns += seconds * NANOSECONDS_PER_SECOND;
    }
    if (budget->tokens == 0)
        return false;
    budget->tokens--;
    return true;
}
