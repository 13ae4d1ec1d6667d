/*
 * session_connections.c — on which connections a session is used.
 *
 * An attachment is in two chains, that of its connection and that of its session; both are short, so that
 * they are walked. All functions are called with the table's lock. Owns: the attachments.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/session_private.h"

#include "base/memory.h"

/* Sessions of one connection, and connections of one session; what is used beyond is found by its token
 * alone. */
#define NEIGHBOURS_MAX 64
#define ATTACHMENTS_MAX 8

static struct str connection_key(const uint64_t *connection_id)
{
    return str_make(connection_id, sizeof(*connection_id));
}

struct attachment *session_attachment_of(const struct sessions *sessions, uint64_t connection_id)
{
    return map_get(&sessions->locked.by_connection, connection_key(&connection_id));
}

static void set_first(struct sessions *sessions, uint64_t connection_id, struct attachment *first)
{
    if (first)
        map_set(&sessions->locked.by_connection, connection_key(&connection_id), first);
    else
        map_remove(&sessions->locked.by_connection, connection_key(&connection_id));
}

struct session *sessions_by_name(const struct sessions *sessions, uint64_t connection_id,
                                 struct str user)
{
    struct attachment *next = session_attachment_of(sessions, connection_id);
    for (; next; next = next->neighbour)
        if (next->is_by_name && str_equal(str_of(next->session->user), user))
            return next->session;
    return NULL;
}

static bool is_attached(const struct session *session, uint64_t connection_id)
{
    const struct attachment *next = session->listed.attachments;
    while (next && next->connection_id != connection_id)
        next = next->sibling;
    return next != NULL;
}

static size_t count_neighbours(const struct attachment *first)
{
    size_t count = 0;
    for (; first; first = first->neighbour)
        count++;
    return count;
}

void session_attach(struct sessions *sessions, struct session *session, uint64_t connection_id,
                    bool is_by_name)
{
    if (connection_id == 0 || is_attached(session, connection_id))
        return;
    struct attachment *first = session_attachment_of(sessions, connection_id);
    if (session->listed.attachment_count >= ATTACHMENTS_MAX ||
        count_neighbours(first) >= NEIGHBOURS_MAX) {
        session->listed.is_spread = true;
        return;
    }
    struct attachment *attachment = NEW(struct attachment);
    *attachment = (struct attachment){.session = session,
                                      .connection_id = connection_id,
                                      .is_by_name = is_by_name,
                                      .neighbour = first,
                                      .sibling = session->listed.attachments};
    session->listed.attachments = attachment;
    session->listed.attachment_count++;
    set_first(sessions, connection_id, attachment);
}

static void leave_connection(struct sessions *sessions, struct attachment *attachment)
{
    struct attachment *next = session_attachment_of(sessions, attachment->connection_id);
    if (next == attachment)
        set_first(sessions, attachment->connection_id, attachment->neighbour);
    for (; next && next != attachment; next = next->neighbour)
        if (next->neighbour == attachment)
            next->neighbour = attachment->neighbour;
}

static void leave_session(struct attachment *attachment)
{
    struct attachment **place = &attachment->session->listed.attachments;
    while (*place != attachment)
        place = &(*place)->sibling;
    *place = attachment->sibling;
    attachment->session->listed.attachment_count--;
}

void session_leave(struct sessions *sessions, struct attachment *attachment)
{
    leave_connection(sessions, attachment);
    leave_session(attachment);
    free(attachment);
}

void session_detach(struct sessions *sessions, struct session *session)
{
    struct attachment *attachment;
    while ((attachment = session->listed.attachments))
        session_leave(sessions, attachment);
}
