/*
 * wire.c — socket input and gathered output of one connection.
 *
 * One read per readiness event, so that connections of a loop take turns. Output goes out in calls of
 * up to about 1 MiB; after a partial write the wire waits for the loop instead of asking the socket
 * again, and it changes its interest only when that changes.
 *
 * Runs on the wire's loop. Owns the descriptor and the output queue. Leaves out: every protocol, and
 * when to close. SPDX-License-Identifier: Apache-2.0
 */
#include "http/wire.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define IOVECS_MAX 1024
#define SEND_BYTES_MAX ((size_t)1 << 20)

static ssize_t socket_send(struct http_wire *wire, const struct iovec *iovecs, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)iovecs, .msg_iovlen = count};
    return sendmsg(wire->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool is_temporary(int error_number)
{
    return error_number == EAGAIN || error_number == EWOULDBLOCK || error_number == EINTR ||
           error_number == ENOBUFS || error_number == ENOMEM;
}

static void read_once(struct http_wire *wire)
{
    ssize_t size = recv(wire->watch.fd, wire->read_buffer, wire->read_buffer_bytes, MSG_DONTWAIT);
    if (size > 0) {
        http_wire_input(wire, wire->read_buffer, (size_t)size);
    } else if (size == 0) {
        wire->ended = true;
        wire->owner->on_input_end(wire);
    } else if (!is_temporary(errno)) {
        wire->broken = true;
    }
}

static void on_ready(struct loop_watch *watch, unsigned ready)
{
    struct http_wire *wire = CONTAINER_OF(watch, struct http_wire, watch);
    bool may_read = wire->reading && !wire->ended;
    if (may_read && (ready & (LOOP_READ | LOOP_HANGUP)))
        read_once(wire);
    else if (ready & LOOP_HANGUP)
        wire->broken = true;
    if (ready & LOOP_WRITE)
        wire->blocked = false;
    http_wire_touch(wire);
}

static void on_flush(struct loop_flush *flush)
{
    struct http_wire *wire = CONTAINER_OF(flush, struct http_wire, flush);
    wire->owner->on_flush(wire);
}

enum status http_wire_init(struct http_wire *wire, struct loop *loop, int fd,
                           const struct http_wire_owner *owner, struct error *error)
{
    wire->loop = loop;
    wire->watch = (struct loop_watch){.fd = fd, .on_ready = on_ready};
    wire->flush = (struct loop_flush){.run = on_flush};
    wire->owner = owner;
    wire->send = socket_send;
    wire->reading = true;
    wire->progress_ns = loop_now_ns(loop);
    http_output_init(&wire->output);
    if (fd >= 0)
        TRY(loop_watch_add(loop, &wire->watch, LOOP_READ, error));
    return STATUS_OK;
}

void http_wire_finish(struct http_wire *wire)
{
    if (!wire->loop)
        return;
    loop_flush_cancel(&wire->flush);
    if (wire->watch.fd >= 0) {
        loop_watch_remove(wire->loop, &wire->watch);
        if (wire->abrupt) {
            struct linger linger = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(wire->watch.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        }
        (void)close(wire->watch.fd);
    }
    http_output_finish(&wire->output);
    *wire = (struct http_wire){.watch.fd = -1};
}

void http_wire_input(struct http_wire *wire, const uint8_t *bytes, size_t size)
{
    wire->received_bytes += size;
    wire->owner->on_input(wire, bytes, size);
}

void http_wire_send(struct http_wire *wire)
{
    if (wire->output.bytes == 0 || wire->blocked || wire->broken)
        return;
    struct iovec iovecs[IOVECS_MAX];
    wire->progress_ns = loop_now_ns(wire->loop);
    while (wire->output.bytes > 0) {
        size_t wanted = 0;
        size_t count =
            http_output_gather(&wire->output, iovecs, IOVECS_MAX, SEND_BYTES_MAX, &wanted);
        ssize_t size = wire->send(wire, iovecs, count);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            wire->blocked = is_temporary(errno);
            wire->broken = !wire->blocked;
            return;
        }
        http_output_drop(&wire->output, (size_t)size);
        if ((size_t)size < wanted) {
            wire->blocked = true;
            return;
        }
    }
}

void http_wire_update(struct http_wire *wire)
{
    if (wire->watch.fd < 0)
        return;
    unsigned events = 0;
    if (wire->reading && !wire->ended)
        events |= LOOP_READ;
    if (wire->blocked)
        events |= LOOP_WRITE;
    loop_watch_change(wire->loop, &wire->watch, events);
}

void http_wire_shut(struct http_wire *wire)
{
    if (wire->watch.fd >= 0)
        (void)shutdown(wire->watch.fd, SHUT_WR);
}
