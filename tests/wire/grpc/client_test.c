/*
 * client_test.c — the gRPC client against the gRPC server, over loopback TCP and a Unix socket.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_fixture.h"

/* --- calls ------------------------------------------------------------------------------------ */

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
