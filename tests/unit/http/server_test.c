/*
 * server_test.c — a server on a loop of its own against the blocking client, over loopback and a Unix
 * socket, both versions.
 *
 * The door answers by path: /big sends BIG_BYTES of a pattern as the queue has room, /echo what it
 * gets, /count the number of body bytes, /hang nothing, /abort a part.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/server.h"

#include "base/memory.h"
#include "event/thread.h"
#include "http/address.h"
#include "http/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BIG_BYTES ((size_t)64 << 20)
#define BLOCK_BYTES ((size_t)1 << 20)

struct world {
    struct loop *loop;
    struct thread *thread;
    struct http_server *server;
    struct http_handler handler;
    struct metrics *metrics;
    struct loop_task drain_task;
    struct loop_task drained_task;
    struct loop_task abort_task;
    char *tcp;
    char *unix_address;
    char directory[64];
    atomic_size_t opened;
    atomic_size_t closed[3];      /* by enum http_close */
    struct http_request *hanging; /* on the loop */
};

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

static uint8_t pattern(size_t offset)
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

static void on_request(const struct http_handler *handler, struct http_request *request)
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

static void on_close(struct http_request *request, enum http_close why)
{
    struct world *world = world_of(request);
    if (world->hanging == request)
        world->hanging = NULL;
    atomic_fetch_add(&world->closed[why], 1);
}

static void run_loop(void *argument)
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

static void world_open(struct world *world, const struct http_limits *limits)
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

static void world_drain(struct world *world)
{
    loop_post(world->loop, &world->drain_task);
    thread_join(world->thread);
    world->thread = NULL;
}

/* Drains, so that leaving is tested each time, and frees. */
static void world_close(struct world *world)
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

static struct http_client *connect_to(const char *address, bool http1)
{
    struct http_client *client = NULL;
    struct error error = ERROR_NONE;
    const struct http_client_options options = {.address = str_of(address), .http1 = http1};
    if (http_client_connect(&options, &client, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return client;
}

static struct http_client_request *start(struct http_client *client, const char *method,
                                         const char *path, bool end)
{
    struct http_client_request *request = NULL;
    struct error error = ERROR_NONE;
    const struct http_header headers[] = {{STR("te"), STR("trailers")}};
    if (http_client_start(client, str_of(method), str_of(path), headers, 1, end, CLOCK_NEVER,
                          &request, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return request;
}

/* Reads the rest and checks it against the pattern; returns how much it was. */
static size_t read_pattern(struct http_client_request *request)
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

static void expect_text(struct http_client_request *request, unsigned status, const char *text)
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

static void await_closed(struct world *world, enum http_close why, size_t count)
{
    while (atomic_load(&world->closed[why]) < count)
        usleep(1000);
}

static void download(const char *address, bool http1)
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

static void downloads_over_both_versions_and_sockets(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    download(world.tcp, false);
    download(world.tcp, true);
    download(world.unix_address, false);
    download(world.unix_address, true);
    await_closed(&world, HTTP_CLOSE_DONE, 8);
    world_close(&world);
}

static void upload(const char *address, bool http1, const char *path, bool echoes)
{
    struct http_client *client = connect_to(address, http1);
    struct http_client_request *request = start(client, "POST", path, false);
    for (size_t sent = 0; sent < BIG_BYTES; sent += BLOCK_BYTES) {
        struct buffer *block = buffer_create(BLOCK_BYTES);
        for (size_t i = 0; i < BLOCK_BYTES; i++)
            block->data[i] = pattern(sent + i);
        struct slices slices;
        slices_init(&slices);
        slices_append(&slices, slice_make(block->data, BLOCK_BYTES, block));
        assert_int_equal(http_client_write(request, &slices, NULL), STATUS_OK);
        slices_finish(&slices);
    }
    assert_int_equal(http_client_end(request, NULL), STATUS_OK);
    char text[32];
    (void)snprintf(text, sizeof(text), "%zu", BIG_BYTES);
    if (echoes)
        assert_int_equal(read_pattern(request), BIG_BYTES);
    else
        expect_text(request, 200, text);
    http_client_finish(request);
    http_client_close(client);
}

static void uploads_over_both_versions_and_sockets(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    upload(world.tcp, false, "/count", false);
    upload(world.tcp, true, "/count", false);
    upload(world.unix_address, false, "/count", false);
    world_close(&world);
}

/* The client takes nothing until it has sent everything it is allowed to: no one may run ahead. */
static void echoes_more_than_all_queues_hold(void **state)
{
    (void)state;
    struct world world;
    struct http_limits limits = http_limits_default;
    limits.write_queue_bytes = BIG_BYTES; /* /echo does not heed it */
    world_open(&world, &limits);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *request = start(client, "POST", "/echo", false);
    struct http_client_request *other = NULL;
    for (size_t sent = 0; sent < BIG_BYTES; sent += BLOCK_BYTES) {
        struct buffer *block = buffer_create(BLOCK_BYTES);
        for (size_t i = 0; i < BLOCK_BYTES; i++)
            block->data[i] = pattern(sent + i);
        struct slices slices;
        slices_init(&slices);
        slices_append(&slices, slice_make(block->data, BLOCK_BYTES, block));
        assert_int_equal(http_client_write(request, &slices, NULL), STATUS_OK);
        slices_finish(&slices);
        if (sent == BIG_BYTES / 2) {
            /* A stream that nobody reads does not hold up another. */
            other = start(client, "GET", "/nothing", true);
            expect_text(other, 404, "nothing here");
            http_client_finish(other);
        }
    }
    assert_int_equal(http_client_end(request, NULL), STATUS_OK);
    assert_int_equal(read_pattern(request), BIG_BYTES);
    http_client_finish(request);
    http_client_close(client);
    world_close(&world);
}

static void reads_several_requests_in_any_order(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *requests[4];
    for (size_t i = 0; i < 4; i++)
        requests[i] = start(client, "GET", "/big", true);
    for (size_t i = 4; i-- > 0;) {
        assert_int_equal(read_pattern(requests[i]), BIG_BYTES);
        http_client_finish(requests[i]);
    }
    http_client_close(client);
    world_close(&world);
}

static void tells_the_handler_of_a_cancel(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *hanging = start(client, "GET", "/hang", true);
    struct http_client_request *big = start(client, "GET", "/big", true);
    struct slices bytes;
    slices_init(&bytes);
    bool end = false;
    assert_int_equal(http_client_read(big, &bytes, &end, NULL), STATUS_OK);
    slices_finish(&bytes);
    http_client_finish(big);
    http_client_finish(hanging);
    await_closed(&world, HTTP_CLOSE_CANCELLED, 2);
    hanging = start(client, "GET", "/nothing", true);
    expect_text(hanging, 404, "nothing here");
    http_client_finish(hanging);
    http_client_close(client);
    world_close(&world);
}

/* A client that is gone closes its socket, which looks like a half-close until something is sent. */
static void tells_the_handler_of_a_disconnect(void **state)
{
    (void)state;
    static const struct str requests[] = {
        STR("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n"),
        /* :method GET, :scheme http from the static table; :path, :authority as literals */
        STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
            "\0\0\x0c\1\5\0\0\0\1\x82\x86\x04\x05/hang\x01\x01"
            "a"),
    };
    struct world world;
    world_open(&world, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        struct http_address address;
        struct http_socket_address found[HTTP_ADDRESSES_MAX];
        size_t count = 0;
        assert_int_equal(http_address_parse(str_of(world.tcp), &address, NULL), STATUS_OK);
        assert_int_equal(http_address_resolve(&address, found, &count, NULL), STATUS_OK);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&found[0].storage, found[0].size), 0);
        assert_int_equal(send(fd, requests[i].ptr, requests[i].len, 0), requests[i].len);
        while (atomic_load(&world.opened) == i)
            usleep(1000);
        assert_int_equal(close(fd), 0);
        await_closed(&world, HTTP_CLOSE_DISCONNECTED, i + 1);
    }
    world_close(&world);
}

static void breaks_responses_visibly(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    for (int http1 = 0; http1 < 2; http1++) {
        struct http_client *client = connect_to(world.tcp, http1);
        struct http_client_request *request = start(client, "GET", "/abort", true);
        struct slices bytes;
        slices_init(&bytes);
        bool end = false;
        assert_int_equal(http_client_read(request, &bytes, &end, NULL), STATUS_OK);
        assert_int_equal(bytes.bytes, 4);
        assert_false(end);
        loop_post(world.loop, &world.abort_task);
        struct error error = ERROR_NONE;
        assert_int_equal(http_client_read(request, &bytes, &end, &error), STATUS_UNAVAILABLE);
        slices_finish(&bytes);
        http_client_finish(request);
        /* The next request works, on a new connection if need be. */
        request = start(client, "GET", "/nothing", true);
        expect_text(request, 404, "nothing here");
        http_client_finish(request);
        http_client_close(client);
    }
    await_closed(&world, HTTP_CLOSE_CANCELLED, 2);
    world_close(&world);
}

static void meets_deadlines(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *request = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(http_client_start(client, STR("GET"), STR("/hang"), NULL, 0, true,
                                       clock_now_ns() + 10 * NANOSECONDS_PER_MILLISECOND, &request,
                                       &error),
                     STATUS_OK);
    unsigned status = 0;
    const struct http_headers *headers = NULL;
    assert_int_equal(http_client_head(request, &status, &headers, &error),
                     STATUS_DEADLINE_EXCEEDED);
    http_client_finish(request);
    await_closed(&world, HTTP_CLOSE_CANCELLED, 1);
    http_client_close(client);
    world_close(&world);
}

static void interrupt(void *argument)
{
    struct world *world = ((void **)argument)[0];
    while (atomic_load(&world->opened) == 0)
        usleep(1000);
    http_client_interrupt(((void **)argument)[1]);
}

static void can_be_interrupted(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *request = start(client, "GET", "/hang", true);
    void *argument[] = {&world, client};
    struct thread *thread = NULL;
    assert_int_equal(thread_start("interrupt", 0, interrupt, argument, &thread, NULL), STATUS_OK);
    unsigned status = 0;
    const struct http_headers *headers = NULL;
    assert_int_equal(http_client_head(request, &status, &headers, NULL), STATUS_CANCELLED);
    thread_join(thread);
    http_client_finish(request);
    request = start(client, "GET", "/nothing", true);
    expect_text(request, 404, "nothing here");
    http_client_finish(request);
    http_client_close(client);
    world_close(&world);
}

static void finishes_what_runs_when_draining(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *request = start(client, "GET", "/big", true);
    struct slices bytes;
    slices_init(&bytes);
    bool end = false;
    assert_int_equal(http_client_read(request, &bytes, &end, NULL), STATUS_OK);
    size_t got = bytes.bytes;
    loop_post(world.loop, &world.drain_task);
    while (!end) {
        slices_finish(&bytes);
        assert_int_equal(http_client_read(request, &bytes, &end, NULL), STATUS_OK);
        got += bytes.bytes;
    }
    slices_finish(&bytes);
    assert_int_equal(got, BIG_BYTES);
    http_client_finish(request);
    struct error error = ERROR_NONE;
    enum status status = http_client_start(client, STR("GET"), STR("/"), NULL, 0, true, CLOCK_NEVER,
                                           &request, &error);
    assert_int_equal(status, STATUS_UNAVAILABLE);
    http_client_close(client);
    world_close(&world);
}

static void refuses_connections_over_the_limit(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.connection_count_max = 1;
    struct world world;
    world_open(&world, &limits);
    struct http_client *first = connect_to(world.tcp, false);
    struct http_client_request *request = start(first, "GET", "/nothing", true);
    expect_text(request, 404, "nothing here");
    struct http_client *second = connect_to(world.tcp, false);
    struct http_client_request *refused = start(second, "GET", "/nothing", true);
    unsigned status = 0;
    const struct http_headers *headers = NULL;
    assert_int_equal(http_client_head(refused, &status, &headers, NULL), STATUS_UNAVAILABLE);
    http_client_finish(refused);
    http_client_close(second);
    http_client_finish(request);
    http_client_close(first);
    world_close(&world);
}

static void says_what_cannot_be_bound_or_reached(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    char *bound = NULL;
    struct error error = ERROR_NONE;
    struct loop *loop = NULL;
    struct http_server *server = NULL;
    assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
    const struct http_handler *handlers[] = {&world.handler};
    const struct http_server_options options = {
        .limits = http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = &loop,
        .loop_count = 1,
    };
    assert_int_equal(http_server_create(&options, &server, NULL), STATUS_OK);
    assert_int_equal(http_server_listen(server, str_of(world.tcp), "x", &bound, &error),
                     STATUS_UNAVAILABLE);
    assert_true(str_find_str(str_of(error.message), str_of(world.tcp)) > 0);
    assert_true(str_ends_with(str_of(error.message), STR("is in use")));
    assert_int_equal(http_server_listen(server, str_of(world.unix_address), "x", &bound, &error),
                     STATUS_UNAVAILABLE);
    assert_int_equal(http_server_listen(server, STR("nonsense"), "x", &bound, &error),
                     STATUS_INVALID_ARGUMENT);
    http_server_destroy(server);
    loop_destroy(loop);

    struct http_client *client = NULL;
    const struct http_client_options nowhere = {.address = STR("unix:/nonexistent/socket")};
    assert_int_equal(http_client_connect(&nowhere, &client, &error), STATUS_UNAVAILABLE);
    assert_string_equal(error.message,
                        "cannot connect to unix:/nonexistent/socket: No such file or directory");
    world_close(&world);
}

#define LOOPS 3

struct many_loops {
    struct loop *loops[LOOPS];
    struct loop_task drained_task;
    struct http_handler handler;
    atomic_size_t by_loop[LOOPS];
};

static void on_counted_request(const struct http_handler *handler, struct http_request *request)
{
    struct many_loops *many = handler->context;
    for (size_t i = 0; i < LOOPS; i++)
        atomic_fetch_add(&many->by_loop[i], request->loop == many->loops[i]);
    assert_true(loop_is_current(request->loop));
    http_respond_text(request, 200, STR("text/plain"), STR("here"));
}

static void on_counted_close(struct http_request *request, enum http_close why)
{
    (void)request, (void)why;
}

static void on_all_drained(struct loop_task *task)
{
    struct many_loops *many = CONTAINER_OF(task, struct many_loops, drained_task);
    for (size_t i = 0; i < LOOPS; i++)
        loop_stop(many->loops[i]);
}

static void spreads_connections_over_loops(void **state)
{
    (void)state;
    struct many_loops many = {
        .handler = {.context = &many,
                    .on_request = on_counted_request,
                    .on_close = on_counted_close},
        .drained_task = LOOP_TASK_INIT(on_all_drained),
    };
    struct thread *threads[LOOPS];
    struct http_server *server = NULL;
    char *bound = NULL;
    struct error error = ERROR_NONE;
    for (size_t i = 0; i < LOOPS; i++)
        assert_int_equal(loop_create(&many.loops[i], &error), STATUS_OK);
    const struct http_handler *handlers[] = {&many.handler};
    const struct http_server_options options = {
        .limits = http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = many.loops,
        .loop_count = LOOPS,
    };
    assert_int_equal(http_server_create(&options, &server, &error), STATUS_OK);
    assert_int_equal(http_server_listen(server, STR("localhost:0"), "http", &bound, &error),
                     STATUS_OK);
    for (size_t i = 0; i < LOOPS; i++)
        assert_int_equal(thread_start("loop", 0, run_loop, many.loops[i], &threads[i], &error),
                         STATUS_OK);
    /* The kernel chooses by the client's port: among 64, each loop is met but for bad luck of
     * 3 * (2/3)^64. */
    for (int i = 0; i < 64; i++) {
        struct http_client *client = connect_to(bound, i % 2 == 1);
        struct http_client_request *request = start(client, "GET", "/", true);
        expect_text(request, 200, "here");
        http_client_finish(request);
        http_client_close(client);
    }
    for (size_t i = 0; i < LOOPS; i++)
        assert_true(atomic_load(&many.by_loop[i]) > 0);
    http_server_drain(server, &many.drained_task, many.loops[0]);
    for (size_t i = 0; i < LOOPS; i++)
        thread_join(threads[i]);
    http_server_destroy(server);
    for (size_t i = 0; i < LOOPS; i++)
        loop_destroy(many.loops[i]);
    free(bound);
}

static void counts_connections_and_bytes(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    download(world.tcp, false);
    world_drain(&world);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, (size_t)1 << 20);
    metrics_write(world.metrics, METRICS_PROMETHEUS, &text);
    struct str all = buf_str(&text);
    assert_true(str_find_str(all, STR("volley_connections 0\n")) >= 0);
    assert_true(str_find_str(all, STR("volley_live_objects{kind=\"connection\"} 0\n")) >= 0);
    ptrdiff_t at = str_find_str(all, STR("volley_bytes_sent_total{door=\"flight\"} "));
    assert_true(at >= 0);
    struct str value = str_slice(all, (size_t)at + 39, all.len);
    double sent = 0;
    assert_true(str_to_double(str_split(&value, '\n'), &sent));
    assert_true(sent > (double)BIG_BYTES);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(downloads_over_both_versions_and_sockets),
        cmocka_unit_test(uploads_over_both_versions_and_sockets),
        cmocka_unit_test(echoes_more_than_all_queues_hold),
        cmocka_unit_test(reads_several_requests_in_any_order),
        cmocka_unit_test(tells_the_handler_of_a_cancel),
        cmocka_unit_test(tells_the_handler_of_a_disconnect),
        cmocka_unit_test(breaks_responses_visibly),
        cmocka_unit_test(meets_deadlines),
        cmocka_unit_test(can_be_interrupted),
        cmocka_unit_test(finishes_what_runs_when_draining),
        cmocka_unit_test(refuses_connections_over_the_limit),
        cmocka_unit_test(says_what_cannot_be_bound_or_reached),
        cmocka_unit_test(spreads_connections_over_loops),
        cmocka_unit_test(counts_connections_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
