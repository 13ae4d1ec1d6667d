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
 * Leaves out: how a call is made of a request (call_begin.c), what its method gets (call_input.c), how it
 * ends (call_end.c), what is written (response.c) and reported (report.c).
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, statuscodes.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include "base/memory.h"

/* What a call may do before others have their turn: functions of its method that are called. */
#define STEPS_MAX 64
/* For a client that came while too much was held. */
#define RETRY_AFTER_MS 1000

static struct call *call_of(struct grpc_call *public)
{
    return CONTAINER_OF(public, struct call, public);
}

static bool has_one_response(const struct call *call)
{
    enum grpc_shape shape = call->public.method->shape;
    return shape == GRPC_UNARY || shape == GRPC_UPLOAD;
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
        *out_moved = call->public.method->in_turn && call_has_input(call);
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
        enum status status = call_step_input(call, &moved, &error);
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
    if (call_hold(call))
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
    call->timer = LOOP_TIMER_INIT(call_on_deadline);
    call->first_message = LOOP_TIMER_INIT(call_on_first_message_missing);
    call->wake = LOOP_TASK_INIT(on_wake);
    call->turn = LOOP_TASK_INIT(on_turn);
    if (!call->worker)
        return;
    call->worker->work.run = call_run_on_worker;
    call->worker->finished = LOOP_TASK_INIT(call_on_worker_finished);
}

/* --- what http tells ------------------------------------------------------------------------ */

/* Assembles what the bytes complete and acts on it; leaves in *bytes what has to be deferred: what
 * comes after a message that waits, for its method or for the call's next turn. */
static enum status read_body(struct call *call, struct str *bytes, struct error *error)
{
    for (unsigned step = 0;
         bytes->len > 0 && call->state == CALL_LIVE && inbox_has_room(&call->inbox); step++) {
        call_align_messages(call);
        size_t offered = bytes->len;
        enum status status = inbox_read(&call->inbox, bytes, error);
        call->window_bytes += offered - bytes->len;
        TRY(status);
        if (step < STEPS_MAX)
            call_advance(call);
        else
            take_turn_later(call);
    }
    if (bytes->len > 0 && call->state == CALL_LIVE && call_has_one_request(call))
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
    call_return_window(call);
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
    call_stop_worker(call);
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
