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
 * Runs on the request's loop. Owns the inbox, the response metadata and the deadline's timer. Leaves
 * out: what is written (response.c) and reported (report.c).
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, statuscodes.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include <assert.h>

#include "base/memory.h"
#include "grpc/deadline.h"

/* How long after its deadline a client may take to read or to leave. */
#define PATIENCE_NS (50 * NANOSECONDS_PER_MILLISECOND)

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
    if (!call->request)
        call_free(call);
}

/* Gives the window of bytes back that nobody will read. */
static void discard_input(struct call *call)
{
    size_t deferred_bytes = call->inbox.backlog.bytes;
    inbox_finish(&call->inbox);
    if (call->request && deferred_bytes > 0)
        http_consume(call->request, deferred_bytes);
}

/* Takes work back that no worker has begun. */
static void stop_worker(struct call *call)
{
    if (!call->busy || !workers_cancel(call->handler->workers, &call->worker->work))
        return;
    slice_finish(&call->worker->message);
    call->busy = false;
}

/* The one way out of LIVE. `error` goes with a status other than STATUS_OK. */
static void call_end(struct call *call, enum status status, const struct error *error)
{
    assert(call->state == CALL_LIVE);
    call->state = CALL_ENDED;
    call->status = status;
    if (status != STATUS_OK) {
        call->failure = str_copy(str_of(error->message));
        if (call->opened && call->public.method->cancel)
            call->public.method->cancel(&call->public);
    }
    stop_worker(call);
    if (call->request)
        response_end(call, status, error);
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

static void call_advance(struct call *call);

static void on_worker_finished(struct loop_task *task)
{
    struct call_worker *worker = CONTAINER_OF(task, struct call_worker, finished);
    struct call *call = worker->call;
    call->busy = false;
    call->waiting = false;
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
    call->busy = true;
    enum status status = workers_submit(call->handler->workers, &worker->work, error);
    if (status != STATUS_OK) {
        call->busy = false;
        slice_finish(&worker->message);
    }
    return status;
}

static enum status deliver_message(struct call *call, struct error *error)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    size_t consumed_bytes;
    enum status status = inbox_take(&call->inbox, &message, &consumed_bytes, error);
    if (consumed_bytes > 0)
        http_consume(call->request, consumed_bytes);
    TRY(status);
    if (call->worker) {
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
    if (call->worker && call->public.method->half_close)
        return submit(call, SLICE_EMPTY, false, error);
    call->half_closed = true;
    call->waiting = false;
    if (!call->public.method->half_close)
        return STATUS_OK;
    return call->public.method->half_close(&call->public, error);
}

/* Hands the method the next thing that the client sent; *out_moved tells whether there was one. */
static enum status step_input(struct call *call, bool *out_moved, struct error *error)
{
    const struct inbox *inbox = &call->inbox;
    *out_moved = false;
    if (call->half_closed)
        return STATUS_OK;
    if (inbox->has_message && (inbox->ended || !has_one_request(call))) {
        *out_moved = true;
        return deliver_message(call, error);
    }
    if (inbox_is_drained(inbox)) {
        *out_moved = true;
        return half_close(call, error);
    }
    return STATUS_OK;
}

/* --- response messages ---------------------------------------------------------------------- */

static bool may_send(const struct call *call)
{
    if (call->waiting || http_writable_bytes(call->request) == 0)
        return false;
    return call->half_closed || call->public.method->shape == GRPC_EXCHANGE;
}

/* Asks the method for its next response message. */
static enum status step_output(struct call *call, bool *out_moved, struct error *error)
{
    *out_moved = false;
    if (!may_send(call))
        return STATUS_OK;
    CLEANUP(slices_finish) struct slices message;
    response_begin_message(&message);
    enum grpc_step step = GRPC_END;
    TRY(call->public.method->next(&call->public, &message, &step, error));
    if (step == GRPC_WAIT) {
        call->waiting = true;
        return STATUS_OK;
    }
    *out_moved = true;
    if (step == GRPC_MESSAGE) {
        TRY(response_write_message(call, &message, error));
        if (has_one_response(call))
            call_end(call, STATUS_OK, NULL);
        return STATUS_OK;
    }
    if (has_one_response(call))
        return error_set(error, STATUS_INTERNAL, "%s ended without its response message",
                         call->public.method->path);
    call_end(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* Does whatever can be done now. */
static void call_advance(struct call *call)
{
    struct error error = ERROR_NONE;
    bool moved = true;
    while (moved && call->state == CALL_LIVE && !call->busy) {
        enum status status = step_input(call, &moved, &error);
        if (status == STATUS_OK && !moved)
            status = step_output(call, &moved, &error);
        if (status != STATUS_OK) {
            call_end(call, status, &error);
            return;
        }
    }
}

static void on_wake(struct loop_task *task)
{
    struct call *call = CONTAINER_OF(task, struct call, wake);
    call->waiting = false;
    call_advance(call);
}

/* --- the beginning -------------------------------------------------------------------------- */

static struct http_headers copy_headers(struct arena *arena, const struct http_headers *headers)
{
    struct http_header *items = ARENA_NEW_ARRAY(arena, struct http_header, headers->count);
    for (size_t i = 0; i < headers->count; i++) {
        items[i].name = arena_copy(arena, headers->items[i].name);
        items[i].value = arena_copy(arena, headers->items[i].value);
    }
    return (struct http_headers){.items = items, .count = headers->count};
}

/* Of a blocking method: what the worker sees must not go away with the request. */
static struct call *make_with_worker(const struct http_request *request)
{
    struct call *call = NEW(struct call);
    arena_init(&call->arena);
    call->worker = NEW(struct call_worker);
    call->worker->call = call;
    call->worker->error = ERROR_NONE;
    call->worker->work.run = run_on_worker;
    call->worker->finished = LOOP_TASK_INIT(on_worker_finished);
    call->public.arena = &call->arena;
    call->public.metadata = copy_headers(&call->arena, &request->headers);
    call->public.id = arena_copy(&call->arena, request->id);
    call->public.peer = arena_copy(&call->arena, request->peer);
    return call;
}

static struct call *make_on_request(const struct http_request *request)
{
    struct call *call = ARENA_NEW(request->arena, struct call);
    call->public.arena = request->arena;
    call->public.metadata = request->headers;
    call->public.id = request->id;
    call->public.peer = request->peer;
    return call;
}

static struct call *make(struct grpc_handler *handler, struct http_request *request,
                         struct method_entry *entry)
{
    struct call *call =
        entry->method->blocking ? make_with_worker(request) : make_on_request(request);
    call->public.method = entry->method;
    call->public.service = entry->service;
    call->public.loop = request->loop;
    call->public.connection_id = request->connection_id;
    call->public.started_ns = request->started_ns;
    call->public.deadline_ns = CLOCK_NEVER;
    call->handler = handler;
    call->entry = entry;
    call->request = request;
    call->queue_capacity_bytes = http_writable_bytes(request);
    call->timer = LOOP_TIMER_INIT(on_deadline);
    call->wake = LOOP_TASK_INIT(on_wake);
    inbox_init(&call->inbox, handler->receive_message_bytes_max,
               http_headers_get(&call->public.metadata, STR("grpc-encoding")));
    request->state = call;
    return call;
}

static enum status unknown_method(const struct call *call, struct error *error)
{
    struct str path = str_slice(call->request->path, 0, 256);
    struct str rest = path;
    (void)str_split(&rest, '/');
    struct str service = str_split(&rest, '/');
    if (service.len > 0 && rest.len > 0 && map_get(&call->handler->services, service))
        return error_set(error, STATUS_UNIMPLEMENTED, "service %.*s has no method \"%.*s\"",
                         STR_ARGS(service), STR_ARGS(rest));
    return error_set(error, STATUS_UNIMPLEMENTED, "no service answers \"%.*s\"", STR_ARGS(path));
}

static enum status read_deadline(struct call *call, struct error *error)
{
    struct str text = http_headers_get(&call->public.metadata, STR("grpc-timeout"));
    if (!text.ptr)
        return STATUS_OK;
    uint64_t timeout_ns;
    if (!deadline_parse(text, &timeout_ns))
        return error_set(error, STATUS_INTERNAL,
                         "malformed grpc-timeout \"%.*s\"; expected up to 8 digits and one of "
                         "H, M, S, m, u, n",
                         STR_ARGS(str_slice(text, 0, 32)));
    call->public.deadline_ns = deadline_after(call->public.started_ns, timeout_ns);
    if (timeout_ns == 0)
        return error_set(error, STATUS_DEADLINE_EXCEEDED, "the call's deadline was 0");
    loop_timer_set(call->public.loop, &call->timer, call->public.deadline_ns);
    return STATUS_OK;
}

static enum status start(struct call *call, struct error *error)
{
    struct str content_type = http_headers_get(&call->public.metadata, STR("content-type"));
    if (!content_type_is_proto(content_type))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "content-type \"%.*s\" is not supported; application/grpc and "
                         "application/grpc+proto are",
                         STR_ARGS(str_slice(content_type, 0, 64)));
    if (call->entry == &call->handler->unknown)
        return unknown_method(call, error);
    TRY(metadata_check(&call->public.metadata, error));
    TRY(read_deadline(call, error));
    call->opened = true;
    return call->public.method->open ? call->public.method->open(&call->public, error) : STATUS_OK;
}

void call_begin(struct grpc_handler *handler, struct http_request *request,
                struct method_entry *entry)
{
    struct call *call = make(handler, request, entry);
    atomic_fetch_add_explicit(&handler->call_count, 1, memory_order_relaxed);
    call_report_begin(call);
    struct error error = ERROR_NONE;
    enum status status = start(call, &error);
    if (status != STATUS_OK)
        call_end(call, status, &error);
    else if (entry->method->shape == GRPC_EXCHANGE)
        call_advance(call);
}

/* --- what http tells ------------------------------------------------------------------------ */

/* Assembles what the bytes complete and acts on it; leaves in *bytes what has to be deferred. */
static enum status read_body(struct call *call, struct str *bytes, struct error *error)
{
    while (bytes->len > 0 && call->state == CALL_LIVE && !call->inbox.has_message) {
        TRY(inbox_read(&call->inbox, bytes, error));
        call_advance(call);
    }
    if (bytes->len > 0 && call->state == CALL_LIVE && has_one_request(call))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "%s takes one request message and the client sent more",
                         call->public.method->path);
    return STATUS_OK;
}

void call_on_body(struct call *call, struct str bytes)
{
    struct error error = ERROR_NONE;
    size_t size = bytes.len;
    enum status status = read_body(call, &bytes, &error);
    if (status != STATUS_OK)
        call_end(call, status, &error);
    if (call->state == CALL_LIVE && bytes.len > 0) {
        inbox_defer(&call->inbox, bytes);
        size -= bytes.len;
    }
    http_consume(call->request, size);
}

void call_on_body_end(struct call *call)
{
    if (call->state != CALL_LIVE)
        return;
    struct error error = ERROR_NONE;
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

void call_on_close(struct call *call, enum http_close why)
{
    call->bytes_received = call->request->bytes_received;
    call->bytes_sent = call->request->bytes_sent;
    call->request = NULL;
    loop_timer_unset(call->public.loop, &call->timer);
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
