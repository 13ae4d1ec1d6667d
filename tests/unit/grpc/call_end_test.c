/*
 * Ways to end a call that is not done: deadlines, cancels, disconnects.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_fixture.h"

#include "compress/encoder.h"

/* --- deadlines ------------------------------------------------------------------------------ */

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
    while (!fixture->fake->cancelled)
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
    assert_false(fixture->fake->cancelled);
    fake_request_read(fixture->fake);
    while (!fixture->fake->ended)
        loop_run_once(fixture->loop, -1);
    assert_false(fixture->fake->cancelled);
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
    while (!fixture->fake->cancelled)
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
            begin(fixture, fixture_methods[shape].path);
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

static void test_deadline_while_queued_for_a_worker(void **state)
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

    begin_with_deadline(fixture, "/test.S/BlockingUnary");
    SEND(fixture, "\0\0\0\0\1b");
    fake_request_end(fixture->fake);
    while (!fixture->fake->ended)
        loop_run_once(fixture->loop, -1);
    assert_trailers_only(fixture, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(fixture->probe.closed, 1);
    close_call(fixture, HTTP_CLOSE_DONE);

    hold(&fixture->probe, false);
    fixture->fake = first;
    fixture->probe.call = first_call;
    run_until_received(fixture, 1);
    assert_string_equal(fixture->probe.messages, "a|");
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

/* --- every state, every event --------------------------------------------------------------- */

static const char zeros[3 << 20];

/* Many zeros, compressed: decompressed in many turns. */
static struct slice large_packed_message(void)
{
    CLEANUP(slices_finish) struct slices plain;
    CLEANUP(slices_finish) struct slices packed;
    slices_init(&plain);
    slices_init(&packed);
    slices_append(&plain, slice_make(zeros, sizeof(zeros), NULL));
    frame_reserve_prefix(&packed);
    assert_int_equal(compress_encode(COMPRESS_GZIP, 0, &plain, &packed, NULL), STATUS_OK);
    frame_fill_prefix(&packed, true);
    return slices_join(&packed);
}

static void bring_to_opened(struct fixture *fixture)
{
    open_call(fixture);
}

static void bring_to_conversation(struct fixture *fixture)
{
    fixture->probe.wait = true;
    open_call(fixture);
}

static void bring_to_half_a_message(struct fixture *fixture)
{
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\5ab");
}

static void bring_to_a_message(struct fixture *fixture)
{
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\1a");
}

static void bring_to_unpacking(struct fixture *fixture)
{
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    open_call(fixture);
    CLEANUP(slice_finish) struct slice message = large_packed_message();
    fake_request_body(fixture->fake, message.ptr, message.len);
}

static void bring_to_waiting(struct fixture *fixture)
{
    fixture->probe.wait = true;
    bring_to_a_message(fixture);
    fake_request_end(fixture->fake);
}

static void bring_to_running(struct fixture *fixture)
{
    hold(&fixture->probe, true);
    bring_to_a_message(fixture);
    fake_request_end(fixture->fake);
    wait_until_held(&fixture->probe);
}

static void bring_to_packing(struct fixture *fixture)
{
    fixture->probe.response = str_make(zeros, (size_t)1 << 20);
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    fake_request_header(fixture->fake, "grpc-accept-encoding", "gzip");
    bring_to_a_message(fixture);
    fake_request_end(fixture->fake);
}

static void bring_to_unread(struct fixture *fixture)
{
    fixture->probe.response = str_make(zeros, 2000);
    fixture->probe.responses = 3;
    bring_to_a_message(fixture);
    fake_request_end(fixture->fake);
}

static void bring_to_ended(struct fixture *fixture)
{
    bring_to_a_message(fixture);
    fake_request_end(fixture->fake);
}

static const struct {
    const char *name;
    const char *path;
    void (*bring)(struct fixture *fixture);
    bool is_live;
} call_states[] = {
    {"opened", "/test.S/Unary", bring_to_opened, true},
    {"opened exchange", "/test.S/BlockingExchange", bring_to_conversation, true},
    {"half a message", "/test.S/Upload", bring_to_half_a_message, true},
    {"a message", "/test.S/Download", bring_to_a_message, true},
    {"unpacking", "/test.S/Upload", bring_to_unpacking, true},
    {"unpacking for a worker", "/test.S/BlockingUnary", bring_to_unpacking, true},
    {"waiting", "/test.S/Download", bring_to_waiting, true},
    {"running", "/test.S/BlockingUnary", bring_to_running, true},
    {"packing", "/test.S/Unary", bring_to_packing, true},
    {"unread", "/test.S/Download", bring_to_unread, true},
    {"ended", "/test.S/Unary", bring_to_ended, false},
};

static void cancel(struct fixture *fixture)
{
    close_call(fixture, HTTP_CLOSE_CANCELLED);
}

static void disconnect(struct fixture *fixture)
{
    close_call(fixture, HTTP_CLOSE_DISCONNECTED);
}

static void expire(struct fixture *fixture)
{
    struct call *call = fixture->fake->request.state;
    loop_timer_set(fixture->loop, &call->timer, clock_now_ns());
    while (call->timer.deadline_ns != CLOCK_NEVER && !fixture->fake->cancelled)
        loop_run_once(fixture->loop, -1);
    close_call(fixture, fixture->fake->cancelled ? HTTP_CLOSE_CANCELLED : HTTP_CLOSE_DONE);
}

static void wake_and_cancel(struct fixture *fixture)
{
    /* A method does not wake a call that it closed. */
    for (int i = 0; i < 2 && fixture->probe.closed == 0; i++)
        grpc_call_wake(fixture->probe.call);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
}

static void drain_and_cancel(struct fixture *fixture)
{
    grpc_handler_http(fixture->handler)->on_drain(&fixture->fake->request);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
}

/* Also with the loop's turns that belong to the call still to come. */
static void go_on_and_cancel(struct fixture *fixture)
{
    loop_run_once(fixture->loop, 0);
    close_call(fixture, HTTP_CLOSE_CANCELLED);
}

static const struct {
    const char *name;
    void (*happen)(struct fixture *fixture);
} events[] = {
    {"cancel", cancel},
    {"disconnect", disconnect},
    {"deadline", expire},
    {"wake, cancel", wake_and_cancel},
    {"drain, cancel", drain_and_cancel},
    {"a turn, cancel", go_on_and_cancel},
};

static void check_end(struct fixture *fixture, size_t state_index, size_t event_index)
{
    struct probe fresh = {.responses = 1, .response = STR("r"), .locked = fixture->probe.locked};
    int works = 0;
    fixture->probe = fresh;
    begin(fixture, call_states[state_index].path);
    fixture->fake->works = &works;
    call_states[state_index].bring(fixture);
    bool runs = fixture->probe.locked.holding;
    events[event_index].happen(fixture);
    if (runs) {
        /* The method still runs, counted against its connection. */
        assert_int_equal(fixture->probe.closed, 0);
        assert_int_equal(works, 1);
    }
    hold(&fixture->probe, false);
    while (fixture->probe.closed == 0)
        loop_run_once(fixture->loop, -1);
    loop_run_once(fixture->loop, 0);
    if (fixture->probe.cancelled != call_states[state_index].is_live ||
        fixture->probe.closed != 1 || works != 0 || grpc_handler_calls(fixture->handler) != 0)
        fail_msg("%s, then %s: cancelled %d, closed %d, works %d, calls %zu",
                 call_states[state_index].name, events[event_index].name, fixture->probe.cancelled,
                 fixture->probe.closed, works, grpc_handler_calls(fixture->handler));
}

static void test_every_state_and_event(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(call_states); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(events); j++)
            check_end(*state, i, j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TEST(test_deadline_while_queued_for_a_worker),
        TEST(test_full_worker_queue),
        TEST_LARGE(test_every_state_and_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
