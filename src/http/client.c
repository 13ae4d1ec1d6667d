/*
 * client.c — blocking requests over one connection that a private loop drives.
 *
 * Each blocking call runs the loop until what it waits for is there, the request's deadline has
 * passed, the connection broke or another thread interrupted. A connection that the server closed
 * while no request was open is made again by the next request.
 *
 * Runs on the caller's thread, one per client; http_client_interrupt any. Owns: loop, socket, requests
 * until they are finished. Leaves out: both versions (http1_client.c, http2_client.c), pool, TLS.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/client.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/address.h"
#include "http/client_private.h"
#include "http/listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000
/* Small writes wait for the next blocking call, so that head, body and end leave together. */
#define WRITE_THROUGH_BYTES ((size_t)64 << 10)
/* Response bytes at least this many in one piece are kept where they were read; fewer would hold too
 * much of the block for too little. */
#define REFERENCE_BYTES_MIN (HTTP_READ_BUFFER_BYTES / 4)
#define HEADER_BYTES_MAX ((size_t)1 << 20)
#define OUTPUT_ROUNDS_MAX 8

/* --- requests ---------------------------------------------------------------------------------- */

static void append_header(struct http_client_request *request, struct http_header_list *list,
                          struct str name, struct str value)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct http_header *items = ARENA_NEW_ARRAY(&request->arena, struct http_header, capacity);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] =
        (struct http_header){arena_copy(&request->arena, name), arena_copy(&request->arena, value)};
    list->view = (struct http_headers){.items = list->items, .count = list->count};
}

void http_client_add_header(struct http_client_request *request, struct str name, struct str value)
{
    request->header_bytes += name.len + value.len + 32;
    if (request->header_bytes > HEADER_BYTES_MAX) {
        if (!request->failed && request->attached)
            request->client->protocol->reset(request);
        http_client_fail(request, STATUS_RESOURCE_EXHAUSTED,
                         "the response's headers exceed %zu bytes", HEADER_BYTES_MAX);
        return;
    }
    append_header(request, request->head_complete ? &request->trailers : &request->headers, name,
                  value);
}

void http_client_clear_headers(struct http_client_request *request)
{
    request->headers.count = 0;
    request->headers.view.count = 0;
    request->status = 0;
}

void http_client_fail(struct http_client_request *request, enum status status, const char *format,
                      ...)
{
    if (request->ended || request->failed)
        return;
    char text[ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    request->failed = true;
    (void)error_set(&request->error, status, "%s", text);
}

static void free_request(struct http_client_request *request)
{
    slices_finish(&request->inbound);
    slices_finish(&request->body.queue);
    arena_finish(&request->arena);
    free(request);
}

void http_client_detach(struct http_client_request *request)
{
    request->attached = false;
    if (!request->is_abandoned)
        return;
    list_remove(&request->link);
    free_request(request);
}

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

static const struct http_wire_owner client_wire_owner = {
    .on_input = on_input,
    .on_input_end = on_input_end,
    .on_flush = on_flush,
};

/* --- waiting ----------------------------------------------------------------------------------- */

static void on_wake(struct loop_watch *watch, unsigned ready)
{
    (void)ready;
    uint64_t count;
    ssize_t size = read(watch->fd, &count, sizeof(count));
    (void)size;
}

/* One round of the loop within a deadline. */
static enum status run_round(struct http_client *client, uint64_t deadline_ns, struct error *error)
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

static enum status failure_of(const struct http_client_request *request, struct error *error)
{
    if (error)
        *error = request->error;
    return request->error.status;
}

/* Runs the loop until `is_ready`; a request that broke off is ready when it has nothing left. */
static enum status wait_for(struct http_client_request *request,
                            bool (*is_ready)(const struct http_client_request *request),
                            struct error *error)
{
    while (!is_ready(request)) {
        if (request->failed)
            return failure_of(request, error);
        TRY(run_round(request->client, request->deadline_ns, error));
    }
    return STATUS_OK;
}

/* --- connecting -------------------------------------------------------------------------------- */

struct connecting {
    struct loop_watch watch;
    bool is_done;
};

static void on_connected(struct loop_watch *watch, unsigned ready)
{
    (void)ready;
    CONTAINER_OF(watch, struct connecting, watch)->is_done = true;
}

/* Waits for a connect under way; `*out_errno` is its result. */
static enum status await_connect(struct http_client *client, int fd, uint64_t deadline_ns,
                                 int *out_errno, struct error *error)
{
    struct connecting connecting = {.watch = {.fd = fd, .on_ready = on_connected}};
    TRY(loop_watch_add(client->loop, &connecting.watch, LOOP_WRITE, error));
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !connecting.is_done)
        status = run_round(client, deadline_ns, error);
    loop_watch_remove(client->loop, &connecting.watch);
    if (status == STATUS_DEADLINE_EXCEEDED) {
        *out_errno = ETIMEDOUT;
        return STATUS_OK;
    }
    TRY(status);
    socklen_t size = sizeof(*out_errno);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, out_errno, &size) != 0)
        *out_errno = errno;
    return STATUS_OK;
}

static void close_descriptor(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* `*out_fd` is the socket, or -1 and `*out_errno` tells why not. */
static enum status try_address(struct http_client *client,
                               const struct http_socket_address *address, uint64_t deadline_ns,
                               int *out_fd, int *out_errno, struct error *error)
{
    __attribute__((cleanup(close_descriptor))) int fd =
        socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *out_fd = -1;
    *out_errno = 0;
    if (fd < 0) {
        *out_errno = errno;
        return STATUS_OK;
    }
    int on = 1;
    if (address->storage.ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&address->storage, address->size) != 0) {
        *out_errno = errno;
        if (errno == EINPROGRESS)
            TRY(await_connect(client, fd, deadline_ns, out_errno, error));
    }
    if (*out_errno == 0) {
        *out_fd = fd;
        fd = -1;
    }
    return STATUS_OK;
}

static enum status open_socket(struct http_client *client, int *out_fd, struct error *error)
{
    struct http_address address;
    struct http_socket_address addresses[HTTP_ADDRESSES_MAX];
    size_t count = 0;
    TRY(http_address_parse(str_of(client->address), &address, error));
    TRY(http_address_resolve(&address, addresses, &count, error));
    uint64_t deadline_ns =
        clock_now_ns() + client->connect_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    int first_errno = 0;
    for (size_t i = 0; i < count; i++) {
        int fd = -1;
        int failure = 0;
        TRY(try_address(client, &addresses[i], deadline_ns, &fd, &failure, error));
        if (fd >= 0) {
            *out_fd = fd;
            return STATUS_OK;
        }
        first_errno = first_errno ? first_errno : failure;
    }
    return error_set(error, STATUS_UNAVAILABLE, "cannot connect to %s: %s", client->address,
                     strerror(first_errno));
}

static enum status connect_again(struct http_client *client, struct error *error)
{
    if (client->wire.loop && client->no_new_requests && list_is_empty(&client->requests))
        disconnect(client);
    if (client->wire.loop)
        return STATUS_OK;
    int fd = -1;
    TRY(open_socket(client, &fd, error));
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

enum status http_client_connect(const struct http_client_options *options,
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
    client->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    TRY(loop_create(&client->loop, error));
    TRY(create_wake(client, error));
    TRY(connect_again(client, error));
    *out_client = STEAL(client);
    return STATUS_OK;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    assert(list_is_empty(&client->requests));
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

/* --- calls ------------------------------------------------------------------------------------- */

enum status http_client_start(struct http_client *client, struct str method, struct str path,
                              const struct http_header *headers, size_t count, bool end,
                              uint64_t deadline_ns, struct http_client_request **out_request,
                              struct error *error)
{
    TRY(connect_again(client, error));
    if (client->no_new_requests)
        return error_set(error, STATUS_UNAVAILABLE, "%s takes no more requests on this connection",
                         client->address);
    CLEANUP(http_client_finish)
    struct http_client_request *request = NEW(struct http_client_request);
    request->client = client;
    request->deadline_ns = deadline_ns;
    request->is_head = str_equal(method, STR("HEAD"));
    request->body.ended = end;
    request->error = ERROR_NONE;
    TRY(client->protocol->send_head(request, method, path, headers, count, end, error));
    list_append(&client->requests, &request->link);
    http_client_touch(client);
    *out_request = STEAL(request);
    return STATUS_OK;
}

static bool has_room(const struct http_client_request *request)
{
    return request->ended || request->body.queue.bytes <= HTTP_CLIENT_QUEUE_BYTES_MAX;
}

enum status http_client_write(struct http_client_request *request, struct slices *body,
                              struct error *error)
{
    assert(!request->body.ended);
    TRY(wait_for(request, has_room, error));
    if (request->failed)
        return failure_of(request, error);
    if (!request->attached) { /* the server has answered already and reads no more */
        slices_finish(body);
        return STATUS_OK;
    }
    slices_move(&request->body.queue, body);
    request->client->protocol->write(request);
    http_client_touch(request->client);
    if (request->body.queue.bytes < WRITE_THROUGH_BYTES)
        return STATUS_OK;
    loop_run_once(request->client->loop, 0);
    return wait_for(request, has_room, error);
}

enum status http_client_end(struct http_client_request *request, struct error *error)
{
    (void)error;
    assert(!request->body.ended);
    request->body.ended = true;
    if (request->attached)
        request->client->protocol->write(request);
    http_client_touch(request->client);
    return STATUS_OK;
}

static bool has_head(const struct http_client_request *request)
{
    return request->head_complete;
}

enum status http_client_head(struct http_client_request *request, unsigned *out_status,
                             const struct http_headers **out_headers, struct error *error)
{
    TRY(wait_for(request, has_head, error));
    *out_status = request->status;
    *out_headers = &request->headers.view;
    return STATUS_OK;
}

static bool has_body(const struct http_client_request *request)
{
    return request->inbound.bytes > 0 || request->ended;
}

enum status http_client_read(struct http_client_request *request, struct slices *out, bool *out_end,
                             struct error *error)
{
    TRY(wait_for(request, has_body, error));
    size_t size = request->inbound.bytes;
    slices_move(out, &request->inbound);
    if (size > 0 && request->attached)
        request->client->protocol->consume(request, size);
    http_client_touch(request->client);
    *out_end = request->ended;
    return STATUS_OK;
}

const struct http_headers *http_client_trailers(const struct http_client_request *request)
{
    return &request->trailers.view;
}

void http_client_finish(struct http_client_request *request)
{
    if (!request)
        return;
    struct http_client *client = request->client;
    list_remove(&request->link);
    if (request->attached) {
        request->is_abandoned = true;
        list_append(&client->abandoned, &request->link);
        client->protocol->reset(request);
        http_client_touch(client);
        loop_run_once(client->loop, 0);
    } else {
        free_request(request);
    }
}
