/*
 * session.h — who is calling, as far as state goes: sessions of Flight clients.
 *
 * A call belongs to the session its bearer token names, else to that of its cookie
 * `arrow_flight_session_id`, else to the anonymous session of its connection (setting
 * `connection-sessions`), else to one of its own. Handshake makes a session and hands out its bearer, and so
 * do Basic credentials on any call, one for each connection and name. A session holds an engine session, its
 * prepared statements and options.
 *
 * Threads: any; a lock guards the table.
 * Source: contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "engine/engine.h"
#include "flight/option_set.h"
#include "flight/prepared_table.h"
#include "flight/transaction.h"
#include "grpc/method.h"

struct sessions;
struct session;

struct sessions_options {
    struct engine *engine;
    bool connection_sessions;
    uint64_t idle_timeout_ms;        /* a session unused for so long is closed */
    uint64_t transaction_timeout_ms; /* the transaction of one is rolled back; 0: never */
    uint64_t orphan_ms;              /* how long a client that lost its connection may come back */
    size_t count_max;                /* the longest unused one makes room when none runs on it */
    size_t prepared_max;             /* prepared statements per session */
};

struct sessions *sessions_create(const struct sessions_options *options);
void sessions_destroy(struct sessions *sessions);
CLEANUP_FUNCTION(struct sessions *, sessions_destroy)
/* The connection is gone: its anonymous session goes with the next sweep. Never blocks; for loops. */
void sessions_disconnect(struct sessions *sessions, uint64_t connection_id);
/* Closes idle sessions and those of lost connections, and rolls forgotten transactions back; to be called
 * every second or so. */
void sessions_sweep(struct sessions *sessions);

/* The session of a call, one reference. What the client needs to come back to it, a bearer or a cookie, is
 * added to the response's headers. UNAUTHENTICATED for an unknown or expired bearer and for malformed
 * credentials; NOT_FOUND for such a cookie, which is taken back; RESOURCE_EXHAUSTED when there are too
 * many. */
MUST_CHECK enum status sessions_resolve(struct sessions *sessions, struct grpc_call *call,
                                        struct session **out_session, struct error *error);
/* The same for Handshake, whose Basic credentials always make a new session. */
MUST_CHECK enum status sessions_resolve_handshake(struct sessions *sessions, struct grpc_call *call,
                                                  struct session **out_session,
                                                  struct error *error);
/* Replaces a session that is this call's alone by one that is kept, and hands out its cookie. */
MUST_CHECK enum status sessions_keep(struct sessions *sessions, struct grpc_call *call,
                                     struct session **session, struct error *error);
/* Has the client forget its cookie. */
void sessions_take_cookie_back(struct grpc_call *call);
/* A new session of that user name; its bearer is added to the call's response headers. */
MUST_CHECK enum status sessions_log_in(struct sessions *sessions, struct grpc_call *call,
                                       struct str user, struct session **out_session,
                                       struct error *error);
/* Takes the session out of the table, rolls back its transaction and has its temporary objects go. False
 * while a statement still runs in it: that is then done when it ends. Blocks shortly. */
bool sessions_close(struct sessions *sessions, struct session *session);

struct session *session_ref(struct session *session);
void session_unref(struct session *session);
CLEANUP_FUNCTION(struct session *, session_unref)
struct engine_session *session_engine(const struct session *session);
struct prepared_table *session_prepared(struct session *session);
struct transaction *session_transaction(struct session *session);
/* The options that are set, one reference; NULL: none. */
struct option_set *session_options(struct session *session);
/* Empty: unset. */
void session_set_option(struct session *session, size_t option, struct str value);
/* Whose it is; empty: anybody's. */
struct str session_user(const struct session *session);

struct session_facts {
    struct str id;   /* never the bearer: a public name */
    struct str kind; /* "bearer", "cookie", "connection" */
    struct str user;
    struct str peer;
    int64_t created_us;
    int64_t used_us;
    size_t prepared;
    bool in_transaction;
    struct str settings[ENGINE_SESSION_SETTING_COUNT];
    const struct option_set *options; /* NULL: none is set */
};
/* Calls `visit` for each session; texts are valid during the call. */
void sessions_visit(struct sessions *sessions,
                    void (*visit)(void *context, const struct session_facts *facts), void *context);
