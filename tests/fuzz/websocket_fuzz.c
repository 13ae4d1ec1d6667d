/*
 * websocket_fuzz.c — arbitrary frames into a WebSocket over HTTP/1.1, without a socket.
 *
 * The first byte says how the input is cut into reads and whether it is bytes as they are, or frames to
 * be masked: a head byte, a length byte, a payload. The owner echoes, closes at a "q", and checks what
 * it is promised: text is UTF-8, messages keep to their limit, nothing comes after the close, which comes
 * once. At the end everything must be gone. SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "http/connection.h"
#include "http/listener.h"
#include "http/websocket.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define MESSAGE_BYTES_MAX 300

static const char opening[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static struct {
    size_t take_max;
    unsigned opened;
    unsigned closed; /* websockets */
    unsigned requests_closed;
} now;

static void on_message(struct websocket *websocket, enum websocket_type type, struct str message)
{
    assert(now.closed == 0 && message.len <= MESSAGE_BYTES_MAX);
    assert(type == WEBSOCKET_BINARY || str_is_utf8(message));
    if (message.len > 0 && message.ptr[0] == 'q') {
        websocket_close(websocket, WEBSOCKET_NORMAL, STR("bye"));
        return;
    }
    struct slices answer;
    slices_init(&answer);
    slices_append_copy(&answer, message.ptr, message.len);
    websocket_send(websocket, type, &answer);
    slices_finish(&answer);
}

static void on_websocket_close(struct websocket *websocket, unsigned code, struct str reason)
{
    assert(code >= 1000 && code <= 4999 && str_is_utf8(reason));
    assert(websocket_writable_bytes(websocket) == 0);
    now.closed++;
}

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    static const struct websocket_events events = {
        .on_message = on_message,
        .on_close = on_websocket_close,
    };
    (void)handler;
    struct websocket_options options = websocket_options_default;
    options.message_bytes_max = MESSAGE_BYTES_MAX;
    options.frame_bytes_max = 100;
    (void)websocket_accept(request, &options, &events, NULL, NULL, 0);
    now.opened++;
}

static void on_close(struct http_request *request, enum http_close why)
{
    (void)request, (void)why;
    assert(now.closed == now.opened);
    now.requests_closed++;
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

/* "head length payload ..." as a client's frames; lengths above 200 stand for longer ones. */
static void mask_frames(const uint8_t *bytes, size_t size, struct buf *out)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t at = 0;
    while (at + 2 <= size) {
        uint8_t head = bytes[at];
        size_t length = bytes[at + 1] > 200 ? (size_t)bytes[at + 1] * 2 : bytes[at + 1];
        at += 2;
        length = size_min(length, size - at);
        buf_append_byte(out, head);
        buf_append_byte(out, (uint8_t)(0x80 | (length < 126 ? length : 126)));
        if (length >= 126) {
            buf_append_byte(out, (uint8_t)(length >> 8));
            buf_append_byte(out, (uint8_t)length);
        }
        buf_append(out, mask, sizeof(mask));
        for (size_t i = 0; i < length; i++)
            buf_append_byte(out, bytes[at + i] ^ mask[i % 4]);
        at += length;
    }
}

static void deliver(struct http_server *server, struct http_connection *connection,
                    struct loop *loop, struct str bytes, size_t step)
{
    while (bytes.len > 0 && http_server_connections(server) > 0) {
        struct str part = str_slice(bytes, 0, step);
        http_wire_input(&connection->wire, (const uint8_t *)part.ptr, part.len);
        bytes = str_slice(bytes, part.len, bytes.len);
        loop_run_once(loop, 0);
        if (http_server_connections(server) == 0)
            return;
        connection->wire.blocked = false;
        http_wire_touch(&connection->wire);
        loop_run_once(loop, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct http_handler handler = {.on_request = on_request, .on_close = on_close};
    if (size < 1)
        return 0;
    uint8_t mode = bytes[0];
    size_t step = (mode & 0x3f) == 0 ? SIZE_MAX : mode & 0x3f;
    memset(&now, 0, sizeof(now));
    now.take_max = mode & 0x80 ? 20 : SIZE_MAX;

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
    options.limits.write_queue_bytes = 1000;
    bool is_ready = loop_create(&loop, NULL) == STATUS_OK &&
                    http_server_create(&options, &server, NULL) == STATUS_OK &&
                    http_server_take_connection(server) &&
                    http_connection_create(&server->loops[0], &door, -1, false, "fuzz", &connection,
                                           NULL) == STATUS_OK;
    assert(is_ready);
    connection->wire.send = take_output;
    struct buf frames;
    buf_init(&frames, (size_t)1 << 20);
    if (mode & 0x40)
        buf_append(&frames, bytes + 1, size - 1);
    else
        mask_frames(bytes + 1, size - 1, &frames);
    deliver(server, connection, loop, str_of(opening), SIZE_MAX);
    deliver(server, connection, loop, buf_str(&frames), step);
    http_server_destroy(server);
    loop_destroy(loop);
    buf_finish(&frames);
    assert(now.opened == 1 && now.closed == 1 && now.requests_closed == 1);
    return 0;
}
