/*
 * pool.c — resting clients as a stack: the one used last is taken first, the others grow old at the
 * bottom and are closed when somebody looks.
 *
 * Runs on: any thread; connecting and closing happen outside of the lock. Owns: the clients at rest and
 * copies of the options. SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/pool.h"

#include "base/clock.h"
#include "base/memory.h"
#include "event/lock.h"

#include <assert.h>

#define RESTING_MAX_DEFAULT 8
#define REST_MS_DEFAULT 60000

struct resting {
    struct grpc_client *client;
    uint64_t since_ns;
};

struct grpc_pool {
    struct grpc_client_options client;
    char *server;
    char *user_agent;
    char *authorization;
    struct grpc_retry retry;
    size_t resting_max;
    uint64_t rest_ns_max;
    struct {
        struct lock lock;
        struct resting *resting; /* oldest first */
        size_t resting_count;
        size_t taken;
    } locked;
};

struct grpc_pool *grpc_pool_create(const struct grpc_pool_options *options)
{
    struct grpc_pool *pool = NEW(struct grpc_pool);
    pool->client = options->client;
    pool->server = str_copy(options->client.server);
    pool->user_agent = str_copy(options->client.user_agent);
    pool->authorization = str_copy(options->client.authorization);
    pool->retry = options->client.retry ? *options->client.retry : grpc_retry_default;
    pool->client.server = str_make(pool->server, options->client.server.len);
    pool->client.user_agent = str_make(pool->user_agent, options->client.user_agent.len);
    pool->client.authorization = str_make(pool->authorization, options->client.authorization.len);
    pool->client.retry = &pool->retry;
    pool->client.tls = options->client.tls ? tls_context_ref(options->client.tls) : NULL;
    pool->resting_max = options->resting_max > 0 ? options->resting_max : RESTING_MAX_DEFAULT;
    uint64_t rest_ms = options->rest_ms_max > 0 ? options->rest_ms_max : REST_MS_DEFAULT;
    pool->rest_ns_max = rest_ms * NANOSECONDS_PER_MILLISECOND;
    pool->locked.resting = NEW_ARRAY(struct resting, pool->resting_max);
    lock_init(&pool->locked.lock);
    return pool;
}

void grpc_pool_destroy(struct grpc_pool *pool)
{
    if (!pool)
        return;
    assert(pool->locked.taken == 0);
    for (size_t i = 0; i < pool->locked.resting_count; i++)
        grpc_client_close(pool->locked.resting[i].client);
    free(pool->locked.resting);
    lock_finish(&pool->locked.lock);
    tls_context_unref(pool->client.tls);
    free(pool->server);
    free(pool->user_agent);
    free(pool->authorization);
    free(pool);
}

/* Takes the oldest out if it rested too long, or if the stack has to make room. */
static struct grpc_client *take_oldest(struct grpc_pool *pool, uint64_t now_ns, bool make_room)
{
    struct resting *resting = pool->locked.resting;
    size_t count = pool->locked.resting_count;
    bool is_full = make_room && count == pool->resting_max;
    if (count == 0 || (!is_full && now_ns - resting[0].since_ns < pool->rest_ns_max))
        return NULL;
    struct grpc_client *oldest = resting[0].client;
    memmove(resting, resting + 1, (count - 1) * sizeof(*resting));
    pool->locked.resting_count--;
    return oldest;
}

static void close_old(struct grpc_pool *pool)
{
    for (;;) {
        lock_take(&pool->locked.lock);
        struct grpc_client *old = take_oldest(pool, clock_now_ns(), false);
        lock_give(&pool->locked.lock);
        if (!old)
            return;
        grpc_client_close(old);
    }
}

static struct grpc_client *take_newest(struct grpc_pool *pool)
{
    LOCKED(&pool->locked.lock);
    pool->locked.taken++;
    if (pool->locked.resting_count == 0)
        return NULL;
    return pool->locked.resting[--pool->locked.resting_count].client;
}

enum status grpc_pool_take(struct grpc_pool *pool, struct grpc_client **out_client,
                           struct error *error)
{
    close_old(pool);
    *out_client = take_newest(pool);
    if (*out_client)
        return STATUS_OK;
    enum status status = grpc_client_connect(&pool->client, out_client, error);
    if (status == STATUS_OK)
        return STATUS_OK;
    LOCKED(&pool->locked.lock);
    pool->locked.taken--;
    return status;
}

/* Puts the client to rest; returns the one that has to go for it, or NULL. */
static struct grpc_client *rest(struct grpc_pool *pool, struct grpc_client *client)
{
    bool is_usable = grpc_client_is_connected(client);
    uint64_t now_ns = clock_now_ns();
    LOCKED(&pool->locked.lock);
    pool->locked.taken--;
    if (!is_usable)
        return client;
    struct grpc_client *oldest = take_oldest(pool, now_ns, true);
    pool->locked.resting[pool->locked.resting_count++] =
        (struct resting){.client = client, .since_ns = now_ns};
    return oldest;
}

void grpc_pool_give(struct grpc_pool *pool, struct grpc_client *client)
{
    if (client)
        grpc_client_close(rest(pool, client));
}

size_t grpc_pool_taken(const struct grpc_pool *pool)
{
    struct grpc_pool *counted = (struct grpc_pool *)pool;
    LOCKED(&counted->locked.lock);
    return counted->locked.taken;
}
