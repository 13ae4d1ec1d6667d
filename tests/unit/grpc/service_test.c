/*
 * What becomes a call and what does not; the services that every server has.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_fixture.h"

/* --- what is no call of ours ---------------------------------------------------------------- */

static void test_unknown_methods(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *path;
        const char *message;
    } cases[] = {
        {"/test.S/Nope", "service test.S has no method \"Nope\""},
        {"/no.Such/Method", "no service answers \"/no.Such/Method\""},
        {"/", "no service answers"},
        {"/test.S", "no service answers"},
        {"*", "no service answers"},
        {"/test.S/Unary/", "service test.S has no method \"Unary/\""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin(fixture, cases[i].path);
        open_call(fixture);
        assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
        assert_contains(&fixture->fake->head, cases[i].message);
        SEND(fixture, "\0\0\0\0\0");
        fake_request_end(fixture->fake);
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

static void test_content_types(void **state)
{
    struct fixture *fixture = *state;
    const struct http_handler *http = grpc_handler_http(fixture->handler);
    static const struct {
        const char *content_type;
        bool accepted;
        bool works;
    } cases[] = {
        {"application/grpc", true, true},
        {"application/grpc+proto", true, true},
        {"application/grpc;charset=utf-8", true, true},
        {"application/grpc+proto; x=y", true, true},
        {"Application/GRPC", true, true},
        {"application/grpc+json", true, false},
        {"application/grpc+", true, false},
        {"application/grpc-web", true, true},
        {"application/grpc-web+proto", true, true},
        {"Application/grpc-web; x=y", true, true},
        {"application/grpc-web+json", true, false},
        {"application/grpc-web-text+thrift", true, false},
        {"application/grpcx", false, false},
        {"application/grpc-webx", false, false},
        {"application/grpc-web-textx", false, false},
        {"application/grpc-web-", false, false},
        {"text/html", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fake_request *fake = begin(fixture, "/test.S/Unary");
        fake_request_header(fake, "content-type", cases[i].content_type);
        fake->request.headers =
            (struct http_headers){.items = fake->headers, .count = fake->header_count};
        assert_int_equal(http->accepts(http, &fake->request), cases[i].accepted);
        fixture->probe.responses = 1;
        open_call(fixture);
        SEND(fixture, "\0\0\0\0\0");
        fake_request_end(fake);
        if (!cases[i].accepted) {
            assert_int_equal(fake->status, 415);
            assert_true(fake->ended);
        } else if (!cases[i].works) {
            assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
        } else {
            bool is_web = strstr(cases[i].content_type, "web") != NULL;
            assert_contains(is_web ? &fake->body : &fake->trailers, "grpc-status: 0");
            assert_contains(&fake->head, cases[i].content_type);
        }
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

static void test_other_verbs_and_versions(void **state)
{
    struct fixture *fixture = *state;
    struct fake_request *fake = begin(fixture, "/test.S/Unary");
    fake->request.method = STR("GET");
    open_call(fixture);
    fake_request_end(fake);
    assert_int_equal(fake->status, 405);
    assert_contains(&fake->head, "allow: POST\n");
    close_call(fixture, HTTP_CLOSE_DONE);
    fake = begin(fixture, "/test.S/Unary");
    fake->request.version = HTTP_1_1;
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    assert_int_equal(fake->status, 505);
}

static void test_preflights(void **state)
{
    struct fixture *fixture = *state;
    const struct http_handler *http = grpc_handler_http(fixture->handler);
    static const struct {
        const char *path;
        const char *origin;
        bool accepted;
        bool allowed;
    } cases[] = {
        {"/test.S/Unary", "http://app.example", true, true},
        {"/test.S/Unary", "http://evil.example", true, false},
        {"/test.S/Nope", "http://app.example", false, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fake_request *fake = begin(fixture, cases[i].path);
        fake->request.method = STR("OPTIONS");
        fake_request_header(fake, "content-type", "");
        fake_request_header(fake, "origin", cases[i].origin);
        fake_request_header(fake, "access-control-request-method", "POST");
        fake_request_header(fake, "access-control-request-headers", "content-type,x-grpc-web");
        fake->request.headers =
            (struct http_headers){.items = fake->headers, .count = fake->header_count};
        assert_int_equal(http->accepts(http, &fake->request), cases[i].accepted);
        if (cases[i].accepted) {
            open_call(fixture);
            fake_request_end(fake);
            assert_int_equal(fake->status, 204);
            assert_true(fake->ended);
            bool allowed = str_find_str(buf_str(&fake->head), STR("allow-origin")) >= 0;
            assert_int_equal(allowed, cases[i].allowed);
        } else {
            open_call(fixture);
        }
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

/* Whatever a browser says it sends, the page must be one that may. */
static void test_pages(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *content_type;
        const char *origin; /* NULL: none */
        const char *authority;
        unsigned status;
    } cases[] = {
        {"application/grpc-web", NULL, "localhost:1", 200},
        {"application/grpc-web", "http://app.example", "localhost:1", 200},
        {"application/grpc-web", "http://localhost:1", "localhost:1", 200},
        {"application/grpc-web", "http://evil.example", "localhost:1", 403},
        {"application/grpc-web", "null", "localhost:1", 403},
        {"application/grpc", "http://evil.example", "localhost:1", 403},
        {"application/grpc", "http://app.example", "localhost:1", 200},
        /* A name that was turned to this machine. */
        {"application/grpc-web", "http://evil.example", "evil.example", 403},
        {"application/grpc-web", NULL, "evil.example", 403},
        {"application/grpc", "http://evil.example", "evil.example", 403},
        /* No page: clients of gRPC name the server as they like. */
        {"application/grpc", NULL, "any.example", 200},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fake_request *fake = begin(fixture, "/test.S/Unary");
        fixture->probe.opened = fixture->probe.closed = fixture->probe.cancelled = 0;
        fixture->probe.responses = 1;
        fake->request.peer = STR("127.0.0.1:50000");
        fake->request.authority = str_of(cases[i].authority);
        fake_request_header(fake, "content-type", cases[i].content_type);
        if (cases[i].origin)
            fake_request_header(fake, "origin", cases[i].origin);
        open_call(fixture);
        SEND(fixture, "\0\0\0\0\0");
        fake_request_end(fake);
        if (fake->status != cases[i].status)
            fail_msg("row %zu: %u", i, fake->status);
        assert_int_equal(fixture->probe.opened, cases[i].status == 200);
        assert_true(fake->ended);
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

/* --- health -------------------------------------------------------------------------------- */

static bool never_serving(void *context)
{
    return false;
}

static void test_health(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        struct str request;
        struct str response;
    } cases[] = {
        {{"\0\0\0\0\0", 5}, {"\0\0\0\0\2\x08\1", 7}},
        {{"\0\0\0\0\2\x0a\0", 7}, {"\0\0\0\0\2\x08\1", 7}},
        {{"\0\0\0\0\x08\x0a\6test.S", 13}, {"\0\0\0\0\2\x08\1", 7}},
        {{"\0\0\0\0\x17\x0a\x15grpc.health.v1.Health", 28}, {"\0\0\0\0\2\x08\1", 7}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin(fixture, "/grpc.health.v1.Health/Check");
        open_call(fixture);
        fake_request_body(fixture->fake, cases[i].request.ptr, cases[i].request.len);
        fake_request_end(fixture->fake);
        assert_body(fixture->fake, cases[i].response);
        assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
        close_call(fixture, HTTP_CLOSE_DONE);
    }
    begin(fixture, "/grpc.health.v1.Health/Check");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\5\x0a\3nop");
    fake_request_end(fixture->fake);
    assert_trailers_only(fixture, STATUS_NOT_FOUND);
    close_call(fixture, HTTP_CLOSE_DONE);
    begin(fixture, "/grpc.health.v1.Health/Check");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\3\x0a\x09x");
    fake_request_end(fixture->fake);
    assert_trailers_only(fixture, STATUS_INVALID_ARGUMENT);
}

static void test_health_of_a_server_that_does_not_serve(void **state)
{
    struct loop *loop = ((struct fixture *)*state)->loop;
    struct grpc_options options = {.is_serving = never_serving};
    CLEANUP(grpc_handler_destroy) struct grpc_handler *handler = grpc_handler_create(&options);
    struct fake_request *fake = fake_request_create(loop, "/grpc.health.v1.Health/Check");
    fake_request_open(fake, grpc_handler_http(handler));
    fake_request_body(fake, "\0\0\0\0\0", 5);
    fake_request_end(fake);
    assert_body(fake, STR("\0\0\0\0\2\x08\2"));
    fake_request_close(fake, HTTP_CLOSE_DONE);
}

static void test_health_list(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/grpc.health.v1.Health/List");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
    struct str body = buf_str(&fixture->fake->body);
    static const struct str entries[] = {
        {"\x0a\6\x0a\0\x12\2\x08\1", 8},
        {"\x0a\x0c\x0a\6test.S\x12\2\x08\1", 14},
        {"\x0a\x15grpc.health.v1.Health\x12\2\x08\1", 27},
        {"\x0a\x23grpc.reflection.v1.ServerReflection\x12\2\x08\1", 41},
    };
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++)
        assert_true(str_find_str(body, entries[i]) >= 0);
}

/* A server whose answer changes. */
static bool serves_while(void *context)
{
    return *(bool *)context;
}

static struct grpc_handler *changing_handler(bool *serving)
{
    struct grpc_options options = {.is_serving = serves_while, .is_serving_context = serving};
    return grpc_handler_create(&options);
}

static void begin_watch(struct fixture *fixture, struct grpc_handler *handler, struct str message)
{
    begin(fixture, "/grpc.health.v1.Health/Watch");
    fake_request_open(fixture->fake, grpc_handler_http(handler));
    fake_request_body(fixture->fake, message.ptr, message.len);
    fake_request_end(fixture->fake);
}

static void test_health_watch(void **state)
{
    struct fixture *fixture = *state;
    bool serving = true;
    CLEANUP(grpc_handler_destroy) struct grpc_handler *handler = changing_handler(&serving);
    begin_watch(fixture, handler, STR("\0\0\0\0\0"));
    assert_body(fixture->fake, STR("\0\0\0\0\2\x08\1"));
    assert_false(fixture->fake->ended);
    serving = false;
    grpc_handler_http(handler)->on_drain(&fixture->fake->request);
    loop_run_once(fixture->loop, 0);
    assert_body(fixture->fake, STR("\0\0\0\0\2\x08\1\0\0\0\0\2\x08\2"));
    assert_true(fixture->fake->ended);
    assert_contains(&fixture->fake->trailers, "grpc-status: 14\n");
    close_call(fixture, HTTP_CLOSE_DONE);
}

static void test_health_watch_of_an_unknown_service(void **state)
{
    struct fixture *fixture = *state;
    bool serving = true;
    CLEANUP(grpc_handler_destroy) struct grpc_handler *handler = changing_handler(&serving);
    begin_watch(fixture, handler, STR("\0\0\0\0\5\x0a\3nop"));
    assert_body(fixture->fake, STR("\0\0\0\0\2\x08\3"));
    assert_false(fixture->fake->ended);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
}

static void test_health_watch_on_a_draining_connection(void **state)
{
    struct fixture *fixture = *state;
    bool serving = true;
    CLEANUP(grpc_handler_destroy) struct grpc_handler *handler = changing_handler(&serving);
    begin(fixture, "/grpc.health.v1.Health/Watch");
    fixture->fake->draining = true;
    fake_request_open(fixture->fake, grpc_handler_http(handler));
    fake_request_body(fixture->fake, "\0\0\0\0\0", 5);
    fake_request_end(fixture->fake);
    loop_run_once(fixture->loop, 0);
    assert_body(fixture->fake, STR("\0\0\0\0\2\x08\1"));
    assert_true(fixture->fake->ended);
    close_call(fixture, HTTP_CLOSE_DONE);
}

/* --- reflection --------------------------------------------------------------------------------- */

#define REFLECTION "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

/* Asks one thing: `kind` is the number of the request's field. */
static void ask(struct fixture *fixture, char kind, const char *text)
{
    uint8_t message[200] = {
        0, 0, 0, 0, (uint8_t)(strlen(text) + 2), (uint8_t)(kind << 3 | 2), (uint8_t)strlen(text)};
    memcpy(message + 7, text, strlen(text));
    buf_clear(&fixture->fake->body);
    fake_request_body(fixture->fake, message, 7 + strlen(text));
    fake_request_read(fixture->fake);
    /* The question comes back with the answer. */
    assert_true(
        str_find_str(buf_str(&fixture->fake->body), str_make(message + 5, 2 + strlen(text))) >= 0);
}

static void test_reflection_of_services(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {
        REFLECTION, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        begin(fixture, paths[i]);
        open_call(fixture);
        ask(fixture, 7, "*");
        assert_contains(&fixture->fake->body, "\x0a\6test.S");
        assert_contains(&fixture->fake->body, "\x0a\x15grpc.health.v1.Health");
        assert_contains(&fixture->fake->body, "\x0a\x28grpc.reflection.v1alpha.ServerReflection");
        fake_request_end(fixture->fake);
        assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

static void test_reflection_of_files(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, REFLECTION);
    open_call(fixture);
    ask(fixture, 4, "arrow.flight.protocol.FlightService");
    assert_contains(&fixture->fake->body, "\x0a\x0c"
                                          "Flight.proto");
    assert_contains(&fixture->fake->body, "\x0a\x1fgoogle/protobuf/timestamp.proto\x12");
    /* Its import is not sent twice. */
    ask(fixture, 3, "Flight.proto");
    assert_contains(&fixture->fake->body, "\x0a\x0c"
                                          "Flight.proto");
    assert_true(str_find_str(buf_str(&fixture->fake->body),
                             STR("\x0a\x1fgoogle/protobuf/timestamp.proto\x12")) < 0);
    ask(fixture, 3, "google/protobuf/timestamp.proto");
    assert_contains(&fixture->fake->body, "\x0a\x1fgoogle/protobuf/timestamp.proto\x12");
    fake_request_end(fixture->fake);
}

static void test_reflection_of_what_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, REFLECTION);
    open_call(fixture);
    static const struct {
        char kind;
        const char *text;
    } cases[] = {
        {3, "nope.proto"},
        {4, "nope.Nope"},
        {4, "test.S"},
        {5, "\x0a\1x\x10\1"},
        {6, "arrow.flight.protocol.Ticket"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        ask(fixture, cases[i].kind, cases[i].text);
        /* ErrorResponse{error_code: 5, error_message} */
        assert_contains(&fixture->fake->body, "\x08\5\x12");
        assert_contains(&fixture->fake->body, "unknown ");
        assert_false(fixture->fake->ended);
    }
    fake_request_end(fixture->fake);
    assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
}

static void test_reflection_of_nonsense(void **state)
{
    struct fixture *fixture = *state;
    static const struct str messages[] = {{"\0\0\0\0\0", 5},
                                          {"\0\0\0\0\1\x1a", 6},
                                          {"\0\0\0\0\3\x1a\x1\xff", 8},
                                          {"\0\0\0\0\2\x1a\x7f", 7}};
    for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
        begin(fixture, REFLECTION);
        open_call(fixture);
        fake_request_body(fixture->fake, messages[i].ptr, messages[i].len);
        assert_trailers_only(fixture, STATUS_INVALID_ARGUMENT);
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

/* A client that asks and does not read gets one queue of answers ready, not more. */
static void test_reflection_waits_for_its_reader(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, REFLECTION);
    open_call(fixture);
    static const char question[] = "\0\0\0\0\x0e\x1a\x0c"
                                   "Flight.proto";
    for (int i = 0; i < 20; i++)
        SEND(fixture, question);
    size_t one_answer = fixture->fake->body.len;
    /* One answer fills the queue of the fake. */
    assert_true(one_answer > FAKE_QUEUE_BYTES && one_answer < 20000);
    /* The next question waits as a message, the others as bytes whose window is closed. */
    assert_int_equal(fixture->fake->consumed_bytes, 2 * (sizeof(question) - 1));
    fake_request_end(fixture->fake);
    for (int i = 2; i <= 20; i++) {
        assert_false(fixture->fake->ended);
        size_t before = fixture->fake->body.len;
        fake_request_read(fixture->fake);
        assert_true(fixture->fake->body.len > before);
    }
    fake_request_read(fixture->fake);
    assert_true(fixture->fake->ended);
    assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
}

static void test_reflection_ends_with_its_connection(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, REFLECTION);
    open_call(fixture);
    ask(fixture, 7, "");
    grpc_handler_http(fixture->handler)->on_drain(&fixture->fake->request);
    loop_run_once(fixture->loop, 0);
    assert_true(fixture->fake->ended);
    assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unknown_methods),
        TEST(test_content_types),
        TEST(test_other_verbs_and_versions),
        TEST(test_preflights),
        TEST(test_pages),
        TEST(test_health),
        TEST(test_health_of_a_server_that_does_not_serve),
        TEST(test_health_list),
        TEST(test_health_watch),
        TEST(test_health_watch_of_an_unknown_service),
        TEST(test_health_watch_on_a_draining_connection),
        TEST(test_reflection_of_services),
        TEST(test_reflection_of_files),
        TEST(test_reflection_of_what_is_not_there),
        TEST(test_reflection_of_nonsense),
        TEST(test_reflection_waits_for_its_reader),
        TEST(test_reflection_ends_with_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
