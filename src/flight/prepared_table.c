/*
 * prepared_table.c — a map from handles to texts, bound rows and, until their first execution, statements.
 *
 * Statements and rows are freed outside of the lock: that can take a while.
 *
 * Runs on workers, and where a session ends. Owns the texts, references to rows, and the statements not
 * taken. Leaves out preparing and running (flight_sql/prepared.c). SPDX-License-Identifier: Apache-2.0
 */
#include "flight/prepared_table.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>

static_assert(PREPARED_HANDLE_SIZE == RANDOM_UUID_SIZE, "a handle is a UUID");

struct prepared {
    char *sql;
    struct engine_statement *statement; /* NULL once an execution took it */
    struct arrow_schema *parameters;
    struct parameter_rows *rows;
};

static void prepared_destroy(struct prepared *prepared)
{
    if (!prepared)
        return;
    engine_statement_destroy(prepared->statement);
    arrow_schema_unref(prepared->parameters);
    parameter_rows_unref(prepared->rows);
    free(prepared->sql);
    free(prepared);
}

void prepared_use_finish(struct prepared_use *use)
{
    engine_statement_destroy(use->statement);
    arrow_schema_unref(use->parameters);
    parameter_rows_unref(use->rows);
    free(use->sql);
    *use = (struct prepared_use){0};
}

void prepared_table_init(struct prepared_table *table, size_t count_max)
{
    table->count_max = count_max;
    lock_init(&table->locked.lock);
    map_init(&table->locked.statements);
    table->locked.bytes = 0;
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
    struct arrow_schema *parameters = statement ? engine_statement_parameters(statement) : NULL;
    prepared->sql = str_copy(sql);
    prepared->statement = statement;
    prepared->parameters = parameters ? arrow_schema_ref(parameters) : NULL;
    random_uuid(out_handle);
    map_set(&table->locked.statements, str_of(out_handle), prepared);
    return STATUS_OK;
}

/* With the lock. */
static enum status find(struct prepared_table *table, struct str handle,
                        struct prepared **out_prepared, struct error *error)
{
    *out_prepared = map_get(&table->locked.statements, handle);
    if (*out_prepared)
        return STATUS_OK;
    return error_set(error, STATUS_NOT_FOUND,
                     "no prepared statement '%.*s' in this session; it was closed, or the "
                     "session expired",
                     STR_ARGS(handle));
}

static void use_text(const struct prepared *prepared, struct prepared_use *use)
{
    *use = (struct prepared_use){
        .sql = str_copy(str_of(prepared->sql)),
        .parameters = prepared->parameters ? arrow_schema_ref(prepared->parameters) : NULL,
    };
}

enum status prepared_table_look(struct prepared_table *table, struct str handle,
                                struct prepared_use *out_use, struct error *error)
{
    struct prepared *prepared;
    LOCKED(&table->locked.lock);
    TRY(find(table, handle, &prepared, error));
    use_text(prepared, out_use);
    return STATUS_OK;
}

static enum status take(struct prepared_table *table, struct str handle,
                        struct prepared_use *out_use, struct error *error)
{
    struct prepared *prepared;
    LOCKED(&table->locked.lock);
    TRY(find(table, handle, &prepared, error));
    use_text(prepared, out_use);
    out_use->statement = STEAL(prepared->statement);
    out_use->rows = prepared->rows ? parameter_rows_ref(prepared->rows) : NULL;
    return STATUS_OK;
}

enum status prepared_table_take(struct prepared_table *table, struct str handle,
                                struct prepared_use *out_use, struct error *error)
{
    TRY(take(table, handle, out_use, error));
    if (out_use->statement && !engine_statement_is_current(out_use->statement))
        engine_statement_destroy(STEAL(out_use->statement));
    return STATUS_OK;
}

/* With the lock; hands back what is to be let go without it. */
static enum status bind(struct prepared_table *table, struct prepared *prepared,
                        struct parameter_rows *rows, struct parameter_rows **out_old,
                        struct error *error)
{
    size_t kept = table->locked.bytes - (prepared->rows ? prepared->rows->bytes : 0);
    size_t bytes = rows ? rows->bytes : 0;
    if (bytes > PARAMETER_BYTES_MAX - kept)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the session's prepared statements keep %zu bytes of bound rows; %zu more "
                         "are above %zu MiB: close some, or bind fewer rows",
                         kept, bytes, PARAMETER_BYTES_MAX >> 20);
    table->locked.bytes = kept + bytes;
    *out_old = prepared->rows;
    prepared->rows = rows ? parameter_rows_ref(rows) : NULL;
    return STATUS_OK;
}

enum status prepared_table_bind(struct prepared_table *table, struct str handle,
                                struct parameter_rows *rows, struct error *error)
{
    CLEANUP(parameter_rows_unref) struct parameter_rows *old = NULL;
    struct prepared *prepared;
    LOCKED(&table->locked.lock);
    TRY(find(table, handle, &prepared, error));
    return bind(table, prepared, rows, &old, error);
}

void prepared_table_remove(struct prepared_table *table, struct str handle)
{
    lock_take(&table->locked.lock);
    struct prepared *prepared = map_remove(&table->locked.statements, handle);
    if (prepared && prepared->rows)
        table->locked.bytes -= prepared->rows->bytes;
    lock_give(&table->locked.lock);
    prepared_destroy(prepared);
}

size_t prepared_table_count(struct prepared_table *table)
{
    LOCKED(&table->locked.lock);
    return table->locked.statements.count;
}
