/*
 * session_test.c — who may be closed for a new session, and what a sweep takes.
 *
 * The engine's sessions are stood in for here, so that a test says which of them is in a transaction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "flight/session.h"

#define HOUR_MS ((uint64_t)3600 * 1000)
#define CONNECTIONS_MAX 4096

struct engine {
    struct engine_session *newest;
    size_t open_count;
    size_t asked_count; /* for a transaction */
};

struct engine_session {
    struct engine *engine;
    bool in_transaction;
};

struct engine_session *engine_session_open(struct engine *engine)
{
    struct engine_session *session = NEW(struct engine_session);
    session->engine = engine;
    engine->newest = session;
    engine->open_count++;
    return session;
}

void engine_session_unref(struct engine_session *session)
{
    session->engine->open_count--;
    free(session);
}

bool engine_session_in_transaction(struct engine_session *session)
{
    session->engine->asked_count++;
    return session->in_transaction;
}

bool engine_session_close(struct engine_session *session)
{
    session->in_transaction = false;
    return true;
}

char *engine_session_value(struct engine_session *session, enum engine_session_setting setting)
{
    return str_copy(STR("x"));
}

void engine_statement_destroy(struct engine_statement *statement)
{
    assert_null(statement);
}

struct fixture {
    struct engine engine;
    struct sessions *sessions;
    struct arena arena;
};

static struct fixture *start(size_t count_max, uint64_t idle_timeout_ms)
{
    struct fixture *fixture = NEW(struct fixture);
    arena_init(&fixture->arena);
    fixture->sessions = sessions_create(&(struct sessions_options){
        .engine = &fixture->engine,
        .connection_sessions = true,
        .idle_timeout_ms = idle_timeout_ms,
        .count_max = count_max,
        .prepared_max = 1,
    });
    return fixture;
}

static void end(struct fixture *fixture)
{
    sessions_destroy(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 0);
    arena_finish(&fixture->arena);
    free(fixture);
}

/* The session of a call on that connection. */
static enum status call_on(struct fixture *fixture, uint64_t connection_id,
                           struct session **out_session)
{
    struct grpc_call call = {
        .connection_id = connection_id, .peer = STR("test"), .arena = &fixture->arena};
    struct error error = ERROR_NONE;
    return sessions_resolve(fixture->sessions, &call, out_session, &error);
}

/* A whole call. True when it made a new session. */
static bool use(struct fixture *fixture, uint64_t connection_id)
{
    CLEANUP(session_unref) struct session *session = NULL;
    fixture->engine.newest = NULL;
    assert_int_equal(call_on(fixture, connection_id, &session), STATUS_OK);
    return fixture->engine.newest != NULL;
}

static void use_in_transaction(struct fixture *fixture, uint64_t connection_id)
{
    assert_true(use(fixture, connection_id));
    fixture->engine.newest->in_transaction = true;
}

static void makes_room_by_the_longest_unused(void **state)
{
    struct fixture *fixture = start(3, HOUR_MS);
    for (uint64_t id = 1; id <= 3; id++)
        assert_true(use(fixture, id));
    assert_false(use(fixture, 1));
    assert_true(use(fixture, 4)); /* in the place of 2 */
    assert_false(use(fixture, 1));
    assert_false(use(fixture, 3));
    assert_false(use(fixture, 4));
    assert_true(use(fixture, 2));
    end(fixture);
}

static void keeps_open_transactions(void **state)
{
    struct fixture *fixture = start(2, HOUR_MS);
    use_in_transaction(fixture, 1);
    assert_true(use(fixture, 2));
    assert_true(use(fixture, 3)); /* in the place of 2, although 1 is older */
    assert_false(use(fixture, 1));
    end(fixture);
}

static void refuses_when_only_transactions_are_left(void **state)
{
    struct fixture *fixture = start(2, HOUR_MS);
    use_in_transaction(fixture, 1);
    struct engine_session *first = fixture->engine.newest;
    use_in_transaction(fixture, 2);
    struct session *session = NULL;
    for (int i = 0; i < 3; i++)
        assert_int_equal(call_on(fixture, 3, &session), STATUS_RESOURCE_EXHAUSTED);
    assert_null(session);
    assert_false(use(fixture, 1));
    assert_false(use(fixture, 2));
    first->in_transaction = false;
    assert_true(use(fixture, 3));
    assert_false(use(fixture, 2));
    end(fixture);
}

static void keeps_sessions_with_a_call(void **state)
{
    struct fixture *fixture = start(1, 0);
    struct session *running = NULL;
    struct session *other = NULL;
    assert_int_equal(call_on(fixture, 1, &running), STATUS_OK);
    sessions_disconnect(fixture->sessions, 1);
    sessions_sweep(fixture->sessions);
    assert_int_equal(call_on(fixture, 2, &other), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(fixture->engine.open_count, 1);
    session_unref(running);
    assert_int_equal(call_on(fixture, 2, &other), STATUS_OK);
    session_unref(other);
    end(fixture);
}

static void sweeps_orphans_only_while_others_are_in_time(void **state)
{
    struct fixture *fixture = start(10, HOUR_MS);
    assert_true(use(fixture, 1));
    use_in_transaction(fixture, 2);
    assert_true(use(fixture, 3));
    sessions_disconnect(fixture->sessions, 2);
    sessions_disconnect(fixture->sessions, 3);
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 1);
    assert_false(use(fixture, 1));
    end(fixture);
}

static void an_orphan_goes_first(void **state)
{
    struct fixture *fixture = start(3, HOUR_MS);
    for (uint64_t id = 1; id <= 3; id++)
        assert_true(use(fixture, id));
    sessions_disconnect(fixture->sessions, 3);
    assert_true(use(fixture, 4));
    assert_false(use(fixture, 1));
    assert_false(use(fixture, 2));
    end(fixture);
}

static void sweeps_what_was_unused_too_long(void **state)
{
    struct fixture *fixture = start(2, 0);
    use_in_transaction(fixture, 1);
    use_in_transaction(fixture, 2);
    struct session *session = NULL;
    assert_int_equal(call_on(fixture, 3, &session), STATUS_RESOURCE_EXHAUSTED);
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 0);
    end(fixture);
}

static void passes_over_a_held_session_once(void **state)
{
    struct fixture *fixture = start(CONNECTIONS_MAX, HOUR_MS);
    uint64_t id = 0;
    for (; id < CONNECTIONS_MAX - 1; id++)
        use_in_transaction(fixture, id);
    assert_true(use(fixture, id++));
    fixture->engine.asked_count = 0;
    for (size_t i = 0; i < 1000; i++)
        assert_true(use(fixture, id++));
    assert_true(fixture->engine.asked_count <= CONNECTIONS_MAX + 2 * 1000);
    end(fixture);
}

static void closing_takes_only_that_session(void **state)
{
    struct fixture *fixture = start(3, HOUR_MS);
    struct session *closed = NULL;
    assert_int_equal(call_on(fixture, 1, &closed), STATUS_OK);
    sessions_close(fixture->sessions, closed);
    assert_true(use(fixture, 1));
    sessions_close(fixture->sessions, closed);
    assert_false(use(fixture, 1));
    session_unref(closed);
    sessions_sweep(fixture->sessions);
    end(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_room_by_the_longest_unused),
        cmocka_unit_test(keeps_open_transactions),
        cmocka_unit_test(refuses_when_only_transactions_are_left),
        cmocka_unit_test(keeps_sessions_with_a_call),
        cmocka_unit_test(sweeps_orphans_only_while_others_are_in_time),
        cmocka_unit_test(an_orphan_goes_first),
        cmocka_unit_test(sweeps_what_was_unused_too_long),
        cmocka_unit_test(passes_over_a_held_session_once),
        cmocka_unit_test(closing_takes_only_that_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
