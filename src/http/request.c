/*
 * request.c — what handlers call on a request.
 *
 * Each call notes what is wanted, hands it to the connection's version, and has the connection look at
 * it at the end of the round; so no call leads back into the handler.
 *
 * Runs on the request's loop. Leaves out: framing (http1.c, http2_server.c).
 * Spec: RFC 9110, RFC 3986 section 2.1. SPDX-License-Identifier: Apache-2.0
 */
#include "http/request.h"

#include "base/checked.h"
#include "http/connection.h"

#include <assert.h>
#include <string.h>

struct str http_headers_get(const struct http_headers *headers, struct str name)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct str found = headers->items[i].name;
        if (found.len == name.len && found.ptr[0] == name.ptr[0] && str_equal(found, name))
            return headers->items[i].value;
    }
    return STR_EMPTY;
}

/* --- response ---------------------------------------------------------------------------------- */

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* False when none of eight bytes is below a blank or 0x7f; true may be wrong. */
static inline bool may_hold_control(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    uint64_t deleted = word ^ EACH_BYTE(0x7f);
    return (((word - EACH_BYTE(0x20)) | (deleted - EACH_BYTE(1))) & EACH_BYTE(0x80)) != 0;
}

static bool is_field_value(struct str value)
{
    size_t at = 0;
    while (value.len - at >= sizeof(uint64_t) && !may_hold_control(value.ptr + at))
        at += sizeof(uint64_t);
    for (; at < value.len; at++) {
        unsigned char byte = (unsigned char)value.ptr[at];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

static struct str without_controls(struct arena *arena, struct str value)
{
    struct str copy = arena_copy(arena, value);
    char *bytes = (char *)copy.ptr;
    for (size_t i = 0; i < copy.len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            bytes[i] = ' ';
    }
    return copy;
}

/* Values may hold what a client sent: a line break among them would let it write our headers. */
static const struct http_header *checked_headers(struct http_stream *stream,
                                                 const struct http_header *headers, size_t count)
{
    size_t good = 0;
    while (good < count && is_field_value(headers[good].value))
        good++;
    if (good == count)
        return headers;
    struct http_header *copies = ARENA_NEW_ARRAY(&stream->arena, struct http_header, count);
    for (size_t i = 0; i < count; i++) {
        copies[i].name = headers[i].name;
        copies[i].value = without_controls(&stream->arena, headers[i].value);
    }
    return copies;
}

static bool has_no_body(const struct http_request *request, unsigned status)
{
    return status == 204 || status == 304 || str_equal(request->method, STR("HEAD"));
}

void http_respond(struct http_request *request, unsigned status, const struct http_header *headers,
                  size_t count, bool end)
{
    struct http_stream *stream = http_stream_of(request);
    assert(loop_is_current(request->loop));
    if (stream->body.aborted || !stream->handled)
        return;
    assert(!request->responded);
    assert(status >= 200 && status <= 599);
    request->responded = true;
    request->response_status = status;
    stream->mute = end || has_no_body(request, status);
    stream->body.ended = end;
    headers = checked_headers(stream, headers, count);
    if (stream->compressible)
        headers = http_coder_begin(stream, status, headers, &count, end);
    stream->connection->protocol->respond(stream, status, headers, count, end);
    http_connection_touch(stream->connection);
}

void http_response_compressible(struct http_request *request)
{
    assert(!request->responded);
    http_stream_of(request)->compressible = true;
}

void http_upgrade(struct http_request *request, const struct http_header *headers, size_t count)
{
    struct http_stream *stream = http_stream_of(request);
    assert(loop_is_current(request->loop));
    if (stream->body.aborted || !stream->handled)
        return;
    assert(!request->responded && request->protocol.len > 0);
    request->responded = true;
    request->response_status = request->version == HTTP_2 ? 200 : 101;
    request->body_may_pause = true;
    stream->connection->protocol->upgrade(stream, checked_headers(stream, headers, count), count);
    http_connection_touch(stream->connection);
}

void http_body_may_pause(struct http_request *request, bool may_pause)
{
    if (request->body_may_pause == may_pause)
        return;
    request->body_may_pause = may_pause;
    if (!may_pause)
        http_stream_watch_body(http_stream_of(request));
}

bool http_is_draining(const struct http_request *request)
{
    return http_stream_of(request)->connection->draining;
}

void http_write(struct http_request *request, struct slices *body)
{
    struct http_stream *stream = http_stream_of(request);
    assert(loop_is_current(request->loop));
    if (stream->body.aborted || !stream->handled || stream->mute) {
        slices_finish(body);
        return;
    }
    assert(request->responded && !stream->body.ended);
    if (body->bytes == 0)
        return;
    request->bytes_sent += body->bytes;
    if (stream->coder)
        http_coder_write(stream->coder, body);
    else
        slices_move(&stream->body.queue, body);
    http_stream_account(stream);
    http_connection_publish_queue(stream->connection);
    if (http_stream_room(stream) == 0)
        http_stream_starve(stream);
    if (stream->coder)
        return;
    stream->connection->protocol->write(stream);
    http_connection_touch(stream->connection);
}

void http_end(struct http_request *request, const struct http_header *trailers, size_t count)
{
    struct http_stream *stream = http_stream_of(request);
    assert(loop_is_current(request->loop));
    if (stream->body.aborted || !stream->handled)
        return;
    assert(request->responded && !stream->body.ended);
    stream->body.ended = true;
    if (stream->coder)
        http_coder_end(stream->coder);
    stream->connection->protocol->end(stream, checked_headers(stream, trailers, count), count);
    http_connection_touch(stream->connection);
}

void http_cancel(struct http_request *request)
{
    http_stream_of(request)->cancelled = true;
    http_abort(request);
}

void http_abort(struct http_request *request)
{
    struct http_stream *stream = http_stream_of(request);
    assert(loop_is_current(request->loop));
    if (stream->body.aborted || !stream->handled)
        return;
    stream->body.aborted = true;
    stream->body.ended = true;
    http_coder_destroy(STEAL(stream->coder));
    slices_finish(&stream->body.queue);
    http_stream_account(stream);
    stream->connection->protocol->abort(stream);
    http_connection_touch(stream->connection);
}

size_t http_writable_bytes(const struct http_request *request)
{
    struct http_stream *stream = http_stream_of(request);
    size_t room = http_stream_room(stream);
    if (room == 0)
        http_stream_starve(stream);
    return room;
}

size_t http_unsent_bytes(const struct http_request *request)
{
    return http_stream_queued_bytes(http_stream_of(request));
}

void http_consume(struct http_request *request, size_t size)
{
    struct http_stream *stream = http_stream_of(request);
    assert(loop_is_current(request->loop));
    assert(size <= stream->unconsumed_bytes);
    if (size == 0)
        return;
    stream->unconsumed_bytes -= size;
    if (stream->unconsumed_bytes == 0)
        stream->body_held_ns += loop_now_ns(request->loop) - stream->body_held_since_ns;
    stream->connection->protocol->consume(stream, size);
    http_connection_touch(stream->connection);
}

void http_respond_text(struct http_request *request, unsigned status, struct str content_type,
                       struct str body)
{
    const struct http_header headers[] = {
        {STR("content-type"), content_type},
        {STR("content-length"), arena_number(request->arena, body.len)},
    };
    bool is_empty = body.len == 0;
    http_respond(request, status, headers, 2, is_empty);
    if (is_empty)
        return;
    struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, body.ptr, body.len);
    http_write(request, &slices);
    slices_finish(&slices);
    http_end(request, NULL, 0);
}

/* --- query string ------------------------------------------------------------------------------ */

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

enum status http_percent_decode(struct arena *arena, struct str text, bool plus,
                                struct str *out_text, struct error *error)
{
    char *decoded = arena_new(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (byte == '%') {
            int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return error_set(error, STATUS_INVALID_ARGUMENT,
                                 "broken percent escape at byte %zu of '%.*s': two hexadecimal "
                                 "digits must follow '%%'",
                                 i, (int)size_min(text.len, 64), text.ptr);
            byte = (char)(high * 16 + low);
            i += 2;
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        decoded[len++] = byte;
    }
    *out_text = str_make(decoded, len);
    return STATUS_OK;
}

bool http_query_get(const struct http_request *request, struct str name, struct str *out_value)
{
    struct str rest = request->query;
    while (rest.len > 0) {
        struct str value = str_split(&rest, '&');
        struct str raw_name = str_split(&value, '=');
        struct str decoded;
        if (http_percent_decode(request->arena, raw_name, true, &decoded, NULL) != STATUS_OK ||
            !str_equal(decoded, name))
            continue;
        return http_percent_decode(request->arena, value, true, out_value, NULL) == STATUS_OK;
    }
    return false;
}
