/*
 * session.c — the table of sessions: who has which, in the order of their last use.
 *
 * The table maps keys to sessions: "b:<bearer>" and "c:<connection>". A bearer is 128 random bits as a
 * UUID; what is shown of a session is another one. Sessions end by sessions_close or unused for too
 * long; calls that still run hold a reference and end in peace.
 *
 * `by_use` has the sessions in order of their last use, orphans first, so that the sweep and a new
 * session that needs room find at its front what may go. What they find there held, by a call or an
 * open transaction, waits in `held` for its next use or the next sweep: no session is passed over twice.
 *
 * Threads: any. Owns: sessions until they leave the table. Not done here: who may log in (no users are
 * configured yet: any name is accepted and names a session, not an identity).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/session.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "crypto/crypto.h"
#include "event/lock.h"

#include <stdio.h>

#define USER_NAME_BYTES_MAX 256
#define CREDENTIALS_BYTES_MAX 4096
#define SESSION_KEY_SIZE (RANDOM_UUID_SIZE + 8)
/* Held sessions that a new one looks at for one that is free again. */
#define HELD_LOOKS_MAX 64

struct session {
    atomic_int references;
    char id[RANDOM_UUID_SIZE];
    char key[SESSION_KEY_SIZE]; /* in the table; "" for a session of one call */
    struct list link;           /* sessions.locked.by_use or held; guarded by the table's lock */
    const char *kind;
    char *user;
    char *peer;
    struct engine_session *engine;
    int64_t created_us;
    atomic_uint_least64_t used_ns;
    atomic_bool is_orphan; /* its connection is gone */
    struct prepared_table prepared;
    struct transaction transaction;
};

struct sessions {
    struct sessions_options options;
    struct {
        struct lock lock;
        struct map by_key;
        struct list by_use; /* session.link */
        struct list held;   /* session.link */
    } locked;
};

static struct session *session_create(const struct sessions *sessions, const char *kind,
                                      struct str user, struct str peer)
{
    struct session *session = NEW(struct session);
    atomic_init(&session->references, 1);
    random_uuid(session->id);
    session->kind = kind;
    session->user = str_copy(user);
    session->peer = str_copy(peer);
    session->engine = engine_session_open(sessions->options.engine);
    session->created_us = clock_wall_us();
    atomic_init(&session->used_ns, clock_now_ns());
    prepared_table_init(&session->prepared, sessions->options.prepared_max);
    transaction_init(&session->transaction, session->engine);
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

struct sessions *sessions_create(const struct sessions_options *options)
{
    struct sessions *sessions = NEW(struct sessions);
    sessions->options = *options;
    lock_init(&sessions->locked.lock);
    map_init(&sessions->locked.by_key);
    list_init(&sessions->locked.by_use);
    list_init(&sessions->locked.held);
    return sessions;
}

void sessions_destroy(struct sessions *sessions)
{
    if (!sessions)
        return;
    size_t cursor = 0;
    void *session;
    struct str key;
    while (map_next(&sessions->locked.by_key, &cursor, &key, &session))
        session_unref(session);
    map_finish(&sessions->locked.by_key);
    lock_finish(&sessions->locked.lock);
    free(sessions);
}

/* --- who may go: all with the table's lock ---------------------------------------------------- */

static bool is_in_call(const struct session *session)
{
    return atomic_load(&session->references) > 1;
}

/* True while the session must not make room for another one. An orphan's transaction cannot be ended by
 * anybody any more. */
static bool is_held(const struct session *session)
{
    return is_in_call(session) ||
           (!atomic_load(&session->is_orphan) && engine_session_in_transaction(session->engine));
}

/* Orphans keep their place: at the front, or, held, wherever the sweep looks at each. */
static void touch(struct sessions *sessions, struct session *session)
{
    atomic_store_explicit(&session->used_ns, clock_now_ns(), memory_order_relaxed);
    if (atomic_load(&session->is_orphan))
        return;
    list_remove(&session->link);
    list_append(&sessions->locked.by_use, &session->link);
}

static void take_out(struct sessions *sessions, struct session *session)
{
    list_remove(&session->link);
    map_remove(&sessions->locked.by_key, str_of(session->key));
}

/* The first session of the list that is not held; those before it go to the end of `held`. */
static struct session *first_free(struct sessions *sessions, struct list *list, size_t looks_max)
{
    for (size_t i = 0; i < looks_max; i++) {
        struct session *session = LIST_FIRST(list, struct session, link);
        if (!session || !is_held(session))
            return session;
        list_remove(&session->link);
        list_append(&sessions->locked.held, &session->link);
    }
    return NULL;
}

/* Takes the session out that was unused for the longest; NULL: all are held. */
static struct session *make_room(struct sessions *sessions)
{
    struct session *found = first_free(sessions, &sessions->locked.by_use, SIZE_MAX);
    if (!found)
        found = first_free(sessions, &sessions->locked.held, HELD_LOOKS_MAX);
    if (found)
        take_out(sessions, found);
    return found;
}

void sessions_disconnect(struct sessions *sessions, uint64_t connection_id)
{
    char key[SESSION_KEY_SIZE];
    snprintf(key, sizeof(key), "c:%llu", (unsigned long long)connection_id);
    LOCKED(&sessions->locked.lock);
    struct session *session = map_get(&sessions->locked.by_key, str_of(key));
    if (!session)
        return;
    atomic_store(&session->is_orphan, true);
    list_remove(&session->link);
    list_prepend(&sessions->locked.by_use, &session->link);
}

static bool is_due(const struct session *session, uint64_t now, uint64_t idle_ns)
{
    uint64_t used_ns = atomic_load(&session->used_ns);
    return atomic_load(&session->is_orphan) || (now > used_ns && now - used_ns > idle_ns);
}

static void move_to(struct sessions *sessions, struct session *session, struct list *taken)
{
    take_out(sessions, session);
    list_append(taken, &session->link);
}

/* The front of the order of use. A long call is a use as long as it runs. */
static void sweep_by_use(struct sessions *sessions, uint64_t now, uint64_t idle_ns,
                         struct list *taken)
{
    LIST_FOR_EACH (session, &sessions->locked.by_use, struct session, link) {
        if (!is_due(session, now, idle_ns))
            return;
        if (is_in_call(session))
            touch(sessions, session);
        else
            move_to(sessions, session, taken);
    }
}

/* Sessions that are no longer held were in use until just now. */
static void sweep_held(struct sessions *sessions, uint64_t now, uint64_t idle_ns,
                       struct list *taken)
{
    LIST_FOR_EACH (session, &sessions->locked.held, struct session, link) {
        if (is_in_call(session))
            continue;
        if (is_due(session, now, idle_ns))
            move_to(sessions, session, taken);
        else if (!is_held(session))
            touch(sessions, session);
    }
}

/* Takes the sessions that are over out of the table, with the table's references. */
static void take_over(struct sessions *sessions, struct list *taken)
{
    uint64_t now = clock_now_ns();
    uint64_t idle_ns = sessions->options.idle_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    LOCKED(&sessions->locked.lock);
    sweep_by_use(sessions, now, idle_ns, taken);
    sweep_held(sessions, now, idle_ns, taken);
}

void sessions_sweep(struct sessions *sessions)
{
    struct list taken;
    list_init(&taken);
    take_over(sessions, &taken);
    LIST_FOR_EACH (session, &taken, struct session, link)
        session_unref(session);
}

/* Enters a session under its key, unless another thread did so meanwhile: then that one is returned and
 * ours is dropped. Takes the reference over; returns one for the caller. */
static enum status enter(struct sessions *sessions, struct session *session,
                         struct session **out_session, struct error *error)
{
    struct session *dropped = NULL;
    enum status status = STATUS_OK;
    lock_take(&sessions->locked.lock);
    struct session *existing = map_get(&sessions->locked.by_key, str_of(session->key));
    if (existing) {
        dropped = session;
        *out_session = session_ref(existing);
    } else {
        if (sessions->locked.by_key.count >= sessions->options.count_max)
            dropped = make_room(sessions);
        if (sessions->locked.by_key.count < sessions->options.count_max) {
            map_set(&sessions->locked.by_key, str_of(session->key), session);
            list_append(&sessions->locked.by_use, &session->link);
            *out_session = session_ref(session);
        } else {
            dropped = session;
            status = error_set(error, STATUS_RESOURCE_EXHAUSTED,
                               "all %zu sessions are in use or in a transaction; close some or try "
                               "again later",
                               sessions->options.count_max);
        }
    }
    lock_give(&sessions->locked.lock);
    session_unref(dropped);
    return status;
}

static struct session *find(struct sessions *sessions, const char *key)
{
    LOCKED(&sessions->locked.lock);
    struct session *session = map_get(&sessions->locked.by_key, str_of(key));
    if (!session)
        return NULL;
    touch(sessions, session);
    return session_ref(session);
}

enum status sessions_log_in(struct sessions *sessions, struct grpc_call *call, struct str user,
                            struct session **out_session, struct error *error)
{
    if (user.len > USER_NAME_BYTES_MAX)
        return error_set(error, STATUS_UNAUTHENTICATED, "a user name has at most %d bytes",
                         USER_NAME_BYTES_MAX);
    struct session *session = session_create(sessions, "bearer", user, call->peer);
    char bearer[RANDOM_UUID_SIZE];
    random_uuid(bearer);
    snprintf(session->key, sizeof(session->key), "b:%s", bearer);
    TRY(enter(sessions, session, out_session, error));
    char value[RANDOM_UUID_SIZE + 8];
    snprintf(value, sizeof(value), "Bearer %s", bearer);
    grpc_call_add_header(call, STR("authorization"), str_of(value));
    return STATUS_OK;
}

/* "user:password" in base64; the password is not looked at while no users are configured. */
static enum status resolve_basic(struct sessions *sessions, struct grpc_call *call,
                                 struct str credentials, struct session **out_session,
                                 struct error *error)
{
    CLEANUP(buf_finish) struct buf decoded;
    buf_init(&decoded, CREDENTIALS_BYTES_MAX);
    if (!crypto_base64_decode(str_trim(credentials), &decoded) || decoded.failed)
        return error_set(error, STATUS_UNAUTHENTICATED,
                         "the Basic credentials are not base64 of user:password");
    struct str text = buf_str(&decoded);
    struct str user = str_split(&text, ':');
    return sessions_log_in(sessions, call, user, out_session, error);
}

static enum status resolve_bearer(struct sessions *sessions, struct str bearer,
                                  struct session **out_session, struct error *error)
{
    char key[SESSION_KEY_SIZE];
    bearer = str_trim(bearer);
    snprintf(key, sizeof(key), "b:%.*s", bearer.len < RANDOM_UUID_SIZE ? (int)bearer.len : 0,
             bearer.len ? bearer.ptr : "");
    *out_session = find(sessions, key);
    if (*out_session)
        return STATUS_OK;
    return error_set(error, STATUS_UNAUTHENTICATED,
                     "the bearer token is unknown or expired; log in again by Handshake or Basic "
                     "credentials");
}

/* The value of a cookie, or empty. */
static struct str cookie_value(struct str cookies, struct str name)
{
    while (cookies.len > 0) {
        struct str cookie = str_trim(str_split(&cookies, ';'));
        struct str key = str_split(&cookie, '=');
        if (str_equal(key, name))
            return cookie;
    }
    return STR_EMPTY;
}

static enum status resolve_anonymous(struct sessions *sessions, struct grpc_call *call,
                                     struct session **out_session, struct error *error)
{
    if (!sessions->options.connection_sessions) {
        *out_session = session_create(sessions, "call", STR_EMPTY, call->peer);
        return STATUS_OK;
    }
    char key[SESSION_KEY_SIZE];
    snprintf(key, sizeof(key), "c:%llu", (unsigned long long)call->connection_id);
    *out_session = find(sessions, key);
    if (*out_session)
        return STATUS_OK;
    struct session *session = session_create(sessions, "connection", STR_EMPTY, call->peer);
    memcpy(session->key, key, sizeof(key));
    return enter(sessions, session, out_session, error);
}

enum status sessions_resolve(struct sessions *sessions, struct grpc_call *call,
                             struct session **out_session, struct error *error)
{
    struct str authorization = http_headers_get(&call->metadata, STR("authorization"));
    if (str_starts_with_nocase(authorization, STR("basic ")))
        return resolve_basic(sessions, call, str_slice(authorization, 6, authorization.len),
                             out_session, error);
    if (str_starts_with_nocase(authorization, STR("bearer ")))
        return resolve_bearer(sessions, str_slice(authorization, 7, authorization.len), out_session,
                              error);
    if (authorization.len > 0)
        return error_set(error, STATUS_UNAUTHENTICATED,
                         "the authorization header must begin with 'Bearer ' or 'Basic '");
    struct str token;
    if (grpc_call_metadata(call, STR("auth-token-bin"), &token) && token.len > 0)
        return resolve_bearer(sessions, token, out_session, error);
    struct str cookie = cookie_value(http_headers_get(&call->metadata, STR("cookie")),
                                     STR("arrow_flight_session_id"));
    if (cookie.len > 0)
        return resolve_bearer(sessions, cookie, out_session, error);
    return resolve_anonymous(sessions, call, out_session, error);
}

void sessions_close(struct sessions *sessions, struct session *session)
{
    lock_take(&sessions->locked.lock);
    /* Another one may have come under the key of a connection meanwhile. */
    struct session *removed = map_get(&sessions->locked.by_key, str_of(session->key));
    if (removed == session)
        take_out(sessions, session);
    else
        removed = NULL;
    lock_give(&sessions->locked.lock);
    session_unref(removed);
}

void sessions_visit(struct sessions *sessions,
                    void (*visit)(void *context, const struct session_facts *facts), void *context)
{
    LOCKED(&sessions->locked.lock);
    int64_t offset_us = clock_wall_us() - (int64_t)(clock_now_ns() / 1000);
    size_t cursor = 0;
    void *value;
    struct str key;
    while (map_next(&sessions->locked.by_key, &cursor, &key, &value)) {
        struct session *session = value;
        struct session_facts facts = {
            .id = str_of(session->id),
            .kind = str_of(session->kind),
            .user = str_of(session->user),
            .peer = str_of(session->peer),
            .created_us = session->created_us,
            .used_us = offset_us + (int64_t)(atomic_load(&session->used_ns) / 1000),
            .prepared = prepared_table_count(&session->prepared),
            .in_transaction = engine_session_in_transaction(session->engine),
        };
        visit(context, &facts);
    }
}
