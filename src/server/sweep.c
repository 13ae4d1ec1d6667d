/*
 * sweep.c — what the server does once a second: drops what has expired, looks whether the engine still works.
 *
 * Runs on the housekeeping thread, which outlives the I/O threads. A failed engine is told to the waiting
 * thread, which ends the process.
 *
 * Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "server/server_private.h"

#include "base/buffer_pool.h"
#include "base/clock.h"

#define SWEEP_INTERVAL_NS (1 * NANOSECONDS_PER_SECOND)
/* Blocks that a large result left are kept this long for the next one. */
#define POOL_TRIM_SECONDS 10
#define REGISTRY_SWEEP_SECONDS 60

static void sweep(struct loop_timer *timer)
{
    struct server *server = CONTAINER_OF(timer, struct server, sweep);
    store_sweep(server->store);
    sessions_sweep(server->sessions);
    results_sweep(server->job_results.results);
    if (server->sweep_count++ % POOL_TRIM_SECONDS == 0)
        buffer_pool_trim(server->pool);
    if (server->sweep_count % REGISTRY_SWEEP_SECONDS == 1)
        meta_sweep(server->registry, clock_wall_us());
    if (engine_check(server->engine, &server->failure) != STATUS_OK) {
        metric_set(server->engine_up, 0);
        loop_post(server->loop, &server->engine_failed);
        return;
    }
    loop_timer_set(io_threads_loops(server->housekeeping)[0], timer,
                   clock_now_ns() + SWEEP_INTERVAL_NS);
}

static void start_sweeping(struct loop_task *task)
{
    sweep(&CONTAINER_OF(task, struct server, start_sweep)->sweep);
}

void server_sweep_init(struct server *server)
{
    server->sweep = LOOP_TIMER_INIT(sweep);
    server->start_sweep = LOOP_TASK_INIT(start_sweeping);
}

void server_sweep_start(struct server *server)
{
    loop_post(io_threads_loops(server->housekeeping)[0], &server->start_sweep);
}
