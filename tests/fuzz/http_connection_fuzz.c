/*
 * http_connection_fuzz.c — arbitrary bytes into a server connection of either version, without a
 * socket.
 *
 * The first two bytes say how the input is cut into reads, how much the "socket" takes, whether it is a
 * Unix socket, where our own head checks replace nghttp2's, and whether the server drains after the
 * first read. The corpus holds sessions of real clients (capture_sessions.py). The door behind it
 * answers by path in every way that a handler may. At the end everything must be gone and accounted for.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "http/connection.h"
#include "http/listener.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct {
    size_t take_max;
    size_t open_requests;
} now;

static void write_text(struct http_request *request, const char *text)
{
    struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, text, strlen(text));
    http_write(request, &slices);
    slices_finish(&slices);
}

static bool on_path(const struct http_request *request, char letter)
{
    return request->path.len > 1 && request->path.ptr[1] == letter;
}

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    (void)handler;
    now.open_requests++;
    assert(request->method.len > 0 && request->path.len > 0 && request->id.len > 0);
    struct str value;
    (void)http_query_get(request, STR("a"), &value);
    if (on_path(request, 't'))
        http_respond_text(request, 200, STR("text/plain"), request->path);
    else if (on_path(request, 'e') || on_path(request, 'h'))
        http_respond(request, 200, request->headers.items, size_min(request->headers.count, 4),
                     false);
    else if (on_path(request, 'u') && request->protocol.len > 0)
        http_upgrade(request, NULL, 0);
    else if (on_path(request, 'x'))
        http_abort(request);
    else if (on_path(request, 'n'))
        http_respond(request, 413, NULL, 0, true);
    else if (on_path(request, 'b')) {
        struct slices large;
        slices_init(&large);
        struct buffer *block = buffer_create(300000);
        memset(block->data, 'x', block->size);
        slices_append(&large, slice_make(block->data, block->size, block));
        http_respond(request, 200, NULL, 0, false);
        http_write(request, &large);
        slices_finish(&large);
    }
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    assert(size > 0 && bytes);
    if (on_path(request, 'e'))
        write_text(request, "echo");
    if (!on_path(request, 'h'))
        http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
    const struct http_header trailer = {STR("grpc-status"), STR("0")};
    if (!request->responded)
        http_respond(request, 200, NULL, 0, false);
    http_end(request, &trailer, 1);
}

static void on_writable(struct http_request *request)
{
    write_text(request, "more");
}

static void on_close(struct http_request *request, enum http_close why)
{
    (void)request, (void)why;
    assert(now.open_requests > 0);
    now.open_requests--;
}

static ssize_t take_output(struct http_wire *wire, const struct iovec *iovecs, size_t count)
{
    (void)wire;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++)
        taken += iovecs[i].iov_len;
    taken = size_min(taken, now.take_max);
    if (taken > 0)
        return (ssize_t)taken;
    errno = EAGAIN;
    return -1;
}

static bool is_open(const struct http_server *server)
{
    return http_server_connections(server) > 0;
}

static void run(struct http_server *server, struct http_connection *connection, struct loop *loop)
{
    loop_run_once(loop, 0);
    if (!is_open(server))
        return;
    assert(connection->wire.output.bytes <= 2 * HTTP_OUTPUT_BYTES_MAX + 65536);
    connection->wire.blocked = false;
    http_wire_touch(&connection->wire);
    loop_run_once(loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct http_handler handler = {
        .on_request = on_request,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_writable = on_writable,
        .on_close = on_close,
    };
    if (size < 2)
        return 0;
    size_t step = bytes[0] == 0 ? SIZE_MAX : bytes[0];
    bool is_local = bytes[1] & 1;
    bool drains = bytes[1] & 4;
    now.take_max = bytes[1] & 2 ? (size_t)bytes[1] * 8 : SIZE_MAX;
    bytes += 2;
    size -= 2;

    struct loop *loop = NULL;
    struct http_server *server = NULL;
    struct http_connection *connection = NULL;
    const struct http_door door = {0};
    const struct http_handler *handlers[] = {&handler};
    struct http_server_options options = {
        .limits = http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = &loop,
        .loop_count = 1,
    };
    options.limits.write_queue_bytes = 65536;
    options.limits.header_bytes_max = 8192;
    options.limits.streams_max = 10;
    bool is_ready = loop_create(&loop, NULL) == STATUS_OK &&
                    http_server_create(&options, &server, NULL) == STATUS_OK &&
                    http_server_take_connection(server) &&
                    http_connection_create(&server->loops[0], &door, -1, is_local, "fuzz",
                                           &connection, NULL) == STATUS_OK;
    assert(is_ready);
    connection->wire.send = take_output;
    while (size > 0 && is_open(server)) {
        size_t part = size_min(size, step);
        http_wire_input(&connection->wire, bytes, part);
        bytes += part;
        size -= part;
        run(server, connection, loop);
        if (drains && is_open(server)) {
            drains = false;
            http_connection_drain(connection);
            run(server, connection, loop);
        }
    }
    if (is_open(server)) {
        connection->wire.ended = true;
        connection->wire.owner->on_input_end(&connection->wire);
        run(server, connection, loop);
    }
    http_server_destroy(server);
    loop_destroy(loop);
    assert(now.open_requests == 0);
    return 0;
}
