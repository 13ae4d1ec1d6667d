/*
 * session_private.h — what session.c, session_table.c and session_resolve.c share.
 *
 * Where a session stands: `by_use` has those in use, last used last, and at its front those that nobody
 * can come back to; `held` those that a call or an open transaction kept when the sweep or a new session
 * looked at them; `waiting` those whose connections are gone and whose client may come back with their
 * token, longest gone first. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "flight/session.h"

#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "event/lock.h"

#include <stdatomic.h>

struct session {
    atomic_int references;
    char id[RANDOM_UUID_SIZE];
    char token[RANDOM_UUID_SIZE]; /* bearer or cookie; "": of one call, in no table */
    bool
        has_bearer; /* its client was told the token as a bearer, whatever connection it may use next */
    char *user;
    char *peer;
    struct engine_session *engine;
    int64_t created_us;
    atomic_uint_least64_t used_ns;
    atomic_bool is_orphan; /* its connection is gone */
    struct prepared_table prepared;
    struct transaction transaction;
    struct {
        struct lock lock;
        struct option_set *options; /* NULL: none is set */
    } locked;
    struct { /* guarded by the table's lock */
        const char *kind;
        struct list link; /* sessions.locked.by_use, held or waiting */
        struct attachment *attachments;
        size_t attachment_count;
        uint64_t connection_id; /* of its last call by token */
        uint64_t orphaned_ns;
        bool was_named; /* a call has come with its token: its client keeps it */
        bool is_spread; /* over more connections than are counted: it is never an orphan */
    } listed;
};

/* A connection on which a session is used. */
struct attachment {
    struct session *session;
    uint64_t connection_id;
    bool is_by_name;              /* calls on it with the session's user find the session */
    struct attachment *neighbour; /* the next one of the same connection */
    struct attachment *sibling;   /* the next one of the same session */
};

struct sessions {
    struct sessions_options options;
    struct {
        struct lock lock;
        struct map by_token;
        struct map by_connection; /* the bytes of its number -> first attachment of it */
        struct list by_use;
        struct list held;
        struct list waiting;
    } locked;
};

/* session.c */
struct session *session_create(const struct sessions *sessions, const char *kind, struct str user,
                               struct str peer);

/* session_table.c */
/* Enters a session under a new token as one that is used on that connection (0: on none). By name: it is
 * that of the user's calls there, unless another thread entered one meanwhile: then that one is returned
 * and ours is dropped. Takes the reference over; returns one for the caller. RESOURCE_EXHAUSTED when there
 * are too many. */
MUST_CHECK enum status sessions_enter(struct sessions *sessions, struct session *session,
                                      uint64_t connection_id, bool is_by_name,
                                      struct session **out_session, struct error *error);
/* One reference, or NULL; a use of it, on that connection. */
struct session *sessions_find_token(struct sessions *sessions, struct str token,
                                    uint64_t connection_id);
struct session *sessions_find_connection(struct sessions *sessions, uint64_t connection_id,
                                         struct str user);

/* session_connections.c: with the table's lock */
/* The first attachment of a connection, or NULL. */
struct attachment *session_attachment_of(const struct sessions *sessions, uint64_t connection_id);
/* The session of the user's calls on the connection, or NULL. */
struct session *sessions_by_name(const struct sessions *sessions, uint64_t connection_id,
                                 struct str user);
/* The session is used on that connection; 0: on none. */
void session_attach(struct sessions *sessions, struct session *session, uint64_t connection_id,
                    bool is_by_name);
/* The end of one attachment, and of all that a session has. */
void session_leave(struct sessions *sessions, struct attachment *attachment);
void session_detach(struct sessions *sessions, struct session *session);
