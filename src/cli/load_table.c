/*
 * load_table.c — what a load asks of a server: CommandStatementIngest, or INSERT and CREATE TABLE.
 *
 * Rows that are appended go to the columns of their names, both ways. Each way is one statement, so that a
 * failure leaves the table as it was.
 *
 * Runs on: the client's thread. Owns: nothing. Source: FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/load_table.h"

#include "base/buf.h"
#include "base/memory.h"
#include "cli/query.h"
#include "proto/flight_sql.h"

#define SQL_BYTES_MAX ((size_t)64 << 10)

#define DEFINITION(name) SQL__COMMAND_STATEMENT_INGEST__TABLE_DEFINITION_OPTIONS__##name
#define IF_NOT_EXIST(name) DEFINITION(TABLE_NOT_EXIST_OPTION__TABLE_NOT_EXIST_OPTION_##name)
#define IF_EXISTS(name) DEFINITION(TABLE_EXISTS_OPTION__TABLE_EXISTS_OPTION_##name)

/* --- as an ingest ----------------------------------------------------------------------------- */

Flight__FlightDescriptor *load_table_descriptor(struct arena *arena,
                                                const struct load_options *options)
{
    const struct load_target *target = &options->target;
    Sql__CommandStatementIngest__TableDefinitionOptions definition =
        SQL__COMMAND_STATEMENT_INGEST__TABLE_DEFINITION_OPTIONS__INIT;
    definition.if_not_exist =
        options->mode == LOAD_APPEND ? IF_NOT_EXIST(FAIL) : IF_NOT_EXIST(CREATE);
    definition.if_exists = options->mode == LOAD_CREATE    ? IF_EXISTS(FAIL)
                           : options->mode == LOAD_REPLACE ? IF_EXISTS(REPLACE)
                                                           : IF_EXISTS(APPEND);
    Sql__CommandStatementIngest command = SQL__COMMAND_STATEMENT_INGEST__INIT;
    command.table_definition_options = &definition;
    command.table = (char *)(uintptr_t)arena_copy(arena, target->table).ptr;
    command.temporary = options->is_temporary;
    if (target->schema.len > 0) {
        command.schema_presence_case = SQL__COMMAND_STATEMENT_INGEST__SCHEMA_PRESENCE_SCHEMA;
        command.schema = (char *)(uintptr_t)arena_copy(arena, target->schema).ptr;
    }
    if (target->catalog.len > 0) {
        command.catalog_presence_case = SQL__COMMAND_STATEMENT_INGEST__CATALOG_PRESENCE_CATALOG;
        command.catalog = (char *)(uintptr_t)arena_copy(arena, target->catalog).ptr;
    }
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&command);
    Flight__FlightDescriptor *descriptor = ARENA_NEW(arena, Flight__FlightDescriptor);
    flight__flight_descriptor__init(descriptor);
    descriptor->type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__CMD;
    descriptor->cmd = proto_binary(arena_copy(arena, slice_str(any)));
    return descriptor;
}

enum status load_table_ingested_rows(struct str answer, uint64_t *out_rows, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__DoPutUpdateResult *update;
    struct slice bytes = slice_make((const uint8_t *)answer.ptr, answer.len, NULL);
    TRY(proto_unpack(&arena, &sql__do_put_update_result__descriptor, bytes, &update, error));
    *out_rows = update->record_count > 0 ? (uint64_t)update->record_count : 0;
    return STATUS_OK;
}

/* --- by SQL ----------------------------------------------------------------------------------- */

static void write_name(struct str name, struct buf *out)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            buf_append_byte(out, '"');
        buf_append_byte(out, (uint8_t)name.ptr[i]);
    }
    buf_append_byte(out, '"');
}

static void write_target(const struct load_target *target, struct buf *out)
{
    struct str schema =
        target->schema.len == 0 && target->catalog.len > 0 ? STR("main") : target->schema;
    if (target->catalog.len > 0) {
        write_name(target->catalog, out);
        buf_append_byte(out, '.');
    }
    if (schema.len > 0) {
        write_name(schema, out);
        buf_append_byte(out, '.');
    }
    write_name(target->table, out);
}

static enum status run(struct grpc_client *client, const struct buf *sql, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    TRY(buf_check(sql, "the statement of the load", error));
    TRY(sql_query_open(client, buf_str(sql), true, &query, error));
    for (bool end = false; !end;) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(sql_query_next(query, &batch, &end, error));
    }
    return STATUS_OK;
}

enum load_mode load_table_mode(struct grpc_client *client, const struct load_options *options)
{
    if (options->mode != LOAD_CREATE_APPEND)
        return options->mode;
    CLEANUP(buf_finish) struct buf sql;
    struct error ignored = ERROR_NONE;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_append_text(&sql, "SELECT 1 FROM ");
    write_target(&options->target, &sql);
    buf_append_text(&sql, " LIMIT 0");
    enum status status = run(client, &sql, &ignored);
    if (status == STATUS_OK)
        return LOAD_APPEND;
    return status == STATUS_NOT_FOUND ? LOAD_CREATE : LOAD_CREATE_APPEND;
}

static enum status fill(struct grpc_client *client, const struct load_target *target,
                        const char *source, const char *before, const char *between,
                        struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_append_text(&sql, before);
    write_target(target, &sql);
    buf_printf(&sql, " %s %s", between, source);
    return run(client, &sql, error);
}

enum status load_table_from(struct grpc_client *client, const struct load_options *options,
                            const char *source, struct error *error)
{
    const struct load_target *target = &options->target;
    bool appends = options->mode == LOAD_APPEND || options->mode == LOAD_CREATE_APPEND;
    struct error failure = ERROR_NONE;
    if (options->mode == LOAD_REPLACE)
        return fill(client, target, source,
                    options->is_temporary ? "CREATE OR REPLACE TEMP TABLE "
                                          : "CREATE OR REPLACE TABLE ",
                    "AS FROM", error);
    if (appends) {
        enum status status = fill(client, target, source, "INSERT INTO ", "BY NAME FROM", &failure);
        if (status == STATUS_OK)
            return STATUS_OK;
        if (status != STATUS_NOT_FOUND || options->mode == LOAD_APPEND)
            return error_copy(error, &failure);
    }
    return fill(client, target, source,
                options->is_temporary ? "CREATE TEMP TABLE " : "CREATE TABLE ", "AS FROM", error);
}
