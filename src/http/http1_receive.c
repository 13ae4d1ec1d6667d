/*
 * http1_receive.c — bytes of an HTTP/1.x client become requests.
 *
 * A head is collected whole, checked as raw bytes (http1_head.c), copied into the request's arena and
 * parsed there by llhttp, so that names and values point into that copy. A body goes through llhttp in
 * the read buffer and from there to the handler.
 *
 * Runs on the connection's loop. Leaves out: responses (http1_respond.c).
 * Spec: RFC 9112. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http1_server.h"

#include "http/http1_head.h"

#include <string.h>

/* Chunk extensions, trailers and the like that may come without a byte of content. */
#define IDLE_BODY_BYTES_MAX ((size_t)16 << 10)

/* --- llhttp's callbacks ------------------------------------------------------------------------ */

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct http1_server *server = parser->data;
    server->target = str_make(at, size);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    struct http1_server *server = parser->data;
    server->field_name = str_make(at, size);
    server->field_value = STR_EMPTY;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct http1_server *server = parser->data;
    server->field_value = str_make(at, size);
    return 0;
}

/* The head is in the arena and llhttp does not look back: names become lower case in place. */
static void lower(struct str name)
{
    char *bytes = (char *)name.ptr;
    for (size_t i = 0; i < name.len; i++) {
        if (bytes[i] >= 'A' && bytes[i] <= 'Z')
            bytes[i] = (char)(bytes[i] - 'A' + 'a');
    }
}

static int on_value_complete(llhttp_t *parser)
{
    struct http1_server *server = parser->data;
    if (!server->in_head)
        return 0;
    lower(server->field_name);
    if (http_stream_count_header(server->stream, server->field_name.len, server->field_value.len))
        http_stream_add_header(server->stream, server->field_name, str_trim(server->field_value));
    return 0;
}

/* An upgrade is not taken; the request is an ordinary one. */
static int on_headers_complete(llhttp_t *parser)
{
    struct http1_server *server = parser->data;
    server->in_head = false;
    parser->upgrade = 0;
    return 0;
}

/* Between contents there are lines, and each must end in CRLF; llhttp takes a bare LF in trailers. */
static void check_framing(struct http1_server *server, const char *end)
{
    for (const char *at = server->framing; at < end; at++) {
        if ((*at == '\n') != server->framing_ends_in_cr)
            server->framing_is_bad = true;
        server->framing_ends_in_cr = *at == '\r';
    }
    server->framing = end;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct http1_server *server = parser->data;
    check_framing(server, at);
    server->framing = at + size;
    (void)http_stream_body(server->stream, (const uint8_t *)at, size);
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http1_server *server = parser->data;
    server->message_complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- head -------------------------------------------------------------------------------------- */

/* Answers without a handler and closes. */
static void refuse(struct http1_server *server, unsigned status)
{
    http_stream_destroy(server->stream);
    server->stream = http_stream_create(server->connection, HTTP_1_1);
    server->stream->refuse_status = status;
    server->keep_alive = false;
    server->state = HTTP1_ANSWER;
    server->connection->head_started_ns = 0;
    http_stream_dispatch(server->stream);
}

/* "http://host/path" becomes authority and path; proxies are asked like that, and so may we be. */
static void set_target(struct http_stream *stream, struct str target)
{
    if (str_starts_with_nocase(target, STR("http://"))) {
        struct str rest = str_slice(target, 7, target.len);
        ptrdiff_t slash = str_find(rest, '/');
        size_t end = slash < 0 ? rest.len : (size_t)slash;
        stream->request.authority = str_slice(rest, 0, end);
        target = slash < 0 ? STR("/") : str_slice(rest, end, rest.len);
    }
    http_stream_set_target(stream, target);
}

static void set_expectation(struct http1_server *server)
{
    struct http_stream *stream = server->stream;
    const struct http_headers headers = {stream->headers, stream->header_count};
    struct str expect = http_headers_get(&headers, STR("expect"));
    server->wants_continue = false;
    if (!expect.ptr || stream->request.version != HTTP_1_1)
        return;
    if (str_equal_nocase(expect, STR("100-continue")))
        server->wants_continue = true;
    else if (stream->refuse_status == 0)
        stream->refuse_status = 417;
}

/* Parses a checked head into the current stream; false when llhttp does not take it. */
static bool parse_head(struct http1_server *server, struct str head)
{
    struct http_stream *stream = server->stream;
    llhttp_init(&server->parser, HTTP_REQUEST, &parser_settings);
    server->parser.data = server;
    server->in_head = true;
    server->message_complete = false;
    enum llhttp_errno result = llhttp_execute(&server->parser, head.ptr, head.len);
    bool is_good = !server->in_head &&
                   (result == HPE_OK || (result == HPE_PAUSED && server->message_complete));
    if (!is_good)
        return false;
    stream->request.method =
        arena_copy(&stream->arena, str_of(llhttp_method_name(server->parser.method)));
    stream->request.version = server->parser.http_minor == 0 ? HTTP_1_0 : HTTP_1_1;
    set_target(stream, server->target);
    set_expectation(server);
    server->keep_alive = llhttp_should_keep_alive(&server->parser) && stream->refuse_status == 0;
    return true;
}

static void begin_request(struct http1_server *server, struct str head)
{
    struct http_stream *stream = http_stream_create(server->connection, HTTP_1_1);
    server->stream = stream;
    server->idle_body_bytes = 0;
    server->framing_is_bad = false;
    server->framing_ends_in_cr = false;
    if (!parse_head(server, arena_copy(&stream->arena, head))) {
        refuse(server, 400);
        return;
    }
    stream->request.body_ended = server->message_complete;
    server->state = server->message_complete ? HTTP1_ANSWER : HTTP1_BODY;
    http_stream_dispatch(stream);
    if (server->message_complete)
        http_stream_body_end(stream);
    else if (server->wants_continue && !stream->request.responded)
        http1_respond_continue(server);
}

/* Takes a head; returns its size, or 0 when it is not complete. */
static size_t take_head(struct http1_server *server, struct str bytes)
{
    struct http_connection *connection = server->connection;
    size_t size_max = http_connection_limits(connection)->header_bytes_max;
    size_t size = 0;
    enum http1_head_state state = http1_head_find(bytes, &server->scanned, &size);
    unsigned refusal = state == HTTP1_HEAD_BROKEN ? 400 : 0;
    if (size > size_max || (state == HTTP1_HEAD_PARTIAL && bytes.len > size_max))
        refusal = 431;
    if (refusal == 0 && state == HTTP1_HEAD_PARTIAL) {
        if (connection->head_started_ns == 0 && bytes.len > 0)
            connection->head_started_ns = loop_now_ns(connection->wire.loop);
        return 0;
    }
    server->scanned = 0;
    connection->head_started_ns = 0;
    struct str head = str_slice(bytes, 0, size);
    if (refusal == 0)
        refusal = http1_head_check(head);
    if (refusal > 0) {
        refuse(server, refusal);
        return bytes.len;
    }
    begin_request(server, head);
    return size;
}

/* --- body -------------------------------------------------------------------------------------- */

static void break_off(struct http1_server *server)
{
    if (!server->stream->request.responded) {
        refuse(server, 400);
        return;
    }
    http_stream_destroy(server->stream);
    server->stream = NULL;
    server->state = HTTP1_HEAD;
    http_connection_close(server->connection);
}

static size_t take_body(struct http1_server *server, struct str bytes)
{
    uint64_t received = server->stream->request.bytes_received;
    server->framing = bytes.ptr;
    enum llhttp_errno result = llhttp_execute(&server->parser, bytes.ptr, bytes.len);
    size_t used = bytes.len;
    if (result == HPE_PAUSED && server->message_complete)
        used = (size_t)(llhttp_get_error_pos(&server->parser) - bytes.ptr);
    check_framing(server, bytes.ptr + used);
    bool has_content = server->stream->request.bytes_received > received;
    server->idle_body_bytes = has_content ? 0 : server->idle_body_bytes + used;
    bool is_good = (result == HPE_OK || server->message_complete) && !server->framing_is_bad &&
                   server->idle_body_bytes <= IDLE_BODY_BYTES_MAX;
    if (!is_good) {
        break_off(server);
        return bytes.len;
    }
    if (server->message_complete) {
        server->state = HTTP1_ANSWER;
        http_stream_body_end(server->stream);
    }
    return used;
}

/* --- both -------------------------------------------------------------------------------------- */

static size_t process(struct http1_server *server, struct str bytes)
{
    size_t used = 0;
    while (used < bytes.len && !server->connection->closing && server->state != HTTP1_ANSWER) {
        struct str rest = str_slice(bytes, used, bytes.len);
        size_t step =
            server->state == HTTP1_HEAD ? take_head(server, rest) : take_body(server, rest);
        if (step == 0)
            break;
        used += step;
    }
    return used;
}

static void drop_pending(struct buf *pending, size_t used)
{
    if (used == pending->len) {
        buf_finish(pending);
        return;
    }
    memmove(pending->ptr, pending->ptr + used, pending->len - used);
    pending->len -= used;
}

void http1_receive_pending(struct http1_server *server)
{
    if (server->pending.len > 0)
        drop_pending(&server->pending, process(server, buf_str(&server->pending)));
}

void http1_receive(struct http_connection *connection, const uint8_t *bytes, size_t size)
{
    struct http1_server *server = http1_server_of(connection);
    size_t used = 0;
    if (server->pending.len == 0)
        used = process(server, str_make(bytes, size));
    if (used == size)
        return;
    bool had_pending = server->pending.len > 0;
    buf_append(&server->pending, bytes + used, size - used);
    if (server->pending.failed)
        http_connection_close(connection);
    else if (had_pending)
        http1_receive_pending(server);
}
