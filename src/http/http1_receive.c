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

#include <stdio.h>
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

/* A byte between contents. There are lines there, and each must end in CRLF, hold no other control and
 * not be folded; llhttp takes a bare LF and folds in trailers, and much in extensions. */
static bool is_framing(char byte, char last)
{
    bool is_blank = byte == ' ' || byte == '\t';
    bool is_control = ((unsigned char)byte < 0x20 && !is_blank) || byte == 0x7f;
    if (last == '\r' || byte == '\n')
        return last == '\r' && byte == '\n';
    return byte == '\r' || (!is_control && !(is_blank && last == '\n'));
}

static void check_framing(struct http1_server *server, const char *end)
{
    for (const char *at = server->framing; at < end; at++) {
        if (!is_framing(*at, server->framing_last))
            server->framing_is_bad = true;
        server->framing_last = *at;
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
static void refuse(struct http1_server *server, unsigned status, struct str text)
{
    http_stream_destroy(server->stream);
    server->stream = http_stream_create(server->connection, HTTP_1_1);
    server->stream->refuse_status = status;
    server->stream->refuse_text = arena_copy(&server->stream->arena, text);
    server->keep_alive = false;
    server->state = HTTP1_ANSWER;
    server->connection->head_started_ns = 0;
    http_stream_dispatch(server->stream);
}

/* Refuses what a client sent instead of a head, which may not even be one of HTTP. */
static void refuse_head(struct http1_server *server, struct str bytes, struct http1_fault fault)
{
    if (server->connection->wire.output.appended == 0 && http1_head_is_foreign(bytes))
        server->connection->wire.broken = true;
    else
        refuse(server, fault.status, str_of(fault.text));
}

/* A head without an end; the numbers tell what to change. */
static void refuse_large_head(struct http1_server *server, struct str bytes)
{
    char text[128];
    size_t size_max = http_connection_limits(server->connection)->header_bytes_max;
    ptrdiff_t line_end = str_find(bytes, '\n');
    bool is_line = line_end < 0 || (size_t)line_end > size_max;
    int len = snprintf(text, sizeof(text), "the %s more than %zu bytes",
                       is_line ? "request line has" : "request line and headers have", size_max);
    http_connection_strike(server->connection, HTTP_STRIKE_HEADER_BYTES);
    refuse(server, is_line ? 414 : 431, str_make(text, (size_t)len));
}

/* "http://host/path" becomes authority and path; proxies are asked like that, and so may we be. */
static void set_target(struct http_stream *stream, struct str target)
{
    struct str path;
    struct str host;
    bool is_absolute = http1_target_is_absolute(target, &host, &path);
    if (is_absolute)
        stream->request.authority = host;
    http_stream_set_target(stream, is_absolute ? path : target);
}

static void set_expectation(struct http1_server *server)
{
    struct http_stream *stream = server->stream;
    const struct http_headers headers = {stream->headers, stream->header_count};
    struct str expect = http_headers_get(&headers, STR("expect"));
    server->wants_continue = false;
    if (!expect.ptr || stream->request.version != HTTP_1_1)
        return;
    if (str_equal_nocase(expect, STR("100-continue"))) {
        server->wants_continue = true;
    } else if (stream->refuse_status == 0) {
        stream->refuse_status = 417;
    }
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
    stream->request.method = str_of(llhttp_method_name(server->parser.method));
    stream->request.version = server->parser.http_minor == 0 ? HTTP_1_0 : HTTP_1_1;
    set_target(stream, server->target);
    set_expectation(server);
    server->keep_alive = llhttp_should_keep_alive(&server->parser) && stream->refuse_status == 0;
    return true;
}

static bool has_token(const struct http_headers *headers, struct str name, struct str token)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (!str_equal(headers->items[i].name, name))
            continue;
        struct str rest = headers->items[i].value;
        while (rest.len > 0) {
            if (str_equal_nocase(str_trim(str_split(&rest, ',')), token))
                return true;
        }
    }
    return false;
}

/* What the client would rather speak here. With a body it would not be clear whose bytes follow. */
static void set_protocol(struct http1_server *server)
{
    struct http_stream *stream = server->stream;
    const struct http_headers headers = {stream->headers, stream->header_count};
    if (stream->request.version != HTTP_1_1 || !server->message_complete ||
        !str_equal(stream->request.method, STR("GET")) ||
        !has_token(&headers, STR("connection"), STR("upgrade")))
        return;
    struct str upgrade = http_headers_get(&headers, STR("upgrade"));
    struct str protocol = arena_copy(&stream->arena, str_trim(str_split(&upgrade, ',')));
    lower(protocol);
    stream->request.protocol = protocol;
}

static void begin_request(struct http1_server *server, struct str head)
{
    struct http_stream *stream = http_stream_create(server->connection, HTTP_1_1);
    server->stream = stream;
    server->idle_body_bytes = 0;
    server->framing_is_bad = false;
    server->framing_last = 0;
    if (!parse_head(server, arena_copy(&stream->arena, head))) {
        bool is_method_unknown = llhttp_get_errno(&server->parser) == HPE_INVALID_METHOD;
        refuse(server, is_method_unknown ? 501 : 400,
               is_method_unknown ? STR("the method is not known")
                                 : str_of(llhttp_get_error_reason(&server->parser)));
        return;
    }
    stream->request.body_ended = server->message_complete;
    server->state = server->message_complete ? HTTP1_ANSWER : HTTP1_BODY;
    set_protocol(server);
    http_stream_dispatch(stream);
    if (server->state == HTTP1_TUNNEL)
        return;
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
    if (size > size_max || (state == HTTP1_HEAD_PARTIAL && bytes.len > size_max)) {
        refuse_large_head(server, bytes);
        return bytes.len;
    }
    if (state == HTTP1_HEAD_PARTIAL) {
        if (connection->head_started_ns == 0 && bytes.len > 0)
            connection->head_started_ns = loop_now_ns(connection->wire.loop);
        return 0;
    }
    server->scanned = 0;
    connection->head_started_ns = 0;
    struct str head = str_slice(bytes, 0, size);
    struct http1_fault fault =
        state == HTTP1_HEAD_BROKEN ? http1_head_broken : http1_head_check(head);
    if (fault.status > 0) {
        refuse_head(server, bytes, fault);
        return bytes.len;
    }
    begin_request(server, head);
    return size;
}

/* --- body -------------------------------------------------------------------------------------- */

static void break_off(struct http1_server *server)
{
    if (!server->stream->request.responded) {
        refuse(server, 400, STR("the body is not framed as RFC 9112 section 7.1 has it"));
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

static size_t take_raw(struct http1_server *server, struct str bytes)
{
    (void)http_stream_body(server->stream, (const uint8_t *)bytes.ptr, bytes.len);
    return bytes.len;
}

/* --- all --------------------------------------------------------------------------------------- */

static size_t process(struct http1_server *server, struct str bytes)
{
    static size_t (*const takers[])(struct http1_server *, struct str) = {
        [HTTP1_HEAD] = take_head,
        [HTTP1_BODY] = take_body,
        [HTTP1_TUNNEL] = take_raw,
    };
    size_t used = 0;
    while (used < bytes.len && !server->connection->closing && server->state != HTTP1_ANSWER) {
        struct str rest = str_slice(bytes, used, bytes.len);
        size_t step = takers[server->state](server, rest);
        if (step == 0)
            break;
        used += step;
    }
    return used;
}

/* A pipeline of small requests is taken from the front without moving what is behind. */
static void drop_pending(struct http1_server *server, size_t used)
{
    server->pending_at += used;
    if (server->pending_at < server->pending.len)
        return;
    buf_finish(&server->pending);
    server->pending_at = 0;
}

static void add_pending(struct http1_server *server, const uint8_t *bytes, size_t size)
{
    struct buf *pending = &server->pending;
    if (server->pending_at > 0) {
        pending->len -= server->pending_at;
        memmove(pending->ptr, pending->ptr + server->pending_at, pending->len);
        server->pending_at = 0;
    }
    buf_append(pending, bytes, size);
}

void http1_receive_pending(struct http1_server *server)
{
    if (server->pending.len > 0)
        drop_pending(server, process(server, http1_pending(server)));
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
    add_pending(server, bytes + used, size - used);
    if (server->pending.failed)
        http_connection_close(connection);
    else if (had_pending)
        http1_receive_pending(server);
}
