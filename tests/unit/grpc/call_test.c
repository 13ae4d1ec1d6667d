/*
 * A call's life, on recorded requests: every shape, every order of events, every way to end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "event/lock.h"
#include "fake_http.h"

/* What the methods did, and what they are to do. */
struct probe {
    int opened;
    int received;
    int half_closed;
    int asked; /* next */
    int cancelled;
    int closed;
    char messages[256]; /* all that were received, joined by '|' */
    int responses;      /* messages to send */
    struct str response;
    bool wait; /* next says GRPC_WAIT */
    enum status open_status;
    enum status receive_status;
    enum status half_close_status;
    enum status next_status;
    struct grpc_call *call; /* the latest */
    struct {
        struct lock lock;
        struct condition changed;
        bool hold;    /* receive on a worker does not return */
        bool holding; /* it is there */
    } locked;
};

struct fixture {
    struct loop *loop;
    struct workers *workers;
    struct metrics *metrics;
    struct probe probe;
    struct grpc_handler *handler;
    struct fake_request *fake;
};

static enum status result(enum status status, const char *where, struct error *error)
{
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "%s failed", where);
}

static enum status probe_open(struct grpc_call *call, struct error *error)
{
    struct probe *probe = call->service;
    probe->opened++;
    probe->call = call;
    call->state = ARENA_NEW(call->arena, bool); /* closed */
    grpc_call_add_header(call, STR("x-head"), STR("1"));
    grpc_call_add_trailer(call, STR("x-tail"), STR("2"));
    return result(probe->open_status, "open", error);
}

static void probe_hold(struct probe *probe)
{
    LOCKED(&probe->locked.lock);
    probe->locked.holding = probe->locked.hold;
    condition_broadcast(&probe->locked.changed);
    while (probe->locked.hold)
        condition_wait(&probe->locked.changed, &probe->locked.lock);
    probe->locked.holding = false;
}

static enum status probe_receive(struct grpc_call *call, struct slice message, struct error *error)
{
    struct probe *probe = call->service;
    probe_hold(probe);
    assert_false(*(bool *)call->state);
    /* The worker may use the arena. */
    struct str copy = arena_copy(call->arena, slice_str(message));
    size_t len = strlen(probe->messages);
    snprintf(probe->messages + len, sizeof(probe->messages) - len, "%.*s|", STR_ARGS(copy));
    probe->received++;
    return result(probe->receive_status, "receive", error);
}

static enum status probe_half_close(struct grpc_call *call, struct error *error)
{
    struct probe *probe = call->service;
    probe->half_closed++;
    return result(probe->half_close_status, "half_close", error);
}

static enum status probe_next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    struct probe *probe = call->service;
    probe->asked++;
    *out_step = GRPC_END;
    if (probe->wait) {
        *out_step = GRPC_WAIT;
        return STATUS_OK;
    }
    if (probe->next_status != STATUS_OK && probe->responses == 0)
        return result(probe->next_status, "next", error);
    if (probe->responses > 0) {
        probe->responses--;
        slices_append(out, slice_of_str(probe->response));
        *out_step = GRPC_MESSAGE;
    }
    return STATUS_OK;
}

static void probe_cancel(struct grpc_call *call)
{
    struct probe *probe = call->service;
    probe->cancelled++;
}

static void probe_close(struct grpc_call *call)
{
    struct probe *probe = call->service;
    assert_false(*(bool *)call->state);
    *(bool *)call->state = true;
    probe->closed++;
}

#define METHOD(path_text, shape_value, blocks)                                                     \
    {                                                                                              \
        .path = (path_text), .shape = (shape_value), .blocking = (blocks), .open = probe_open,     \
        .receive = probe_receive, .half_close = probe_half_close, .next = probe_next,              \
        .cancel = probe_cancel, .close = probe_close,                                              \
    }

static const struct grpc_method methods[] = {
    METHOD("/test.S/Unary", GRPC_UNARY, false),
    METHOD("/test.S/Download", GRPC_DOWNLOAD, false),
    METHOD("/test.S/Upload", GRPC_UPLOAD, false),
    METHOD("/test.S/Exchange", GRPC_EXCHANGE, false),
    METHOD("/test.S/BlockingUnary", GRPC_UNARY, true),
    METHOD("/test.S/BlockingExchange", GRPC_EXCHANGE, true),
};

static int set_up(void **state)
{
    struct fixture *fixture = NEW(struct fixture);
    assert_int_equal(loop_create(&fixture->loop, NULL), STATUS_OK);
    assert_int_equal(workers_create("test", 1, 1, 0, &fixture->workers, NULL), STATUS_OK);
    fixture->metrics = metrics_create();
    fixture->probe.responses = 1;
    fixture->probe.response = STR("r");
    lock_init(&fixture->probe.locked.lock);
    condition_init(&fixture->probe.locked.changed);
    struct grpc_service_table table = {
        .methods = methods,
        .method_count = ARRAY_COUNT(methods),
        .service = &fixture->probe,
    };
    struct grpc_options options = {
        .tables = &table,
        .table_count = 1,
        .workers = fixture->workers,
        .receive_message_bytes_max = 50,
        .metrics = fixture->metrics,
    };
    fixture->handler = grpc_handler_create(&options);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->fake)
        fake_request_close(fixture->fake, HTTP_CLOSE_DONE);
    assert_int_equal(grpc_handler_calls(fixture->handler), 0);
    assert_int_equal(fixture->probe.closed, fixture->probe.opened);
    workers_destroy(fixture->workers);
    grpc_handler_destroy(fixture->handler);
    metrics_destroy(fixture->metrics);
    condition_finish(&fixture->probe.locked.changed);
    lock_finish(&fixture->probe.locked.lock);
    loop_destroy(fixture->loop);
    free(fixture);
    return 0;
}

static struct fake_request *begin(struct fixture *fixture, const char *path)
{
    fixture->fake = fake_request_create(fixture->loop, path);
    return fixture->fake;
}

static void open_call(struct fixture *fixture)
{
    fake_request_open(fixture->fake, grpc_handler_http(fixture->handler));
}

static void close_call(struct fixture *fixture, enum http_close why)
{
    fake_request_close(STEAL(fixture->fake), why);
}

#define SEND(fixture, bytes) fake_request_body((fixture)->fake, (bytes), sizeof(bytes) - 1)

static void assert_contains(const struct buf *text, const char *part)
{
    if (str_find_str(buf_str(text), str_of(part)) < 0)
        fail_msg("\"%s\" is not in \"%.*s\"", part, STR_ARGS(buf_str(text)));
}

static void assert_body(const struct fake_request *fake, struct str expected)
{
    assert_int_equal(fake->body.len, expected.len);
    assert_memory_equal(fake->body.ptr, expected.ptr, expected.len);
}

static void assert_ok(const struct fixture *fixture)
{
    assert_true(fixture->fake->ended);
    assert_false(fixture->fake->trailers_only);
    assert_int_equal(fixture->fake->status, 200);
    assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
    assert_int_equal(fixture->probe.cancelled, 0);
    assert_int_equal(fixture->probe.closed, 1);
}

/* One HEADERS frame with the status. */
static void assert_trailers_only(const struct fixture *fixture, enum status status)
{
    char line[32];
    snprintf(line, sizeof(line), "grpc-status: %d\n", (int)status);
    assert_true(fixture->fake->trailers_only);
    assert_int_equal(fixture->fake->status, 200);
    assert_contains(&fixture->fake->head, line);
    assert_contains(&fixture->fake->head, "content-type: application/grpc");
    assert_int_equal(fixture->fake->body.len, 0);
}

static void wait_until_held(struct probe *probe)
{
    LOCKED(&probe->locked.lock);
    while (!probe->locked.holding)
        condition_wait(&probe->locked.changed, &probe->locked.lock);
}

static void hold(struct probe *probe, bool on)
{
    LOCKED(&probe->locked.lock);
    probe->locked.hold = on;
    condition_broadcast(&probe->locked.changed);
}

/* Runs the loop until the worker's result has arrived `count` times in all. */
static void run_until_received(struct fixture *fixture, int count)
{
    struct call *call = CONTAINER_OF(fixture->probe.call, struct call, public);
    while (call->busy || fixture->probe.received < count)
        loop_run_once(fixture->loop, -1);
}

/* --- the shapes ----------------------------------------------------------------------------- */

static void test_unary(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\2hi");
    assert_int_equal(fixture->probe.received, 0);
    fake_request_end(fixture->fake);
    assert_string_equal(fixture->probe.messages, "hi|");
    assert_int_equal(fixture->probe.asked, 1);
    assert_ok(fixture);
    assert_body(fixture->fake, STR("\0\0\0\0\1r"));
    assert_contains(&fixture->fake->head, "content-type: application/grpc\n");
    assert_contains(&fixture->fake->head, "x-head: 1\n");
    assert_contains(&fixture->fake->trailers, "x-tail: 2\n");
    assert_int_equal(fixture->fake->consumed_bytes, 7);
}

static void test_unary_of_empty_messages(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.response = STR_EMPTY;
    begin(fixture, "/test.S/Unary");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_ok(fixture);
    assert_body(fixture->fake, STR("\0\0\0\0\0"));
}

static void test_download(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.responses = 3;
    begin(fixture, "/test.S/Download");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_ok(fixture);
    assert_body(fixture->fake, STR("\0\0\0\0\1r\0\0\0\0\1r\0\0\0\0\1r"));
}

static void test_download_of_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.responses = 0;
    begin(fixture, "/test.S/Download");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_ok(fixture);
    assert_int_equal(fixture->fake->body.len, 0);
}

static void test_upload(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Upload");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1a\0\0\0\0\1b");
    SEND(fixture, "\0\0\0\0\1c");
    assert_string_equal(fixture->probe.messages, "a|b|c|");
    assert_int_equal(fixture->probe.asked, 0);
    fake_request_end(fixture->fake);
    assert_ok(fixture);
    assert_body(fixture->fake, STR("\0\0\0\0\1r"));
}

static void test_exchange(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.wait = true;
    fixture->probe.responses = 2;
    begin(fixture, "/test.S/Exchange");
    open_call(fixture);
    assert_int_equal(fixture->probe.asked, 1);
    SEND(fixture, "\0\0\0\0\1a");
    assert_int_equal(fixture->probe.received, 1);
    assert_int_equal(fixture->probe.asked, 2);
    assert_false(fixture->fake->request.responded);
    fixture->probe.wait = false;
    grpc_call_wake(fixture->probe.call);
    grpc_call_wake(fixture->probe.call);
    loop_run_once(fixture->loop, 0);
    /* Both responses and the end: before the client half-closed. */
    assert_ok(fixture);
    assert_body(fixture->fake, STR("\0\0\0\0\1r\0\0\0\0\1r"));
    assert_int_equal(fixture->probe.half_closed, 0);
    /* What the client still sends is thrown away and its window given back. */
    SEND(fixture, "\0\0\0\0\1b");
    assert_int_equal(fixture->fake->consumed_bytes, 12);
    assert_int_equal(fixture->probe.received, 1);
    fake_request_end(fixture->fake);
}

static void test_empty_exchange(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.wait = true;
    fixture->probe.responses = 0;
    begin(fixture, "/test.S/Exchange");
    open_call(fixture);
    fixture->probe.wait = false;
    fake_request_end(fixture->fake);
    assert_int_equal(fixture->probe.half_closed, 1);
    assert_ok(fixture);
    assert_int_equal(fixture->fake->body.len, 0);
}

static void test_blocking_unary(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/BlockingUnary");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\2hi");
    fake_request_end(fixture->fake);
    run_until_received(fixture, 1);
    assert_string_equal(fixture->probe.messages, "hi|");
    assert_int_equal(fixture->probe.half_closed, 1);
    assert_ok(fixture);
    assert_contains(&fixture->fake->head, "x-head: 1\n");
}

static void test_blocking_exchange_bounds_what_it_holds(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.wait = true;
    fixture->probe.responses = 0;
    hold(&fixture->probe, true);
    begin(fixture, "/test.S/BlockingExchange");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\1c\0\0");
    wait_until_held(&fixture->probe);
    SEND(fixture, "\0\0\1d");
    /* a is on the worker, b waits; the window of c and d stays closed. */
    assert_int_equal(fixture->fake->consumed_bytes, 12);
    hold(&fixture->probe, false);
    run_until_received(fixture, 4);
    assert_string_equal(fixture->probe.messages, "a|b|c|d|");
    assert_int_equal(fixture->fake->consumed_bytes, 24);
    fixture->probe.wait = false;
    fake_request_end(fixture->fake);
    while (!fixture->fake->ended)
        loop_run_once(fixture->loop, -1);
    assert_int_equal(fixture->probe.half_closed, 1);
    assert_ok(fixture);
}

/* --- flow control --------------------------------------------------------------------------- */

static void test_download_waits_for_room(void **state)
{
    struct fixture *fixture = *state;
    static char large[600];
    fixture->probe.response = str_make(large, sizeof(large));
    fixture->probe.responses = 5;
    begin(fixture, "/test.S/Download");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_int_equal(fixture->probe.responses, 3);
    grpc_call_wake(fixture->probe.call);
    loop_run_once(fixture->loop, 0);
    assert_int_equal(fixture->probe.responses, 3);
    fake_request_read(fixture->fake);
    assert_int_equal(fixture->probe.responses, 1);
    fake_request_read(fixture->fake);
    assert_ok(fixture);
}

/* --- failures ------------------------------------------------------------------------------- */

static void test_failing_functions(void **state)
{
    struct fixture *fixture = *state;
    struct {
        enum status *knob;
        const char *message;
    } cases[] = {
        {&fixture->probe.open_status, "grpc-message: open failed\n"},
        {&fixture->probe.receive_status, "grpc-message: receive failed\n"},
        {&fixture->probe.half_close_status, "grpc-message: half_close failed\n"},
        {&fixture->probe.next_status, "grpc-message: next failed\n"},
    };
    fixture->probe.responses = 0;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (int shape = 0; shape < (int)ARRAY_COUNT(methods); shape++) {
            *cases[i].knob = STATUS_NOT_FOUND;
            /* An exchange is asked for messages from its beginning. */
            fixture->probe.wait = cases[i].knob != &fixture->probe.next_status;
            fixture->probe.cancelled = fixture->probe.closed = fixture->probe.opened = 0;
            begin(fixture, methods[shape].path);
            open_call(fixture);
            SEND(fixture, "\0\0\0\0\0");
            fake_request_end(fixture->fake);
            while (!fixture->fake->ended)
                loop_run_once(fixture->loop, -1);
            assert_trailers_only(fixture, STATUS_NOT_FOUND);
            assert_contains(&fixture->fake->head, cases[i].message);
            assert_contains(&fixture->fake->head, "x-tail: 2\n");
            assert_int_equal(fixture->probe.cancelled, 1);
            assert_int_equal(fixture->probe.closed, 1);
            close_call(fixture, HTTP_CLOSE_DONE);
            *cases[i].knob = STATUS_OK;
        }
    }
    fixture->probe.opened = fixture->probe.closed;
}

static void test_failure_after_messages(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.responses = 2;
    fixture->probe.next_status = STATUS_DATA_LOSS;
    begin(fixture, "/test.S/Download");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_true(fixture->fake->ended);
    assert_false(fixture->fake->trailers_only);
    assert_int_equal(fixture->fake->body.len, 12);
    assert_contains(&fixture->fake->trailers, "grpc-status: 15\n");
    assert_int_equal(fixture->probe.cancelled, 1);
}

static void test_cardinality(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/test.S/Unary", "/test.S/Download",
                                        "/test.S/BlockingUnary"};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        begin(fixture, paths[i]);
        open_call(fixture);
        fake_request_end(fixture->fake);
        assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
        close_call(fixture, HTTP_CLOSE_DONE);

        begin(fixture, paths[i]);
        open_call(fixture);
        SEND(fixture, "\0\0\0\0\1a\0\0\0\0\1b");
        assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
        fake_request_end(fixture->fake);
        close_call(fixture, HTTP_CLOSE_DONE);

        begin(fixture, paths[i]);
        open_call(fixture);
        SEND(fixture, "\0\0\0\0\1a");
        SEND(fixture, "\0");
        assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
        assert_int_equal(fixture->fake->consumed_bytes, 7);
        close_call(fixture, HTTP_CLOSE_DONE);
    }
    /* None of it reached the method. */
    assert_int_equal(fixture->probe.received, 0);
}

static void test_one_response_is_required(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.responses = 0;
    begin(fixture, "/test.S/Upload");
    open_call(fixture);
    fake_request_end(fixture->fake);
    assert_trailers_only(fixture, STATUS_INTERNAL);
}

static void test_bad_framing(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        struct str bytes;
        enum status expected;
    } cases[] = {
        {{"\0\0\0\0\5hel", 8}, STATUS_INTERNAL},          /* ends inside a message */
        {{"\0\0", 2}, STATUS_INTERNAL},                   /* ends inside a prefix */
        {{"\1\0\0\0\1x", 6}, STATUS_INTERNAL},            /* compressed, no encoding */
        {{"\2\0\0\0\0", 5}, STATUS_INTERNAL},             /* no such flag */
        {{"\0\0\0\0\x33", 5}, STATUS_RESOURCE_EXHAUSTED}, /* limit + 1 */
        {{"\0\xff\xff\xff\xff", 5}, STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin(fixture, "/test.S/Exchange");
        fixture->probe.wait = true;
        open_call(fixture);
        fake_request_body(fixture->fake, cases[i].bytes.ptr, cases[i].bytes.len);
        fake_request_end(fixture->fake);
        assert_trailers_only(fixture, cases[i].expected);
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

static void test_unsupported_compression(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    open_call(fixture);
    SEND(fixture, "\1\0\0\0\1x");
    assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
    assert_contains(&fixture->fake->head, "grpc-accept-encoding: identity\n");
    assert_contains(&fixture->fake->head, "gzip");
    close_call(fixture, HTTP_CLOSE_DONE);
    /* Naming an encoding without using it is fine. */
    begin(fixture, "/test.S/Unary");
    fixture->probe.closed = fixture->probe.opened = fixture->probe.cancelled = 0;
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1x");
    fake_request_end(fixture->fake);
    assert_ok(fixture);
}

static void test_message_at_the_limit(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\x32"
                  "0123456789012345678901234567890123456789"
                  "0123456789");
    fake_request_end(fixture->fake);
    assert_ok(fixture);
}

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
        {"/test.S/Unary/", "no service answers"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin(fixture, cases[i].path);
        open_call(fixture);
        assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
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
        {"application/grpcx", false, false},
        {"application/grpc-web", false, false},
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
            assert_contains(&fake->trailers, "grpc-status: 0\n");
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

/* --- metadata and deadlines ----------------------------------------------------------------- */

static void test_metadata(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Exchange");
    fixture->probe.wait = true;
    fake_request_header(fixture->fake, "x-text", "abc");
    fake_request_header(fixture->fake, "x-raw-bin", "AAEC");
    fake_request_header(fixture->fake, "grpc-previous-rpc-attempts", "1");
    open_call(fixture);
    struct grpc_call *call = fixture->probe.call;
    struct str value;
    assert_true(grpc_call_metadata(call, STR("x-text"), &value));
    assert_true(str_equal(value, STR("abc")));
    assert_true(grpc_call_metadata(call, STR("x-raw-bin"), &value));
    assert_true(str_equal(value, STR("\0\1\2")));
    assert_false(grpc_call_metadata(call, STR("absent"), &value));
    assert_false(grpc_call_metadata(call, STR("grpc-previous-rpc-attempts"), &value));
    assert_true(str_equal(call->id, STR("id-1")));
}

static void test_bad_binary_metadata_fails_the_call(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    fake_request_header(fixture->fake, "x-bin", "!");
    open_call(fixture);
    assert_trailers_only(fixture, STATUS_INTERNAL);
    assert_int_equal(fixture->probe.opened, 0);
}

static void test_malformed_deadline(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    fake_request_header(fixture->fake, "grpc-timeout", "999999999S");
    open_call(fixture);
    assert_trailers_only(fixture, STATUS_INTERNAL);
    assert_contains(&fixture->fake->head, "grpc-timeout");
}

static void test_deadline_of_nothing(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    fake_request_header(fixture->fake, "grpc-timeout", "0n");
    open_call(fixture);
    assert_trailers_only(fixture, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(fixture->probe.opened, 0);
}

static void begin_with_deadline(struct fixture *fixture, const char *path)
{
    begin(fixture, path);
    fake_request_header(fixture->fake, "grpc-timeout", "1m");
    open_call(fixture);
}

static void test_deadline_before_the_request(void **state)
{
    struct fixture *fixture = *state;
    begin_with_deadline(fixture, "/test.S/Unary");
    while (!fixture->fake->ended)
        loop_run_once(fixture->loop, -1);
    assert_trailers_only(fixture, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(fixture->probe.cancelled, 1);
    assert_int_equal(fixture->probe.closed, 1);
}

static void test_deadline_while_waiting(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.responses = 1;
    begin_with_deadline(fixture, "/test.S/Exchange");
    close_call(fixture, HTTP_CLOSE_DONE);
    /* One message was read by the client, then nothing comes. */
    fixture->probe = (struct probe){
        .responses = 0, .wait = true, .locked = fixture->probe.locked, .response = STR("r")};
    begin_with_deadline(fixture, "/test.S/Download");
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    while (!fixture->fake->ended)
        loop_run_once(fixture->loop, -1);
    assert_trailers_only(fixture, STATUS_DEADLINE_EXCEEDED);
}

static void test_deadline_with_unread_messages(void **state)
{
    struct fixture *fixture = *state;
    static char large[600];
    fixture->probe.response = str_make(large, sizeof(large));
    fixture->probe.responses = 5;
    begin_with_deadline(fixture, "/test.S/Download");
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    while (!fixture->fake->aborted)
        loop_run_once(fixture->loop, -1);
    assert_false(fixture->fake->ended);
    assert_int_equal(fixture->probe.cancelled, 1);
    assert_int_equal(fixture->probe.closed, 1);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
}

static void test_deadline_with_messages_read_a_little_later(void **state)
{
    struct fixture *fixture = *state;
    static char large[600];
    fixture->probe.response = str_make(large, sizeof(large));
    fixture->probe.responses = 5;
    begin_with_deadline(fixture, "/test.S/Download");
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    while (fixture->probe.closed == 0)
        loop_run_once(fixture->loop, -1);
    assert_false(fixture->fake->ended);
    assert_false(fixture->fake->aborted);
    fake_request_read(fixture->fake);
    while (!fixture->fake->ended)
        loop_run_once(fixture->loop, -1);
    assert_false(fixture->fake->aborted);
    assert_int_equal(fixture->fake->body.len, 2 * 605);
    assert_contains(&fixture->fake->trailers, "grpc-status: 4\n");
}

static void test_deadline_after_the_end(void **state)
{
    struct fixture *fixture = *state;
    begin_with_deadline(fixture, "/test.S/Unary");
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_ok(fixture);
    /* The client does not read the response. */
    while (!fixture->fake->aborted)
        loop_run_once(fixture->loop, -1);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
}

static void test_deadline_while_a_worker_runs(void **state)
{
    struct fixture *fixture = *state;
    hold(&fixture->probe, true);
    begin_with_deadline(fixture, "/test.S/BlockingUnary");
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    wait_until_held(&fixture->probe);
    while (!fixture->fake->ended)
        loop_run_once(fixture->loop, -1);
    assert_trailers_only(fixture, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(fixture->probe.cancelled, 1);
    assert_int_equal(fixture->probe.closed, 0);
    hold(&fixture->probe, false);
    while (fixture->probe.closed == 0)
        loop_run_once(fixture->loop, -1);
}

/* --- cancel --------------------------------------------------------------------------------- */

static void test_cancel_at_every_point(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.wait = true;
    for (int shape = 0; shape < 4; shape++) {
        for (int point = 0; point < 4; point++) {
            fixture->probe.cancelled = fixture->probe.closed = fixture->probe.opened = 0;
            begin(fixture, methods[shape].path);
            open_call(fixture);
            if (point > 0)
                SEND(fixture, "\0\0\0\0\2x");
            if (point > 1)
                SEND(fixture, "y");
            if (point > 2)
                fake_request_end(fixture->fake);
            close_call(fixture, point % 2 ? HTTP_CLOSE_CANCELLED : HTTP_CLOSE_DISCONNECTED);
            assert_int_equal(fixture->probe.cancelled, 1);
            assert_int_equal(fixture->probe.closed, 1);
            assert_int_equal(grpc_handler_calls(fixture->handler), 0);
        }
    }
}

static void test_cancel_with_unread_messages(void **state)
{
    struct fixture *fixture = *state;
    static char large[600];
    fixture->probe.response = str_make(large, sizeof(large));
    fixture->probe.responses = 5;
    begin(fixture, "/test.S/Download");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
    assert_int_equal(fixture->probe.cancelled, 1);
    assert_int_equal(fixture->probe.closed, 1);
}

static void test_cancel_while_a_worker_runs(void **state)
{
    struct fixture *fixture = *state;
    hold(&fixture->probe, true);
    begin(fixture, "/test.S/BlockingExchange");
    fixture->probe.wait = true;
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\1c");
    wait_until_held(&fixture->probe);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
    /* The request and its arena are gone; the method still runs and sees nothing of it. */
    assert_int_equal(fixture->probe.cancelled, 1);
    assert_int_equal(fixture->probe.closed, 0);
    assert_int_equal(grpc_handler_calls(fixture->handler), 1);
    grpc_call_wake(fixture->probe.call);
    loop_run_once(fixture->loop, 0);
    hold(&fixture->probe, false);
    while (fixture->probe.closed == 0)
        loop_run_once(fixture->loop, -1);
    assert_int_equal(fixture->probe.received, 1);
    assert_int_equal(grpc_handler_calls(fixture->handler), 0);
}

static void test_cancel_while_queued_for_a_worker(void **state)
{
    struct fixture *fixture = *state;
    hold(&fixture->probe, true);
    begin(fixture, "/test.S/BlockingUnary");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1a");
    fake_request_end(fixture->fake);
    wait_until_held(&fixture->probe);
    struct fake_request *first = STEAL(fixture->fake);
    struct grpc_call *first_call = fixture->probe.call;

    begin(fixture, "/test.S/BlockingUnary");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1b");
    fake_request_end(fixture->fake);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
    assert_int_equal(fixture->probe.closed, 1);

    hold(&fixture->probe, false);
    fixture->fake = first;
    fixture->probe.call = first_call;
    run_until_received(fixture, 1);
    assert_string_equal(fixture->probe.messages, "a|");
    assert_true(first->ended);
}

static void test_full_worker_queue(void **state)
{
    struct fixture *fixture = *state;
    struct fake_request *requests[3];
    hold(&fixture->probe, true);
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        begin(fixture, "/test.S/BlockingUnary");
        open_call(fixture);
        SEND(fixture, "\0\0\0\0\0");
        fake_request_end(fixture->fake);
        if (i == 0)
            wait_until_held(&fixture->probe);
        requests[i] = fixture->fake;
    }
    /* One runs, one is queued, the third is told to come again. */
    assert_trailers_only(fixture, STATUS_RESOURCE_EXHAUSTED);
    assert_contains(&fixture->fake->head, "grpc-retry-pushback-ms: ");
    close_call(fixture, HTTP_CLOSE_DONE);
    fixture->probe.responses = 2;
    hold(&fixture->probe, false);
    while (!requests[0]->ended)
        loop_run_once(fixture->loop, -1);
    while (!requests[1]->ended)
        loop_run_once(fixture->loop, -1);
    fake_request_close(requests[0], HTTP_CLOSE_DONE);
    fake_request_close(requests[1], HTTP_CLOSE_DONE);
}

/* --- health and metrics --------------------------------------------------------------------- */

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

static void test_metrics(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    open_call(fixture);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 1 << 20);
    metrics_write(fixture->metrics, &text);
    assert_contains(&text, "volley_live_objects{kind=\"call\"} 1\n");
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    close_call(fixture, HTTP_CLOSE_DONE);
    begin(fixture, "/test.S/Unary");
    open_call(fixture);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
    begin(fixture, "/nope/nope");
    open_call(fixture);
    close_call(fixture, HTTP_CLOSE_DONE);
    buf_clear(&text);
    metrics_write(fixture->metrics, &text);
    assert_contains(&text, "volley_calls_total{method=\"test.S/Unary\",code=\"OK\"} 1\n");
    assert_contains(&text, "volley_calls_total{method=\"test.S/Unary\",code=\"CANCELLED\"} 1\n");
    assert_contains(&text, "volley_calls_total{method=\"other\",code=\"UNIMPLEMENTED\"} 1\n");
    assert_contains(&text, "volley_call_duration_seconds_count{method=\"test.S/Unary\"} 2\n");
    assert_contains(&text, "volley_live_objects{kind=\"call\"} 0\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unary),
        TEST(test_unary_of_empty_messages),
        TEST(test_download),
        TEST(test_download_of_nothing),
        TEST(test_upload),
        TEST(test_exchange),
        TEST(test_empty_exchange),
        TEST(test_blocking_unary),
        TEST(test_blocking_exchange_bounds_what_it_holds),
        TEST(test_download_waits_for_room),
        TEST(test_failing_functions),
        TEST(test_failure_after_messages),
        TEST(test_cardinality),
        TEST(test_one_response_is_required),
        TEST(test_bad_framing),
        TEST(test_unsupported_compression),
        TEST(test_message_at_the_limit),
        TEST(test_unknown_methods),
        TEST(test_content_types),
        TEST(test_other_verbs_and_versions),
        TEST(test_metadata),
        TEST(test_bad_binary_metadata_fails_the_call),
        TEST(test_malformed_deadline),
        TEST(test_deadline_of_nothing),
        TEST(test_deadline_before_the_request),
        TEST(test_deadline_while_waiting),
        TEST(test_deadline_with_unread_messages),
        TEST(test_deadline_with_messages_read_a_little_later),
        TEST(test_deadline_after_the_end),
        TEST(test_deadline_while_a_worker_runs),
        TEST(test_cancel_at_every_point),
        TEST(test_cancel_with_unread_messages),
        TEST(test_cancel_while_a_worker_runs),
        TEST(test_cancel_while_queued_for_a_worker),
        TEST(test_full_worker_queue),
        TEST(test_health),
        TEST(test_health_of_a_server_that_does_not_serve),
        TEST(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
