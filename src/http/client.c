/*
 * client.c — blocking requests over one connection that a private loop drives.
 *
 * Each blocking call runs the loop until what it waits for is there, the request's deadline has
 * passed, the connection broke or another thread interrupted. A connection that the server closed
 * while no request was open is made again by the next request.
 *
 * Runs on the caller's thread, one per client; http_client_interrupt any. Owns: loop, socket. Leaves out:
 * opening the socket (client_connect.c), requests (client_request.c), both versions (http1_client.c,
 * http2_client.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/client.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/client_private.h"
#include "http/listener.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000
/* Response bytes at least this many in one piece are kept where they were read; fewer would hold too
 * much of the block for too little. */
#define REFERENCE_BYTES_MIN (HTTP_READ_BUFFER_BYTES / 4)
#define OUTPUT_ROUNDS_MAX 8

/* --- connection -------------------------------------------------------------------------------- */

void http_client_touch(struct http_client *client)
{
    if (client->wire.loop)
        http_wire_touch(&client->wire);
}

static void disconnect(struct http_client *client)
{
    if (!client->wire.loop)
        return;
    client->protocol->finish(client);
    http_wire_finish(&client->wire);
    LIST_FOR_EACH (request, &client->requests, struct http_client_request, link) {
        http_client_fail(request, STATUS_UNAVAILABLE, "the connection to %s was lost",
                         client->address);
        http_client_detach(request);
    }
    LIST_FOR_EACH (abandoned, &client->abandoned, struct http_client_request, link)
        http_client_detach(abandoned);
}

void http_client_keep(struct http_client_request *request, const uint8_t *bytes, size_t size)
{
    struct buffer *block = request->client->read_block;
    if (size < REFERENCE_BYTES_MIN)
        slices_append_copy(&request->inbound, bytes, size);
    else
        slices_append(&request->inbound, slice_make(bytes, size, buffer_ref(block)));
}

static void set_read_block(struct http_client *client)
{
    client->read_block = buffer_create(HTTP_READ_BUFFER_BYTES);
    client->wire.read_buffer = client->read_block->data;
    client->wire.read_buffer_bytes = client->read_block->size;
}

static void on_input(struct http_wire *wire, const uint8_t *bytes, size_t size)
{
    struct http_client *client = CONTAINER_OF(wire, struct http_client, wire);
    client->protocol->receive(client, bytes, size);
    if (atomic_load(&client->read_block->references) > 1) {
        buffer_unref(client->read_block);
        set_read_block(client);
    }
}

static void on_input_end(struct http_wire *wire)
{
    struct http_client *client = CONTAINER_OF(wire, struct http_client, wire);
    client->protocol->receive_end(client);
}

static void on_flush(struct http_wire *wire)
{
    struct http_client *client = CONTAINER_OF(wire, struct http_client, wire);
    if (!client->protocol_state) { /* the handshake is under way */
        http_wire_send(wire);
        http_wire_update(wire);
        return;
    }
    bool more = true;
    for (unsigned round = 0; round < OUTPUT_ROUNDS_MAX && more && !wire->blocked; round++) {
        more = client->protocol->produce(client);
        http_wire_send(wire);
    }
    if (more)
        wire->blocked = true;
    if (wire->broken || wire->ended)
        disconnect(client);
    else
        http_wire_update(wire);
}

/* Whoever waits for the handshake sees it in wire->tls. */
static void on_tls_change(struct http_wire *wire)
{
    http_wire_touch(wire);
}

static const struct http_wire_owner client_wire_owner = {
    .on_input = on_input,
    .on_input_end = on_input_end,
    .on_flush = on_flush,
    .on_secured = on_tls_change,
    .on_tls_failure = on_tls_change,
};

/* --- waiting ----------------------------------------------------------------------------------- */

static void on_wake(struct loop_watch *watch, unsigned ready)
{
    (void)ready;
    uint64_t count;
    ssize_t size = read(watch->fd, &count, sizeof(count));
    (void)size;
}

enum status http_client_run_round(struct http_client *client, uint64_t deadline_ns,
                                  struct error *error)
{
    if (atomic_exchange(&client->interrupted, false))
        return error_set(error, STATUS_CANCELLED, "interrupted");
    int timeout_ms = -1;
    if (deadline_ns != CLOCK_NEVER) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= deadline_ns)
            return error_set(error, STATUS_DEADLINE_EXCEEDED,
                             "%s did not answer before the deadline", client->address);
        uint64_t left_ms = (deadline_ns - now_ns) / NANOSECONDS_PER_MILLISECOND + 1;
        timeout_ms = (int)size_min(left_ms, 60000);
    }
    loop_run_once(client->loop, timeout_ms);
    return STATUS_OK;
}

/* --- connecting -------------------------------------------------------------------------------- */

static enum status connect_again(struct http_client *client, struct error *error)
{
    loop_adopt(client->loop);
    if (client->wire.loop && client->no_new_requests && list_is_empty(&client->requests))
        disconnect(client);
    if (client->wire.loop)
        return STATUS_OK;
    int fd = -1;
    TRY(http_client_open_socket(client, &fd, error));
    struct http_wire wire = {0};
    client->wire = wire;
    enum status status = http_wire_init(&client->wire, client->loop, fd, &client_wire_owner, error);
    if (status != STATUS_OK) {
        client->wire.loop = NULL;
        (void)close(fd);
        return status;
    }
    buffer_unref(client->read_block);
    set_read_block(client);
    client->no_new_requests = false;
    if (client->tls)
        status = http_client_secure(client, error);
    if (status != STATUS_OK) {
        http_wire_finish(&client->wire);
        return status;
    }
    client->connections++;
    client->protocol->start(client);
    http_client_touch(client);
    return STATUS_OK;
}

static enum status create_wake(struct http_client *client, struct error *error)
{
    client->wake = (struct loop_watch){.fd = -1, .on_ready = on_wake};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot create an event descriptor");
    client->wake.fd = fd;
    return loop_watch_add(client->loop, &client->wake, LOOP_READ, error);
}

/* The host of "host:port" or "[::1]:port". */
static char *copy_host(struct str address)
{
    size_t end = address.len;
    while (end > 0 && address.ptr[end - 1] != ':' && address.ptr[end - 1] != ']')
        end--;
    if (end > 0 && address.ptr[end - 1] == ':')
        end--;
    struct str host = str_slice(address, 0, end > 0 ? end : address.len);
    if (host.len >= 2 && host.ptr[0] == '[')
        host = str_slice(host, 1, host.len - 1);
    return str_copy(host);
}

enum status http_client_create(const struct http_client_options *options,
                               struct http_client **out_client, struct error *error)
{
    CLEANUP(http_client_close) struct http_client *client = NEW(struct http_client);
    list_init(&client->requests);
    list_init(&client->abandoned);
    client->wake.fd = -1;
    client->protocol = options->http1 ? &http1_client_protocol : &http2_client_protocol;
    client->address = str_copy(options->address);
    bool is_unix = str_starts_with(options->address, STR("unix:"));
    client->authority = str_copy(is_unix ? STR("localhost") : options->address);
    client->host = copy_host(options->address);
    if (options->tls) {
        client->tls = tls_context_ref(options->tls);
        client->tls_buffers = tls_buffers_create();
    }
    client->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    TRY(loop_create(&client->loop, error));
    TRY(create_wake(client, error));
    *out_client = STEAL(client);
    return STATUS_OK;
}

enum status http_client_reach(struct http_client *client, struct error *error)
{
    return connect_again(client, error);
}

enum status http_client_connect(const struct http_client_options *options,
                                struct http_client **out_client, struct error *error)
{
    CLEANUP(http_client_close) struct http_client *client = NULL;
    TRY(http_client_create(options, &client, error));
    TRY(connect_again(client, error));
    *out_client = STEAL(client);
    return STATUS_OK;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    assert(list_is_empty(&client->requests));
    if (client->loop)
        loop_adopt(client->loop);
    if (client->wire.loop) {
        loop_run_once(client->loop, 0); /* what waits may still leave */
        disconnect(client);
    }
    if (client->wake.fd >= 0) {
        loop_watch_remove(client->loop, &client->wake);
        (void)close(client->wake.fd);
    }
    loop_destroy(client->loop);
    buffer_unref(client->read_block);
    free(client->address);
    free(client->authority);
    free(client->host);
    tls_context_unref(client->tls);
    tls_buffers_destroy(client->tls_buffers);
    free(client);
}

void http_client_interrupt(struct http_client *client)
{
    int saved_errno = errno;
    atomic_store(&client->interrupted, true);
    uint64_t one = 1;
    ssize_t size = write(client->wake.fd, &one, sizeof(one));
    (void)size;
    errno = saved_errno;
}

void http_client_resume(struct http_client *client)
{
    atomic_store(&client->interrupted, false);
}

bool http_client_is_connected(struct http_client *client)
{
    if (client->wire.loop) {
        loop_adopt(client->loop);
        loop_run_once(client->loop, 0);
    }
    return client->wire.loop && !client->no_new_requests && !client->wire.ended &&
           !client->wire.broken;
}

uint64_t http_client_connections(const struct http_client *client)
{
    return client->connections;
}

enum status http_client_pause(struct http_client *client, uint64_t pause_ms, struct error *error)
{
    uint64_t end_ns = clock_now_ns() + pause_ms * NANOSECONDS_PER_MILLISECOND;
    for (;;) {
        struct error round_error = ERROR_NONE;
        enum status status = http_client_run_round(client, end_ns, &round_error);
        if (status == STATUS_DEADLINE_EXCEEDED)
            return STATUS_OK;
        if (status != STATUS_OK)
            return error_copy(error, &round_error);
    }
}
