/*
 * client.c — blocking requests over one connection that a private loop drives.
 *
 * Each blocking call runs the loop until what it waits for is there, the request's deadline has
 * passed, the connection broke or another thread interrupted. A connection that the server closed
 * while no request was open is made again by the next request.
 *
 * Runs on the caller's thread, one per client; http_client_interrupt any. Owns: loop, socket, requests
 * until they are finished. Leaves out: connecting (client_connect.c),
 * both versions (http1_client.c, http2_client.c).
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
        bool goes_on = !request->failed && request->attached;
        http_client_fail(request, STATUS_RESOURCE_EXHAUSTED,
                         "the response's headers exceed %zu bytes", HEADER_BYTES_MAX);
        if (goes_on)
            request->client->protocol->reset(request); /* which may free it */
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

/* Runs the loop until `is_ready`; a request that broke off is ready when it has nothing left. */
static enum status wait_for(struct http_client_request *request,
                            bool (*is_ready)(const struct http_client_request *request),
                            struct error *error)
{
    while (!is_ready(request)) {
        if (request->failed)
            return error_copy(error, &request->error);
        TRY(http_client_run_round(request->client, request->deadline_ns, error));
    }
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

bool http_client_is_connected(const struct http_client *client)
{
    return client->wire.loop && !client->no_new_requests && !client->wire.ended &&
           !client->wire.broken;
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
        return error_copy(error, &request->error);
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

bool http_client_is_over(const struct http_client_request *request)
{
    return request->ended || request->failed;
}

const struct http_headers *http_client_trailers(const struct http_client_request *request)
{
    return &request->trailers.view;
}

bool http_client_was_refused(const struct http_client_request *request)
{
    return request->failed && request->was_refused;
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
