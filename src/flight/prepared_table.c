/*
 * prepared_table.c — a map from handles to texts and, until their first execution, statements.
 *
 * A statement is destroyed outside of the lock: that can take the engine a while.
 *
 * Runs on workers, and where a session ends. Owns the texts and the statements not taken. Leaves out
 * preparing and running (flight_sql/prepared.c). SPDX-License-Identifier: Apache-2.0
 */
#include "flight/prepared_table.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>

static_assert(PREPARED_HANDLE_SIZE == RANDOM_UUID_SIZE, "a handle is a UUID");

struct prepared {
    char *sql;
    struct engine_statement *statement; /* NULL once an execution took it */
};

static void prepared_destroy(struct prepared *prepared)
{
    if (!prepared)
        return;
    engine_statement_destroy(prepared->statement);
    free(prepared->sql);
    free(prepared);
}

void prepared_table_init(struct prepared_table *table, size_t count_max)
{
    table->count_max = count_max;
    lock_init(&table->locked.lock);
    map_init(&table->locked.statements);
}

void prepared_table_finish(struct prepared_table *table)
{
    size_t cursor = 0;
    void *prepared;
    struct str handle;
    while (map_next(&table->locked.statements, &cursor, &handle, &prepared))
        prepared_destroy(prepared);
    map_finish(&table->locked.statements);
    lock_finish(&table->locked.lock);
}

enum status prepared_table_add(struct prepared_table *table, struct str sql,
                               struct engine_statement *statement,
                               char out_handle[PREPARED_HANDLE_SIZE], struct error *error)
{
    LOCKED(&table->locked.lock);
    if (table->locked.statements.count >= table->count_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the session has %zu prepared statements; close some first",
                         table->count_max);
    struct prepared *prepared = NEW(struct prepared);
    prepared->sql = str_copy(sql);
    prepared->statement = statement;
    random_uuid(out_handle);
    map_set(&table->locked.statements, str_of(out_handle), prepared);
    return STATUS_OK;
}

enum status prepared_table_take(struct prepared_table *table, struct str handle, char **out_sql,
                                struct engine_statement **out_statement, struct error *error)
{
    LOCKED(&table->locked.lock);
    struct prepared *prepared = map_get(&table->locked.statements, handle);
    if (!prepared)
        return error_set(error, STATUS_NOT_FOUND,
                         "no prepared statement '%.*s' in this session; it was closed, or the "
                         "session expired",
                         STR_ARGS(handle));
    *out_sql = str_copy(str_of(prepared->sql));
    *out_statement = STEAL(prepared->statement);
    return STATUS_OK;
}

void prepared_table_remove(struct prepared_table *table, struct str handle)
{
    lock_take(&table->locked.lock);
    struct prepared *prepared = map_remove(&table->locked.statements, handle);
    lock_give(&table->locked.lock);
    prepared_destroy(prepared);
}

size_t prepared_table_count(struct prepared_table *table)
{
    LOCKED(&table->locked.lock);
    return table->locked.statements.count;
}
