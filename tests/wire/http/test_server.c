/*
 * test_server.c — the routes of conversations.h behind a real listener, for clients that other people
 * wrote.
 *
 *      http_test_server [ADDRESS [PING_MS]]
 *
 * Prints the bound address and serves until its standard input ends; then it drains, and says how many
 * connections and requests were left. PING_MS is a WebSocket's ping interval, and its time for the
 * PONG. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "conversations.h"
#include "http/server.h"

#include <stdio.h>
#include <unistd.h>

struct test_server {
    struct http_handler handler;
    struct conversations conversations;
    struct loop *loop;
    struct http_server *server;
    struct loop_watch input;
    struct loop_task drained;
};

/* --- the door ---------------------------------------------------------------------------------- */

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    struct test_server *test = handler->context;
    if (!conversations_take(&test->conversations, request))
        http_respond_text(request, 404, STR("text/plain"), STR("try /ws or /events\n"));
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    (void)bytes;
    http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
    (void)request;
}

static void on_close(struct http_request *request, enum http_close why)
{
    (void)request, (void)why;
}

/* --- the end ----------------------------------------------------------------------------------- */

static void on_drained(struct loop_task *task)
{
    struct test_server *test = CONTAINER_OF(task, struct test_server, drained);
    loop_stop(test->loop);
}

static void on_input(struct loop_watch *watch, unsigned ready)
{
    (void)ready;
    struct test_server *test = CONTAINER_OF(watch, struct test_server, input);
    char bytes[256];
    if (read(watch->fd, bytes, sizeof(bytes)) > 0)
        return;
    loop_watch_remove(test->loop, watch);
    http_server_drain(test->server, &test->drained, test->loop);
}

/* --- the process ------------------------------------------------------------------------------- */

static enum status serve(struct test_server *test, struct str address, struct error *error)
{
    const struct http_handler *handlers[] = {&test->handler};
    const struct http_server_options options = {
        .limits = http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = &test->loop,
        .loop_count = 1,
        .server_name = STR("test"),
    };
    CLEANUP(http_server_destroy) struct http_server *server = NULL;
    TRY(http_server_create(&options, &server, error));
    test->server = server;
    char *bound;
    TRY(http_server_listen(server, address, "test", &bound, error));
    printf("%s\n", bound);
    fflush(stdout);
    free(bound);
    TRY(loop_watch_add(test->loop, &test->input, LOOP_READ, error));
    loop_run(test->loop);
    printf("alive %zu %zu\n", http_server_connections(server), http_server_requests(server));
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct test_server test = {
        .input = {.fd = STDIN_FILENO, .on_ready = on_input},
        .drained = LOOP_TASK_INIT(on_drained),
    };
    conversations_init(&test.conversations);
    if (argc > 2 && !str_to_u64(str_of(argv[2]), &test.conversations.websocket.ping_interval_ms))
        return 2;
    if (argc > 2)
        test.conversations.websocket.pong_timeout_ms =
            test.conversations.websocket.ping_interval_ms;
    test.handler = (struct http_handler){
        .context = &test,
        .on_request = on_request,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_close = on_close,
    };
    struct error error = ERROR_NONE;
    enum status status = loop_create(&test.loop, &error);
    if (status == STATUS_OK)
        status = serve(&test, argc > 1 ? str_of(argv[1]) : STR("127.0.0.1:0"), &error);
    if (status != STATUS_OK)
        fprintf(stderr, "%s\n", error.message);
    loop_destroy(test.loop);
    return status == STATUS_OK ? 0 : 1;
}
