/*
 * statement_kind.c — what the engine's types of statements are to us, and which need a rule switched off.
 *
 * Any thread; owns nothing. Source: DuckDB's C API, statement types. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/duckdb_copy.h"
#include "engine/duckdb/state.h"
#include "engine/gate.h"

struct type_row {
    int type; /* duckdb_statement_type */
    enum statement_kind kind;
    const char *rule; /* that must be switched off for it; NULL: allowed */
    const char *name;
};

static const struct type_row type_rows[] = {
    {DUCKDB_STATEMENT_TYPE_SELECT, STATEMENT_QUERY, NULL, "SELECT"},
    {DUCKDB_STATEMENT_TYPE_EXPLAIN, STATEMENT_QUERY, NULL, "EXPLAIN"},
    {DUCKDB_STATEMENT_TYPE_INSERT, STATEMENT_UPDATE, NULL, "INSERT"},
    {DUCKDB_STATEMENT_TYPE_UPDATE, STATEMENT_UPDATE, NULL, "UPDATE"},
    {DUCKDB_STATEMENT_TYPE_DELETE, STATEMENT_UPDATE, NULL, "DELETE"},
    {DUCKDB_STATEMENT_TYPE_MERGE_INTO, STATEMENT_UPDATE, NULL, "MERGE"},
    {DUCKDB_STATEMENT_TYPE_COPY, STATEMENT_UPDATE, NULL, "COPY"},
    {DUCKDB_STATEMENT_TYPE_CREATE, STATEMENT_DEFINITION, NULL, "CREATE"},
    {DUCKDB_STATEMENT_TYPE_CREATE_FUNC, STATEMENT_DEFINITION, NULL, "CREATE"},
    {DUCKDB_STATEMENT_TYPE_ALTER, STATEMENT_DEFINITION, NULL, "ALTER"},
    {DUCKDB_STATEMENT_TYPE_DROP, STATEMENT_DEFINITION, NULL, "DROP"},
    {DUCKDB_STATEMENT_TYPE_SET, STATEMENT_DEFINITION, NULL, "SET"},
    {DUCKDB_STATEMENT_TYPE_VARIABLE_SET, STATEMENT_DEFINITION, NULL, "SET"},
    {DUCKDB_STATEMENT_TYPE_ANALYZE, STATEMENT_DEFINITION, NULL, "ANALYZE"},
    {DUCKDB_STATEMENT_TYPE_VACUUM, STATEMENT_DEFINITION, NULL, "VACUUM"},
    {DUCKDB_STATEMENT_TYPE_TRANSACTION, STATEMENT_TRANSACTION, NULL, "TRANSACTION"},
    {DUCKDB_STATEMENT_TYPE_CALL, STATEMENT_RETURNING, "call", "CALL"},
    {DUCKDB_STATEMENT_TYPE_PRAGMA, STATEMENT_RETURNING, "pragma", "PRAGMA"},
    {DUCKDB_STATEMENT_TYPE_PREPARE, STATEMENT_DEFINITION, "prepare", "PREPARE"},
    {DUCKDB_STATEMENT_TYPE_EXECUTE, STATEMENT_RETURNING, "prepare", "EXECUTE"},
    {DUCKDB_STATEMENT_TYPE_EXPORT, STATEMENT_DEFINITION, "export", "EXPORT"},
    {DUCKDB_STATEMENT_TYPE_LOAD, STATEMENT_DEFINITION, "extensions", "LOAD"},
    {DUCKDB_STATEMENT_TYPE_EXTENSION, STATEMENT_DEFINITION, "extensions", "INSTALL"},
    {DUCKDB_STATEMENT_TYPE_UPDATE_EXTENSIONS, STATEMENT_DEFINITION, "extensions",
     "UPDATE EXTENSIONS"},
    {DUCKDB_STATEMENT_TYPE_ATTACH, STATEMENT_DEFINITION, "attach", "ATTACH"},
    {DUCKDB_STATEMENT_TYPE_DETACH, STATEMENT_DEFINITION, "attach", "DETACH"},
    {DUCKDB_STATEMENT_TYPE_COPY_DATABASE, STATEMENT_DEFINITION, "attach", "COPY FROM DATABASE"},
    {-1, STATEMENT_DEFINITION, "other-statements", "this kind of statement"},
};

static const struct type_row *type_row_find(duckdb_statement_type type)
{
    const struct type_row *row = type_rows;
    while (row->type != (int)type && row->type != -1)
        row++;
    return row;
}

enum status statement_check_type(const struct engine *engine, duckdb_statement_type type,
                                 struct error *error)
{
    const struct type_row *row = type_row_find(type);
    if (!row->rule || gate_allows(engine->allowed_rules, engine->allowed_rule_count, row->rule))
        return STATUS_OK;
    return error_set_code(error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
                          "%s is not allowed: rule '%s'; the setting allow-statements=%s would "
                          "allow it",
                          row->name, row->rule, row->rule);
}

bool statement_kind_has_effect(enum statement_kind kind)
{
    return kind != STATEMENT_QUERY;
}

const char *statement_kind_name(enum statement_kind kind)
{
    static const char *const names[] = {
        [STATEMENT_QUERY] = "query",
        [STATEMENT_UPDATE] = "update",
        [STATEMENT_RETURNING] = "returning",
        [STATEMENT_DEFINITION] = "definition",
        [STATEMENT_TRANSACTION] = "transaction",
    };
    return names[kind];
}

static bool all_parts_are(const struct engine_statement *statement, enum part_class class)
{
    for (size_t i = 0; i < statement->parts.count; i++)
        if (statement->parts.items[i].class != class)
            return false;
    return true;
}

enum statement_kind statement_kind_by_words(const struct engine_statement *statement)
{
    const struct part *last = &statement->parts.items[statement->parts.count - 1];
    if (all_parts_are(statement, PART_QUERY))
        return STATEMENT_QUERY;
    if (last->class == PART_QUERY || last->has_returning)
        return STATEMENT_RETURNING;
    return last->class == PART_CHANGE ? STATEMENT_UPDATE : STATEMENT_DEFINITION;
}

enum statement_kind statement_kind_of(const struct engine_statement *statement,
                                      duckdb_statement_type type)
{
    const struct part *part = &statement->parts.items[statement->parts.count - 1];
    enum statement_kind kind = type_row_find(type)->kind;
    if (kind == STATEMENT_UPDATE && part->has_returning)
        kind = STATEMENT_RETURNING;
    /* EXPLAIN ANALYZE of a change, or changes before a SELECT: rows and an effect. */
    if (kind == STATEMENT_QUERY && !all_parts_are(statement, PART_QUERY))
        kind = STATEMENT_RETURNING;
    return kind;
}
