/*
 * server_end_test.c — how requests end before their time: cancelled, cut off, late, refused, drained.
 * SPDX-License-Identifier: Apache-2.0
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_handler_of_a_cancel),
        cmocka_unit_test(tells_the_handler_of_a_disconnect),
        cmocka_unit_test(breaks_responses_visibly),
        cmocka_unit_test(meets_deadlines),
        cmocka_unit_test(can_be_interrupted),
        cmocka_unit_test(finishes_what_runs_when_draining),
        cmocka_unit_test(refuses_connections_over_the_limit),
        cmocka_unit_test(says_what_cannot_be_bound_or_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
