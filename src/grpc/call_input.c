/*
 * call_input.c — what a call's method gets: messages and their end, on the loop or on a worker.
 *
 * A method that blocks has one message at a worker and the next ones in the inbox. What the call keeps is
 * told to http, and the window opens again by what it has given on.
 *
 * Runs on the request's loop, but for what a worker runs. Owns nothing beside the call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include <assert.h>

#include "base/memory.h"

bool call_has_one_request(const struct call *call)
{
    enum grpc_shape shape = call->public.method->shape;
    return shape == GRPC_UNARY || shape == GRPC_DOWNLOAD;
}

/* Tells what the call keeps of its request; false when that is too much. */
bool call_hold(struct call *call)
{
    return !call->request ||
           http_hold(call->request, inbox_held_bytes(&call->inbox) + call->worker_bytes);
}

void call_return_window(struct call *call)
{
    size_t closed = inbox_closed_bytes(&call->inbox);
    assert(closed <= call->window_bytes);
    size_t opened = call->window_bytes - closed;
    call->window_bytes = closed;
    if (call->request && opened > 0)
        http_consume(call->request, opened);
}

/* Runs on a worker; from loop_post on, the call belongs to the loop again. */
void call_run_on_worker(struct work *work)
{
    struct call_worker *worker = CONTAINER_OF(work, struct call_worker, work);
    struct grpc_call *public = &worker->call->public;
    worker->status = STATUS_OK;
    if (worker->has_message)
        worker->status = public->method->receive(public, worker->message, &worker->error);
    slice_finish(&worker->message);
    if (worker->status == STATUS_OK && worker->half_close && public->method->half_close)
        worker->status = public->method->half_close(public, &worker->error);
    loop_post(public->loop, &worker->finished);
}

void call_on_worker_finished(struct loop_task *task)
{
    struct call_worker *worker = CONTAINER_OF(task, struct call_worker, finished);
    struct call *call = worker->call;
    call->busy = false;
    call->waiting = false;
    call->worker_bytes = 0;
    if (call->state == CALL_ENDED) {
        call_close(call);
        return;
    }
    if (worker->status != STATUS_OK) {
        call_end(call, worker->status, &worker->error);
        return;
    }
    call->half_closed = worker->half_close;
    call_advance(call);
}

static enum status submit(struct call *call, struct slice message, bool has_message,
                          struct error *error)
{
    struct call_worker *worker = call->worker;
    worker->message = message;
    worker->has_message = has_message;
    worker->half_close = inbox_is_drained(&call->inbox);
    worker->error.status = STATUS_OK;
    call->worker_bytes = message.len;
    call->busy = true;
    enum status status = workers_submit(call->handler->workers, &worker->work, error);
    if (status != STATUS_OK) {
        call->busy = false;
        call->worker_bytes = 0;
        slice_finish(&worker->message);
    }
    return status;
}

/* Messages of a stream look alike: where the method found its bytes they will be in the next one. Once
 * that is known, what comes while a worker is busy can go to its place at once. */
void call_align_messages(struct call *call)
{
    call->inbox.reader.aligned_offset =
        atomic_load_explicit(&call->public.aligned_offset, memory_order_relaxed);
    call->inbox.reader.are_kept =
        atomic_load_explicit(&call->public.keeps_messages, memory_order_relaxed);
    call->inbox.reads_ahead = call->inbox.reader.aligned_offset > 0;
}

static bool is_quick(struct call *call, struct slice message)
{
    const struct grpc_method *method = call->public.method;
    return method->is_quick && method->is_quick(&call->public, message);
}

static enum status deliver_message(struct call *call, struct error *error)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    call_align_messages(call);
    TRY(inbox_take(&call->inbox, &message, error));
    call_return_window(call);
    if (call->worker && !is_quick(call, message)) {
        struct slice taken = message;
        message = SLICE_EMPTY;
        return submit(call, taken, true, error);
    }
    call->waiting = false;
    return call->public.method->receive(&call->public, message, error);
}

static enum status half_close(struct call *call, struct error *error)
{
    if (call_has_one_request(call) && call->inbox.message_count == 0)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "%s takes one request message and the client sent none",
                         call->public.method->path);
    const struct grpc_method *method = call->public.method;
    bool is_quick = method->end_is_quick && method->end_is_quick(&call->public);
    if (call->worker && method->half_close && !is_quick)
        return submit(call, SLICE_EMPTY, false, error);
    call->half_closed = true;
    call->waiting = false;
    if (!method->half_close)
        return STATUS_OK;
    return method->half_close(&call->public, error);
}

/* The client sent something that the method may have now. */
bool call_has_input(struct call *call)
{
    const struct inbox *inbox = &call->inbox;
    const struct grpc_method *method = call->public.method;
    if (call->half_closed || (method->in_turn && !call->waiting))
        return false;
    if (inbox->has_message && method->has_room && !method->has_room(&call->public))
        return false;
    return (inbox->has_message && (inbox->ended || !call_has_one_request(call))) ||
           inbox_is_drained(inbox);
}

/* Hands the method the next thing that the client sent; *out_moved tells whether there was one. */
enum status call_step_input(struct call *call, bool *out_moved, struct error *error)
{
    *out_moved = call_has_input(call);
    if (!*out_moved)
        return STATUS_OK;
    return call->inbox.has_message ? deliver_message(call, error) : half_close(call, error);
}
