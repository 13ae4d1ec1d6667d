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

#include <stdio.h>

struct reason {
    unsigned status;
    const char *text;
};

static const struct reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

static const char *reason_of(unsigned status)
{
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return "Status";
}

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

static void put_framing_fields(struct http1_server *server, unsigned status, bool has_length_field,
                               bool end)
{
    struct http_output *output = &server->connection->wire.output;
    bool has_no_framing = status == 204 || status == 304;
    bool is_head = str_equal(server->stream->request.method, STR("HEAD"));
    if (server->is_chunked && !has_no_framing)
        put_field(output, STR("transfer-encoding"), STR("chunked"));
    if (end && !has_length_field && !has_no_framing && !is_head)
        put_field(output, STR("content-length"), STR("0"));
    if (!server->keep_alive)
        put_field(output, STR("connection"), STR("close"));
    else if (server->stream->request.version == HTTP_1_0)
        put_field(output, STR("connection"), STR("keep-alive"));
}

void http1_respond(struct http_stream *stream, unsigned status, const struct http_header *headers,
                   size_t count, bool end)
{
    struct http_connection *connection = stream->connection;
    struct http1_server *server = http1_server_of(connection);
    struct http_output *output = &connection->wire.output;
    char line[64];
    int length = snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", status, reason_of(status));
    choose_framing(server, headers, count, end);
    http_output_copy(output, line, (size_t)length);
    bool has_length_field = false;
    for (size_t i = 0; i < count; i++) {
        has_length_field |= str_equal(headers[i].name, STR("content-length"));
        put_field(output, headers[i].name, headers[i].value);
    }
    put_field(output, STR("x-request-id"), stream->request.id);
    put_field(output, STR("date"), http_loop_date(connection->home));
    if (connection->home->server->server_name.len > 0)
        put_field(output, STR("server"), connection->home->server->server_name);
    put_framing_fields(server, status, has_length_field, end);
    http_output_copy_str(output, STR("\r\n"));
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
    if (stream->body.ended)
        frame_end(server);
    return false;
}
