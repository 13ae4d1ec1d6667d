/*
 * call_end.c — how a call ends, by itself or because its time is over, and when it is freed.
 *
 * LIVE -> ENDED: the status is decided, the method told of a failure, what came is dropped, and the end
 * written as far as the client reads. ENDED -> CLOSED once no worker runs a function of it.
 *
 * Runs on the request's loop. Owns nothing beside the call. Source: grpc/doc/PROTOCOL-HTTP2.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include <assert.h>

#include "base/memory.h"

/* How long after its deadline a client may take to read or to leave. */
#define PATIENCE_NS (50 * NANOSECONDS_PER_MILLISECOND)
/* How long after the failure of its call a client may go on writing without reading what it was sent. */
#define WRITER_PATIENCE_NS (5 * NANOSECONDS_PER_SECOND)

void call_free(struct call *call)
{
    call_report_end(call);
    http_work_end(call->work);
    free(call->failure);
    inbox_finish(&call->inbox);
    atomic_fetch_sub_explicit(&call->handler->call_count, 1, memory_order_relaxed);
    if (!call->worker)
        return; /* its memory is the request's */
    arena_finish(&call->arena);
    free(call->worker);
    free(call);
}

void call_close(struct call *call)
{
    assert(call->state == CALL_ENDED && !call->busy);
    call->state = CALL_CLOSED;
    if (call->opened && call->public.method->close)
        call->public.method->close(&call->public);
    loop_task_cancel(call->public.loop, &call->wake);
    loop_task_cancel(call->public.loop, &call->turn);
    if (!call->request)
        call_free(call);
}

static void discard_input(struct call *call)
{
    inbox_finish(&call->inbox);
    (void)call_hold(call); /* less is never too much */
    call_return_window(call);
}

/* Takes work back that no worker has begun. */
void call_stop_worker(struct call *call)
{
    if (!call->busy || !workers_cancel(call->handler->workers, &call->worker->work))
        return;
    slice_finish(&call->worker->message);
    call->worker_bytes = 0;
    call->busy = false;
}

/* A client that only writes is not told by an end that stands behind messages which it does not read. */
static void limit_deafness(struct call *call)
{
    if (call->public.method->shape != GRPC_EXCHANGE || call->inbox.ended || call->expired)
        return;
    call->overdue = true;
    loop_timer_set(call->public.loop, &call->timer,
                   loop_now_ns(call->public.loop) + WRITER_PATIENCE_NS);
}

/* What the call's log line tells of it: all, where that is for debugging. */
static struct str loggable(const struct call *call, const struct error *error)
{
    bool is_debugged = call->handler->log && log_enabled(call->handler->log, LOG_DEBUG);
    return str_slice(str_of(error->message), 0,
                     is_debugged ? ERROR_MESSAGE_MAX : error_log_size(error));
}

void call_end(struct call *call, enum status status, const struct error *error)
{
    assert(call->state == CALL_LIVE);
    call->state = CALL_ENDED;
    call->status = status;
    if (status != STATUS_OK) {
        call->failure = str_copy(loggable(call, error));
        if (call->opened && call->public.method->cancel)
            call->public.method->cancel(&call->public);
    }
    call_stop_worker(call);
    if (call->request)
        response_end(call, status, error);
    if (call->request && status != STATUS_OK)
        limit_deafness(call);
    packer_finish(&call->packer);
    discard_input(call);
    if (!call->busy)
        call_close(call);
}

static void expire(struct call *call)
{
    call->expired = true;
    struct error error = ERROR_NONE;
    uint64_t timeout_ns = call->public.deadline_ns - call->public.started_ns;
    enum status status =
        error_set(&error, STATUS_DEADLINE_EXCEEDED, "the call's deadline of %.3f s has passed",
                  (double)timeout_ns / (double)NANOSECONDS_PER_SECOND);
    call_end(call, status, &error);
}

/* Also bounds how long the client may take to read what was written in time. A stream is broken only
 * after some patience: a client's own timer then comes first, and says DEADLINE_EXCEEDED to its user
 * where a broken stream would say INTERNAL. */
void call_on_deadline(struct loop_timer *timer)
{
    struct call *call = CONTAINER_OF(timer, struct call, timer);
    if (call->overdue) {
        response_give_up(call);
        return;
    }
    if (call->state == CALL_LIVE) {
        expire(call);
        if (!call->end_is_due)
            return;
    }
    call->overdue = true;
    loop_timer_set(call->public.loop, &call->timer, loop_now_ns(call->public.loop) + PATIENCE_NS);
}

void call_on_first_message_missing(struct loop_timer *timer)
{
    struct call *call = CONTAINER_OF(timer, struct call, first_message);
    if (call->state != CALL_LIVE || call->inbox.message_count > 0)
        return;
    struct error error = ERROR_NONE;
    enum status status = error_set(
        &error, STATUS_DEADLINE_EXCEEDED,
        "the first message of %s did not come within %.3g s; it tells what is wanted, and "
        "until then there is nothing to answer",
        call->public.method->path, call->public.method->first_message_ms / 1000.0);
    call_end(call, status, &error);
}
