/*
 * readers.c — the connections that reads use.
 *
 * They are opened when they are first needed and kept. A registry in memory has one connection, the
 * writer's; a read then holds it alone.
 *
 * Runs on: threads that read. Owns: idle connections. SPDX-License-Identifier: Apache-2.0
 */
#include "meta/meta_private.h"

static struct connection *take_idle(struct meta *meta, bool *out_may_open)
{
    LOCKED(&meta->readers.lock);
    *out_may_open = false;
    while (list_is_empty(&meta->readers.idle)) {
        if (meta->readers.open < meta->options.readers_max) {
            meta->readers.open++;
            *out_may_open = true;
            return NULL;
        }
        condition_wait(&meta->readers.given, &meta->readers.lock);
    }
    return CONTAINER_OF(list_take_first(&meta->readers.idle), struct connection, link);
}

static void give_up_one(struct meta *meta)
{
    LOCKED(&meta->readers.lock);
    meta->readers.open--;
    condition_signal(&meta->readers.given);
}

enum status reader_take(struct meta *meta, struct connection **out_connection, struct error *error)
{
    if (meta->in_memory) {
        lock_take(&meta->memory_lock);
        *out_connection = meta->writer;
        return STATUS_OK;
    }
    bool may_open;
    *out_connection = take_idle(meta, &may_open);
    if (!may_open)
        return STATUS_OK;
    enum status status =
        connection_open(meta->path, true, meta->options.lock_wait_ms, out_connection, error);
    if (status != STATUS_OK)
        give_up_one(meta);
    return status;
}

void reader_give(struct meta *meta, struct connection *connection)
{
    connection_undo(connection);
    if (meta->in_memory) {
        lock_give(&meta->memory_lock);
        return;
    }
    LOCKED(&meta->readers.lock);
    list_prepend(&meta->readers.idle, &connection->link);
    condition_signal(&meta->readers.given);
}

void readers_close(struct meta *meta)
{
    struct list *link;
    while ((link = list_take_first(&meta->readers.idle)))
        connection_close(CONTAINER_OF(link, struct connection, link));
}
