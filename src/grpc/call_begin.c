/*
 * call_begin.c — makes a call of a request, or ends it at once: content-type, method, metadata, deadline.
 *
 * A call lives in its request's arena; one whose method blocks has memory of its own, for its worker may
 * still run when the request is gone.
 *
 * Runs on the request's loop and owns nothing.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Requests".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include "base/memory.h"
#include "grpc/deadline.h"
#include "grpc/encoding.h"

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
    call->public.arena = &call->arena;
    call->public.metadata = copy_headers(&call->arena, &request->headers);
    call->public.id = arena_copy(&call->arena, request->id);
    call->public.peer = arena_copy(&call->arena, request->peer);
    call->public.trace_id = arena_copy(&call->arena, request->trace_id);
    call->public.span_id = arena_copy(&call->arena, request->span_id);
    return call;
}

static struct call *make_on_request(const struct http_request *request)
{
    struct call *call = ARENA_NEW(request->arena, struct call);
    call->public.arena = request->arena;
    call->public.metadata = request->headers;
    call->public.id = request->id;
    call->public.peer = request->peer;
    call->public.trace_id = request->trace_id;
    call->public.span_id = request->span_id;
    return call;
}

/* Response messages are compressed the way the request's are, if the client takes that. */
static void choose_encodings(struct call *call)
{
    const struct http_headers *headers = &call->public.metadata;
    struct str encoding = http_headers_get(headers, STR("grpc-encoding"));
    inbox_init(&call->inbox, call->handler->receive_message_bytes_max, encoding,
               call->format->is_text);
    atomic_init(&call->public.keeps_messages, call->public.method->keeps_messages);
    call->inbox.reader.are_kept = call->public.method->keeps_messages;
    call->response_encoding = call->inbox.encoding;
    call->may_compress =
        call->inbox.reader.may_be_compressed && encoding_is_accepted(headers, encoding);
}

static struct call *make(struct grpc_handler *handler, struct http_request *request,
                         struct method_entry *entry, const struct wire_format *format)
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
    call_set_callbacks(call);
    call->format = format;
    call->response_format = format;
    if (format->is_web)
        call->response_format = wire_format_of_response(
            format, http_headers_get(&call->public.metadata, STR("accept")));
    call->content_type = http_headers_get(&call->public.metadata, STR("content-type"));
    choose_encodings(call);
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

static void expect_first_message(struct call *call)
{
    uint64_t patience_ms = call->public.method->first_message_ms;
    if (patience_ms > 0)
        loop_timer_set(call->public.loop, &call->first_message,
                       loop_now_ns(call->public.loop) + patience_ms * NANOSECONDS_PER_MILLISECOND);
}

static enum status start(struct call *call, struct error *error)
{
    if (!wire_format_is_proto(call->format, call->content_type))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "content-type \"%.*s\" is not supported; %.*s and %.*s+proto are",
                         STR_ARGS(str_slice(call->content_type, 0, 64)),
                         STR_ARGS(call->format->type), STR_ARGS(call->format->type));
    if (call->entry == &call->handler->unknown)
        return unknown_method(call, error);
    TRY(metadata_check(&call->public.metadata, error));
    TRY(read_deadline(call, error));
    call->opened = true;
    expect_first_message(call);
    return call->public.method->open ? call->public.method->open(&call->public, error) : STATUS_OK;
}

void call_begin(struct grpc_handler *handler, struct http_request *request,
                struct method_entry *entry, const struct wire_format *format)
{
    struct call *call = make(handler, request, entry, format);
    atomic_fetch_add_explicit(&handler->call_count, 1, memory_order_relaxed);
    call_report_begin(call);
    struct error error;
    error_clear(&error);
    enum status status = start(call, &error);
    if (status != STATUS_OK)
        call_end(call, status, &error);
    else if (entry->method->shape == GRPC_EXCHANGE)
        call_advance(call);
    if (call->request && http_is_draining(call->request))
        call_on_drain(call);
}
