/*
 * wire.c — socket input and gathered output of one connection, with TLS where it is asked for.
 *
 * One read per readiness event, so that connections of a loop take turns. Output goes out in calls of
 * up to about 1 MiB; after a partial write the wire waits for the loop instead of asking the socket
 * again, and it changes its interest only when that changes.
 *
 * With TLS a batch of the output is encrypted, sent whole and only then dropped, so that positions of
 * the output tell what has left. Handshakes are dear: in one round of the loop they get a share of time,
 * and a wire that comes too late reads in a later round.
 *
 * Runs on the wire's loop. Owns the descriptor and the output queue. Leaves out: every protocol, and
 * when to close. SPDX-License-Identifier: Apache-2.0
 */
#include "http/wire.h"

#include "base/checked.h"
#include "base/memory.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define IOVECS_MAX 1024
/* Less is not worth a system call of its own. */
#define PLACE_BYTES_MIN ((size_t)32 << 10)
#define BEHIND_PLACE_BYTES ((size_t)4 << 10)
#define SEND_BYTES_MAX ((size_t)1 << 20)

static ssize_t socket_send(struct http_wire *wire, const struct iovec *iovecs, size_t count)
{
    /* The plainer call saves the kernel copying the list. */
    if (count == 1)
        return send(wire->watch.fd, iovecs->iov_base, iovecs->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct msghdr message = {.msg_iov = (struct iovec *)iovecs, .msg_iovlen = count};
    return sendmsg(wire->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool is_temporary(int error_number)
{
    return error_number == EAGAIN || error_number == EWOULDBLOCK || error_number == EINTR ||
           error_number == ENOBUFS || error_number == ENOMEM;
}

static void end_input(struct http_wire *wire)
{
    if (wire->ended)
        return;
    wire->ended = true;
    wire->owner->on_input_end(wire);
}

static bool may_place(const struct http_wire *wire)
{
    return !wire->tls && wire->owner->place;
}

static ssize_t receive(const struct http_wire *wire, struct iovec iovecs[2])
{
    if (iovecs[0].iov_len == 0)
        return recv(wire->watch.fd, iovecs[1].iov_base, iovecs[1].iov_len, MSG_DONTWAIT);
    struct msghdr message = {.msg_iov = iovecs, .msg_iovlen = 2};
    return recvmsg(wire->watch.fd, &message, MSG_DONTWAIT);
}

static void deliver_placed(struct http_wire *wire, const struct iovec iovecs[2], size_t size)
{
    size_t placed = size_min(size, iovecs[0].iov_len);
    if (placed > 0)
        http_wire_input(wire, iovecs[0].iov_base, placed);
    if (size > placed)
        http_wire_input(wire, iovecs[1].iov_base, size - placed);
}

/* Once. A large body goes to its place directly; then little is read beyond it, so that the next one's
 * beginning shows where that goes. */
static void read_once(struct http_wire *wire)
{
    uint8_t *buffer = wire->tls ? wire->tls_buffers->input : wire->read_buffer;
    size_t capacity = wire->tls ? TLS_INPUT_BYTES : wire->read_buffer_bytes;
    uint8_t *place = NULL;
    size_t place_bytes = may_place(wire) ? wire->owner->place(wire, &place) : 0;
    if (place_bytes < PLACE_BYTES_MIN)
        place_bytes = 0;
    else
        capacity = BEHIND_PLACE_BYTES;
    struct iovec iovecs[] = {{place, place_bytes}, {buffer, capacity}};
    ssize_t size = receive(wire, iovecs);
    if (size > 0) {
        deliver_placed(wire, iovecs, (size_t)size);
    } else if (size == 0) {
        wire->truncated = wire->tls != NULL;
        end_input(wire);
    } else if (!is_temporary(errno)) {
        wire->broken = true;
    }
}

/* True when other handshakes had this round's time: the socket is asked again in the next. */
static bool must_wait(struct http_wire *wire)
{
    return http_wire_is_shaking(wire) &&
           !tls_buffers_may_shake(wire->tls_buffers, loop_now_ns(wire->loop));
}

static void on_ready(struct loop_watch *watch, unsigned ready)
{
    struct http_wire *wire = CONTAINER_OF(watch, struct http_wire, watch);
    if (ready == LOOP_READ && must_wait(wire))
        return;
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

/* Says goodbye unless the peer would take what it has for complete. */
static void finish_tls(struct http_wire *wire)
{
    if (!wire->tls)
        return;
    bool is_complete = !wire->broken && !wire->abrupt && wire->output.bytes == 0;
    if (is_complete) {
        tls_session_shut(wire->tls);
        http_wire_send(wire);
    }
    tls_session_destroy(wire->tls);
}

void http_wire_finish(struct http_wire *wire)
{
    if (!wire->loop)
        return;
    loop_flush_cancel(&wire->flush);
    finish_tls(wire);
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

/* --- input -------------------------------------------------------------------------------------- */

static void deliver(struct http_wire *wire, const uint8_t *bytes, size_t size)
{
    wire->received_bytes += size;
    wire->owner->on_input(wire, bytes, size);
}

static void decrypt(struct http_wire *wire, const uint8_t *bytes, size_t size)
{
    struct tls_session *tls = wire->tls;
    if (tls_session_failure(tls) != TLS_FAILURE_NONE)
        return;
    tls_session_feed(tls, bytes, size);
    if (!tls_session_is_open(tls) && tls_session_shake(tls))
        wire->owner->on_secured(wire);
    for (;;) {
        size_t plain = tls_session_read(tls, wire->read_buffer, wire->read_buffer_bytes);
        if (plain == 0)
            break;
        deliver(wire, wire->read_buffer, plain);
    }
    if (tls_session_failure(tls) != TLS_FAILURE_NONE)
        wire->owner->on_tls_failure(wire);
    else if (tls_session_is_ended(tls))
        end_input(wire);
}

void http_wire_input(struct http_wire *wire, const uint8_t *bytes, size_t size)
{
    if (wire->tls)
        decrypt(wire, bytes, size);
    else
        deliver(wire, bytes, size);
}

/* --- output ------------------------------------------------------------------------------------- */

/* Sends once; false when it has to end there. `*out_sent` is what left. */
static bool send_once(struct http_wire *wire, const struct iovec *iovecs, size_t count,
                      size_t wanted, size_t *out_sent)
{
    *out_sent = 0;
    ssize_t size = wire->send(wire, iovecs, count);
    if (size < 0 && errno == EINTR)
        return true;
    if (size < 0) {
        wire->blocked = is_temporary(errno);
        wire->broken = !wire->blocked;
        return false;
    }
    *out_sent = (size_t)size;
    if (size > 0)
        wire->progress_ns = loop_now_ns(wire->loop);
    wire->blocked = (size_t)size < wanted;
    return !wire->blocked;
}

static void send_plain(struct http_wire *wire)
{
    struct iovec iovecs[IOVECS_MAX];
    bool may_go_on = true;
    while (may_go_on && wire->output.bytes > 0) {
        size_t wanted = 0;
        size_t sent = 0;
        size_t count =
            http_output_gather(&wire->output, iovecs, IOVECS_MAX, SEND_BYTES_MAX, &wanted);
        may_go_on = send_once(wire, iovecs, count, wanted, &sent);
        http_output_drop(&wire->output, sent);
    }
}

/* Sends ciphertext that waits; true when none does any more. */
static bool send_pending(struct http_wire *wire)
{
    bool may_go_on = true;
    while (may_go_on) {
        struct iovec pending = tls_session_pending(wire->tls);
        if (pending.iov_len == 0)
            return true;
        size_t sent = 0;
        may_go_on = send_once(wire, &pending, 1, pending.iov_len, &sent);
        tls_session_sent(wire->tls, sent);
    }
    return tls_session_pending(wire->tls).iov_len == 0;
}

static void encrypt_batch(struct http_wire *wire)
{
    struct iovec iovecs[IOVECS_MAX];
    size_t gathered = 0;
    size_t count =
        http_output_gather(&wire->output, iovecs, IOVECS_MAX, TLS_BATCH_BYTES, &gathered);
    wire->encrypted_bytes = tls_session_write(wire->tls, iovecs, count);
    if (wire->encrypted_bytes == 0)
        wire->broken = true;
}

static void send_encrypted(struct http_wire *wire)
{
    while (send_pending(wire)) {
        http_output_drop(&wire->output, wire->encrypted_bytes);
        wire->encrypted_bytes = 0;
        /* What was not encrypted when the session failed can never leave. */
        if (wire->output.bytes > 0 && tls_session_failure(wire->tls) != TLS_FAILURE_NONE)
            wire->broken = true;
        if (wire->output.bytes == 0 || !tls_session_is_open(wire->tls) || wire->broken)
            return;
        encrypt_batch(wire);
    }
}

static bool has_output(const struct http_wire *wire)
{
    return wire->output.bytes > 0 || (wire->tls && tls_session_pending(wire->tls).iov_len > 0);
}

static void close_output(struct http_wire *wire)
{
    wire->shutting = false;
    if (wire->watch.fd >= 0)
        (void)shutdown(wire->watch.fd, SHUT_WR);
}

void http_wire_send(struct http_wire *wire)
{
    if (wire->blocked || wire->broken)
        return;
    if (has_output(wire)) {
        if (wire->tls)
            send_encrypted(wire);
        else
            send_plain(wire);
    }
    if (wire->shutting && !wire->blocked && !has_output(wire))
        close_output(wire);
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
    wire->shutting = true;
    if (wire->tls)
        tls_session_shut(wire->tls);
    http_wire_send(wire);
}

void http_wire_secure(struct http_wire *wire, struct tls_session *session,
                      struct tls_buffers *buffers)
{
    wire->tls = session;
    wire->tls_buffers = buffers;
    http_wire_touch(wire);
}

bool http_wire_is_shaking(const struct http_wire *wire)
{
    return wire->tls && !tls_session_is_open(wire->tls) &&
           tls_session_failure(wire->tls) == TLS_FAILURE_NONE;
}
