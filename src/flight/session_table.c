/*
 * session_table.c — who has which session, and which are over.
 *
 * Sessions are found by token, which is a bearer or the value of a cookie, or by connection and user name.
 * They end by sessions_close, unused for too long, or some time after their last connection was lost; one
 * that nobody can come back to ends with its connection, one with a bearer outlives it unless it is in a
 * transaction.
 *
 * The lists (session_private.h) have the sessions in the order in which they may go, so that the sweep and
 * a new session that needs room look at their fronts only. What they find there held, by a call or an open
 * transaction, waits in `held` for its next use or the next sweep: no session is passed over twice.
 *
 * Threads: any; one lock. Owns: sessions until they leave the table. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/session_private.h"

#include "base/clock.h"
#include "base/memory.h"

/* Held sessions that a new one looks at for one that is free again. */
#define HELD_LOOKS_MAX 64

/* --- life ----------------------------------------------------------------------------------------- */

struct sessions *sessions_create(const struct sessions_options *options)
{
    struct sessions *sessions = NEW(struct sessions);
    sessions->options = *options;
    lock_init(&sessions->locked.lock);
    map_init(&sessions->locked.by_token);
    map_init(&sessions->locked.by_connection);
    list_init(&sessions->locked.by_use);
    list_init(&sessions->locked.held);
    list_init(&sessions->locked.waiting);
    return sessions;
}

void sessions_destroy(struct sessions *sessions)
{
    if (!sessions)
        return;
    size_t cursor = 0;
    void *session;
    struct str key;
    while (map_next(&sessions->locked.by_token, &cursor, &key, &session)) {
        session_detach(sessions, session);
        session_unref(session);
    }
    map_finish(&sessions->locked.by_token);
    map_finish(&sessions->locked.by_connection);
    lock_finish(&sessions->locked.lock);
    free(sessions);
}

/* --- who may go: all with the table's lock -------------------------------------------------------- */

static bool is_in_call(const struct session *session)
{
    return atomic_load(&session->references) > 1;
}

/* True while the session must not make room for another one. An orphan's transaction is hardly ever ended by
 * anybody any more. */
static bool is_held(const struct session *session)
{
    return is_in_call(session) ||
           (!atomic_load(&session->is_orphan) && engine_session_in_transaction(session->engine));
}

static void move_to(struct session *session, struct list *list)
{
    list_remove(&session->listed.link);
    list_append(list, &session->listed.link);
}

/* Orphans keep their place: at the front, or, held, wherever the sweep looks at each. */
static void touch(struct sessions *sessions, struct session *session)
{
    atomic_store_explicit(&session->used_ns, clock_now_ns(), memory_order_relaxed);
    if (!atomic_load(&session->is_orphan))
        move_to(session, &sessions->locked.by_use);
}

static void take_out(struct sessions *sessions, struct session *session)
{
    session_detach(sessions, session);
    list_remove(&session->listed.link);
    map_remove(&sessions->locked.by_token, str_of(session->token));
}

/* The first session of the list that is not held; those before it go to the end of `held`. */
static struct session *first_free(struct sessions *sessions, struct list *list, size_t looks_max)
{
    for (size_t i = 0; i < looks_max; i++) {
        struct session *session = LIST_FIRST(list, struct session, listed.link);
        if (!session || !is_held(session))
            return session;
        move_to(session, &sessions->locked.held);
    }
    return NULL;
}

/* Takes the session out that is missed the least; NULL: all are held. */
static struct session *make_room(struct sessions *sessions)
{
    struct session *found = first_free(sessions, &sessions->locked.waiting, SIZE_MAX);
    if (!found)
        found = first_free(sessions, &sessions->locked.by_use, SIZE_MAX);
    if (!found)
        found = first_free(sessions, &sessions->locked.held, HELD_LOOKS_MAX);
    if (found)
        take_out(sessions, found);
    return found;
}

/* True when the session's client may come back, though not with an open transaction for long: a client that
 * has a bearer need not keep a connection. */
static bool is_kept_without_connection(const struct session *session)
{
    return session->listed.is_spread ||
           (session->has_bearer && !engine_session_in_transaction(session->engine));
}

static bool may_return(const struct session *session)
{
    return session->listed.was_named || session->has_bearer;
}

/* Its last connection is gone. A client that has its token may come back with it, for a while. */
static void orphan(struct sessions *sessions, struct session *session)
{
    if (is_kept_without_connection(session))
        return;
    session->listed.orphaned_ns = clock_now_ns();
    atomic_store(&session->is_orphan, true);
    if (may_return(session)) {
        move_to(session, &sessions->locked.waiting);
        return;
    }
    list_remove(&session->listed.link);
    list_prepend(&sessions->locked.by_use, &session->listed.link);
}

void sessions_disconnect(struct sessions *sessions, uint64_t connection_id)
{
    LOCKED(&sessions->locked.lock);
    struct attachment *attachment;
    while ((attachment = session_attachment_of(sessions, connection_id))) {
        struct session *session = attachment->session;
        session_leave(sessions, attachment);
        if (!session->listed.attachments)
            orphan(sessions, session);
    }
}

/* --- the sweep ------------------------------------------------------------------------------------ */

static bool is_past(uint64_t now, uint64_t since_ns, uint64_t time_ms)
{
    return now > since_ns && now - since_ns > time_ms * NANOSECONDS_PER_MILLISECOND;
}

static bool is_due(const struct sessions *sessions, const struct session *session, uint64_t now)
{
    if (!atomic_load(&session->is_orphan))
        return is_past(now, atomic_load(&session->used_ns), sessions->options.idle_timeout_ms);
    return !may_return(session) ||
           is_past(now, session->listed.orphaned_ns, sessions->options.orphan_ms);
}

static void take(struct sessions *sessions, struct session *session, struct list *taken)
{
    take_out(sessions, session);
    list_append(taken, &session->listed.link);
}

/* The front of the order of use. A long call is a use as long as it runs. */
static void sweep_by_use(struct sessions *sessions, uint64_t now, struct list *taken)
{
    LIST_FOR_EACH (session, &sessions->locked.by_use, struct session, listed.link) {
        if (!is_due(sessions, session, now))
            return;
        if (is_in_call(session))
            touch(sessions, session);
        else
            take(sessions, session, taken);
    }
}

static void sweep_waiting(struct sessions *sessions, uint64_t now, struct list *taken)
{
    LIST_FOR_EACH (session, &sessions->locked.waiting, struct session, listed.link) {
        if (!is_due(sessions, session, now))
            return;
        if (is_in_call(session))
            move_to(session, &sessions->locked.held);
        else
            take(sessions, session, taken);
    }
}

/* Sessions that are no longer held were in use until just now. */
static void sweep_held(struct sessions *sessions, uint64_t now, struct list *taken)
{
    LIST_FOR_EACH (session, &sessions->locked.held, struct session, listed.link) {
        if (is_in_call(session))
            continue;
        if (is_due(sessions, session, now))
            take(sessions, session, taken);
        else if (!is_held(session))
            touch(sessions, session);
    }
}

/* Takes the sessions that are over out of the table, with the table's references. */
static void take_over(struct sessions *sessions, struct list *taken)
{
    uint64_t now = clock_now_ns();
    LOCKED(&sessions->locked.lock);
    sweep_by_use(sessions, now, taken);
    sweep_waiting(sessions, now, taken);
    sweep_held(sessions, now, taken);
}

static void end(struct session *session)
{
    if (!session)
        return;
    engine_session_close(session->engine);
    session_unref(session);
}

/* Transactions that one sweep rolls back. */
#define EXPIRED_MAX 64

static bool is_forgotten(const struct sessions *sessions, const struct session *session,
                         uint64_t now)
{
    return engine_session_in_transaction(session->engine) && !is_in_call(session) &&
           is_past(now, atomic_load(&session->used_ns), sessions->options.transaction_timeout_ms);
}

static size_t find_forgotten(struct sessions *sessions, struct session *found[EXPIRED_MAX])
{
    uint64_t now = clock_now_ns();
    size_t count = 0;
    LOCKED(&sessions->locked.lock);
    struct list *const lists[] = {&sessions->locked.by_use, &sessions->locked.held};
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
        LIST_FOR_EACH (session, lists[i], struct session, listed.link)
            if (count < EXPIRED_MAX && is_forgotten(sessions, session, now))
                found[count++] = session_ref(session);
    return count;
}

static void expire_transactions(struct sessions *sessions)
{
    struct session *found[EXPIRED_MAX];
    struct error reason = ERROR_NONE;
    uint64_t timeout_ms = sessions->options.transaction_timeout_ms;
    if (timeout_ms == 0)
        return;
    error_set(&reason, STATUS_FAILED_PRECONDITION,
              "no statement of it came for %g s (setting transaction-timeout)",
              (double)timeout_ms / 1000);
    size_t count = find_forgotten(sessions, found);
    for (size_t i = 0; i < count; i++) {
        (void)engine_session_expire_transaction(found[i]->engine, &reason);
        session_unref(found[i]);
    }
}

void sessions_sweep(struct sessions *sessions)
{
    struct list taken;
    list_init(&taken);
    expire_transactions(sessions);
    take_over(sessions, &taken);
    LIST_FOR_EACH (session, &taken, struct session, listed.link)
        end(session);
}

/* --- finding and entering ------------------------------------------------------------------------- */

enum status sessions_enter(struct sessions *sessions, struct session *session,
                           uint64_t connection_id, bool is_by_name, struct session **out_session,
                           struct error *error)
{
    struct session *dropped = NULL;
    enum status status = STATUS_OK;
    random_uuid(session->token);
    lock_take(&sessions->locked.lock);
    struct session *existing =
        is_by_name ? sessions_by_name(sessions, connection_id, str_of(session->user)) : NULL;
    if (existing) {
        dropped = session;
        *out_session = session_ref(existing);
    } else {
        if (sessions->locked.by_token.count >= sessions->options.count_max)
            dropped = make_room(sessions);
        if (sessions->locked.by_token.count < sessions->options.count_max) {
            map_set(&sessions->locked.by_token, str_of(session->token), session);
            list_append(&sessions->locked.by_use, &session->listed.link);
            session_attach(sessions, session, connection_id, is_by_name);
            *out_session = session_ref(session);
        } else {
            dropped = session;
            status = error_set(error, STATUS_RESOURCE_EXHAUSTED,
                               "all %zu sessions are in use or in a transaction; close some or try "
                               "again later (setting max-sessions)",
                               sessions->options.count_max);
        }
    }
    lock_give(&sessions->locked.lock);
    end(dropped);
    return status;
}

/* The client keeps the token. One that was an orphan goes on with the connection on which its client came
 * back. */
static void note_named(struct sessions *sessions, struct session *session, uint64_t connection_id)
{
    bool was_orphan = atomic_exchange(&session->is_orphan, false);
    /* Whoever was on the connection before it goes on with the session that it had. */
    bool is_by_name = was_orphan && !session->has_bearer &&
                      !sessions_by_name(sessions, connection_id, str_of(session->user));
    session->listed.was_named = true;
    if (str_equal(str_of(session->listed.kind), STR("connection")))
        session->listed.kind = "cookie";
    if (session->listed.connection_id != connection_id || was_orphan)
        session_attach(sessions, session, connection_id, is_by_name);
    session->listed.connection_id = connection_id;
}

struct session *sessions_find_token(struct sessions *sessions, struct str token,
                                    uint64_t connection_id)
{
    LOCKED(&sessions->locked.lock);
    struct session *session = map_get(&sessions->locked.by_token, token);
    if (!session)
        return NULL;
    note_named(sessions, session, connection_id);
    touch(sessions, session);
    return session_ref(session);
}

struct session *sessions_find_connection(struct sessions *sessions, uint64_t connection_id,
                                         struct str user)
{
    LOCKED(&sessions->locked.lock);
    struct session *session = sessions_by_name(sessions, connection_id, user);
    if (!session)
        return NULL;
    touch(sessions, session);
    return session_ref(session);
}

bool sessions_close(struct sessions *sessions, struct session *session)
{
    lock_take(&sessions->locked.lock);
    struct session *removed = map_get(&sessions->locked.by_token, str_of(session->token));
    if (removed)
        take_out(sessions, removed);
    lock_give(&sessions->locked.lock);
    bool has_ended = engine_session_close(session->engine);
    session_unref(removed);
    return has_ended;
}

/* --- looking -------------------------------------------------------------------------------------- */

static struct session_facts facts_of(const struct session *session, int64_t offset_us)
{
    return (struct session_facts){
        .id = str_of(session->id),
        .kind = str_of(session->listed.kind),
        .user = str_of(session->user),
        .peer = str_of(session->peer),
        .created_us = session->created_us,
        .used_us = offset_us + (int64_t)(atomic_load(&session->used_ns) / 1000),
        .in_transaction = engine_session_in_transaction(session->engine),
    };
}

static void visit_with_settings(struct session *session, struct session_facts *facts,
                                void (*visit)(void *context, const struct session_facts *facts),
                                void *context)
{
    char *values[ENGINE_SESSION_SETTING_COUNT];
    for (int i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++) {
        values[i] = engine_session_value(session->engine, (enum engine_session_setting)i);
        facts->settings[i] = str_of(values[i]);
    }
    CLEANUP(option_set_unref) struct option_set *options = session_options(session);
    facts->options = options;
    visit(context, facts);
    for (int i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        free(values[i]);
}

void sessions_visit(struct sessions *sessions,
                    void (*visit)(void *context, const struct session_facts *facts), void *context)
{
    LOCKED(&sessions->locked.lock);
    int64_t offset_us = clock_wall_us() - (int64_t)(clock_now_ns() / 1000);
    size_t cursor = 0;
    void *value;
    struct str key;
    while (map_next(&sessions->locked.by_token, &cursor, &key, &value)) {
        struct session *session = value;
        struct session_facts facts = facts_of(session, offset_us);
        facts.prepared = prepared_table_count(&session->prepared);
        visit_with_settings(session, &facts, visit, context);
    }
}
