/*
 * fake_http.c — http's request interface without connections.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fake_http.h"

#include <assert.h>

#include "base/clock.h"
#include "base/memory.h"

static struct fake_request *fake_of(const struct http_request *request)
{
    return CONTAINER_OF(request, struct fake_request, request);
}

struct fake_request *fake_request_create(struct loop *loop, const char *path)
{
    struct fake_request *fake = NEW(struct fake_request);
    arena_init(&fake->arena);
    buf_init(&fake->head, 1 << 20);
    buf_init(&fake->body, 4 << 20);
    buf_init(&fake->trailers, 1 << 20);
    fake->held_bytes_max = SIZE_MAX;
    fake->request = (struct http_request){
        .method = STR("POST"),
        .scheme = STR("http"),
        .authority = STR("test"),
        .path = str_of(path),
        .version = HTTP_2,
        .id = STR("id-1"),
        .peer = STR("peer-1"),
        .started_ns = clock_now_ns(),
        .loop = loop,
        .arena = &fake->arena,
    };
    fake_request_header(fake, "content-type", "application/grpc");
    fake_request_header(fake, "te", "trailers");
    return fake;
}

void fake_request_header(struct fake_request *fake, const char *name, const char *value)
{
    for (size_t i = 0; i < fake->header_count; i++) {
        if (str_equal(fake->headers[i].name, str_of(name))) {
            fake->headers[i].value = str_of(value);
            return;
        }
    }
    assert(fake->header_count < ARRAY_COUNT(fake->headers));
    fake->headers[fake->header_count++] =
        (struct http_header){.name = str_of(name), .value = str_of(value)};
}

void fake_request_open(struct fake_request *fake, const struct http_handler *handler)
{
    fake->request.headers =
        (struct http_headers){.items = fake->headers, .count = fake->header_count};
    fake->request.handler = handler;
    handler->on_request(handler, &fake->request);
}

void fake_request_body(struct fake_request *fake, const void *bytes, size_t size)
{
    /* A copy of its own, so that a sanitizer sees who keeps it. */
    uint8_t *copy = memory_new(size + 1);
    memcpy(copy, bytes, size);
    fake->request.bytes_received += size;
    fake->request.handler->on_body(&fake->request, copy, size);
    free(copy);
}

void fake_request_end(struct fake_request *fake)
{
    fake->request.body_ended = true;
    fake->request.handler->on_body_end(&fake->request);
}

void fake_request_read(struct fake_request *fake)
{
    bool was_full = fake->queued_bytes >= FAKE_QUEUE_BYTES;
    fake->queued_bytes = 0;
    if (was_full && !fake->ended)
        fake->request.handler->on_writable(&fake->request);
}

void fake_request_close(struct fake_request *fake, enum http_close why)
{
    fake->request.handler->on_close(&fake->request, why);
    arena_finish(&fake->arena);
    buf_finish(&fake->head);
    buf_finish(&fake->body);
    buf_finish(&fake->trailers);
    free(fake);
}

static void record(struct buf *out, const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%.*s: %.*s\n", STR_ARGS(headers[i].name), STR_ARGS(headers[i].value));
}

/* --- http/request.h ------------------------------------------------------------------------- */

struct str http_headers_get(const struct http_headers *headers, struct str name)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (str_equal(headers->items[i].name, name))
            return headers->items[i].value;
    }
    return STR_EMPTY;
}

void http_respond(struct http_request *request, unsigned status, const struct http_header *headers,
                  size_t count, bool end)
{
    struct fake_request *fake = fake_of(request);
    assert(!request->responded && !fake->ended);
    request->responded = true;
    request->response_status = status;
    fake->status = status;
    fake->ended = end;
    fake->trailers_only = end;
    record(&fake->head, headers, count);
}

void http_write(struct http_request *request, struct slices *body)
{
    struct fake_request *fake = fake_of(request);
    assert(request->responded && !fake->ended);
    for (size_t i = 0; i < body->count; i++) {
        struct slice *slice = slices_at(body, i);
        buf_append(&fake->body, slice->ptr, slice->len);
    }
    fake->queued_bytes += body->bytes;
    request->bytes_sent += body->bytes;
    slices_finish(body);
    slices_init(body);
}

void http_end(struct http_request *request, const struct http_header *trailers, size_t count)
{
    struct fake_request *fake = fake_of(request);
    assert(request->responded && !fake->ended && !fake->aborted);
    fake->ended = true;
    record(&fake->trailers, trailers, count);
}

void http_abort(struct http_request *request)
{
    fake_of(request)->aborted = true;
}

void http_cancel(struct http_request *request)
{
    fake_of(request)->cancelled = true;
}

bool http_is_draining(const struct http_request *request)
{
    return fake_of(request)->draining;
}

struct http_work {
    int *count;
};

struct http_work *http_work_begin(struct http_request *request)
{
    struct http_work *work = NEW(struct http_work);
    work->count = fake_of(request)->works;
    if (work->count)
        ++*work->count;
    return work;
}

void http_work_end(struct http_work *work)
{
    if (work && work->count)
        --*work->count;
    free(work);
}

size_t http_writable_bytes(const struct http_request *request)
{
    const struct fake_request *fake = fake_of(request);
    return fake->queued_bytes < FAKE_QUEUE_BYTES ? FAKE_QUEUE_BYTES - fake->queued_bytes : 0;
}

size_t http_unsent_bytes(const struct http_request *request)
{
    return fake_of(request)->queued_bytes;
}

void http_consume(struct http_request *request, size_t size)
{
    fake_of(request)->consumed_bytes += size;
}

void http_body_may_pause(struct http_request *request, bool may_pause)
{
    request->body_may_pause = may_pause;
}

bool http_hold(struct http_request *request, size_t size)
{
    struct fake_request *fake = fake_of(request);
    fake->held_bytes = size;
    return size <= fake->held_bytes_max;
}

void http_note_refusal(const struct http_request *request, unsigned status)
{
    (void)request, (void)status;
}
