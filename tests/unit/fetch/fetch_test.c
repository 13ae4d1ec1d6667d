/*
 * fetch_test.c — requests against a server that does as it is told: retries, bounds, time-outs, cancel.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/memory.h"
#include "event/thread.h"
#include "fetch/fetch.h"
#include "script_server.h"

#include <stdio.h>

#define OK(body_size, body) "HTTP/1.1 200 OK\r\ncontent-length: " body_size "\r\n\r\n" body
#define BUSY "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"

struct fixture {
    struct script_server server;
    struct fetch_pool *fetch;
    struct fetch_response response;
    struct error error;
    char url[128];
};

static void begin(struct fixture *fixture, const struct script_step *steps, size_t count,
                  struct fetch_pool_options options)
{
    script_server_start(&fixture->server, steps, count);
    options.retry_delay_ms = 1;
    options.retry_delay_max_ms = 1;
    fixture->error = ERROR_NONE;
    assert_int_equal(fetch_pool_create(&options, &fixture->fetch, &fixture->error), STATUS_OK);
    fetch_response_init(&fixture->response);
    (void)snprintf(fixture->url, sizeof(fixture->url), "%s/path?q=1", fixture->server.url);
}

static void end(struct fixture *fixture)
{
    fetch_response_finish(&fixture->response);
    fetch_pool_destroy(fixture->fetch);
    script_server_stop(&fixture->server);
}

static enum status perform(struct fixture *fixture, struct fetch_request request)
{
    if (!request.method)
        request.method = "GET";
    if (request.url.len == 0)
        request.url = str_of(fixture->url);
    return fetch_perform(fixture->fetch, &request, &fixture->response, &fixture->error);
}

static void an_answer_has_status_head_and_body(void **state)
{
    static const struct script_step steps[] = {
        {"HTTP/1.1 200 OK\r\nX-One:  a b \r\nContent-Length: 5\r\n\r\nhello", 0, false},
        {OK("2", "ok"), 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 2, (struct fetch_pool_options){.proxy = NULL});
    struct fetch_header headers[] = {{STR("x-two"), STR("2")}, {STR("x-empty"), STR_EMPTY}};
    assert_int_equal(
        perform(&fixture, (struct fetch_request){.headers = headers, .header_count = 2}),
        STATUS_OK);
    assert_int_equal(fixture.response.http_status, 200);
    assert_string_equal((const char *)fixture.response.body.ptr, "hello");
    assert_true(str_equal(fetch_response_header(&fixture.response, STR("x-one")), STR("a b")));
    assert_int_equal(fetch_response_header(&fixture.response, STR("x-three")).len, 0);
    assert_true(script_server_saw(&fixture.server, 0, "GET /path?q=1 HTTP/1.1\r\n"));
    assert_true(script_server_saw(&fixture.server, 0, "x-two: 2\r\n"));
    assert_true(script_server_saw(&fixture.server, 0, "x-empty:"));
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "GET"}), STATUS_OK);
    assert_string_equal((const char *)fixture.response.body.ptr, "ok");
    assert_int_equal(atomic_load(&fixture.server.connections), 1);
    end(&fixture);
}

static void what_passes_is_tried_again(void **state)
{
    static const struct script_step steps[] = {
        {BUSY, 0, false},
        {"HTTP/1.1 429 Slow\r\nretry-after: 3000\r\ncontent-length: 0\r\n\r\n", 0, true},
        {"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\ncut", 0, true},
        {OK("2", "ok"), 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 4, (struct fetch_pool_options){.attempts_max = 4});
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "PUT", .body = STR("xyz")}),
                     STATUS_OK);
    assert_int_equal(fixture.response.attempts, 4);
    assert_string_equal((const char *)fixture.response.body.ptr, "ok");
    for (size_t i = 0; i < 4; i++)
        assert_true(script_server_saw(&fixture.server, i, "\r\n\r\nxyz"));
    end(&fixture);
}

static void a_head_that_is_cut_is_no_answer(void **state)
{
    static const struct script_step steps[] = {
        {"HTTP/1.1 200 OK\r\nx-one: 1\r\n", 0, true},
        {"HTTP/1.1 200 OK\r\ncontent-le", 0, true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 0, true},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\na: b\r\n\r\n", 0,
         true}};
    struct fixture fixture;
    begin(&fixture, steps, 4, (struct fetch_pool_options){.attempts_max = 2});
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "GET"}),
                     STATUS_UNAVAILABLE);
    assert_non_null(strstr(fixture.error.message, "broke off"));
    assert_int_equal(fixture.response.attempts, 2);
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "GET"}), STATUS_OK);
    assert_int_equal(fixture.response.attempts, 2);
    assert_string_equal((const char *)fixture.response.body.ptr, "x");
    end(&fixture);
}

static void attempts_are_bounded(void **state)
{
    static const struct script_step steps[] = {{BUSY, 0, false}, {BUSY, 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 2, (struct fetch_pool_options){.attempts_max = 2});
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "GET"}), STATUS_OK);
    assert_int_equal(fixture.response.http_status, 503);
    assert_string_equal((const char *)fixture.response.body.ptr, "busy");
    assert_int_equal(fixture.response.attempts, 2);
    end(&fixture);
}

static void a_post_is_not_repeated_unless_it_may_be(void **state)
{
    static const struct script_step steps[] = {
        {BUSY, 0, false}, {"", 0, true}, {BUSY, 0, false}, {OK("2", "ok"), 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 4, (struct fetch_pool_options){.attempts_max = 3});
    struct fetch_request request = {.method = "POST", .body = STR("x")};
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_int_equal(fixture.response.http_status, 503);
    assert_int_equal(perform(&fixture, request), STATUS_UNAVAILABLE);
    assert_int_equal(fixture.response.attempts, 1);
    request.is_repeatable = true;
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_int_equal(fixture.response.http_status, 200);
    end(&fixture);
}

static void who_cannot_be_reached_is_named(void **state)
{
    static const struct script_step steps[] = {{BUSY, 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 1, (struct fetch_pool_options){.attempts_max = 3});
    struct fetch_request request = {.method = "POST", .url = STR("http://127.0.0.1:1/secret?a=b")};
    assert_int_equal(perform(&fixture, request), STATUS_UNAVAILABLE);
    assert_int_equal(fixture.response.attempts, 3);
    assert_non_null(strstr(fixture.error.message, "http://127.0.0.1:1 could not be reached"));
    assert_null(strstr(fixture.error.message, "secret"));
    end(&fixture);
}

static void what_is_no_request_is_refused(void **state)
{
    static const struct script_step steps[] = {{BUSY, 0, false}};
    static const char *const urls[] = {"",
                                       "ftp://host/",
                                       "file:///etc/passwd",
                                       "http://",
                                       "http:///x",
                                       "http://user:password@host/",
                                       "http://host/#x",
                                       "http://host/a b",
                                       "http://host/\r\nx: y"};
    static const struct fetch_header headers[] = {{STR("a\r\nb"), STR("c")},
                                                  {STR("a"), STR("b\nc")},
                                                  {STR("a b"), STR("c")},
                                                  {STR(""), STR("c")},
                                                  {STR("a:"), STR("c")}};
    struct fixture fixture;
    begin(&fixture, steps, 1, (struct fetch_pool_options){.attempts_max = 1});
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        struct fetch_request request = {.method = "GET", .url = str_of(urls[i])};
        assert_int_equal(fetch_perform(fixture.fetch, &request, &fixture.response, &fixture.error),
                         STATUS_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < ARRAY_COUNT(headers); i++)
        assert_int_equal(
            perform(&fixture, (struct fetch_request){.headers = &headers[i], .header_count = 1}),
            STATUS_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&fixture.server.connections), 0);
    end(&fixture);
}

static void answers_are_bounded(void **state)
{
    static char long_head[FETCH_HEAD_BYTES_MAX + 4096] = "HTTP/1.1 200 OK\r\n";
    for (size_t at = strlen(long_head); at < sizeof(long_head) - 64; at = strlen(long_head))
        (void)snprintf(long_head + at, 64, "x-%zu: 0123456789012345678901234567890123456\r\n", at);
    static const struct script_step steps[] = {
        {OK("20", "01234567890123456789"), 0, true},
        {"HTTP/1.1 404 No\r\ncontent-length: 20\r\n\r\n01234567890123456789", 0, true},
        {long_head, 0, true},
        {"220 mail.example ESMTP\r\n", 0, true},
        {"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", 0,
         true}};
    struct fixture fixture;
    begin(&fixture, steps, 5, (struct fetch_pool_options){.attempts_max = 1});
    struct fetch_request request = {.method = "GET", .body_bytes_max = 10};
    assert_int_equal(perform(&fixture, request), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_int_equal(fixture.response.http_status, 404);
    assert_string_equal((const char *)fixture.response.body.ptr, "0123456789");
    assert_int_equal(perform(&fixture, request), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(perform(&fixture, request), STATUS_UNAVAILABLE);
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_int_equal(fixture.response.http_status, 302);
    end(&fixture);
}

/* --- time ------------------------------------------------------------------------------------------ */

static void who_stands_still_is_left(void **state)
{
    static const struct script_step steps[] = {{NULL, 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 1,
          (struct fetch_pool_options){.stall_timeout_ms = 30, .attempts_max = 1});
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "GET"}),
                     STATUS_UNAVAILABLE);
    assert_non_null(strstr(fixture.error.message, "stood still for 30 ms"));
    end(&fixture);
}

static void a_call_has_a_deadline(void **state)
{
    static const struct script_step steps[] = {{NULL, 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 1, (struct fetch_pool_options){.attempts_max = 5});
    assert_int_equal(perform(&fixture, (struct fetch_request){.total_timeout_ms = 30}),
                     STATUS_DEADLINE_EXCEEDED);
    end(&fixture);
}

struct call {
    struct fixture *fixture;
    struct fetch_cancel *cancel;
    struct fetch_response response;
    enum status status;
};

static void run_call(void *argument)
{
    struct call *call = argument;
    struct error error = ERROR_NONE;
    struct fetch_request request = {
        .method = "GET", .url = str_of(call->fixture->url), .cancel = call->cancel};
    call->status = fetch_perform(call->fixture->fetch, &request, &call->response, &error);
}

static struct thread *start_call(struct call *call)
{
    struct thread *thread = NULL;
    struct error error = ERROR_NONE;
    fetch_response_init(&call->response);
    assert_int_equal(thread_start("call", 0, run_call, call, &thread, &error), STATUS_OK);
    script_server_await(&call->fixture->server, 1);
    return thread;
}

static void another_thread_cancels(void **state)
{
    static const struct script_step steps[] = {{NULL, 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 1, (struct fetch_pool_options){.transfers_max = 1});
    CLEANUP(fetch_cancel_destroy) struct fetch_cancel *cancel = fetch_cancel_create();
    struct call call = {.fixture = &fixture, .cancel = cancel};
    struct thread *thread = start_call(&call);
    /* Its connection is the only one. */
    assert_int_equal(perform(&fixture, (struct fetch_request){.total_timeout_ms = 20}),
                     STATUS_DEADLINE_EXCEEDED);
    assert_non_null(strstr(fixture.error.message, "waited too long"));
    fetch_cancel_fire(cancel);
    thread_join(thread);
    assert_int_equal(call.status, STATUS_CANCELLED);
    fetch_response_finish(&call.response);
    assert_int_equal(perform(&fixture, (struct fetch_request){.cancel = cancel}), STATUS_CANCELLED);
    end(&fixture);
}

static void one_cancel_stops_all_that_have_it(void **state)
{
    static const struct script_step steps[] = {{NULL, 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 1, (struct fetch_pool_options){.transfers_max = 1});
    CLEANUP(fetch_cancel_destroy) struct fetch_cancel *cancel = fetch_cancel_create();
    struct call running = {.fixture = &fixture, .cancel = cancel};
    struct call waiting = {.fixture = &fixture, .cancel = cancel};
    struct thread *first = start_call(&running);
    struct thread *second = start_call(&waiting);
    fetch_cancel_fire(cancel);
    thread_join(first);
    thread_join(second);
    assert_int_equal(running.status, STATUS_CANCELLED);
    assert_int_equal(waiting.status, STATUS_CANCELLED);
    fetch_response_finish(&running.response);
    fetch_response_finish(&waiting.response);
    end(&fixture);
}

static void closing_ends_the_calls(void **state)
{
    static const struct script_step steps[] = {{NULL, 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 1, (struct fetch_pool_options){.transfers_max = 1});
    struct call call = {.fixture = &fixture};
    struct thread *thread = start_call(&call);
    fetch_pool_close(fixture.fetch);
    thread_join(thread);
    assert_int_equal(call.status, STATUS_UNAVAILABLE);
    fetch_response_finish(&call.response);
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "GET"}),
                     STATUS_UNAVAILABLE);
    assert_string_equal(fixture.error.code, "SHUTTING_DOWN");
    end(&fixture);
}

/* --- streams --------------------------------------------------------------------------------------- */

struct words {
    struct str text;
    size_t at;
    size_t rewinds;
    size_t fails_at; /* 0: never */
};

static enum status words_read(void *context, uint8_t *bytes, size_t size, size_t *out_size,
                              struct error *error)
{
    struct words *words = context;
    if (words->fails_at > 0 && words->at >= words->fails_at)
        return error_set(error, STATUS_DATA_LOSS, "the words are lost");
    *out_size = size_min(3, words->text.len - words->at);
    memcpy(bytes, words->text.ptr + words->at, *out_size);
    words->at += *out_size;
    return STATUS_OK;
}

static enum status words_rewind(void *context, struct error *error)
{
    struct words *words = context;
    words->at = 0;
    words->rewinds++;
    return STATUS_OK;
}

static void a_source_is_sent_and_sent_again(void **state)
{
    static const struct script_step steps[] = {
        {BUSY, 0, true}, {OK("0", ""), 0, false}, {BUSY, 0, true}, {OK("0", ""), 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 4, (struct fetch_pool_options){.attempts_max = 2});
    struct words words = {.text = STR("one two three")};
    struct fetch_source source = {
        .size = FETCH_SIZE_UNKNOWN, .read = words_read, .rewind = words_rewind, .context = &words};
    struct fetch_request request = {.method = "PUT", .source = &source};
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_int_equal(fixture.response.http_status, 200);
    assert_int_equal(words.rewinds, 1);
    assert_true(script_server_saw(&fixture.server, 1, "hunked"));
    assert_true(script_server_saw(&fixture.server, 1, "\r\n0\r\n\r\n"));
    source.rewind = NULL;
    source.size = words.text.len;
    words.at = 0;
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_int_equal(fixture.response.http_status, 503);
    assert_true(script_server_saw(&fixture.server, 2, "one two three"));
    end(&fixture);
}

static void a_source_that_fails_ends_the_call(void **state)
{
    static const struct script_step steps[] = {{OK("0", ""), 0, false}};
    struct fixture fixture;
    begin(&fixture, steps, 1, (struct fetch_pool_options){.attempts_max = 3});
    struct words words = {.text = STR("one two three"), .fails_at = 6};
    struct fetch_source source = {
        .size = words.text.len, .read = words_read, .rewind = words_rewind, .context = &words};
    assert_int_equal(perform(&fixture, (struct fetch_request){.method = "PUT", .source = &source}),
                     STATUS_DATA_LOSS);
    assert_string_equal(fixture.error.message, "the words are lost");
    assert_int_equal(fixture.response.attempts, 1);
    end(&fixture);
}

struct taken {
    struct buf bytes;
    unsigned begun;
    bool refuses;
};

static enum status taken_begin(void *context, const struct fetch_response *response,
                               struct error *error)
{
    struct taken *taken = context;
    assert_int_equal(response->http_status, 200);
    taken->begun++;
    return STATUS_OK;
}

static enum status taken_write(void *context, struct str bytes, struct error *error)
{
    struct taken *taken = context;
    if (taken->refuses)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no room");
    buf_append_str(&taken->bytes, bytes);
    return STATUS_OK;
}

static void a_sink_gets_the_result_and_nothing_else(void **state)
{
    static const struct script_step steps[] = {
        {BUSY, 0, true},
        {OK("5", "hello"), 0, true},
        {"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut", 0, true},
        {OK("0", ""), 0, true},
        {OK("5", "hello"), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 5, (struct fetch_pool_options){.attempts_max = 3});
    struct taken taken = {.begun = 0};
    buf_init(&taken.bytes, 100);
    struct fetch_sink sink = {.begin = taken_begin, .write = taken_write, .context = &taken};
    struct fetch_request request = {.method = "GET", .sink = &sink};
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_string_equal((const char *)taken.bytes.ptr, "hello");
    assert_int_equal(taken.begun, 1);
    /* What a sink has seen cannot be taken back. */
    assert_int_equal(perform(&fixture, request), STATUS_UNAVAILABLE);
    assert_string_equal((const char *)taken.bytes.ptr, "hellocut");
    assert_int_equal(perform(&fixture, request), STATUS_OK);
    assert_int_equal(taken.begun, 3);
    taken.refuses = true;
    assert_int_equal(perform(&fixture, request), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(fixture.error.message, "no room");
    buf_finish(&taken.bytes);
    end(&fixture);
}

static void a_proxy_is_asked(void **state)
{
    static const struct script_step steps[] = {{OK("2", "ok"), 0, false}};
    struct fixture fixture;
    script_server_start(&fixture.server, steps, 1);
    fixture.error = ERROR_NONE;
    struct fetch_pool_options options = {.proxy = fixture.server.url};
    assert_int_equal(fetch_pool_create(&options, &fixture.fetch, &fixture.error), STATUS_OK);
    fetch_response_init(&fixture.response);
    assert_int_equal(perform(&fixture, (struct fetch_request){.url = STR("http://a.invalid/x")}),
                     STATUS_OK);
    assert_true(script_server_saw(&fixture.server, 0, "GET http://a.invalid/x HTTP/1.1\r\n"));
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_status_head_and_body),
        cmocka_unit_test(what_passes_is_tried_again),
        cmocka_unit_test(a_head_that_is_cut_is_no_answer),
        cmocka_unit_test(attempts_are_bounded),
        cmocka_unit_test(a_post_is_not_repeated_unless_it_may_be),
        cmocka_unit_test(who_cannot_be_reached_is_named),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(answers_are_bounded),
        cmocka_unit_test(who_stands_still_is_left),
        cmocka_unit_test(a_call_has_a_deadline),
        cmocka_unit_test(another_thread_cancels),
        cmocka_unit_test(one_cancel_stops_all_that_have_it),
        cmocka_unit_test(closing_ends_the_calls),
        cmocka_unit_test(a_source_is_sent_and_sent_again),
        cmocka_unit_test(a_source_that_fails_ends_the_call),
        cmocka_unit_test(a_sink_gets_the_result_and_nothing_else),
        cmocka_unit_test(a_proxy_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
