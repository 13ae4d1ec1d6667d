/*
 * ingest.c — CommandStatementIngest: rows into a table by DoPut.
 *
 * One statement does it while the rows come: it makes the table and fills it, or appends (ingest_sql.c). So
 * it is in the session's transaction where there is one, and a transaction of its own elsewhere: a failure or
 * a client that breaks off leaves nothing. Whether the rows fit a table that is there is told before they
 * come.
 *
 * Runs on a worker. Source: FlightSql.proto, "CommandStatementIngest". SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "engine/error_place.h"
#include "flight/option_table.h"
#include "flight_sql/ingest_sql.h"
#include "proto/flight_sql.h"

/* Names are bounded by the message; in quotes they may be twice as long, and stand there twice. */
#define SQL_BYTES_MAX ((size_t)64 << 20)

/* SQLSTATE of ALREADY_EXISTS for a table. */
#define DUPLICATE_TABLE "42P07"

#define DEFINITION(name) SQL__COMMAND_STATEMENT_INGEST__TABLE_DEFINITION_OPTIONS__##name
#define IF_NOT_EXIST(name) DEFINITION(TABLE_NOT_EXIST_OPTION__TABLE_NOT_EXIST_OPTION_##name)
#define IF_EXISTS(name) DEFINITION(TABLE_EXISTS_OPTION__TABLE_EXISTS_OPTION_##name)

/* What a table's being there or not comes to. */
struct definition {
    bool creates;
    bool appends;
    bool replaces;
};

/* --- the command ---------------------------------------------------------------------------- */

static enum status read_definition(const Sql__CommandStatementIngest *command,
                                   struct definition *out_definition, struct error *error)
{
    const Sql__CommandStatementIngest__TableDefinitionOptions *options =
        command->table_definition_options;
    int if_not_exist = options ? (int)options->if_not_exist : IF_NOT_EXIST(UNSPECIFIED);
    int if_exists = options ? (int)options->if_exists : IF_EXISTS(UNSPECIFIED);
    if (if_not_exist != IF_NOT_EXIST(CREATE) && if_not_exist != IF_NOT_EXIST(FAIL))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "table_definition_options.if_not_exist must be CREATE (1) or FAIL (2), "
                         "not %d",
                         if_not_exist);
    if (if_exists != IF_EXISTS(FAIL) && if_exists != IF_EXISTS(APPEND) &&
        if_exists != IF_EXISTS(REPLACE))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "table_definition_options.if_exists must be FAIL (1), APPEND (2) or "
                         "REPLACE (3), not %d",
                         if_exists);
    *out_definition = (struct definition){
        .creates = if_not_exist == IF_NOT_EXIST(CREATE),
        .appends = if_exists == IF_EXISTS(APPEND),
        .replaces = if_exists == IF_EXISTS(REPLACE),
    };
    return STATUS_OK;
}

#define OPTION_MATCH "ingest-match"
#define OPTION_ORDER "ingest-order"

static enum status check_options(const Sql__CommandStatementIngest *command, struct error *error)
{
    for (size_t i = 0; i < command->n_options; i++) {
        struct str name = str_of(command->options[i]->key);
        if (!str_equal(name, STR(OPTION_MATCH)) && !str_equal(name, STR(OPTION_ORDER)))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "an ingest has no option '%.*s'; there are '" OPTION_MATCH
                             "' and '" OPTION_ORDER "'",
                             STR_ARGS(name));
    }
    return STATUS_OK;
}

/* The command's own, else the call's or its session's. */
static struct str find_option(const struct flight_call *call,
                              const Sql__CommandStatementIngest *command, const char *name)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (str_equal(str_of(command->options[i]->key), str_of(name)))
            return str_of(command->options[i]->value);
    return flight_option(call, name);
}

static enum status read_options(const struct flight_call *call,
                                const Sql__CommandStatementIngest *command,
                                struct ingest_sql *ingest, struct error *error)
{
    TRY(check_options(command, error));
    TRY(option_read_ingest_match(find_option(call, command, OPTION_MATCH),
                                 &ingest->matches_position, error));
    return option_read_ingest_order(find_option(call, command, OPTION_ORDER), &ingest->keeps_order,
                                    error);
}

static enum status read_command(const struct flight_call *call,
                                const Sql__CommandStatementIngest *command,
                                struct ingest_sql *ingest, struct definition *out_definition,
                                struct error *error)
{
    ingest->target = (struct ingest_target){
        .catalog = str_of(command->catalog_presence_case ? command->catalog : NULL),
        .schema = str_of(command->schema_presence_case ? command->schema : NULL),
        .table = str_of(command->table),
        .is_temporary = command->temporary,
    };
    TRY(ingest_target_check(&ingest->target, error));
    TRY(read_options(call, command, ingest, error));
    return read_definition(command, out_definition, error);
}

/* --- the statement -------------------------------------------------------------------------- */

static enum status prepare(struct flight_call *call, struct ingest_sql *ingest, enum ingest_way way,
                           struct query **out_query, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    ingest->way = way;
    ingest_sql_write(ingest, &sql);
    TRY(buf_check(&sql, "the statement of the ingest", error));
    struct error failure = ERROR_NONE;
    if (flight_prepare_over(call, buf_str(&sql), ingest->input_id, out_query, &failure) ==
        STATUS_OK)
        return STATUS_OK;
    error_place_hide(&failure);
    return error_copy(error, &failure);
}

/* Fails as a look at the table does; whether it is there. */
static enum status find_table(struct flight_call *call, const struct ingest_sql *ingest,
                              struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_append_text(&sql, "SELECT 1 FROM ");
    ingest_target_write(&ingest->target, &sql);
    TRY(buf_check(&sql, "the statement of the ingest", error));
    return engine_prepare(session_engine(flight_call_session(call)), buf_str(&sql), NULL,
                          &statement, error);
}

/* Of a table that is there the columns count, so that the statement is prepared as if it were. */
static enum status prepare_append(struct flight_call *call, struct ingest_sql *ingest, bool creates,
                                  struct query **out_query, struct error *error)
{
    struct error failure = ERROR_NONE;
    enum status status = prepare(call, ingest, INGEST_APPEND, out_query, &failure);
    if (status == STATUS_NOT_FOUND && creates)
        return prepare(call, ingest, INGEST_CREATE_OR_APPEND, out_query, error);
    if (status != STATUS_INVALID_ARGUMENT)
        return status == STATUS_OK ? STATUS_OK : error_copy(error, &failure);
    return error_set_sqlstate(error, DUPLICATE_TABLE,
                              "table '%.*s' exists, and the rows do not fit it: %s",
                              STR_ARGS(ingest->target.table), failure.message);
}

static enum status prepare_ingest(struct flight_call *call, struct ingest_sql *ingest,
                                  const struct definition *definition, struct query **out_query,
                                  struct error *error)
{
    if (definition->appends)
        return prepare_append(call, ingest, definition->creates, out_query, error);
    if (!definition->creates)
        TRY(find_table(call, ingest, error));
    if (definition->replaces)
        return prepare(call, ingest, INGEST_REPLACE, out_query, error);
    if (definition->creates)
        return prepare(call, ingest, INGEST_CREATE, out_query, error);
    return error_set_sqlstate(error, DUPLICATE_TABLE,
                              "table '%.*s' exists, and the ingest is to fail then",
                              STR_ARGS(ingest->target.table));
}

enum status flight_sql_put_ingest(struct flight_call *call, struct slice value,
                                  const struct arrow_schema *schema, struct str input_id,
                                  struct query **out_query, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandStatementIngest *command;
    struct ingest_sql ingest = {.input_id = input_id};
    struct definition definition = {0};
    TRY(proto_unpack(&arena, &sql__command_statement_ingest__descriptor, value, &command, error));
    TRY(read_command(call, command, &ingest, &definition, error));
    TRY(flight_sql_check_transaction(call, command->transaction_id_presence_case != 0,
                                     command->transaction_id, error));
    return prepare_ingest(call, &ingest, &definition, out_query, error);
}
