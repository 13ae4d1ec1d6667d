/*
 * response.c — what a call writes: headers, messages, the end.
 *
 * Headers go out with the first message, so that a call that fails before it is one HEADERS frame
 * (trailers-only). A message is handed to http with its prefix in one list of slices, or by way of the
 * packer where it is compressed or sent as text.
 *
 * Runs on the call's loop and owns nothing.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Responses"; PROTOCOL-WEB.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include <assert.h>

#include "base/buf.h"
#include "base/memory.h"
#include "grpc/encoding.h"

/* METADATA_BYTES_MAX and what stands around it. */
#define TRAILERS_FRAME_BYTES_MAX ((size_t)16 << 10)

/* Response messages of other sizes are sent as they are: small ones gain nothing, and Arrow's large
 * ones are compressed inside, if at all. */
#define COMPRESS_BYTES_MIN ((size_t)1 << 10)
#define COMPRESS_BYTES_MAX ((size_t)1 << 20)

/* Content-type, encodings, what pages need, and what the method added. */
#define OWN_HEADERS_MAX (3 + HTTP_CORS_HEADERS_MAX)
#define HEADERS_MAX (OWN_HEADERS_MAX + METADATA_COUNT_MAX)

static struct str content_type(const struct call *call)
{
    if (call->format == call->response_format &&
        wire_format_is_proto(call->format, call->content_type))
        return call->content_type;
    return call->response_format->type;
}

static size_t own_headers(const struct call *call, struct http_header *out)
{
    size_t count = 0;
    out[count++] = (struct http_header){STR("content-type"), content_type(call)};
    /* To those whom it concerns: each header of each call has its price. */
    if (call->inbox.reader.encoding.len > 0)
        out[count++] = (struct http_header){STR("grpc-accept-encoding"), STR(ENCODINGS_ACCEPTED)};
    if (call->may_compress)
        out[count++] = (struct http_header){STR("grpc-encoding"),
                                            str_of(compress_format_name(call->response_encoding))};
    if (call->format->is_web)
        count += http_cors_headers(call->handler->cors, call->request, out + count);
    return count;
}

static void respond(struct call *call)
{
    struct http_header headers[HEADERS_MAX];
    size_t count = own_headers(call, headers);
    count += metadata_headers(&call->headers, headers + count, METADATA_COUNT_MAX);
    http_respond(call->request, 200, headers, count, false);
}

static void write_bytes(struct call *call, struct slices *bytes)
{
    if (!call->request->responded)
        respond(call);
    http_write(call->request, bytes);
}

enum status response_write_message(struct call *call, struct slices *message, bool *out_written,
                                   struct error *error)
{
    size_t len = message->bytes - FRAME_PREFIX_BYTES;
    if (len > UINT32_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "a response message of %zu bytes is larger than gRPC can send", len);
    bool compress = call->may_compress && len >= COMPRESS_BYTES_MIN && len <= COMPRESS_BYTES_MAX;
    bool is_text = call->response_format->is_text;
    if (compress || is_text) {
        packer_start(&call->packer, compress ? &call->response_encoding : NULL, is_text, message);
        return response_continue(call, out_written, error);
    }
    frame_fill_prefix(message, false);
    write_bytes(call, message);
    *out_written = true;
    return STATUS_OK;
}

enum status response_continue(struct call *call, bool *out_written, struct error *error)
{
    CLEANUP(slices_finish) struct slices bytes;
    slices_init(&bytes);
    TRY(packer_step(&call->packer, &bytes, out_written, error));
    if (*out_written)
        write_bytes(call, &bytes);
    return STATUS_OK;
}

/* One HEADERS frame that is also the end. */
static void respond_trailers_only(struct call *call, const struct metadata *headers,
                                  const struct status_trailers *trailers)
{
    struct http_header items[HEADERS_MAX + ARRAY_COUNT(trailers->items)];
    size_t count = own_headers(call, items);
    count += metadata_headers(headers, items + count, METADATA_COUNT_MAX);
    for (size_t i = 0; i < trailers->count; i++)
        items[count++] = trailers->items[i];
    http_respond(call->request, 200, items, count, true);
}

/* The trailers as gRPC-Web's last frame: browsers do not show scripts those of HTTP. */
static void write_trailers_frame(const struct call *call, const struct status_trailers *trailers)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, TRAILERS_FRAME_BYTES_MAX);
    static const uint8_t room[FRAME_PREFIX_BYTES];
    buf_append(&text, room, sizeof(room));
    for (size_t i = 0; i < trailers->count; i++)
        buf_printf(&text, "%.*s: %.*s\r\n", STR_ARGS(trailers->items[i].name),
                   STR_ARGS(trailers->items[i].value));
    assert(!text.failed);
    frame_write_prefix((uint8_t *)text.ptr, text.len - FRAME_PREFIX_BYTES);
    text.ptr[0] = FRAME_FLAG_TRAILERS;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (call->response_format->is_text)
        packer_append_text(&body, buf_str(&text));
    else
        slices_append_copy(&body, text.ptr, text.len);
    http_write(call->request, &body);
}

static void end_body(const struct call *call, const struct status_trailers *trailers)
{
    if (!call->response_format->is_web) {
        http_end(call->request, trailers->items, trailers->count);
        return;
    }
    write_trailers_frame(call, trailers);
    http_end(call->request, NULL, 0);
}

/* Trailers would have to wait for a client that does not read. */
static bool has_unread_messages(const struct call *call)
{
    return call->request->responded && http_unsent_bytes(call->request) > 0;
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
    end_body(call, &trailers);
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
        http_cancel(call->request);
        return;
    }
    struct error error = ERROR_NONE;
    enum status status = error_set(&error, call->status, "%s", call->failure);
    call->end_is_due = false;
    write_end(call, status, &error);
}
