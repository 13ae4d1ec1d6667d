/*
 * connection.c — the life of an accepted connection: version, rounds, time limits, closing.
 *
 * The first bytes are compared with the HTTP/2 preface; what differs is HTTP/1.x, and a TLS hello is
 * dropped. Each round in which something happened ends in on_flush: frame, send, settle, wake, until
 * nothing new comes of it, the socket is full, or it is other connections' turn.
 *
 * Closing sends what is framed, closes our side and discards input until the peer closes or a second
 * has passed: closing at once would make the kernel reset the connection and the peer lose the answer.
 *
 * Runs on the connection's loop. Owns: socket, streams, version state. Leaves out: accepting
 * (listener.c), both versions (http1_server.c, http2_server.c), time limits (connection_time.c).
 * Spec: RFC 9113 section 3.4, RFC 9112 section 9.6. SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/listener.h"

#include <assert.h>
#include <string.h>

/* How often one flush goes around before other connections get their turn. */
#define FLUSH_ROUNDS_MAX 8
/* As many bytes of the preface as no HTTP/1.x request can begin with. */
#define PREFACE_TELLING_BYTES 14
#define TLS_HANDSHAKE_BYTE 0x16

static const char http2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const struct http_limits *http_connection_limits(const struct http_connection *connection)
{
    return &connection->home->server->limits;
}

void http_connection_touch(struct http_connection *connection)
{
    connection->dirty = true;
    if (!connection->flushing)
        http_wire_touch(&connection->wire);
}

void http_connection_close(struct http_connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    http_connection_touch(connection);
}

/* --- input ------------------------------------------------------------------------------------- */

void http_connection_choose(struct http_connection *connection,
                            const struct http_protocol *protocol)
{
    connection->protocol = protocol;
    protocol->start(connection);
}

/* The version that the first bytes tell, or NULL while they may still become either. */
static const struct http_protocol *tell_version(const uint8_t *bytes, size_t size)
{
    size_t compared = size_min(size, sizeof(http2_preface) - 1);
    if (memcmp(bytes, http2_preface, compared) != 0)
        return &http1_protocol;
    return compared >= PREFACE_TELLING_BYTES ? &http2_protocol : NULL;
}

static void receive_first(struct http_connection *connection, const uint8_t *bytes, size_t size)
{
    size_t kept = size_min(size, sizeof(connection->first_bytes) - connection->first_count);
    memcpy(connection->first_bytes + connection->first_count, bytes, kept);
    size_t earlier = connection->first_count;
    connection->first_count += kept;
    if (connection->first_bytes[0] == TLS_HANDSHAKE_BYTE) {
        http_connection_log_refusal(connection, "TLS on an address that speaks plain HTTP");
        connection->wire.broken = true;
        return;
    }
    const struct http_protocol *protocol =
        tell_version(connection->first_bytes, connection->first_count);
    if (!protocol)
        return;
    http_connection_choose(connection, protocol);
    if (earlier > 0)
        protocol->receive(connection, connection->first_bytes, earlier);
    if (!connection->closing)
        protocol->receive(connection, bytes, size);
}

static void on_input(struct http_wire *wire, const uint8_t *bytes, size_t size)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    connection->heard_ns = loop_now_ns(wire->loop);
    if (!connection->closing) {
        if (connection->protocol)
            connection->protocol->receive(connection, bytes, size);
        else
            receive_first(connection, bytes, size);
    }
    http_connection_touch(connection);
}

static size_t place(struct http_wire *wire, uint8_t **out_place)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    if (connection->closing || !connection->protocol || !connection->protocol->place)
        return 0;
    return connection->protocol->place(connection, out_place);
}

static void on_input_end(struct http_wire *wire)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    if (!connection->protocol && !connection->closing)
        wire->broken = true;
    else if (!connection->closing)
        connection->protocol->receive_end(connection);
    http_connection_touch(connection);
}

/* --- output ------------------------------------------------------------------------------------ */

static void wake_streams(struct http_connection *connection)
{
    struct list woken;
    list_init(&woken);
    list_move_all(&woken, &connection->wakes);
    for (;;) {
        struct list *link = list_take_first(&woken);
        if (!link)
            return;
        struct http_stream *stream = CONTAINER_OF(link, struct http_stream, wake_link);
        if (stream->handled && !stream->body.ended)
            stream->request.handler->on_writable(&stream->request);
    }
}

/* True when there is more to do in a later round. */
static bool go_around(struct http_connection *connection)
{
    for (unsigned round = 0; round < FLUSH_ROUNDS_MAX; round++) {
        connection->dirty = false;
        bool more = connection->protocol && connection->protocol->produce(connection);
        http_wire_send(&connection->wire);
        if (connection->wire.broken || !connection->protocol)
            return false;
        connection->protocol->settle(connection);
        http_connection_feed_starved(connection);
        wake_streams(connection);
        if (!connection->dirty && (!more || connection->wire.blocked))
            return false;
        if (http_turn_is_over(connection))
            return true;
    }
    return true;
}

static void destroy_streams(struct http_connection *connection)
{
    LIST_FOR_EACH (stream, &connection->streams, struct http_stream, link)
        http_stream_destroy(stream);
}

static void finish_protocol(struct http_connection *connection)
{
    destroy_streams(connection);
    if (connection->protocol)
        connection->protocol->finish(connection);
    connection->protocol = NULL;
}

/* True when the connection may go: nothing of it would still reach the peer. */
static bool advance_closing(struct http_connection *connection)
{
    struct http_wire *wire = &connection->wire;
    if (wire->broken)
        return true;
    if (!connection->closing || wire->output.bytes > 0)
        return false;
    finish_protocol(connection);
    if (wire->ended || wire->abrupt || wire->watch.fd < 0)
        return true;
    if (connection->close_deadline_ns == 0) {
        http_wire_shut(wire);
        wire->reading = true;
        connection->close_deadline_ns = loop_now_ns(wire->loop) + HTTP_LINGER_NS;
    }
    return false;
}

static void count_bytes(struct http_connection *connection)
{
    uint64_t sent = http_output_sent(&connection->wire.output);
    uint64_t received = connection->wire.received_bytes;
    if (connection->door->bytes_sent && sent > connection->counted_sent)
        metric_add(connection->door->bytes_sent, (double)(sent - connection->counted_sent));
    if (connection->door->bytes_received && received > connection->counted_received)
        metric_add(connection->door->bytes_received,
                   (double)(received - connection->counted_received));
    connection->counted_sent = sent;
    connection->counted_received = received;
}

/* --- life -------------------------------------------------------------------------------------- */

void http_connection_flush(struct http_connection *connection)
{
    list_remove(&connection->line_link);
    connection->flushing = true;
    bool comes_back = go_around(connection);
    connection->flushing = false;
    if (advance_closing(connection)) {
        http_connection_destroy(connection);
        return;
    }
    if (comes_back)
        http_turn_wait(connection);
    count_bytes(connection);
    http_connection_publish_queue(connection);
    http_connection_arm_all(connection);
    http_wire_update(&connection->wire);
}

static void on_flush(struct http_wire *wire)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    if (!wire->broken && !wire->blocked && http_turn_is_over(connection))
        http_turn_wait(connection);
    else
        http_connection_flush(connection);
}

static const struct http_wire_owner connection_wire_owner = {
    .on_input = on_input,
    .place = place,
    .on_input_end = on_input_end,
    .on_flush = on_flush,
    .on_secured = http_connection_on_secured,
    .on_tls_failure = http_connection_on_tls_failure,
};

static void set_peer(struct http_connection *connection, const char *peer)
{
    size_t len = size_min(strlen(peer), sizeof(connection->peer) - 1);
    memcpy(connection->peer, peer, len);
    connection->peer[len] = '\0';
}

enum status http_connection_create(struct http_loop *home, const struct http_door *door, int fd,
                                   bool is_local, const char *peer,
                                   struct http_connection **out_connection, struct error *error)
{
    struct http_connection *connection = NEW(struct http_connection);
    enum status status =
        http_wire_init(&connection->wire, home->loop, fd, &connection_wire_owner, error);
    if (status != STATUS_OK) {
        free(connection);
        return status;
    }
    if (!home->read_buffer)
        home->read_buffer = memory_resize(NULL, HTTP_READ_BUFFER_BYTES, 1);
    connection->wire.read_buffer = home->read_buffer;
    connection->wire.read_buffer_bytes = HTTP_READ_BUFFER_BYTES;
    connection->wire.output.spares = &home->scratches;
    connection->home = home;
    connection->door = door;
    connection->is_local = is_local;
    set_peer(connection, peer);
    list_init(&connection->streams);
    list_init(&connection->wakes);
    list_init(&connection->works);
    list_init(&connection->starved);
    connection->id = atomic_fetch_add(&home->server->next_connection_id, 1) + 1;
    list_append(&home->connections, &connection->link);
    http_connection_start_clock(connection);
    *out_connection = connection;
    return STATUS_OK;
}

void http_connection_destroy(struct http_connection *connection)
{
    struct http_server *server = connection->home->server;
    connection->flushing = true; /* what handlers still call must not ask for a round */
    finish_protocol(connection);
    count_bytes(connection);
    http_connection_forget_works(connection);
    list_remove(&connection->short_link);
    list_remove(&connection->line_link);
    loop_timer_unset(connection->wire.loop, &connection->timer);
    http_wire_finish(&connection->wire);
    http_connection_publish_queue(connection); /* now nothing waits */
    list_remove(&connection->link);
    http_peers_give(server->peers, connection->counted);
    free(connection->peer_certificate);
    if (server->on_connection_close)
        server->on_connection_close(server->on_connection_close_context, connection->id);
    free(connection);
    http_server_give_connection(server);
}

void http_connection_drain(struct http_connection *connection)
{
    if (connection->draining)
        return;
    connection->draining = true;
    if (connection->protocol)
        connection->protocol->drain(connection);
    else
        http_connection_close(connection);
    LIST_FOR_EACH (stream, &connection->streams, struct http_stream, link)
        http_stream_drain(stream);
    http_connection_touch(connection);
}
