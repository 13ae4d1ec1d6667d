/*
 * call_test.c — calls of every shape, their flow control, metadata and metrics.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

/* What comes meanwhile waits, and its window is not given back; the end does not overtake it. */
static void test_a_method_without_room_has_its_client_wait(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.wait = true;
    begin(fixture, "/test.S/Paced");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1a");
    assert_string_equal(fixture->probe.messages, "a|");
    fixture->probe.is_full = true;
    SEND(fixture, "\0\0\0\0\1b\0\0\0\0\1c");
    fake_request_end(fixture->fake);
    assert_string_equal(fixture->probe.messages, "a|");
    assert_int_equal(fixture->fake->consumed_bytes, 12);
    assert_int_equal(fixture->probe.half_closed, 0);
    grpc_call_wake(fixture->probe.call);
    loop_run_once(fixture->loop, 0);
    assert_int_equal(fixture->probe.received, 1);
    fixture->probe.is_full = false;
    fixture->probe.wait = false;
    grpc_call_wake(fixture->probe.call);
    loop_run_once(fixture->loop, 0);
    assert_string_equal(fixture->probe.messages, "a|b|c|");
    assert_int_equal(fixture->fake->consumed_bytes, 18);
    assert_int_equal(fixture->probe.half_closed, 1);
    assert_ok(fixture);
}

/* One that has no room may still answer: the call's end does not wait for what it does not take. */
static void test_a_method_without_room_may_end_the_call(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.wait = true;
    fixture->probe.responses = 0;
    begin(fixture, "/test.S/Paced");
    open_call(fixture);
    fixture->probe.is_full = true;
    SEND(fixture, "\0\0\0\0\1a");
    fixture->probe.wait = false;
    grpc_call_wake(fixture->probe.call);
    loop_run_once(fixture->loop, 0);
    assert_int_equal(fixture->probe.received, 0);
    assert_int_equal(fixture->probe.closed, 1);
    assert_ok(fixture);
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

/* http knows what the call keeps in memory, and when the client owes the rest of a message. */
static void test_held_bytes(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Upload");
    fixture->fake->request.body_may_pause = true;
    open_call(fixture);
    assert_true(fixture->fake->request.body_may_pause);
    SEND(fixture, "\0\0\0");
    assert_false(fixture->fake->request.body_may_pause);
    SEND(fixture, "\0\x20"
                  "0123456789");
    assert_int_equal(fixture->fake->held_bytes, 10);
    assert_false(fixture->fake->request.body_may_pause);
    SEND(fixture, "0123456789012345678901"
                  "\0\0\0\0\2a");
    assert_int_equal(fixture->probe.received, 1);
    assert_int_equal(fixture->fake->held_bytes, 1);
    SEND(fixture, "b");
    assert_int_equal(fixture->fake->held_bytes, 0);
    assert_true(fixture->fake->request.body_may_pause);
    fake_request_end(fixture->fake);
    assert_ok(fixture);
}

static void test_held_bytes_of_a_worker(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.wait = true;
    begin(fixture, "/test.S/BlockingExchange");
    open_call(fixture);
    hold(&fixture->probe, true);
    SEND(fixture, "\0\0\0\0\3abc"
                  "\0\0\0\0\2de"
                  "\0\0\0\0\1f");
    wait_until_held(&fixture->probe);
    assert_int_equal(fixture->fake->held_bytes, 3 + 2 + 6);
    hold(&fixture->probe, false);
    run_until_received(fixture, 3);
    assert_int_equal(fixture->fake->held_bytes, 0);
    fixture->probe.wait = false;
    fixture->probe.responses = 0;
    fake_request_end(fixture->fake);
    while (fixture->probe.closed == 0)
        loop_run_once(fixture->loop, -1);
}

static void test_too_much_is_held(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Upload");
    fixture->fake->held_bytes_max = 20;
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\x20"
                  "01234567890123456789");
    assert_false(fixture->fake->ended);
    SEND(fixture, "0");
    assert_trailers_only(fixture, STATUS_RESOURCE_EXHAUSTED);
    assert_contains(&fixture->fake->head, "grpc-retry-pushback-ms: 1000\n");
    assert_int_equal(fixture->fake->held_bytes, 0);
    assert_int_equal(fixture->probe.cancelled, 1);
    SEND(fixture, "01234567890");
    assert_int_equal(fixture->fake->consumed_bytes, 5 + 21 + 11);
}

/* Thousands of tiny messages in one read are no reason to keep others waiting. */
static void test_many_small_messages_take_turns(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t messages[1000 * 5];
    begin(fixture, "/test.S/Upload");
    open_call(fixture);
    fake_request_body(fixture->fake, messages, sizeof(messages));
    assert_in_range(fixture->probe.received, 1, 100);
    fake_request_end(fixture->fake);
    for (int before = 0; before < fixture->probe.received && before < 1000;) {
        before = fixture->probe.received;
        loop_run_once(fixture->loop, 0);
        assert_in_range(fixture->probe.received, before, before + 100);
    }
    assert_int_equal(fixture->probe.received, 1000);
    assert_int_equal(fixture->fake->consumed_bytes, sizeof(messages));
    assert_ok(fixture);
}

static void test_many_small_responses_take_turns(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.response = STR_EMPTY;
    fixture->probe.responses = 150;
    begin(fixture, "/test.S/Download");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fixture->fake);
    assert_in_range(fixture->probe.asked, 1, 100);
    loop_run_once(fixture->loop, 0);
    loop_run_once(fixture->loop, 0);
    assert_int_equal(fixture->probe.asked, 151);
    assert_ok(fixture);
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

/* --- metadata and metrics ------------------------------------------------------------------ */

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

static void test_metrics(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    open_call(fixture);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 1 << 20);
    metrics_write(fixture->metrics, METRICS_PROMETHEUS, &text);
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
    metrics_write(fixture->metrics, METRICS_PROMETHEUS, &text);
    assert_contains(&text, "volley_calls_total{method=\"test.S/Unary\",code=\"OK\"} 1\n");
    assert_contains(&text, "volley_calls_total{method=\"test.S/Unary\",code=\"CANCELLED\"} 1\n");
    assert_contains(&text, "volley_calls_total{method=\"other\",code=\"UNIMPLEMENTED\"} 1\n");
    assert_contains(&text, "volley_call_duration_seconds_count{method=\"test.S/Unary\"} 2\n");
    assert_contains(&text, "volley_live_objects{kind=\"call\"} 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unary),
        TEST(test_unary_of_empty_messages),
        TEST(test_download),
        TEST(test_download_of_nothing),
        TEST(test_upload),
        TEST(test_exchange),
        TEST(test_a_method_without_room_has_its_client_wait),
        TEST(test_a_method_without_room_may_end_the_call),
        TEST(test_empty_exchange),
        TEST(test_held_bytes),
        TEST(test_held_bytes_of_a_worker),
        TEST(test_too_much_is_held),
        TEST(test_many_small_messages_take_turns),
        TEST(test_many_small_responses_take_turns),
        TEST(test_blocking_unary),
        TEST(test_blocking_exchange_bounds_what_it_holds),
        TEST(test_download_waits_for_room),
        TEST(test_metadata),
        TEST(test_bad_binary_metadata_fails_the_call),
        TEST(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
