/*
 * call_failure_test.c — calls that fail: functions, cardinality, framing, compression, size.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
        for (int shape = 0; shape < (int)FIXTURE_METHOD_COUNT; shape++) {
            *cases[i].knob = STATUS_NOT_FOUND;
            /* An exchange is asked for messages from its beginning. */
            fixture->probe.wait = cases[i].knob != &fixture->probe.next_status;
            fixture->probe.cancelled = fixture->probe.closed = fixture->probe.opened = 0;
            begin(fixture, fixture_methods[shape].path);
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
    fake_request_header(fixture->fake, "grpc-encoding", "snappy");
    open_call(fixture);
    SEND(fixture, "\1\0\0\0\1x");
    assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
    assert_contains(&fixture->fake->head, "grpc-accept-encoding: identity,deflate,gzip\n");
    assert_contains(&fixture->fake->head, "snappy");
    close_call(fixture, HTTP_CLOSE_DONE);
    /* Naming an encoding without using it is fine. */
    begin(fixture, "/test.S/Unary");
    fixture->probe.closed = fixture->probe.opened = fixture->probe.cancelled = 0;
    fake_request_header(fixture->fake, "grpc-encoding", "snappy");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1x");
    fake_request_end(fixture->fake);
    assert_ok(fixture);
    assert_contains(&fixture->fake->head, "grpc-accept-encoding: identity,deflate,gzip\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_failing_functions),    TEST(test_failure_after_messages),
        TEST(test_cardinality),          TEST(test_one_response_is_required),
        TEST(test_bad_framing),          TEST(test_unsupported_compression),
        TEST(test_message_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
