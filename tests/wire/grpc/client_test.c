/*
 * The gRPC client against the gRPC server, over loopback TCP and a Unix socket.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/client.h"
#include "grpc/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "event/thread.h"
#include "http/server.h"
#include "test_service.h"

struct fixture {
    struct test_service service;
    struct workers *workers;
    struct loop *loop;
    struct thread *thread;
    struct grpc_handler *handler;
    struct http_server *server;
    char *address;
    char socket_path[64];
    struct grpc_client *client;
    struct error error;
};

static void run_loop(void *argument)
{
    loop_run(argument);
}

static struct grpc_client *connect_to(struct fixture *fixture, const char *scheme,
                                      const char *address)
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

static int set_up(void **state)
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

static int tear_down(void **state)
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

static void fill(struct slices *message, size_t size)
{
    slices_init(message);
    struct buffer *buffer = buffer_create(size);
    for (size_t i = 0; i < size; i++)
        buffer->data[i] = (uint8_t)(i * 7);
    slices_append(message, slice_make(buffer->data, size, buffer));
}

static void text(struct slices *message, const char *content)
{
    slices_init(message);
    slices_append(message, slice_of_str(str_of(content)));
}

static struct str path_of(const char *method)
{
    static char path[64];
    snprintf(path, sizeof(path), "/test.Service/%s", method);
    return str_of(path);
}

static struct grpc_client_call *start(struct fixture *fixture, const char *method,
                                      uint64_t timeout_ms)
{
    struct grpc_client_call *call = NULL;
    assert_int_equal(
        grpc_client_start(fixture->client, path_of(method), timeout_ms, &call, &fixture->error),
        STATUS_OK);
    return call;
}

static void send_text(struct fixture *fixture, struct grpc_client_call *call, const char *content)
{
    CLEANUP(slices_finish) struct slices message;
    text(&message, content);
    assert_int_equal(grpc_client_send(call, &message, &fixture->error), STATUS_OK);
    assert_int_equal(message.bytes, 0);
}

static struct grpc_client_call *ask(struct fixture *fixture, const char *method,
                                    const char *request)
{
    struct grpc_client_call *call = start(fixture, method, 0);
    send_text(fixture, call, request);
    assert_int_equal(grpc_client_half_close(call, &fixture->error), STATUS_OK);
    return call;
}

static void assert_message(struct fixture *fixture, struct grpc_client_call *call, size_t len)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    bool end;
    assert_int_equal(grpc_client_receive(call, &message, &end, &fixture->error), STATUS_OK);
    assert_false(end);
    assert_int_equal(message.len, len);
    assert_int_equal((uintptr_t)message.ptr % 8, 0);
}

static void assert_end(struct fixture *fixture, struct grpc_client_call *call)
{
    struct slice message;
    bool end;
    assert_int_equal(grpc_client_receive(call, &message, &end, &fixture->error), STATUS_OK);
    assert_true(end);
}

static void assert_failure(struct fixture *fixture, struct grpc_client_call *call,
                           enum status status, const char *part)
{
    struct slice message;
    bool end;
    assert_int_equal(grpc_client_receive(call, &message, &end, &fixture->error), status);
    if (!strstr(fixture->error.message, part))
        fail_msg("\"%s\" is not in \"%s\"", part, fixture->error.message);
}

/* --- calls ------------------------------------------------------------------------------------ */

static void echo(struct fixture *fixture, struct grpc_client *client, size_t size)
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

static void test_unary(void **state)
{
    struct fixture *fixture = *state;
    static const size_t sizes[] = {0, 1, 5000, 271828, 20000000};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
        echo(fixture, fixture->client, sizes[i]);
}

static void test_addresses(void **state)
{
    struct fixture *fixture = *state;
    static const char *const schemes[] = {"grpc+tcp://", "http://", "GRPC://"};
    for (size_t i = 0; i < ARRAY_COUNT(schemes); i++) {
        CLEANUP(grpc_client_close)
        struct grpc_client *client = connect_to(fixture, schemes[i], fixture->address);
        echo(fixture, client, 10);
    }
    CLEANUP(grpc_client_close)
    struct grpc_client *local = connect_to(fixture, "grpc+unix://", fixture->socket_path);
    echo(fixture, local, 3000000);
}

static void test_wrong_addresses(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *server;
        enum status status;
        const char *part;
    } cases[] = {
        {"localhost:1", STATUS_INVALID_ARGUMENT, "expected grpc://HOST:PORT"},
        {"", STATUS_INVALID_ARGUMENT, "expected grpc://HOST:PORT"},
        {"grpc://", STATUS_INVALID_ARGUMENT, "expected grpc://HOST:PORT"},
        {"grpc://a:1/path", STATUS_INVALID_ARGUMENT, "expected grpc://HOST:PORT"},
        {"grpc+unix://relative", STATUS_INVALID_ARGUMENT, "grpc+unix:///PATH"},
        {"ftp://a:1", STATUS_INVALID_ARGUMENT, "expected grpc://HOST:PORT"},
        {"grpc+tls://127.0.0.1:1", STATUS_UNAVAILABLE, "cannot connect to 127.0.0.1:1"},
        {"https://a:1/path", STATUS_INVALID_ARGUMENT, "https://HOST:PORT"},
        {"grpc+unix:///nonexistent/socket", STATUS_UNAVAILABLE, "/nonexistent/socket"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct grpc_client_options options = {.server = str_of(cases[i].server)};
        struct grpc_client *client = NULL;
        assert_int_equal(grpc_client_connect(&options, &client, &fixture->error), cases[i].status);
        assert_null(client);
        if (!strstr(fixture->error.message, cases[i].part))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].part, fixture->error.message);
    }
}

static void test_download(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(grpc_client_finish)
    struct grpc_client_call *call = ask(fixture, "Sizes", "31415,9,0,58979,10000000");
    static const size_t sizes[] = {31415, 9, 0, 58979, 10000000};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
        assert_message(fixture, call, sizes[i]);
    assert_end(fixture, call);
}

static void test_upload(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = start(fixture, "Sum", 0);
    for (int i = 0; i < 20; i++) {
        CLEANUP(slices_finish) struct slices message;
        fill(&message, 1000000);
        assert_int_equal(grpc_client_send(call, &message, &fixture->error), STATUS_OK);
    }
    assert_int_equal(grpc_client_half_close(call, &fixture->error), STATUS_OK);
    CLEANUP(slice_finish) struct slice sum = SLICE_EMPTY;
    bool end;
    assert_int_equal(grpc_client_receive(call, &sum, &end, &fixture->error), STATUS_OK);
    assert_true(str_equal(slice_str(sum), STR("20000000")));
    assert_end(fixture, call);
}

static void test_exchange(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = start(fixture, "PingPong", 0);
    static const char *const pings[] = {"one", "", "three"};
    for (size_t i = 0; i < ARRAY_COUNT(pings); i++) {
        send_text(fixture, call, pings[i]);
        assert_message(fixture, call, strlen(pings[i]));
    }
    assert_int_equal(grpc_client_half_close(call, &fixture->error), STATUS_OK);
    assert_end(fixture, call);
}

static void test_two_calls_at_once(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(grpc_client_finish)
    struct grpc_client_call *first = ask(fixture, "Sizes", "3000000,1");
    CLEANUP(grpc_client_finish)
    struct grpc_client_call *second = ask(fixture, "Sizes", "2");
    assert_message(fixture, second, 2);
    assert_end(fixture, second);
    assert_message(fixture, first, 3000000);
    assert_message(fixture, first, 1);
    assert_end(fixture, first);
}

static void test_failures(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(grpc_client_finish)
    struct grpc_client_call *call = ask(fixture, "Fail", "5 0 no \xe2\x98\xba\n100%");
    assert_failure(fixture, call, STATUS_NOT_FOUND, "no \xe2\x98\xba\n100%");
    CLEANUP(grpc_client_finish)
    struct grpc_client_call *later = ask(fixture, "Fail", "15 2 lost");
    assert_message(fixture, later, 7);
    assert_message(fixture, later, 7);
    assert_failure(fixture, later, STATUS_DATA_LOSS, "lost");
    CLEANUP(grpc_client_finish) struct grpc_client_call *unknown = ask(fixture, "Nope", "");
    assert_failure(fixture, unknown, STATUS_UNIMPLEMENTED, "Nope");
}

static void test_metadata(void **state)
{
    struct fixture *fixture = *state;
    grpc_client_set_header(fixture->client, STR("x-initial"), STR("first"));
    grpc_client_set_header(fixture->client, STR("x-initial"), STR("second"));
    grpc_client_set_header(fixture->client, STR("x-trailing-bin"), STR("AAEC"));
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = ask(fixture, "Metadata", "");
    assert_message(fixture, call, 0);
    assert_true(str_equal(grpc_client_metadata(call, STR("x-initial")), STR("second")));
    assert_end(fixture, call);
    assert_true(str_equal(grpc_client_metadata(call, STR("x-trailing-bin")), STR("AAEC")));
    assert_int_equal(grpc_client_metadata(call, STR("absent")).len, 0);
}

static void test_message_over_the_limit(void **state)
{
    struct fixture *fixture = *state;
    char url[64];
    snprintf(url, sizeof(url), "grpc://%s", fixture->address);
    struct grpc_client_options options = {.server = str_of(url), .receive_message_bytes_max = 1000};
    CLEANUP(grpc_client_close) struct grpc_client *small = NULL;
    assert_int_equal(grpc_client_connect(&options, &small, &fixture->error), STATUS_OK);
    CLEANUP(slices_finish) struct slices request;
    fill(&request, 1001);
    struct slice response;
    assert_int_equal(
        grpc_client_unary(small, path_of("Echo"), 0, false, &request, &response, &fixture->error),
        STATUS_RESOURCE_EXHAUSTED);
    echo(fixture, small, 1000);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void test_deadline(void **state)
{
    struct fixture *fixture = *state;
    static const char *const methods[] = {"Stall", "Sleep"};
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        CLEANUP(slices_finish) struct slices request;
        slices_init(&request);
        struct slice response;
        assert_int_equal(grpc_client_unary(fixture->client, path_of(methods[i]), 30, true, &request,
                                           &response, &fixture->error),
                         STATUS_DEADLINE_EXCEEDED);
    }
    echo(fixture, fixture->client, 100);
}

static void wait_for_close(struct fixture *fixture)
{
    while (atomic_load(&fixture->service.closed) < atomic_load(&fixture->service.opened))
        echo(fixture, fixture->client, 0);
}

static void test_finish_cancels(void **state)
{
    struct fixture *fixture = *state;
    static const char *const methods[] = {"Stall", "Flood", "Sleep"};
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        struct grpc_client_call *call = ask(fixture, methods[i], "");
        if (i == 1)
            assert_message(fixture, call, (size_t)1 << 20);
        while (atomic_load(&fixture->service.opened) == atomic_load(&fixture->service.closed))
            echo(fixture, fixture->client, 0);
        grpc_client_finish(call);
        wait_for_close(fixture);
    }
    assert_int_equal(atomic_load(&fixture->service.cancelled), 3);
}

static void interrupt(void *argument)
{
    struct fixture *fixture = argument;
    while (atomic_load(&fixture->service.opened) == 0)
        usleep(1000);
    grpc_client_interrupt(fixture->client);
}

static void test_interrupt(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = ask(fixture, "Stall", "");
    struct thread *thread;
    assert_int_equal(thread_start("interrupt", 0, interrupt, fixture, &thread, NULL), STATUS_OK);
    assert_failure(fixture, call, STATUS_CANCELLED, "");
    thread_join(thread);
}

static void test_early_failure_of_an_upload(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = start(fixture, "FailUpload", 0);
    for (int i = 0; i < 50; i++) {
        CLEANUP(slices_finish) struct slices message;
        fill(&message, 1 << 20);
        if (grpc_client_send(call, &message, &fixture->error) != STATUS_OK)
            break;
    }
    assert_failure(fixture, call, STATUS_RESOURCE_EXHAUSTED, "no room");
}

/* Calls Fail once with this status; how many of them the server saw. */
static int tries_of(struct fixture *fixture, const char *answer, bool idempotent)
{
    const struct grpc_retry quick = {.tries_max = 3, .first_delay_ms = 1, .delay_ms_max = 5};
    char url[128];
    snprintf(url, sizeof(url), "grpc://%s", fixture->address);
    struct grpc_client_options options = {.server = str_of(url), .retry = &quick};
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    assert_int_equal(grpc_client_connect(&options, &client, &fixture->error), STATUS_OK);
    CLEANUP(slices_finish) struct slices request;
    slices_init(&request);
    slices_append_copy(&request, answer, strlen(answer));
    CLEANUP(slice_finish) struct slice response = SLICE_EMPTY;
    int before = atomic_load(&fixture->service.opened);
    assert_int_not_equal(grpc_client_unary(client, path_of("Fail"), 0, idempotent, &request,
                                           &response, &fixture->error),
                         STATUS_OK);
    assert_string_equal(fixture->error.message, "gone");
    return atomic_load(&fixture->service.opened) - before;
}

static void test_tries_again_what_has_no_effect(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *answer;
        int tries;
    } cases[] = {{"14 0 gone", 3}, {"8 0 gone", 3}, {"10 0 gone", 3}, {"13 0 gone", 1},
                 {"3 0 gone", 1},  {"4 0 gone", 1}, {"1 0 gone", 1}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(tries_of(fixture, cases[i].answer, true), cases[i].tries);
        assert_int_equal(tries_of(fixture, cases[i].answer, false), 1);
    }
}

static void test_pool(void **state)
{
    struct fixture *fixture = *state;
    char url[128];
    snprintf(url, sizeof(url), "grpc://%s", fixture->address);
    struct grpc_pool_options options = {.client = {.server = str_of(url)}, .resting_max = 1};
    CLEANUP(grpc_pool_destroy) struct grpc_pool *pool = grpc_pool_create(&options);
    struct grpc_client *first;
    struct grpc_client *second;
    assert_int_equal(grpc_pool_take(pool, &first, &fixture->error), STATUS_OK);
    assert_int_equal(grpc_pool_take(pool, &second, &fixture->error), STATUS_OK);
    echo(fixture, first, 10);
    echo(fixture, second, 10);
    assert_int_equal(grpc_pool_taken(pool), 2);
    grpc_pool_give(pool, first);
    grpc_pool_give(pool, second); /* closes the first */
    assert_int_equal(grpc_pool_taken(pool), 0);
    struct grpc_client *again;
    assert_int_equal(grpc_pool_take(pool, &again, &fixture->error), STATUS_OK);
    assert_ptr_equal(again, second);
    echo(fixture, again, 10);
    grpc_pool_give(pool, again);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unary),
        TEST(test_addresses),
        TEST(test_wrong_addresses),
        TEST(test_download),
        TEST(test_upload),
        TEST(test_exchange),
        TEST(test_two_calls_at_once),
        TEST(test_failures),
        TEST(test_metadata),
        TEST(test_message_over_the_limit),
        TEST(test_deadline),
        TEST(test_finish_cancels),
        TEST(test_interrupt),
        TEST(test_early_failure_of_an_upload),
        TEST(test_tries_again_what_has_no_effect),
        TEST(test_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
