/*
 * http2_budgets.c — frames that cost us work and their sender nothing: how many of each.
 *
 * Each kind has a token bucket. What we send earns tokens back, as clients answer it with window
 * updates and PINGs; a frame that was small because the client left no larger window earns nothing,
 * so that windows of single bytes run dry. Who has no token left is sent away with ENHANCE_YOUR_CALM.
 *
 * Runs on the connection's loop. Owns nothing. Leaves out: which frame is of which kind
 * (http2_frames.c, http2_server.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

/* What a DATA frame of ours earns. */
#define WINDOW_UPDATES_PER_FRAME 4
#define BYTES_PER_WINDOW_UPDATE 4096
#define PINGS_PER_FRAME 2
#define BYTES_PER_SETTINGS 16384
/* A smaller frame that did not carry all there was earns nothing. */
#define EARNING_BYTES_MIN 256

struct rule {
    size_t limit; /* offset of the field in struct http_limits */
    enum http_strike strike;
    const char *reason;
};

#define LIMIT(field) offsetof(struct http_limits, field)

static const struct rule rules[HTTP2_BUDGET_COUNT] = {
    [HTTP2_BUDGET_SETTINGS] = {LIMIT(settings_frames_max), HTTP_STRIKE_SETTINGS,
                               "too_many_settings"},
    [HTTP2_BUDGET_PINGS] = {LIMIT(pings_max), HTTP_STRIKE_PINGS, "too_many_pings"},
    [HTTP2_BUDGET_CLIENT_RESETS] = {LIMIT(client_resets_max), HTTP_STRIKE_CLIENT_RESETS,
                                    "too_many_resets"},
    [HTTP2_BUDGET_SERVER_RESETS] = {LIMIT(server_resets_max), HTTP_STRIKE_SERVER_RESETS,
                                    "too_many_errors"},
    [HTTP2_BUDGET_PRIORITIES] = {LIMIT(priorities_max), HTTP_STRIKE_PRIORITIES,
                                 "too_many_priorities"},
    [HTTP2_BUDGET_EMPTY_DATA] = {LIMIT(empty_data_max), HTTP_STRIKE_EMPTY_DATA,
                                 "too_many_empty_frames"},
    [HTTP2_BUDGET_TINY_DATA] = {LIMIT(tiny_data_max), HTTP_STRIKE_TINY_DATA,
                                "too_many_tiny_frames"},
    [HTTP2_BUDGET_WINDOW_UPDATES] = {LIMIT(window_updates_max), HTTP_STRIKE_WINDOW_UPDATES,
                                     "too_many_window_updates"},
    [HTTP2_BUDGET_UNKNOWN_FRAMES] = {LIMIT(unknown_frames_max), HTTP_STRIKE_UNKNOWN_FRAMES,
                                     "too_many_unknown_frames"},
};

static uint32_t burst_of(const struct http2_server *server, enum http2_budget budget)
{
    const char *limits = (const char *)http_connection_limits(server->connection);
    return *(const unsigned *)(const void *)(limits + rules[budget].limit);
}

void http2_budgets_start(struct http2_server *server)
{
    uint64_t now_ns = http2_server_now_ns(server);
    for (enum http2_budget budget = 0; budget < HTTP2_BUDGET_COUNT; budget++)
        server->budgets[budget] = http_budget_make(burst_of(server, budget), now_ns);
}

void http2_budget_spend(struct http2_server *server, enum http2_budget budget)
{
    if (http_budget_take(&server->budgets[budget], burst_of(server, budget),
                         http2_server_now_ns(server)) ||
        server->violation)
        return;
    http_connection_strike(server->connection, rules[budget].strike);
    http2_server_violate(server, NGHTTP2_ENHANCE_YOUR_CALM, rules[budget].reason);
}

static void earn(struct http2_server *server, enum http2_budget budget, uint64_t tokens)
{
    http_budget_give(&server->budgets[budget], burst_of(server, budget), tokens);
}

void http2_budgets_earn(struct http2_server *server, size_t size, bool is_whole)
{
    if (size < EARNING_BYTES_MIN && !is_whole)
        return;
    earn(server, HTTP2_BUDGET_WINDOW_UPDATES,
         WINDOW_UPDATES_PER_FRAME + size / BYTES_PER_WINDOW_UPDATE);
    earn(server, HTTP2_BUDGET_PINGS, PINGS_PER_FRAME);
    earn(server, HTTP2_BUDGET_SETTINGS, size / BYTES_PER_SETTINGS);
}
