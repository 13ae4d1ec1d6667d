/*
 * statement_cache.c — statements that were run, kept prepared for the next time the same text comes.
 *
 * Preparing is most of what a short statement costs. A statement that only reads, took a connection of
 * its own and ran to its end is kept with its plan and its connection; the next engine_prepare of the
 * same text and options takes it out, so that one statement serves one caller at a time.
 *
 * A plan is only right for the data it was made for: the engine prunes by statistics at prepare time. So
 * each statement remembers the engine's write epoch, which grows before and after everything that may
 * change data or catalog, and one of an older epoch is thrown away, as is one that reads a dataset which
 * has other columns now. Where statements may read files,
 * which change behind our back, nothing is kept.
 *
 * Threads: any; the engine's lock. Owns: the statements kept. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/state.h"

/* Statements kept; each holds a connection. */
#define CACHED_MAX 64
/* Longer texts are rarely sent twice. */
#define CACHED_TEXT_BYTES_MAX ((size_t)64 << 10)

static bool options_are_equal(const struct engine_result_options *a,
                              const struct engine_result_options *b)
{
    return a->message_bytes_max == b->message_bytes_max && a->dictionaries == b->dictionaries &&
           a->description == b->description && a->row_limit == b->row_limit &&
           a->views == b->views && a->timestamp_unit == b->timestamp_unit &&
           a->required_columns == b->required_columns;
}

bool engine_statement_has_options(const struct engine_statement *statement,
                                  const struct engine_result_options *options)
{
    return options_are_equal(&statement->options, options);
}

static bool is_the_one(const struct engine_statement *statement, struct str sql, uint64_t sql_hash,
                       const struct engine_result_options *options)
{
    return statement->sql_hash == sql_hash && str_equal(statement->names.source, sql) &&
           engine_statement_has_options(statement, options);
}

static struct engine_statement *take(struct engine *engine, struct str sql,
                                     const struct engine_result_options *options)
{
    uint64_t sql_hash = str_hash(sql);
    LOCKED(&engine->locked.lock);
    LIST_FOR_EACH (statement, &engine->locked.cached, struct engine_statement, cache_link) {
        if (!is_the_one(statement, sql, sql_hash, options))
            continue;
        list_remove(&statement->cache_link);
        engine->locked.cached_count--;
        return statement;
    }
    return NULL;
}

bool statement_cache_has(struct engine *engine, struct str sql,
                         const struct engine_result_options *options)
{
    uint64_t sql_hash = str_hash(sql);
    LOCKED(&engine->locked.lock);
    LIST_FOR_EACH (statement, &engine->locked.cached, struct engine_statement, cache_link) {
        if (is_the_one(statement, sql, sql_hash, options))
            return true;
    }
    return false;
}

struct engine_statement *statement_cache_take(struct engine_session *session, struct str sql,
                                              const struct engine_result_options *options)
{
    static const struct engine_result_options none = {0};
    struct engine *engine = session->engine;
    if (sql.len > CACHED_TEXT_BYTES_MAX)
        return NULL;
    struct connection *pinned = session_pinned(session);
    connection_unref(pinned);
    if (pinned)
        return NULL;
    struct engine_statement *statement;
    while ((statement = take(engine, sql, options ? options : &none))) {
        statement->session = engine_session_ref(session);
        if (statement->epoch == atomic_load(&engine->write_epoch) &&
            dataset_uses_are_current(&statement->uses, engine)) {
            atomic_store(&statement->interrupted, false);
            statement->has_run = false;
            return statement;
        }
        statement_free(statement);
    }
    return NULL;
}

static bool is_worth_keeping(const struct engine_statement *statement)
{
    const struct engine *engine = statement->session->engine;
    return !statement->is_own && statement->uses.input.len == 0 && statement->has_run &&
           statement->kind == STATEMENT_QUERY && statement->prepared &&
           statement->extracted_count == 1 && !statement->has_bound_columns &&
           statement->names.unknown.len == 0 &&
           statement->names.source.len <= CACHED_TEXT_BYTES_MAX &&
           engine->files.allowed_count == 0 && !atomic_load(&statement->interrupted) &&
           !atomic_load(&statement->connection->is_tainted) &&
           statement->epoch == atomic_load(&engine->write_epoch);
}

/* Enters the statement first in the list; what falls off its end is returned. */
static struct engine_statement *enter(struct engine *engine, struct engine_statement *statement)
{
    LOCKED(&engine->locked.lock);
    list_prepend(&engine->locked.cached, &statement->cache_link);
    if (++engine->locked.cached_count <= CACHED_MAX)
        return NULL;
    struct engine_statement *last =
        CONTAINER_OF(engine->locked.cached.previous, struct engine_statement, cache_link);
    list_remove(&last->cache_link);
    engine->locked.cached_count--;
    return last;
}

bool statement_cache_put(struct engine_statement *statement)
{
    if (!is_worth_keeping(statement))
        return false;
    struct engine *engine = statement->session->engine;
    bound_rows_destroy(STEAL(statement->parameters.rows));
    engine_session_unref(STEAL(statement->session));
    statement->sql_hash = str_hash(statement->names.source);
    statement_free(enter(engine, statement));
    return true;
}

void statement_cache_clear(struct engine *engine)
{
    struct list *link;
    while ((link = list_take_first(&engine->locked.cached)))
        statement_free(CONTAINER_OF(link, struct engine_statement, cache_link));
    engine->locked.cached_count = 0;
}
