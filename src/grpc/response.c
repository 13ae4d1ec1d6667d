/*
 * response.c — what a call writes: headers, messages, the end.
 *
 * Headers go out with the first message, so that a call that fails before it is one HEADERS frame
 * (trailers-only). A message is handed to http with its prefix in one list of slices.
 *
 * Runs on the call's loop and owns nothing.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Responses".
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "base/memory.h"
#include "grpc/call.h"

/* Content-type and what the method added. */
#define HEADERS_MAX (METADATA_COUNT_MAX + 1)

static struct http_header content_type_header(const struct call *call)
{
    struct str name = STR("content-type");
    struct str asked = http_headers_get(&call->request->headers, name);
    if (!content_type_is_proto(asked))
        asked = STR("application/grpc");
    return (struct http_header){.name = name, .value = asked};
}

static void respond(struct call *call)
{
    struct http_header headers[HEADERS_MAX];
    headers[0] = content_type_header(call);
    size_t count = 1 + metadata_headers(&call->headers, headers + 1, HEADERS_MAX - 1);
    http_respond(call->request, 200, headers, count, false);
}

void response_begin_message(struct slices *message)
{
    static const uint8_t room[FRAME_PREFIX_BYTES];
    slices_init(message);
    slices_append_copy(message, room, sizeof(room));
}

enum status response_write_message(struct call *call, struct slices *message, struct error *error)
{
    /* The prefix's bytes stand first in a buffer that nobody else has seen. */
    struct slice *first = slices_at(message, 0);
    assert(first->len >= FRAME_PREFIX_BYTES);
    size_t len = message->bytes - FRAME_PREFIX_BYTES;
    if (len > UINT32_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "a response message of %zu bytes is larger than gRPC can send", len);
    frame_write_prefix((uint8_t *)first->ptr, len);
    if (!call->request->responded)
        respond(call);
    http_write(call->request, message);
    return STATUS_OK;
}

static bool asked_for_compression(const struct call *call)
{
    struct str encoding = call->inbox.reader.encoding;
    return encoding.len > 0 && !str_equal(encoding, STR("identity"));
}

/* One HEADERS frame that is also the end. */
static void respond_trailers_only(struct call *call, const struct metadata *headers,
                                  const struct status_trailers *trailers)
{
    struct http_header items[HEADERS_MAX + ARRAY_COUNT(trailers->items) + 1];
    size_t count = 0;
    items[count++] = content_type_header(call);
    if (call->status == STATUS_UNIMPLEMENTED && asked_for_compression(call))
        items[count++] =
            (struct http_header){.name = STR("grpc-accept-encoding"), .value = STR("identity")};
    count += metadata_headers(headers, items + count, HEADERS_MAX - 1);
    for (size_t i = 0; i < trailers->count; i++)
        items[count++] = trailers->items[i];
    http_respond(call->request, 200, items, count, true);
}

/* Trailers would have to wait for a client that does not read. */
static bool has_unread_messages(const struct call *call)
{
    return call->request->responded &&
           http_writable_bytes(call->request) < call->queue_capacity_bytes;
}

static void write_end(struct call *call, enum status status, const struct error *error)
{
    struct http_request *request = call->request;
    /* While a worker runs, the lists are its own. */
    static const struct metadata none;
    const struct metadata *headers = call->busy ? &none : &call->headers;
    struct status_trailers trailers;
    status_write_trailers(&trailers, status, error, call->busy ? &none : &call->trailers);
    if (!request->responded && status != STATUS_OK) {
        respond_trailers_only(call, headers, &trailers);
        return;
    }
    if (!request->responded)
        respond(call);
    http_end(request, trailers.items, trailers.count);
}

void response_end(struct call *call, enum status status, const struct error *error)
{
    if (call->expired && has_unread_messages(call))
        call->end_is_due = true;
    else
        write_end(call, status, error);
}

void response_give_up(struct call *call)
{
    if (!call->end_is_due || has_unread_messages(call)) {
        http_abort(call->request);
        return;
    }
    struct error error = ERROR_NONE;
    enum status status = error_set(&error, call->status, "%s", call->failure);
    call->end_is_due = false;
    write_end(call, status, &error);
}
