/*
 * session_private.h — what session.c, session_table.c and session_resolve.c share.
 *
 * Where a session stands: `by_use` has those in use, last used last, and at its front those that nobody
 * can come back to; `held` those that a call or an open transaction kept when the sweep or a new session
 * looked at them; `waiting` those whose connection is gone and whose client may come back with their
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
        struct list link;          /* sessions.locked.by_use, held or waiting */
        struct session *neighbour; /* the next one of the same connection */
        uint64_t connection_id;    /* 0: of none */
        uint64_t orphaned_ns;
        bool was_named; /* a call has come with its token: its client keeps it */
    } listed;
};

struct sessions {
    struct sessions_options options;
    struct {
        struct lock lock;
        struct map by_token;
        struct map by_connection; /* the bytes of its number -> first session of it */
        struct list by_use;
        struct list held;
        struct list waiting;
    } locked;
};

/* session.c */
struct session *session_create(const struct sessions *sessions, const char *kind, struct str user,
                               struct str peer);

/* session_table.c */
/* Enters a session under a new token, and where `connection_id` is not 0 as that of the user's calls on the
 * connection, unless another thread did so meanwhile: then that one is returned and ours is dropped. Takes the
 * reference over; returns one for the caller. RESOURCE_EXHAUSTED when there are too many. */
MUST_CHECK enum status sessions_enter(struct sessions *sessions, struct session *session,
                                      uint64_t connection_id, struct session **out_session,
                                      struct error *error);
/* One reference, or NULL; a use of it. The token's last use was on that connection. */
struct session *sessions_find_token(struct sessions *sessions, struct str token,
                                    uint64_t connection_id);
struct session *sessions_find_connection(struct sessions *sessions, uint64_t connection_id,
                                         struct str user);
