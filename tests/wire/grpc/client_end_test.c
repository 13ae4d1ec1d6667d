/*
 * client_end_test.c — how calls of the gRPC client end early, are tried again, and share connections.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deadline),
        TEST(test_finish_cancels),
        TEST(test_interrupt),
        TEST(test_early_failure_of_an_upload),
        TEST(test_tries_again_what_has_no_effect),
        TEST(test_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
