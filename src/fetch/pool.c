/*
 * pool.c — the lines of a pool, who has which, and how a call is stopped.
 *
 * A call takes a line for each attempt and gives it back. A line that was used for the same origin is
 * preferred, because its connection is open; at the bound, the line unused for longest is taken for another
 * origin, and where all are busy the call waits.
 *
 * Stopping: flags tell, and whoever waits is woken, in curl (curl_multi_wakeup) or on the pool's condition.
 * Runs on: any thread. Owns: lines. SPDX-License-Identifier: Apache-2.0
 */
#include "fetch/fetch_private.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define TRANSFERS_DEFAULT 32
#define CONNECT_TIMEOUT_DEFAULT_MS 5000
#define STALL_TIMEOUT_DEFAULT_MS 30000
#define ATTEMPTS_DEFAULT 4
#define RETRY_DELAY_DEFAULT_MS 200
#define RETRY_DELAY_MAX_DEFAULT_MS 10000

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value > 0 ? value : fallback;
}

static void options_fill(struct fetch_pool_options *options)
{
    options->transfers_max =
        options->transfers_max > 0 ? options->transfers_max : TRANSFERS_DEFAULT;
    options->connect_timeout_ms =
        or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_DEFAULT_MS);
    options->stall_timeout_ms = or_default(options->stall_timeout_ms, STALL_TIMEOUT_DEFAULT_MS);
    options->attempts_max = or_default(options->attempts_max, ATTEMPTS_DEFAULT);
    options->retry_delay_ms = or_default(options->retry_delay_ms, RETRY_DELAY_DEFAULT_MS);
    options->retry_delay_max_ms =
        or_default(options->retry_delay_max_ms, RETRY_DELAY_MAX_DEFAULT_MS);
    if (options->proxy)
        options->proxy = str_copy(str_of(options->proxy));
    if (options->ca_file)
        options->ca_file = str_copy(str_of(options->ca_file));
}

enum status fetch_pool_create(const struct fetch_pool_options *options,
                              struct fetch_pool **out_fetch, struct error *error)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(error, STATUS_INTERNAL, "libcurl cannot be initialised");
    struct fetch_pool *fetch = NEW(struct fetch_pool);
    fetch->options = *options;
    options_fill(&fetch->options);
    lock_init(&fetch->locked.lock);
    condition_init(&fetch->locked.changed);
    list_init(&fetch->locked.idle);
    list_init(&fetch->locked.busy);
    *out_fetch = fetch;
    return STATUS_OK;
}

void fetch_pool_close(struct fetch_pool *fetch)
{
    atomic_store(&fetch->is_closed, true);
    LOCKED(&fetch->locked.lock);
    LIST_FOR_EACH (line, &fetch->locked.busy, struct fetch_line, link)
        (void)curl_multi_wakeup(line->multi);
    condition_broadcast(&fetch->locked.changed);
}

static void line_destroy(struct fetch_line *line)
{
    curl_easy_cleanup(line->easy);
    curl_multi_cleanup(line->multi);
    free(line);
}

void fetch_pool_destroy(struct fetch_pool *fetch)
{
    if (!fetch)
        return;
    assert(list_is_empty(&fetch->locked.busy));
    LIST_FOR_EACH (line, &fetch->locked.idle, struct fetch_line, link)
        line_destroy(line);
    condition_finish(&fetch->locked.changed);
    lock_finish(&fetch->locked.lock);
    free((char *)fetch->options.proxy);
    free((char *)fetch->options.ca_file);
    free(fetch);
    curl_global_cleanup();
}

/* --- cancel --------------------------------------------------------------------------------------- */

struct fetch_cancel *fetch_cancel_create(void)
{
    struct fetch_cancel *cancel = NEW(struct fetch_cancel);
    lock_init(&cancel->locked.lock);
    list_init(&cancel->locked.followers);
    return cancel;
}

void fetch_cancel_destroy(struct fetch_cancel *cancel)
{
    if (!cancel)
        return;
    assert(list_is_empty(&cancel->locked.followers));
    lock_finish(&cancel->locked.lock);
    free(cancel);
}

static void wake(struct fetch_follower *follower)
{
    if (follower->line) {
        (void)curl_multi_wakeup(follower->line->multi);
        return;
    }
    LOCKED(&follower->fetch->locked.lock);
    condition_broadcast(&follower->fetch->locked.changed);
}

void fetch_cancel_fire(struct fetch_cancel *cancel)
{
    LOCKED(&cancel->locked.lock);
    atomic_store(&cancel->is_fired, true);
    LIST_FOR_EACH (follower, &cancel->locked.followers, struct fetch_follower, link)
        wake(follower);
}

void fetch_follow(struct fetch_transfer *transfer)
{
    struct fetch_cancel *cancel = transfer->request->cancel;
    transfer->follower.fetch = transfer->fetch;
    if (!cancel)
        return;
    LOCKED(&cancel->locked.lock);
    list_append(&cancel->locked.followers, &transfer->follower.link);
}

void fetch_unfollow(struct fetch_transfer *transfer)
{
    struct fetch_cancel *cancel = transfer->request->cancel;
    if (!cancel)
        return;
    LOCKED(&cancel->locked.lock);
    list_remove(&transfer->follower.link);
}

static void set_line(struct fetch_transfer *transfer, struct fetch_line *line)
{
    struct fetch_cancel *cancel = transfer->request->cancel;
    transfer->line = line;
    if (!cancel)
        return;
    LOCKED(&cancel->locked.lock);
    transfer->follower.line = line;
}

enum status fetch_check(const struct fetch_transfer *transfer, struct error *error)
{
    const struct fetch_cancel *cancel = transfer->request->cancel;
    if (cancel && atomic_load(&cancel->is_fired))
        return error_set(error, STATUS_CANCELLED, "the request was cancelled");
    if (atomic_load(&transfer->fetch->is_closed))
        return error_set_code(error, STATUS_UNAVAILABLE, "SHUTTING_DOWN", "the server shuts down");
    return STATUS_OK;
}

enum status fetch_sleep(struct fetch_transfer *transfer, uint64_t until_ns, struct error *error)
{
    struct fetch_pool *fetch = transfer->fetch;
    LOCKED(&fetch->locked.lock);
    do {
        TRY(fetch_check(transfer, error));
    } while (condition_wait_until(&fetch->locked.changed, &fetch->locked.lock, until_ns));
    return STATUS_OK;
}

/* --- lines ---------------------------------------------------------------------------------------- */

static enum status line_create(struct fetch_line **out_line, struct error *error)
{
    struct fetch_line *line = NEW(struct fetch_line);
    line->multi = curl_multi_init();
    line->easy = curl_easy_init();
    if (!line->multi || !line->easy) {
        line_destroy(line);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "libcurl has no memory or descriptors");
    }
    (void)curl_multi_setopt(line->multi, CURLMOPT_MAXCONNECTS, 1L);
    *out_line = line;
    return STATUS_OK;
}

/* An idle line for the origin; at the bound also another one; NULL: none. */
static struct fetch_line *line_find(struct fetch_pool *fetch, const char *origin)
{
    struct fetch_line *oldest = NULL;
    LIST_FOR_EACH (line, &fetch->locked.idle, struct fetch_line, link) {
        if (strcmp(line->origin, origin) == 0)
            return line;
        oldest = line;
    }
    return fetch->locked.line_count < fetch->options.transfers_max ? NULL : oldest;
}

/* *out_line stays NULL where a new one may be made, which is counted already. */
static enum status line_wait(struct fetch_transfer *transfer, const char *origin,
                             struct fetch_line **out_line, struct error *error)
{
    struct fetch_pool *fetch = transfer->fetch;
    LOCKED(&fetch->locked.lock);
    for (;;) {
        TRY(fetch_check(transfer, error));
        if ((*out_line = line_find(fetch, origin))) {
            list_remove(&(*out_line)->link);
            list_append(&fetch->locked.busy, &(*out_line)->link);
            return STATUS_OK;
        }
        if (fetch->locked.line_count < fetch->options.transfers_max) {
            fetch->locked.line_count++;
            return STATUS_OK;
        }
        if (!condition_wait_until(&fetch->locked.changed, &fetch->locked.lock,
                                  transfer->deadline_ns))
            return error_set(error, STATUS_DEADLINE_EXCEEDED,
                             "the request to %s waited too long for one of %zu connections", origin,
                             fetch->options.transfers_max);
    }
}

static enum status line_new(struct fetch_pool *fetch, struct fetch_line **out_line,
                            struct error *error)
{
    enum status status = line_create(out_line, error);
    LOCKED(&fetch->locked.lock);
    if (status == STATUS_OK)
        list_append(&fetch->locked.busy, &(*out_line)->link);
    else
        fetch->locked.line_count--;
    return status;
}

enum status fetch_line_take(struct fetch_transfer *transfer, const char *origin,
                            struct error *error)
{
    struct fetch_line *line = NULL;
    TRY(line_wait(transfer, origin, &line, error));
    if (!line)
        TRY(line_new(transfer->fetch, &line, error));
    (void)snprintf(line->origin, sizeof(line->origin), "%s", origin);
    set_line(transfer, line);
    return STATUS_OK;
}

void fetch_line_give(struct fetch_transfer *transfer)
{
    struct fetch_pool *fetch = transfer->fetch;
    struct fetch_line *line = transfer->line;
    set_line(transfer, NULL);
    LOCKED(&fetch->locked.lock);
    list_remove(&line->link);
    list_prepend(&fetch->locked.idle, &line->link);
    condition_broadcast(&fetch->locked.changed);
}
