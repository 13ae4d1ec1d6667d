/*
 * http1_respond.c — response heads, chunks and trailers as HTTP/1.1 writes them.
 *
 * How the body ends is decided with the head: by content-length when the handler gave one, by chunks
 * for HTTP/1.1, else with the connection.
 *
 * Runs on the connection's loop. Leaves out: when a response is over (http1_server.c).
 * Spec: RFC 9112 sections 4, 6, 7, 9. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http1_server.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/listener.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* "HTTP/1.1 200 " and CRLF; an empty line's CRLF; what stands around a field's name and value. */
#define STATUS_LINE_BYTES 15
#define LINE_END_BYTES 2
#define FIELD_BYTES 4
/* x-request-id, date, server and those of the framing. */
#define OWN_FIELDS_MAX 6

static void put_field(struct http_output *output, struct str name, struct str value)
{
    http_output_copy_str(output, name);
    http_output_copy_str(output, STR(": "));
    http_output_copy_str(output, value);
    http_output_copy_str(output, STR("\r\n"));
}

/* Which of the three ways the body will end; false in both flags: with the connection. */
static void choose_framing(struct http1_server *server, const struct http_header *headers,
                           size_t count, bool end)
{
    const struct http_stream *stream = server->stream;
    const struct http_headers all = {.items = headers, .count = count};
    struct str length = http_headers_get(&all, STR("content-length"));
    server->length_left = 0;
    server->has_length = end || str_to_u64(length, &server->length_left);
    server->is_chunked = !server->has_length && stream->request.version == HTTP_1_1;
    bool may_follow =
        stream->handled && stream->request.body_ended && !server->connection->draining;
    if (!may_follow || !(server->has_length || server->is_chunked || stream->mute))
        server->keep_alive = false;
}

/* The fields of a response that are not its handler's. */
struct own_fields {
    struct http_header items[OWN_FIELDS_MAX];
    size_t count;
};

static void add(struct own_fields *own, struct str name, struct str value)
{
    assert(own->count < OWN_FIELDS_MAX);
    own->items[own->count++] = (struct http_header){name, value};
}

static void add_usual_fields(struct own_fields *own, const struct http_stream *stream)
{
    struct http_loop *home = stream->connection->home;
    add(own, STR("x-request-id"), stream->request.id);
    add(own, STR("date"), http_loop_date(home));
    if (home->server->server_name.len > 0)
        add(own, STR("server"), home->server->server_name);
}

static void add_framing_fields(struct own_fields *own, const struct http1_server *server,
                               unsigned status, bool has_length_field, bool end)
{
    bool has_no_framing = status == 204 || status == 304;
    bool is_head = str_equal(server->stream->request.method, STR("HEAD"));
    if (server->is_chunked && !has_no_framing)
        add(own, STR("transfer-encoding"), STR("chunked"));
    if (end && !has_length_field && !has_no_framing && !is_head)
        add(own, STR("content-length"), STR("0"));
    if (!server->keep_alive)
        add(own, STR("connection"), STR("close"));
    else if (server->stream->request.version == HTTP_1_0)
        add(own, STR("connection"), STR("keep-alive"));
}

static size_t fields_size(const struct http_header *fields, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += fields[i].name.len + fields[i].value.len + FIELD_BYTES;
    return size;
}

static uint8_t *write_text(uint8_t *end, struct str text)
{
    if (text.len > 0)
        memcpy(end, text.ptr, text.len);
    return end + text.len;
}

static uint8_t *write_fields(uint8_t *end, const struct http_header *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        end = write_text(end, fields[i].name);
        end = write_text(end, STR(": "));
        end = write_text(end, fields[i].value);
        end = write_text(end, STR("\r\n"));
    }
    return end;
}

static uint8_t *write_status_line(uint8_t *end, unsigned status)
{
    end = write_text(end, STR("HTTP/1.1 "));
    *end++ = (uint8_t)('0' + status / 100);
    *end++ = (uint8_t)('0' + status / 10 % 10);
    *end++ = (uint8_t)('0' + status % 10);
    *end++ = ' ';
    end = write_text(end, http_status_reason(status));
    return write_text(end, STR("\r\n"));
}

/* The head in one piece: the status line, the handler's fields, our own. */
static void put_head(struct http_output *output, unsigned status, const struct http_header *headers,
                     size_t count, const struct own_fields *own)
{
    size_t size = STATUS_LINE_BYTES + http_status_reason(status).len + fields_size(headers, count) +
                  fields_size(own->items, own->count) + LINE_END_BYTES;
    uint8_t *start = http_output_reserve(output, size);
    uint8_t *end = write_status_line(start, status);
    end = write_fields(end, headers, count);
    end = write_fields(end, own->items, own->count);
    end = write_text(end, STR("\r\n"));
    assert((size_t)(end - start) == size);
    http_output_commit(output, size);
}

void http1_respond(struct http_stream *stream, unsigned status, const struct http_header *headers,
                   size_t count, bool end)
{
    struct http1_server *server = http1_server_of(stream->connection);
    const struct http_headers all = {.items = headers, .count = count};
    bool has_length_field = http_headers_get(&all, STR("content-length")).ptr != NULL;
    choose_framing(server, headers, count, end);
    struct own_fields own = {.count = 0};
    add_usual_fields(&own, stream);
    add_framing_fields(&own, server, status, has_length_field, end);
    put_head(&stream->connection->wire.output, status, headers, count, &own);
}

void http1_upgrade(struct http_stream *stream, const struct http_header *headers, size_t count)
{
    struct http1_server *server = http1_server_of(stream->connection);
    struct own_fields own = {.count = 0};
    add_usual_fields(&own, stream);
    add(&own, STR("connection"), STR("Upgrade"));
    add(&own, STR("upgrade"), stream->request.protocol);
    put_head(&stream->connection->wire.output, 101, headers, count, &own);
    server->state = HTTP1_TUNNEL;
    server->is_chunked = false;
    server->has_length = false;
    server->keep_alive = false;
    stream->request.body_ended = false;
}

void http1_respond_continue(struct http1_server *server)
{
    http_output_copy_str(&server->connection->wire.output, STR("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void frame_part(struct http1_server *server, size_t size)
{
    struct http_output *output = &server->connection->wire.output;
    struct slices *queue = &server->stream->body.queue;
    if (!server->is_chunked) {
        http_output_take(output, queue, size);
        return;
    }
    char head[24];
    int length = snprintf(head, sizeof(head), "%zx\r\n", size);
    http_output_copy(output, head, (size_t)length);
    http_output_take(output, queue, size);
    http_output_copy_str(output, STR("\r\n"));
}

static bool takes_trailers(const struct http_request *request)
{
    struct str rest = http_headers_get(&request->headers, STR("te"));
    while (rest.len > 0) {
        if (str_equal_nocase(str_trim(str_split(&rest, ',')), STR("trailers")))
            return true;
    }
    return false;
}

static void frame_end(struct http1_server *server)
{
    struct http_output *output = &server->connection->wire.output;
    struct http_stream *stream = server->stream;
    if (server->is_chunked && !stream->mute) {
        http_output_copy_str(output, STR("0\r\n"));
        size_t count = takes_trailers(&stream->request) ? stream->body.trailer_count : 0;
        for (size_t i = 0; i < count; i++)
            put_field(output, stream->body.trailers[i].name, stream->body.trailers[i].value);
        http_output_copy_str(output, STR("\r\n"));
    }
    /* A body shorter than announced must not be taken for the next response's beginning. */
    if (server->has_length && server->length_left > 0 && !stream->mute)
        server->keep_alive = false;
    stream->end_framed = true;
    stream->end_position = output->appended;
}

bool http1_frame_body(struct http1_server *server)
{
    struct http_stream *stream = server->stream;
    if (!stream->request.responded || stream->end_framed || stream->body.aborted)
        return false;
    struct slices *queue = &stream->body.queue;
    struct http_output *output = &server->connection->wire.output;
    while (queue->bytes > 0) {
        if (output->bytes >= HTTP_OUTPUT_BYTES_MAX)
            return true;
        size_t size = size_min(queue->bytes, HTTP_OUTPUT_BYTES_MAX);
        if (server->has_length) {
            size = size_min(size, server->length_left);
            server->length_left -= size;
        }
        if (size > 0)
            frame_part(server, size);
        else
            slices_finish(queue); /* longer than announced */
        http_stream_framed(stream);
    }
    if (stream->body.ended && !stream->body.held)
        frame_end(server);
    return false;
}
