/*
 * server_loops_test.c — connections over several loops, and what is counted of them.
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
        cmocka_unit_test(spreads_connections_over_loops),
        cmocka_unit_test(counts_connections_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
