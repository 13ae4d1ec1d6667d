/*
 * client_request.c — one request of a blocking client: what the response brings, what the caller asks for.
 *
 * The versions report headers, body and end here; the caller's functions run rounds of the client's loop
 * until what they wait for has come.
 *
 * Runs on the caller's thread, one per client. Owns a request until it is finished. Leaves out: the
 * connection (client.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/client.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/client_private.h"

#include <assert.h>
#include <stdio.h>

/* Small writes wait for the next blocking call, so that head, body and end leave together. */
#define WRITE_THROUGH_BYTES ((size_t)64 << 10)
#define HEADER_BYTES_MAX ((size_t)1 << 20)

/* --- what comes ------------------------------------------------------------------------------- */

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

/* --- calls ------------------------------------------------------------------------------------- */

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

enum status http_client_start(struct http_client *client, struct str method, struct str path,
                              const struct http_header *headers, size_t count, bool end,
                              uint64_t deadline_ns, struct http_client_request **out_request,
                              struct error *error)
{
    TRY(http_client_reach(client, error));
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
