/*
 * connection.c — DuckDB connections: taking, keeping idle ones, and one user at a time.
 *
 *      idle (engine) --take--> held (statement, session) --last unref--> idle | closed
 *
 * A connection that got state of a session is closed, which also rolls an open transaction back; any
 * other goes back to the idle list. Some are direct: the optimizer, which costs as much as all else that
 * planning does, is off for statements that give it nothing to do (parts.c). Who wants to use a
 * connection enters it; a second one waits until the first leaves, unless that one stands still because
 * nobody reads its result.
 *
 * Any thread. The engine's lock guards the lists, each connection's lock its entry. Owns the handles.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine/duckdb/state.h"

/* How often a waiting statement looks whether it was stopped. */
#define ENTER_LOOK_MS 10
/* Who prepares holds a worker meanwhile and cannot be stopped. */
#define ENTER_PREPARE_MS 1500
/* A statement that made no progress for so long stands still. */
#define ENTER_STILL_MS 1000

static struct str number_key(const uint64_t *number)
{
    return str_make(number, sizeof(*number));
}

enum status connection_execute(struct connection *connection, const char *sql, struct error *error)
{
    duckdb_result result;
    enum status status = STATUS_OK;
    if (duckdb_query(connection->handle, sql, &result) != DuckDBSuccess)
        status =
            duckdb_error(connection->engine, duckdb_result_error(&result), STR_EMPTY, 0, error);
    duckdb_destroy_result(&result);
    return status;
}

static void connection_close(struct connection *connection)
{
    struct engine *engine = connection->engine;
    lock_take(&engine->locked.lock);
    map_remove(&engine->locked.connections, number_key(&connection->number));
    engine->locked.connection_count--;
    lock_give(&engine->locked.lock);
    duckdb_disconnect(&connection->handle);
    condition_finish(&connection->locked.left);
    lock_finish(&connection->locked.lock);
    free(connection->writes);
    free(connection);
}

static uint64_t connection_number(duckdb_connection handle)
{
    duckdb_client_context context;
    duckdb_connection_get_client_context(handle, &context);
    uint64_t number = duckdb_client_context_get_connection_id(context);
    duckdb_destroy_client_context(&context);
    return number;
}

static struct connection *connection_create(struct engine *engine)
{
    struct connection *connection = NEW(struct connection);
    connection->engine = engine;
    atomic_init(&connection->references, 1);
    if (duckdb_connect(engine->database, &connection->handle) != DuckDBSuccess) {
        free(connection);
        return NULL;
    }
    lock_init(&connection->locked.lock);
    condition_init(&connection->locked.left);
    connection->number = connection_number(connection->handle);
    return connection;
}

static enum status connection_set_up(struct connection *connection, bool is_direct,
                                     struct error *error)
{
    const char *setup = connection->engine->connection_setup;
    connection->is_direct = is_direct;
    if (setup)
        TRY(connection_execute(connection, setup, error));
    return is_direct ? connection_execute(connection, "PRAGMA disable_optimizer", error)
                     : STATUS_OK;
}

static enum status connection_open(struct engine *engine, bool is_direct,
                                   struct connection **out_connection, struct error *error)
{
    struct connection *connection = NULL;
    lock_take(&engine->locked.lock);
    bool has_room = engine->locked.connection_count < CONNECTIONS_MAX;
    engine->locked.connection_count += has_room;
    lock_give(&engine->locked.lock);
    if (!has_room)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "%d engine connections are in use: close sessions or prepared statements",
                         CONNECTIONS_MAX);
    connection = connection_create(engine);
    if (!connection) {
        lock_take(&engine->locked.lock);
        engine->locked.connection_count--;
        lock_give(&engine->locked.lock);
        return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                              "the engine takes no connection");
    }
    lock_take(&engine->locked.lock);
    map_set(&engine->locked.connections, number_key(&connection->number), connection);
    lock_give(&engine->locked.lock);
    enum status status = connection_set_up(connection, is_direct, error);
    if (status != STATUS_OK) {
        connection_close(connection);
        return status;
    }
    *out_connection = connection;
    return STATUS_OK;
}

/* The idle one of that kind that was used last; NULL: none. */
static struct connection *take_idle(struct engine *engine, bool is_direct)
{
    LOCKED(&engine->locked.lock);
    LIST_FOR_EACH (connection, &engine->locked.idle, struct connection, link) {
        if (connection->is_direct != is_direct)
            continue;
        list_remove(&connection->link);
        engine->locked.idle_count--;
        return connection;
    }
    return NULL;
}

/* Puts a connection with the idle ones; the one that has to go for it, or NULL. */
static struct connection *put_idle(struct engine *engine, struct connection *connection)
{
    LOCKED(&engine->locked.lock);
    list_prepend(&engine->locked.idle, &connection->link);
    if (++engine->locked.idle_count <= CONNECTIONS_IDLE_MAX)
        return NULL;
    struct connection *last = CONTAINER_OF(engine->locked.idle.previous, struct connection, link);
    list_remove(&last->link);
    engine->locked.idle_count--;
    return last;
}

enum status connection_take(struct engine *engine, bool is_direct,
                            struct connection **out_connection, struct error *error)
{
    TRY(engine_check(engine, error));
    struct connection *idle = take_idle(engine, is_direct);
    if (!idle)
        return connection_open(engine, is_direct, out_connection, error);
    atomic_store(&idle->references, 1);
    *out_connection = idle;
    return STATUS_OK;
}

struct connection *connection_ref(struct connection *connection)
{
    atomic_fetch_add(&connection->references, 1);
    return connection;
}

void connection_unref(struct connection *connection)
{
    if (!connection || atomic_fetch_sub(&connection->references, 1) > 1)
        return;
    struct engine *engine = connection->engine;
    bool keep = !atomic_load(&connection->is_tainted) && !atomic_load(&connection->is_spent) &&
                !atomic_load(&engine->is_broken);
    struct connection *closed = keep ? put_idle(engine, connection) : connection;
    if (closed)
        connection_close(closed);
}

void connections_close_idle(struct engine *engine)
{
    for (;;) {
        lock_take(&engine->locked.lock);
        struct list *link = list_take_first(&engine->locked.idle);
        engine->locked.idle_count -= link != NULL;
        lock_give(&engine->locked.lock);
        if (!link)
            return;
        connection_close(CONTAINER_OF(link, struct connection, link));
    }
}

struct connection *connection_find(struct engine *engine, uint64_t number)
{
    lock_take(&engine->locked.lock);
    struct connection *connection = map_get(&engine->locked.connections, number_key(&number));
    lock_give(&engine->locked.lock);
    return connection;
}

/* --- errors of our functions -------------------------------------------------------------------- */

void connection_note_cause(struct connection *connection, const struct error *cause)
{
    if (!connection)
        return;
    LOCKED(&connection->locked.lock);
    if (connection->locked.cause.status == STATUS_OK)
        connection->locked.cause = *cause;
}

bool connection_take_cause(struct connection *connection, const char *message,
                           struct error *out_cause)
{
    LOCKED(&connection->locked.lock);
    struct error *cause = &connection->locked.cause;
    bool is_cause =
        cause->status != STATUS_OK && str_find_str(str_of(message), str_of(cause->message)) >= 0;
    if (is_cause && out_cause)
        *out_cause = *cause;
    cause->status = STATUS_OK;
    return is_cause;
}

/* --- one user at a time ------------------------------------------------------------------------- */

bool connection_try_enter(struct connection *connection, uint64_t deadline_ns)
{
    lock_take(&connection->locked.lock);
    if (connection->locked.is_entered && deadline_ns)
        condition_wait_until(&connection->locked.left, &connection->locked.lock, deadline_ns);
    bool entered = !connection->locked.is_entered;
    connection->locked.is_entered = true;
    lock_give(&connection->locked.lock);
    return entered;
}

enum status connection_enter(struct connection *connection, const atomic_bool *interrupted,
                             struct error *error)
{
    if (connection_try_enter(connection, 0))
        return STATUS_OK;
    uint64_t chunks = atomic_load(&connection->chunks);
    uint64_t still_since_ns = clock_now_ns();
    uint64_t wait_until_ns =
        interrupted ? CLOCK_NEVER : still_since_ns + ENTER_PREPARE_MS * NANOSECONDS_PER_MILLISECOND;
    for (;;) {
        uint64_t now_ns = clock_now_ns();
        if (connection_try_enter(connection, now_ns + ENTER_LOOK_MS * NANOSECONDS_PER_MILLISECOND))
            return STATUS_OK;
        if (interrupted && atomic_load(interrupted))
            return error_set_code(error, STATUS_CANCELLED, "QUERY_CANCELLED",
                                  "the statement was cancelled while it waited for its session");
        if (now_ns > wait_until_ns)
            return error_set(error, STATUS_FAILED_PRECONDITION,
                             "the session is busy with its previous statement: wait for its end, "
                             "or use another connection");
        /* An odd count: it waits for its reader. */
        uint64_t chunks_now = atomic_load(&connection->chunks);
        if (chunks_now != chunks || !(chunks_now & 1)) {
            chunks = chunks_now;
            still_since_ns = now_ns;
        } else if (now_ns - still_since_ns > ENTER_STILL_MS * NANOSECONDS_PER_MILLISECOND) {
            return error_set(error, STATUS_FAILED_PRECONDITION,
                             "the session's previous statement waits for its result to be read: "
                             "read or close the previous result");
        }
    }
}

void connection_leave(struct connection *connection)
{
    lock_take(&connection->locked.lock);
    assert(connection->locked.is_entered);
    connection->locked.is_entered = false;
    condition_signal(&connection->locked.left);
    lock_give(&connection->locked.lock);
}

void connection_leave_if(struct connection **connection)
{
    if (*connection)
        connection_leave(*connection);
}
