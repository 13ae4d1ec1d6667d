/*
 * client_fixture.c — see client_fixture.h. SPDX-License-Identifier: Apache-2.0
 */
#include "client_fixture.h"

static void run_loop(void *argument)
{
    loop_run(argument);
}

struct grpc_client *connect_to(struct fixture *fixture, const char *scheme, const char *address)
{
    char url[128];
    snprintf(url, sizeof(url), "%s%s", scheme, address);
    struct grpc_client_options options = {.server = str_of(url)};
    struct grpc_client *client = NULL;
    enum status status = grpc_client_connect(&options, &client, &fixture->error);
    if (status != STATUS_OK)
        fail_msg("%s: %s", url, fixture->error.message);
    return client;
}

int set_up(void **state)
{
    struct fixture *fixture = NEW(struct fixture);
    fixture->error = ERROR_NONE;
    test_service_init(&fixture->service);
    assert_int_equal(workers_create("test", 2, 10, 0, &fixture->workers, NULL), STATUS_OK);
    assert_int_equal(loop_create(&fixture->loop, NULL), STATUS_OK);
    struct grpc_service_table table = test_service_table(&fixture->service);
    struct grpc_options options = {.tables = &table, .table_count = 1, .workers = fixture->workers};
    fixture->handler = grpc_handler_create(&options);
    const struct http_handler *handlers[] = {grpc_handler_http(fixture->handler)};
    struct http_server_options server_options = {
        .limits = http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = &fixture->loop,
        .loop_count = 1,
    };
    assert_int_equal(http_server_create(&server_options, &fixture->server, NULL), STATUS_OK);
    assert_int_equal(
        http_server_listen(fixture->server, STR("127.0.0.1:0"), "test", &fixture->address, NULL),
        STATUS_OK);
    char unix_address[80];
    char *bound;
    snprintf(fixture->socket_path, sizeof(fixture->socket_path), "/tmp/volley-grpc-%d.sock",
             getpid());
    snprintf(unix_address, sizeof(unix_address), "unix:%s", fixture->socket_path);
    assert_int_equal(
        http_server_listen(fixture->server, str_of(unix_address), "test", &bound, NULL), STATUS_OK);
    free(bound);
    assert_int_equal(thread_start("loop", 0, run_loop, fixture->loop, &fixture->thread, NULL),
                     STATUS_OK);
    fixture->client = connect_to(fixture, "grpc://", fixture->address);
    *state = fixture;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;
    grpc_client_close(fixture->client);
    loop_stop(fixture->loop);
    thread_join(fixture->thread);
    http_server_destroy(fixture->server);
    workers_destroy(fixture->workers);
    loop_run_once(fixture->loop, 0);
    assert_int_equal(grpc_handler_calls(fixture->handler), 0);
    grpc_handler_destroy(fixture->handler);
    loop_destroy(fixture->loop);
    free(fixture->address);
    (void)unlink(fixture->socket_path);
    test_service_finish(&fixture->service);
    free(fixture);
    return 0;
}

void fill(struct slices *message, size_t size)
{
    slices_init(message);
    struct buffer *buffer = buffer_create(size);
    for (size_t i = 0; i < size; i++)
        buffer->data[i] = (uint8_t)(i * 7);
    slices_append(message, slice_make(buffer->data, size, buffer));
}

void text(struct slices *message, const char *content)
{
    slices_init(message);
    slices_append(message, slice_of_str(str_of(content)));
}

struct str path_of(const char *method)
{
    static char path[64];
    snprintf(path, sizeof(path), "/test.Service/%s", method);
    return str_of(path);
}

struct grpc_client_call *start(struct fixture *fixture, const char *method, uint64_t timeout_ms)
{
    struct grpc_client_call *call = NULL;
    assert_int_equal(
        grpc_client_start(fixture->client, path_of(method), timeout_ms, &call, &fixture->error),
        STATUS_OK);
    return call;
}

void send_text(struct fixture *fixture, struct grpc_client_call *call, const char *content)
{
    CLEANUP(slices_finish) struct slices message;
    text(&message, content);
    assert_int_equal(grpc_client_send(call, &message, &fixture->error), STATUS_OK);
    assert_int_equal(message.bytes, 0);
}

struct grpc_client_call *ask(struct fixture *fixture, const char *method, const char *request)
{
    struct grpc_client_call *call = start(fixture, method, 0);
    send_text(fixture, call, request);
    assert_int_equal(grpc_client_half_close(call, &fixture->error), STATUS_OK);
    return call;
}

void assert_message(struct fixture *fixture, struct grpc_client_call *call, size_t len)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    bool end;
    assert_int_equal(grpc_client_receive(call, &message, &end, &fixture->error), STATUS_OK);
    assert_false(end);
    assert_int_equal(message.len, len);
    assert_int_equal((uintptr_t)message.ptr % 8, 0);
}

void assert_end(struct fixture *fixture, struct grpc_client_call *call)
{
    struct slice message;
    bool end;
    assert_int_equal(grpc_client_receive(call, &message, &end, &fixture->error), STATUS_OK);
    assert_true(end);
}

void assert_failure(struct fixture *fixture, struct grpc_client_call *call, enum status status,
                    const char *part)
{
    struct slice message;
    bool end;
    assert_int_equal(grpc_client_receive(call, &message, &end, &fixture->error), status);
    if (!strstr(fixture->error.message, part))
        fail_msg("\"%s\" is not in \"%s\"", part, fixture->error.message);
}

void echo(struct fixture *fixture, struct grpc_client *client, size_t size)
{
    CLEANUP(slices_finish) struct slices request;
    fill(&request, size);
    CLEANUP(slice_finish) struct slice response = SLICE_EMPTY;
    assert_int_equal(
        grpc_client_unary(client, path_of("Echo"), 0, false, &request, &response, &fixture->error),
        STATUS_OK);
    assert_int_equal(response.len, size);
    for (size_t i = 0; i < size; i++)
        assert_true(response.ptr[i] == (uint8_t)(i * 7));
}
