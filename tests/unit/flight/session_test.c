/*
 * session_test.c — who may be closed for a new session, and what a sweep takes.
 *
 * The engine's sessions and the calls' headers are stood in for here, so that a test says which session is
 * in a transaction and sees what a client is told. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "flight/session.h"

#include <stdio.h>
#include <string.h>

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
    bool is_expired;
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

bool engine_session_expire_transaction(struct engine_session *session, const struct error *reason)
{
    assert_true(session->in_transaction);
    assert_non_null(strstr(reason->message, "transaction-timeout"));
    session->is_expired = true;
    return true;
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

struct arrow_schema *engine_statement_parameters(const struct engine_statement *statement)
{
    return NULL;
}

bool engine_statement_is_current(const struct engine_statement *statement)
{
    return true;
}

struct fixture {
    struct engine engine;
    struct sessions *sessions;
    struct arena arena;
    char cookie[64]; /* the last one that an answer set; "": taken back */
    char bearer[64]; /* the last one */
    size_t cookie_count;
};

/* A copy of what stands behind `prefix`, up to `end`. */
static void keep(char out[64], struct str value, const char *prefix, char end)
{
    struct str rest = str_slice(value, strlen(prefix), value.len);
    struct str text = str_split(&rest, end);
    assert_true(str_starts_with(value, str_of(prefix)) && text.len < 64);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

void grpc_call_add_header(struct grpc_call *call, struct str name, struct str value)
{
    struct fixture *fixture = call->service;
    if (str_equal(name, STR("authorization"))) {
        keep(fixture->bearer, value, "Bearer ", '\n');
        return;
    }
    assert_true(str_equal(name, STR("set-cookie")));
    keep(fixture->cookie, value, "arrow_flight_session_id=", ';');
    fixture->cookie_count++;
}

bool grpc_call_metadata(struct grpc_call *call, struct str name, struct str *out_value)
{
    return false;
}

static struct fixture *start_with(const struct sessions_options *options)
{
    struct fixture *fixture = NEW(struct fixture);
    arena_init(&fixture->arena);
    struct sessions_options own = *options;
    own.engine = &fixture->engine;
    own.prepared_max = 1;
    fixture->sessions = sessions_create(&own);
    return fixture;
}

static struct fixture *start(size_t count_max, uint64_t idle_timeout_ms)
{
    return start_with(&(struct sessions_options){
        .connection_sessions = true,
        .idle_timeout_ms = idle_timeout_ms,
        .orphan_ms = HOUR_MS,
        .count_max = count_max,
    });
}

static void end(struct fixture *fixture)
{
    sessions_destroy(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 0);
    arena_finish(&fixture->arena);
    free(fixture);
}

/* The session of a call on that connection, with a header (empty: none). */
static enum status call_with(struct fixture *fixture, uint64_t connection_id, struct str name,
                             struct str value, struct session **out_session)
{
    struct http_header header = {.name = name, .value = value};
    struct grpc_call call = {
        .service = fixture,
        .metadata = {.items = &header, .count = name.len > 0},
        .connection_id = connection_id,
        .peer = STR("test"),
        .arena = &fixture->arena,
    };
    struct error error = ERROR_NONE;
    return sessions_resolve(fixture->sessions, &call, out_session, &error);
}

static enum status call_on(struct fixture *fixture, uint64_t connection_id,
                           struct session **out_session)
{
    return call_with(fixture, connection_id, STR_EMPTY, STR_EMPTY, out_session);
}

/* The status of a whole call with the cookie, among others. */
static enum status call_with_cookie(struct fixture *fixture, uint64_t connection_id,
                                    const char *cookie, bool *out_made)
{
    char value[128];
    struct session *session = NULL;
    snprintf(value, sizeof(value), "a=b; arrow_flight_session_id=%s ;c=d", cookie);
    fixture->engine.newest = NULL;
    enum status status = call_with(fixture, connection_id, STR("cookie"), str_of(value), &session);
    *out_made = fixture->engine.newest != NULL;
    session_unref(session);
    return status;
}

static void assert_found_by_cookie(struct fixture *fixture, uint64_t connection_id,
                                   const char *cookie)
{
    bool made;
    assert_int_equal(call_with_cookie(fixture, connection_id, cookie, &made), STATUS_OK);
    assert_false(made);
}

/* A whole call with Basic credentials. True when it made a new session. */
static bool use_basic(struct fixture *fixture, uint64_t connection_id, const char *base64)
{
    char value[64];
    CLEANUP(session_unref) struct session *session = NULL;
    snprintf(value, sizeof(value), "Basic %s", base64);
    fixture->engine.newest = NULL;
    assert_int_equal(
        call_with(fixture, connection_id, STR("authorization"), str_of(value), &session),
        STATUS_OK);
    return fixture->engine.newest != NULL;
}

static enum status use_bearer(struct fixture *fixture, uint64_t connection_id, const char *bearer)
{
    char value[64];
    CLEANUP(session_unref) struct session *session = NULL;
    snprintf(value, sizeof(value), "Bearer %s", bearer);
    return call_with(fixture, connection_id, STR("authorization"), str_of(value), &session);
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

static void rolls_forgotten_transactions_back(void **state)
{
    struct fixture *fixture = start_with(&(struct sessions_options){
        .connection_sessions = true,
        .idle_timeout_ms = HOUR_MS,
        .transaction_timeout_ms = 1,
        .orphan_ms = HOUR_MS,
        .count_max = 10,
    });
    struct session *running = NULL;
    assert_true(use(fixture, 1));
    struct engine_session *idle = fixture->engine.newest;
    assert_int_equal(call_on(fixture, 2, &running), STATUS_OK);
    struct engine_session *in_call = fixture->engine.newest;
    in_call->in_transaction = true;
    use_in_transaction(fixture, 3);
    struct engine_session *forgotten = fixture->engine.newest;
    while (!forgotten->is_expired)
        sessions_sweep(fixture->sessions);
    assert_false(idle->is_expired);
    assert_false(in_call->is_expired);
    assert_false(use(fixture, 3)); /* the session itself stays */
    session_unref(running);
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

static void a_connection_gets_its_cookie_once(void **state)
{
    struct fixture *fixture = start(10, HOUR_MS);
    assert_true(use(fixture, 1));
    assert_false(use(fixture, 1));
    assert_int_equal(fixture->cookie_count, 1);
    char cookie[64];
    memcpy(cookie, fixture->cookie, sizeof(cookie));
    assert_found_by_cookie(fixture, 1, cookie);
    assert_found_by_cookie(fixture, 2, cookie);
    assert_int_equal(fixture->cookie_count, 1);
    assert_true(use(fixture, 2));
    end(fixture);
}

static void a_client_with_its_cookie_comes_back_after_its_connection(void **state)
{
    struct fixture *fixture = start(10, HOUR_MS);
    char cookie[64];
    use_in_transaction(fixture, 1);
    memcpy(cookie, fixture->cookie, sizeof(cookie));
    assert_found_by_cookie(fixture, 1, cookie);
    sessions_disconnect(fixture->sessions, 1);
    sessions_sweep(fixture->sessions);
    assert_found_by_cookie(fixture, 2, cookie);
    assert_false(use(fixture, 2)); /* it belongs to this connection now */
    sessions_disconnect(fixture->sessions, 1);
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 1);
    end(fixture);
}

static void who_does_not_come_back_in_time_finds_nothing(void **state)
{
    struct fixture *fixture = start_with(&(struct sessions_options){
        .connection_sessions = true, .idle_timeout_ms = HOUR_MS, .count_max = 10});
    char cookie[64];
    bool made;
    assert_true(use(fixture, 1));
    memcpy(cookie, fixture->cookie, sizeof(cookie));
    assert_found_by_cookie(fixture, 1, cookie);
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 1);
    sessions_disconnect(fixture->sessions, 1);
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 0);
    assert_int_equal(call_with_cookie(fixture, 2, cookie, &made), STATUS_NOT_FOUND);
    assert_false(made);
    assert_string_equal(fixture->cookie, ""); /* taken back */
    end(fixture);
}

static void who_may_come_back_makes_room_before_who_is_there(void **state)
{
    struct fixture *fixture = start(2, HOUR_MS);
    char cookie[64];
    bool made;
    assert_true(use(fixture, 1));
    assert_true(use(fixture, 2));
    memcpy(cookie, fixture->cookie, sizeof(cookie));
    assert_found_by_cookie(fixture, 2, cookie);
    fixture->engine.newest = NULL;
    sessions_disconnect(fixture->sessions, 2);
    assert_true(use(fixture, 3));
    assert_false(use(fixture, 1));
    assert_int_equal(call_with_cookie(fixture, 4, cookie, &made), STATUS_NOT_FOUND);
    end(fixture);
}

static void basic_credentials_are_a_session_for_each_connection_and_name(void **state)
{
    struct fixture *fixture = start(100, HOUR_MS);
    assert_true(use_basic(fixture, 1, "YTp4"));  /* a:x */
    assert_false(use_basic(fixture, 1, "YTp5")); /* a:y */
    assert_true(use_basic(fixture, 1, "Yjp4"));  /* b:x */
    assert_true(use_basic(fixture, 2, "YTp4"));
    assert_true(use(fixture, 1));
    assert_false(use_basic(fixture, 2, "YTp4"));
    assert_int_equal(fixture->engine.open_count, 4);
    sessions_disconnect(fixture->sessions, 1);
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 3); /* names have bearers, by which to come back */
    assert_true(use(fixture, 1));
    assert_true(use_basic(fixture, 1, "YTp4"));
    end(fixture);
}

static void a_bearer_outlives_its_connections_but_not_with_a_transaction(void **state)
{
    struct fixture *fixture = start_with(&(struct sessions_options){
        .connection_sessions = true, .idle_timeout_ms = HOUR_MS, .count_max = 10});
    assert_true(use_basic(fixture, 1, "YTp4"));
    struct engine_session *engine_session = fixture->engine.newest;
    assert_int_equal(use_bearer(fixture, 2, fixture->bearer), STATUS_OK);
    sessions_disconnect(fixture->sessions, 1);
    engine_session->in_transaction = true;
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 1); /* it has the other connection */
    engine_session->in_transaction = false;
    sessions_disconnect(fixture->sessions, 2);
    sessions_sweep(fixture->sessions);
    assert_int_equal(use_bearer(fixture, 3, fixture->bearer), STATUS_OK);
    engine_session->in_transaction = true;
    sessions_disconnect(fixture->sessions, 3);
    sessions_sweep(fixture->sessions);
    assert_int_equal(fixture->engine.open_count, 0);
    assert_int_equal(use_bearer(fixture, 4, fixture->bearer), STATUS_UNAUTHENTICATED);
    end(fixture);
}

static void a_session_on_more_connections_than_are_counted_is_kept(void **state)
{
    struct fixture *fixture = start_with(&(struct sessions_options){
        .connection_sessions = true, .idle_timeout_ms = HOUR_MS, .count_max = 10});
    assert_true(use_basic(fixture, 1, "YTp4"));
    fixture->engine.newest->in_transaction = true;
    for (uint64_t id = 2; id < 50; id++)
        assert_int_equal(use_bearer(fixture, id, fixture->bearer), STATUS_OK);
    for (uint64_t id = 1; id < 50; id++)
        sessions_disconnect(fixture->sessions, id);
    sessions_sweep(fixture->sessions);
    assert_int_equal(use_bearer(fixture, 60, fixture->bearer), STATUS_OK);
    end(fixture);
}

static void a_connection_remembers_so_many_names(void **state)
{
    struct fixture *fixture = start(1000, HOUR_MS);
    char base64[8] = "AAo6";
    for (int i = 0; i < 200; i++) {
        base64[0] = (char)('A' + i / 26);
        base64[1] = (char)('A' + i % 26);
        use_basic(fixture, 1, base64);
    }
    sessions_disconnect(fixture->sessions, 1);
    assert_true(fixture->engine.open_count > 0 && fixture->engine.open_count <= 200);
    end(fixture);
}

static void a_bearer_that_was_closed_is_refused(void **state)
{
    struct fixture *fixture = start(10, HOUR_MS);
    struct session *session = NULL;
    assert_int_equal(call_with(fixture, 1, STR("authorization"), STR("Basic YTp4"), &session),
                     STATUS_OK);
    assert_int_equal(use_bearer(fixture, 9, fixture->bearer), STATUS_OK);
    assert_true(sessions_close(fixture->sessions, session));
    session_unref(session);
    assert_int_equal(use_bearer(fixture, 1, fixture->bearer), STATUS_UNAUTHENTICATED);
    assert_int_equal(use_bearer(fixture, 1, ""), STATUS_UNAUTHENTICATED);
    end(fixture);
}

static void a_call_of_its_own_is_kept_on_request(void **state)
{
    struct fixture *fixture =
        start_with(&(struct sessions_options){.idle_timeout_ms = HOUR_MS, .count_max = 10});
    struct grpc_call call = {.service = fixture, .peer = STR("test"), .arena = &fixture->arena};
    struct session *session = NULL;
    struct error error = ERROR_NONE;
    assert_true(use(fixture, 1));
    assert_true(use(fixture, 1));
    assert_int_equal(fixture->engine.open_count, 0);
    assert_int_equal(sessions_resolve(fixture->sessions, &call, &session, &error), STATUS_OK);
    assert_int_equal(sessions_keep(fixture->sessions, &call, &session, &error), STATUS_OK);
    struct session *kept = session;
    assert_int_equal(sessions_keep(fixture->sessions, &call, &session, &error), STATUS_OK);
    assert_ptr_equal(session, kept);
    session_unref(session);
    assert_int_equal(fixture->cookie_count, 1);
    char cookie[64];
    memcpy(cookie, fixture->cookie, sizeof(cookie));
    assert_found_by_cookie(fixture, 7, cookie);
    end(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_room_by_the_longest_unused),
        cmocka_unit_test(keeps_open_transactions),
        cmocka_unit_test(rolls_forgotten_transactions_back),
        cmocka_unit_test(refuses_when_only_transactions_are_left),
        cmocka_unit_test(keeps_sessions_with_a_call),
        cmocka_unit_test(sweeps_orphans_only_while_others_are_in_time),
        cmocka_unit_test(an_orphan_goes_first),
        cmocka_unit_test(sweeps_what_was_unused_too_long),
        cmocka_unit_test(passes_over_a_held_session_once),
        cmocka_unit_test(closing_takes_only_that_session),
        cmocka_unit_test(a_connection_gets_its_cookie_once),
        cmocka_unit_test(a_client_with_its_cookie_comes_back_after_its_connection),
        cmocka_unit_test(who_does_not_come_back_in_time_finds_nothing),
        cmocka_unit_test(who_may_come_back_makes_room_before_who_is_there),
        cmocka_unit_test(basic_credentials_are_a_session_for_each_connection_and_name),
        cmocka_unit_test(a_bearer_outlives_its_connections_but_not_with_a_transaction),
        cmocka_unit_test(a_session_on_more_connections_than_are_counted_is_kept),
        cmocka_unit_test(a_connection_remembers_so_many_names),
        cmocka_unit_test(a_bearer_that_was_closed_is_refused),
        cmocka_unit_test(a_call_of_its_own_is_kept_on_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
