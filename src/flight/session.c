/*
 * session.c — one session: what a client has across its calls.
 *
 * Calls that still run hold a reference, so that a session that was closed ends in peace. Options are a
 * set that is never changed but replaced: a call keeps the one that it began with.
 *
 * Threads: any. Owns: its engine session, prepared statements, options. Leaves out: who has which
 * (session_table.c). SPDX-License-Identifier: Apache-2.0
 */
#include "flight/session_private.h"

#include "base/clock.h"
#include "base/memory.h"

struct session *session_create(const struct sessions *sessions, const char *kind, struct str user,
                               struct str peer)
{
    struct session *session = NEW(struct session);
    atomic_init(&session->references, 1);
    random_uuid(session->id);
    session->listed.kind = kind;
    session->user = str_copy(user);
    session->peer = str_copy(peer);
    session->engine = engine_session_open(sessions->options.engine);
    session->created_us = clock_wall_us();
    atomic_init(&session->used_ns, clock_now_ns());
    prepared_table_init(&session->prepared, sessions->options.prepared_max);
    transaction_init(&session->transaction, session->engine);
    lock_init(&session->locked.lock);
    return session;
}

struct session *session_ref(struct session *session)
{
    atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
    return session;
}

void session_unref(struct session *session)
{
    if (!session || atomic_fetch_sub_explicit(&session->references, 1, memory_order_acq_rel) > 1)
        return;
    prepared_table_finish(&session->prepared);
    transaction_finish(&session->transaction);
    engine_session_unref(session->engine);
    option_set_unref(session->locked.options);
    lock_finish(&session->locked.lock);
    free(session->user);
    free(session->peer);
    free(session);
}

struct engine_session *session_engine(const struct session *session)
{
    return session->engine;
}

struct prepared_table *session_prepared(struct session *session)
{
    return &session->prepared;
}

struct transaction *session_transaction(struct session *session)
{
    return &session->transaction;
}

struct str session_user(const struct session *session)
{
    return str_of(session->user);
}

struct option_set *session_options(struct session *session)
{
    LOCKED(&session->locked.lock);
    return session->locked.options ? option_set_ref(session->locked.options) : NULL;
}

void session_set_option(struct session *session, size_t option, struct str value)
{
    lock_take(&session->locked.lock);
    struct option_set *before = session->locked.options;
    session->locked.options = option_set_with(before, option, value);
    lock_give(&session->locked.lock);
    option_set_unref(before);
}
