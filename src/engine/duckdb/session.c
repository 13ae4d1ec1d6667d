/*
 * session.c — sessions: which connection a statement gets.
 *
 *      free --BEGIN--> pinned for the transaction --COMMIT, ROLLBACK--> free
 *        \---temporary object, setting---> pinned for good
 *
 * A free session's statements take a connection each and run side by side. A pinned session's run one
 * after the other on its connection, which is closed with the session.
 *
 * Any thread. Owns one reference to the pinned connection. SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/memory.h"
#include "engine/duckdb/state.h"

/* A statement that has answered may not quite have left its connection. */
#define CLOSE_WAIT_MS 100

struct engine_session *engine_session_open(struct engine *engine)
{
    struct engine_session *session = NEW(struct engine_session);
    session->engine = engine;
    atomic_init(&session->references, 1);
    lock_init(&session->locked.lock);
    return session;
}

struct engine_session *engine_session_ref(struct engine_session *session)
{
    atomic_fetch_add(&session->references, 1);
    return session;
}

void engine_session_unref(struct engine_session *session)
{
    if (!session || atomic_fetch_sub(&session->references, 1) > 1)
        return;
    connection_unref(session->locked.pinned);
    free(session->locked.failure);
    for (int i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        free(session->locked.values[i]);
    lock_finish(&session->locked.lock);
    free(session);
}

bool engine_session_close(struct engine_session *session)
{
    lock_take(&session->locked.lock);
    CLEANUP(connection_unref) struct connection *pinned = STEAL(session->locked.pinned);
    session->locked.has_state = false;
    session->locked.is_claimed = false;
    lock_give(&session->locked.lock);
    if (!pinned)
        return true;
    if (!connection_try_enter(pinned, clock_now_ns() + CLOSE_WAIT_MS * NANOSECONDS_PER_MILLISECOND))
        return false;
    /* Results of the session that nobody has read yet may keep the connection for a while. */
    if (atomic_exchange(&session->in_transaction, false) &&
        connection_execute(pinned, "ROLLBACK", NULL) != STATUS_OK)
        atomic_store(&pinned->is_tainted, true);
    connection_leave(pinned);
    return true;
}

bool engine_session_in_transaction(struct engine_session *session)
{
    return atomic_load(&session->in_transaction);
}

struct connection *session_pinned(struct engine_session *session)
{
    LOCKED(&session->locked.lock);
    return session->locked.pinned ? connection_ref(session->locked.pinned) : NULL;
}

enum status session_connection(struct engine_session *session, bool is_direct,
                               struct connection **out_connection, struct error *error)
{
    *out_connection = session_pinned(session);
    if (*out_connection)
        return engine_check(session->engine, error);
    return connection_take(session->engine, is_direct, out_connection, error);
}

void session_pin(struct engine_session *session, struct connection *connection, bool has_state)
{
    LOCKED(&session->locked.lock);
    if (!session->locked.pinned)
        session->locked.pinned = connection_ref(connection);
    session->locked.has_state = session->locked.has_state || has_state;
    atomic_store(&connection->is_tainted, true);
}

void session_begin(struct engine_session *session, struct connection *connection)
{
    session_pin(session, connection, false);
    atomic_store(&session->in_transaction, true);
}

/* The connection if nothing holds it any more, to be let go without the lock. With the lock. */
static struct connection *take_unneeded(struct engine_session *session)
{
    const bool is_needed = session->locked.has_state || session->locked.is_claimed ||
                           atomic_load(&session->in_transaction);
    return is_needed ? NULL : STEAL(session->locked.pinned);
}

void session_end_transaction(struct engine_session *session, struct connection *connection)
{
    struct connection *freed = NULL;
    lock_take(&session->locked.lock);
    if (!session->locked.pinned || session->locked.pinned == connection) {
        atomic_store(&session->in_transaction, false);
        free(STEAL(session->locked.failure));
        session->locked.is_expired = false;
        if (session->locked.pinned && !session->locked.has_state)
            atomic_store(&connection->is_tainted, false);
        freed = take_unneeded(session);
    }
    lock_give(&session->locked.lock);
    connection_unref(freed);
}

bool session_admit(struct engine_session *session, struct connection *connection, bool claims)
{
    LOCKED(&session->locked.lock);
    if (session->locked.pinned && session->locked.pinned != connection)
        return false;
    if (claims && !session->locked.pinned)
        session->locked.pinned = connection_ref(connection);
    session->locked.is_claimed = session->locked.is_claimed || claims;
    return true;
}

void session_release(struct engine_session *session, struct connection *connection)
{
    struct connection *freed = NULL;
    lock_take(&session->locked.lock);
    if (session->locked.pinned == connection) {
        session->locked.is_claimed = false;
        freed = take_unneeded(session);
    }
    lock_give(&session->locked.lock);
    connection_unref(freed);
}

void session_fail_transaction(struct engine_session *session, const struct error *failure)
{
    LOCKED(&session->locked.lock);
    if (session->locked.failure)
        return;
    session->locked.failure = NEW(struct error);
    *session->locked.failure = *failure;
}

enum status session_check_transaction(struct engine_session *session, bool is_commit,
                                      struct error *error)
{
    LOCKED(&session->locked.lock);
    const struct error *failure = session->locked.failure;
    if (!failure)
        return STATUS_OK;
    const char *sqlstate = failure->status == STATUS_ABORTED ? "40001" : "25P02";
    if (is_commit)
        error_set_sqlstate(
            error, sqlstate,
            "nothing was committed: %s\nthe transaction was rolled back: run it again",
            failure->message);
    else
        error_set_sqlstate(error, sqlstate,
                           "this transaction can only be rolled back: %s\nsend ROLLBACK, then run "
                           "it again",
                           failure->message);
    error->retry_after_ms = failure->retry_after_ms;
    return error->status;
}

/* True once for each transaction. */
static bool may_expire(struct engine_session *session, const struct connection *connection)
{
    LOCKED(&session->locked.lock);
    return session->locked.pinned == connection && atomic_load(&session->in_transaction) &&
           !session->locked.is_expired;
}

/* An empty transaction holds nothing, and whoever goes on in it is told that it is not the one that was
 * begun. */
static bool expire(struct engine_session *session, struct connection *connection,
                   const struct error *reason)
{
    if (!may_expire(session, connection))
        return false;
    if (connection_execute(connection, "ROLLBACK", NULL) != STATUS_OK ||
        connection_execute(connection, "BEGIN TRANSACTION", NULL) != STATUS_OK)
        atomic_store(&connection->is_spent, true);
    session_fail_transaction(session, reason);
    LOCKED(&session->locked.lock);
    session->locked.is_expired = true;
    return true;
}

bool engine_session_expire_transaction(struct engine_session *session, const struct error *reason)
{
    CLEANUP(connection_unref) struct connection *pinned = session_pinned(session);
    if (!pinned || !connection_try_enter(pinned, 0))
        return false;
    bool has_expired = expire(session, pinned, reason);
    connection_leave(pinned);
    return has_expired;
}
