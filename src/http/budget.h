/*
 * budget.h — a token bucket: how much of something a peer may do at once, and a tenth of that more each
 * second.
 *
 * Eight bytes, as an idle connection has several. Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define HTTP_BUDGET_SECONDS 10 /* from empty to full */

struct http_budget {
    uint32_t tokens;
    uint32_t filled_s; /* when tokens were last added */
};

static inline struct http_budget http_budget_make(uint32_t burst, uint64_t now_ns)
{
    return (struct http_budget){burst, (uint32_t)(now_ns / NANOSECONDS_PER_SECOND)};
}

/* Gives tokens back, up to the burst. */
static inline void http_budget_give(struct http_budget *budget, uint32_t burst, uint64_t tokens)
{
    uint64_t sum = budget->tokens + tokens;
    budget->tokens = sum < burst ? (uint32_t)sum : burst;
}

/* Takes one token; false when there is none. */
static inline bool http_budget_take(struct http_budget *budget, uint32_t burst, uint64_t now_ns)
{
    uint32_t now_s = (uint32_t)(now_ns / NANOSECONDS_PER_SECOND);
    if (now_s != budget->filled_s) {
        uint64_t per_second = (burst + HTTP_BUDGET_SECONDS - 1) / HTTP_BUDGET_SECONDS;
        http_budget_give(budget, burst, (now_s - budget->filled_s) * per_second);
        budget->filled_s = now_s;
    }
    if (budget->tokens == 0)
        return false;
    budget->tokens--;
    return true;
}
