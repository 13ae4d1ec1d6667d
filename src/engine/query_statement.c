/*
 * query_statement.c — the statement of a query, whichever engine has it.
 *
 * Threads: as engine.h and remote.h say of the functions behind it. Owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/query_state.h"

bool query_statement_is_there(const struct query_statement *statement)
{
    return statement->own || statement->remote;
}

void query_statement_destroy(struct query_statement statement)
{
    engine_statement_destroy(statement.own);
    remote_statement_destroy(statement.remote);
}

enum statement_kind query_statement_kind(const struct query_statement *statement)
{
    return statement->remote ? statement->remote->kind : engine_statement_kind(statement->own);
}

bool query_statement_is_late(const struct query_statement *statement)
{
    return statement->remote ? statement->remote->kind == STATEMENT_QUERY
                             : engine_statement_is_late(statement->own);
}

struct arrow_schema *query_statement_schema(const struct query_statement *statement)
{
    if (statement->own)
        return arrow_schema_ref(engine_statement_schema(statement->own));
    struct arrow_schema *schema = arrow_schema_create(0);
    arrow_schema_seal(schema, NULL);
    return schema;
}

void query_statement_interrupt(const struct query_statement *statement)
{
    if (statement->own)
        engine_statement_interrupt(statement->own);
    else if (statement->remote)
        statement->remote->methods->interrupt(statement->remote);
}

double query_statement_progress(const struct query_statement *statement)
{
    return statement->own ? engine_statement_progress(statement->own) : -1;
}
