/*
 * call.c — the state machine of a gRPC call.
 *
 *                            END, or a failure, a cancel,            the worker,
 *      request head          a disconnect, the deadline              if any, is done
 *     ───────────────> LIVE ──────────────────────────────> ENDED ──────────────────> CLOSED
 *                      │  ^
 *                      └──┘ open, receive, half_close, next
 *
 * The call is freed when it is CLOSED and http has closed its request, whichever comes last. Every
 * callback records what happened and calls call_advance, which does whatever can be done next; the
 * only way out of LIVE is call_end, the only way to CLOSED is call_close.
 *
 * Methods marked `blocking` have receive and half_close run on a worker (`busy`), which posts
 * `finished` back. A request that ends meanwhile leaves the call ENDED until then; so close
 * never runs beside receive, and what the method sees lives in the call's own arena.
 *
 * Methods with one request message get it when the client half-closed and sent no second one, so that
 * a call that breaks the protocol has no effect.
 *
 * Decompressing a request message and compressing a response message are done in steps, one per turn
 * of the loop (on_turn); a call with many small messages goes on in a later turn, too.
 *
 * Runs on the request's loop. Owns the inbox, the packer, the response metadata and the deadline's timer.
 * Leaves out: how a call is made of a request (call_begin.c), what is written (response.c) and reported
 * (report.c).
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, statuscodes.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include <assert.h>

#include "base/memory.h"

/* What a call may do before others have their turn: functions of its method that are called. */
#define STEPS_MAX 64
/* For a client that came while too much was held. */
#define RETRY_AFTER_MS 1000
/* How long after its deadline a client may take to read or to leave. */
#define PATIENCE_NS (50 * NANOSECONDS_PER_MILLISECOND)
/* How long after the failure of its call a client may go on writing without reading what it was sent. */
#define WRITER_PATIENCE_NS (5 * NANOSECONDS_PER_SECOND)

static struct call *call_of(struct grpc_call *public)
{
    return CONTAINER_OF(public, struct call, public);
}

static bool has_one_request(const struct call *call)
{
    enum grpc_shape shape = call->public.method->shape;
    return shape == GRPC_UNARY || shape == GRPC_DOWNLOAD;
}

static bool has_one_response(const struct call *call)
{
    enum grpc_shape shape = call->public.method->shape;
    return shape == GRPC_UNARY || shape == GRPC_UPLOAD;
}

/* --- the end -------------------------------------------------------------------------------- */

static void call_free(struct call *call)
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

static void call_close(struct call *call)
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

/* Tells what the call keeps of its request; false when that is too much. */
static bool hold(struct call *call)
{
    return !call->request ||
           http_hold(call->request, inbox_held_bytes(&call->inbox) + call->worker_bytes);
}

static void return_window(struct call *call)
{
    size_t closed = inbox_closed_bytes(&call->inbox);
    assert(closed <= call->window_bytes);
    size_t opened = call->window_bytes - closed;
    call->window_bytes = closed;
    if (call->request && opened > 0)
        http_consume(call->request, opened);
}

static void discard_input(struct call *call)
{
    inbox_finish(&call->inbox);
    (void)hold(call); /* less is never too much */
    return_window(call);
}

/* Takes work back that no worker has begun. */
static void stop_worker(struct call *call)
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
    stop_worker(call);
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
static void on_deadline(struct loop_timer *timer)
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

static void on_first_message_missing(struct loop_timer *timer)
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

/* --- request messages ----------------------------------------------------------------------- */

/* Runs on a worker; from loop_post on, the call belongs to the loop again. */
static void run_on_worker(struct work *work)
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

static void on_worker_finished(struct loop_task *task)
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
static void align_messages(struct call *call)
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
    align_messages(call);
    TRY(inbox_take(&call->inbox, &message, error));
    return_window(call);
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
    if (has_one_request(call) && call->inbox.message_count == 0)
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
static bool has_input(struct call *call)
{
    const struct inbox *inbox = &call->inbox;
    const struct grpc_method *method = call->public.method;
    if (call->half_closed || (method->in_turn && !call->waiting))
        return false;
    if (inbox->has_message && method->has_room && !method->has_room(&call->public))
        return false;
    return (inbox->has_message && (inbox->ended || !has_one_request(call))) ||
           inbox_is_drained(inbox);
}

/* Hands the method the next thing that the client sent; *out_moved tells whether there was one. */
static enum status step_input(struct call *call, bool *out_moved, struct error *error)
{
    *out_moved = has_input(call);
    if (!*out_moved)
        return STATUS_OK;
    return call->inbox.has_message ? deliver_message(call, error) : half_close(call, error);
}

/* --- response messages ---------------------------------------------------------------------- */

static bool may_send(const struct call *call)
{
    if (call->waiting || packer_is_busy(&call->packer) || http_writable_bytes(call->request) == 0)
        return false;
    return call->half_closed || call->public.method->shape == GRPC_EXCHANGE;
}

static void on_message_written(struct call *call)
{
    if (has_one_response(call))
        call_end(call, STATUS_OK, NULL);
}

/* Asks the method for its next response message. */
static enum status step_output(struct call *call, bool *out_moved, struct error *error)
{
    *out_moved = false;
    if (!may_send(call))
        return STATUS_OK;
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    frame_reserve_prefix(&message);
    enum grpc_step step = GRPC_END;
    TRY(call->public.method->next(&call->public, &message, &step, error));
    if (step == GRPC_WAIT) {
        call->waiting = true;
        *out_moved = call->public.method->in_turn && has_input(call);
        return STATUS_OK;
    }
    *out_moved = true;
    if (step == GRPC_MESSAGE) {
        bool is_written;
        TRY(response_write_message(call, &message, &is_written, error));
        if (is_written)
            on_message_written(call);
        return STATUS_OK;
    }
    if (has_one_response(call))
        return error_set(error, STATUS_INTERNAL, "%s ended without its response message",
                         call->public.method->path);
    call_end(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* Goes on in the next round of the loop. */
static void take_turn_later(struct call *call)
{
    loop_post(call->public.loop, &call->turn);
}

static void advance(struct call *call)
{
    struct error error;
    error_clear(&error);
    bool moved = true;
    for (unsigned step = 0; moved && call->state == CALL_LIVE && !call->busy; step++) {
        if (step == STEPS_MAX) {
            take_turn_later(call);
            return;
        }
        enum status status = step_input(call, &moved, &error);
        if (status == STATUS_OK && !moved)
            status = step_output(call, &moved, &error);
        if (status != STATUS_OK) {
            call_end(call, status, &error);
            return;
        }
    }
}

/* What came is kept, or too much: and whether the client owes the rest of a message. */
static void settle_input(struct call *call)
{
    if (call->state != CALL_LIVE)
        return;
    http_body_may_pause(call->request, !inbox_is_midway(&call->inbox));
    if (hold(call))
        return;
    struct error error = ERROR_NONE;
    enum status status =
        error_set(&error, STATUS_RESOURCE_EXHAUSTED,
                  "the server holds as many bytes of requests as it may; try again later");
    error.retry_after_ms = RETRY_AFTER_MS;
    call_end(call, status, &error);
}

void call_advance(struct call *call)
{
    advance(call);
    settle_input(call);
    if (call->state == CALL_LIVE && (inbox_is_busy(&call->inbox) || packer_is_busy(&call->packer)))
        take_turn_later(call);
}

static enum status take_turn(struct call *call, struct error *error)
{
    if (inbox_is_busy(&call->inbox))
        TRY(inbox_step(&call->inbox, error));
    if (!packer_is_busy(&call->packer))
        return STATUS_OK;
    bool is_written;
    TRY(response_continue(call, &is_written, error));
    if (is_written)
        on_message_written(call);
    return STATUS_OK;
}

static void on_turn(struct loop_task *task)
{
    struct call *call = CONTAINER_OF(task, struct call, turn);
    if (call->state != CALL_LIVE)
        return;
    struct error error = ERROR_NONE;
    enum status status = take_turn(call, &error);
    if (status != STATUS_OK)
        call_end(call, status, &error);
    else
        call_advance(call);
}

static void on_wake(struct loop_task *task)
{
    struct call *call = CONTAINER_OF(task, struct call, wake);
    call->waiting = false;
    call_advance(call);
}

void call_set_callbacks(struct call *call)
{
    call->timer = LOOP_TIMER_INIT(on_deadline);
    call->first_message = LOOP_TIMER_INIT(on_first_message_missing);
    call->wake = LOOP_TASK_INIT(on_wake);
    call->turn = LOOP_TASK_INIT(on_turn);
    if (!call->worker)
        return;
    call->worker->work.run = run_on_worker;
    call->worker->finished = LOOP_TASK_INIT(on_worker_finished);
}

/* --- what http tells ------------------------------------------------------------------------ */

/* Assembles what the bytes complete and acts on it; leaves in *bytes what has to be deferred: what
 * comes after a message that waits, for its method or for the call's next turn. */
static enum status read_body(struct call *call, struct str *bytes, struct error *error)
{
    for (unsigned step = 0;
         bytes->len > 0 && call->state == CALL_LIVE && inbox_has_room(&call->inbox); step++) {
        align_messages(call);
        size_t offered = bytes->len;
        enum status status = inbox_read(&call->inbox, bytes, error);
        call->window_bytes += offered - bytes->len;
        TRY(status);
        if (step < STEPS_MAX)
            call_advance(call);
        else
            take_turn_later(call);
    }
    if (bytes->len > 0 && call->state == CALL_LIVE && has_one_request(call))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "%s takes one request message and the client sent more",
                         call->public.method->path);
    return STATUS_OK;
}

void call_on_body(struct call *call, struct str bytes)
{
    struct error error;
    error_clear(&error);
    enum status status = read_body(call, &bytes, &error);
    if (status != STATUS_OK)
        call_end(call, status, &error);
    call->window_bytes += bytes.len;
    if (call->state == CALL_LIVE && bytes.len > 0)
        inbox_defer(&call->inbox, bytes);
    settle_input(call);
    return_window(call);
}

size_t call_body_place(struct call *call, uint8_t **out_place)
{
    return call->state == CALL_LIVE ? inbox_place(&call->inbox, out_place) : 0;
}

void call_on_body_end(struct call *call)
{
    if (call->state != CALL_LIVE)
        return;
    struct error error;
    error_clear(&error);
    enum status status = inbox_end(&call->inbox, &error);
    if (status != STATUS_OK)
        call_end(call, status, &error);
    else
        call_advance(call);
}

void call_on_writable(struct call *call)
{
    call_advance(call);
}

void call_on_drain(struct call *call)
{
    if (call->state == CALL_LIVE && call->opened && call->public.method->drain)
        call->public.method->drain(&call->public);
}

void call_on_close(struct call *call, enum http_close why)
{
    stop_worker(call);
    if (call->busy)
        call->work = http_work_begin(call->request);
    call->bytes_received = call->request->bytes_received;
    call->bytes_sent = call->request->bytes_sent;
    call->request = NULL;
    loop_timer_unset(call->public.loop, &call->timer);
    loop_timer_unset(call->public.loop, &call->first_message);
    if (call->state == CALL_LIVE) {
        struct error error = ERROR_NONE;
        enum status status =
            error_set(&error, STATUS_CANCELLED,
                      why == HTTP_CLOSE_DISCONNECTED ? "the client disconnected"
                                                     : "the client cancelled the call");
        call_end(call, status, &error);
        return;
    }
    call->abandoned = why != HTTP_CLOSE_DONE;
    if (call->state == CALL_CLOSED)
        call_free(call);
}

/* --- what methods call ---------------------------------------------------------------------- */

void grpc_call_wake(struct grpc_call *public)
{
    loop_post(public->loop, &call_of(public)->wake);
}

void grpc_call_add_header(struct grpc_call *public, struct str name, struct str value)
{
    (void)metadata_add(&call_of(public)->headers, public->arena, name, value);
}

void grpc_call_add_trailer(struct grpc_call *public, struct str name, struct str value)
{
    (void)metadata_add(&call_of(public)->trailers, public->arena, name, value);
}

bool grpc_call_metadata(struct grpc_call *public, struct str name, struct str *out_value)
{
    struct str value = http_headers_get(&public->metadata, name);
    if (!value.ptr || metadata_is_reserved(name))
        return false;
    if (metadata_is_binary(name))
        return metadata_decode(public->arena, value, out_value);
    *out_value = value;
    return true;
}
