/*
 * server_support.c — makes what server_support.h tells of. SPDX-License-Identifier: Apache-2.0
 */
#include "server_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct answer {
    size_t sent;
};

static struct world *world_of(const struct http_request *request)
{
    return request->handler->context;
}

static bool has_path(const struct http_request *request, const char *path)
{
    return str_equal(request->path, str_of(path));
}

uint8_t pattern(size_t offset)
{
    return (uint8_t)(offset * 31 + offset / 4096);
}

static void write_big(struct http_request *request)
{
    struct answer *answer = request->state;
    while (answer->sent < BIG_BYTES && http_writable_bytes(request) > 0) {
        struct buffer *block = buffer_create(BLOCK_BYTES);
        for (size_t i = 0; i < BLOCK_BYTES; i++)
            block->data[i] = pattern(answer->sent + i);
        struct slices slices;
        slices_init(&slices);
        slices_append(&slices, slice_make(block->data, BLOCK_BYTES, block));
        http_write(request, &slices);
        slices_finish(&slices);
        answer->sent += BLOCK_BYTES;
    }
    if (answer->sent == BIG_BYTES) {
        const struct http_header trailer = {STR("x-sent"), STR("all")};
        http_end(request, &trailer, 1);
    }
}

static void write_text(struct http_request *request, const char *text)
{
    struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, text, strlen(text));
    http_write(request, &slices);
    slices_finish(&slices);
}

void on_request(const struct http_handler *handler, struct http_request *request)
{
    struct world *world = handler->context;
    atomic_fetch_add(&world->opened, 1);
    request->state = ARENA_NEW(request->arena, struct answer);
    if (has_path(request, "/big")) {
        http_respond(request, 200, NULL, 0, false);
        write_big(request);
    } else if (has_path(request, "/echo")) {
        http_respond(request, 200, NULL, 0, false);
    } else if (has_path(request, "/hang")) {
        world->hanging = request;
    } else if (has_path(request, "/abort")) {
        http_respond(request, 200, NULL, 0, false);
        write_text(request, "part");
        world->hanging = request;
    } else if (!has_path(request, "/count")) {
        http_respond_text(request, 404, STR("text/plain"), STR("nothing here"));
    }
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    if (has_path(request, "/echo")) {
        struct slices slices;
        slices_init(&slices);
        slices_append_copy(&slices, bytes, size);
        http_write(request, &slices);
        slices_finish(&slices);
    }
    http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
    if (has_path(request, "/echo"))
        http_end(request, NULL, 0);
    if (has_path(request, "/count")) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)request->bytes_received);
        http_respond_text(request, 200, STR("text/plain"), str_of(text));
    }
}

static void on_writable(struct http_request *request)
{
    if (has_path(request, "/big"))
        write_big(request);
}

void on_close(struct http_request *request, enum http_close why)
{
    struct world *world = world_of(request);
    if (world->hanging == request)
        world->hanging = NULL;
    atomic_fetch_add(&world->closed[why], 1);
}

void run_loop(void *argument)
{
    loop_run(argument);
}

static void on_drain(struct loop_task *task)
{
    struct world *world = CONTAINER_OF(task, struct world, drain_task);
    http_server_drain(world->server, &world->drained_task, world->loop);
}

static void on_drained(struct loop_task *task)
{
    loop_stop(CONTAINER_OF(task, struct world, drained_task)->loop);
}

static void on_abort(struct loop_task *task)
{
    struct world *world = CONTAINER_OF(task, struct world, abort_task);
    if (world->hanging)
        http_abort(world->hanging);
}

void world_open(struct world *world, const struct http_limits *limits)
{
    *world = (struct world){
        .handler = {.context = world,
                    .on_request = on_request,
                    .on_body = on_body,
                    .on_body_end = on_body_end,
                    .on_writable = on_writable,
                    .on_close = on_close},
        .drain_task = LOOP_TASK_INIT(on_drain),
        .drained_task = LOOP_TASK_INIT(on_drained),
        .abort_task = LOOP_TASK_INIT(on_abort),
        .directory = "/tmp/volley-http-XXXXXX",
    };
    assert_non_null(mkdtemp(world->directory));
    world->metrics = metrics_create();
    struct error error = ERROR_NONE;
    assert_int_equal(loop_create(&world->loop, &error), STATUS_OK);
    const struct http_handler *handlers[] = {&world->handler};
    const struct http_server_options options = {
        .limits = limits ? *limits : http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = &world->loop,
        .loop_count = 1,
        .metrics = world->metrics,
    };
    assert_int_equal(http_server_create(&options, &world->server, &error), STATUS_OK);
    assert_int_equal(
        http_server_listen(world->server, STR("127.0.0.1:0"), "flight", &world->tcp, &error),
        STATUS_OK);
    char path[128];
    (void)snprintf(path, sizeof(path), "unix:%s/s", world->directory);
    assert_int_equal(
        http_server_listen(world->server, str_of(path), "http", &world->unix_address, &error),
        STATUS_OK);
    assert_int_equal(thread_start("server", 0, run_loop, world->loop, &world->thread, &error),
                     STATUS_OK);
}

void world_drain(struct world *world)
{
    loop_post(world->loop, &world->drain_task);
    thread_join(world->thread);
    world->thread = NULL;
}

void world_close(struct world *world)
{
    if (world->thread)
        world_drain(world);
    assert_int_equal(http_server_connections(world->server), 0);
    assert_int_equal(http_server_requests(world->server), 0);
    size_t closed = 0;
    for (size_t i = 0; i < 3; i++)
        closed += atomic_load(&world->closed[i]);
    assert_int_equal(closed, atomic_load(&world->opened));
    http_server_destroy(world->server);
    loop_destroy(world->loop);
    metrics_destroy(world->metrics);
    free(world->tcp);
    free(world->unix_address);
    assert_int_equal(rmdir(world->directory), 0);
}

struct http_client *connect_to(const char *address, bool http1)
{
    struct http_client *client = NULL;
    struct error error = ERROR_NONE;
    const struct http_client_options options = {.address = str_of(address), .http1 = http1};
    if (http_client_connect(&options, &client, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return client;
}

struct http_client_request *start(struct http_client *client, const char *method, const char *path,
                                  bool end)
{
    struct http_client_request *request = NULL;
    struct error error = ERROR_NONE;
    const struct http_header headers[] = {{STR("te"), STR("trailers")}};
    if (http_client_start(client, str_of(method), str_of(path), headers, 1, end, CLOCK_NEVER,
                          &request, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return request;
}

size_t read_pattern(struct http_client_request *request)
{
    size_t offset = 0;
    bool end = false;
    while (!end) {
        struct slices bytes;
        slices_init(&bytes);
        struct error error = ERROR_NONE;
        if (http_client_read(request, &bytes, &end, &error) != STATUS_OK)
            fail_msg("%s", error.message);
        for (size_t i = 0; i < bytes.count; i++) {
            struct slice *slice = slices_at(&bytes, i);
            for (size_t k = 0; k < slice->len; k++) {
                if (slice->ptr[k] != pattern(offset + k))
                    fail_msg("byte %zu differs", offset + k);
            }
            offset += slice->len;
        }
        slices_finish(&bytes);
    }
    return offset;
}

void expect_text(struct http_client_request *request, unsigned status, const char *text)
{
    unsigned got = 0;
    const struct http_headers *headers = NULL;
    assert_int_equal(http_client_head(request, &got, &headers, NULL), STATUS_OK);
    assert_int_equal(got, status);
    assert_non_null(http_headers_get(headers, STR("x-request-id")).ptr);
    struct slices bytes;
    slices_init(&bytes);
    bool end = false;
    while (!end)
        assert_int_equal(http_client_read(request, &bytes, &end, NULL), STATUS_OK);
    struct slice joined = slices_join(&bytes);
    assert_true(str_equal(slice_str(joined), str_of(text)));
    slice_finish(&joined);
    slices_finish(&bytes);
}

void await_closed(struct world *world, enum http_close why, size_t count)
{
    while (atomic_load(&world->closed[why]) < count)
        usleep(1000);
}

void download(const char *address, bool http1)
{
    struct http_client *client = connect_to(address, http1);
    struct http_client_request *request = start(client, "GET", "/big", true);
    assert_int_equal(read_pattern(request), BIG_BYTES);
    const struct http_headers *trailers = http_client_trailers(request);
    assert_true(str_equal(http_headers_get(trailers, STR("x-sent")), STR("all")));
    http_client_finish(request);
    request = start(client, "GET", "/nothing", true);
    expect_text(request, 404, "nothing here");
    http_client_finish(request);
    http_client_close(client);
}
