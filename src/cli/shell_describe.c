/*
 * shell_describe.c — \d and its kin: the catalog of any Flight SQL server.
 *
 * They are the metadata commands of Flight SQL, whose rows are printed like those of a statement; only the
 * columns of one table are made into rows here, from its schema.
 *
 * Runs on: the main thread. Owns: nothing. Source: FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include "arrow/builder.h"
#include "arrow/column.h"
#include "arrow/ipc.h"
#include "base/memory.h"
#include "cli/layout.h"
#include "proto/flight_sql.h"

#define TYPE_TEXT_MAX ((size_t)4096)
#define TYPE_NAME_KEY STR("ARROW:FLIGHT:SQL:TYPE_NAME")

/* --- lists ------------------------------------------------------------------------------------ */

static enum status print_command(struct shell *shell, struct slice any, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    pager_watch(&shell->pager, &shell->output);
    interrupt_begin(shell->session.interrupt, shell->session.client);
    enum status status = sql_query_open_command(shell->session.client, any, true, &query, error);
    if (status == STATUS_OK)
        status = sql_session_print(&shell->session, query, error);
    interrupt_set_client(shell->session.interrupt, NULL);
    pager_end(&shell->pager, &shell->output);
    return status;
}

static enum status list_tables(struct shell *shell, const char *const *types, size_t type_count,
                               const char *pattern, struct error *error)
{
    Sql__CommandGetTables command = SQL__COMMAND_GET_TABLES__INIT;
    if (*pattern) {
        command.table_name_filter_pattern_presence_case =
            SQL__COMMAND_GET_TABLES__TABLE_NAME_FILTER_PATTERN_PRESENCE_TABLE_NAME_FILTER_PATTERN;
        command.table_name_filter_pattern = (char *)(uintptr_t)pattern;
    }
    command.table_types = (char **)(uintptr_t)types;
    command.n_table_types = type_count;
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&command);
    return print_command(shell, any, error);
}

static enum status list_schemas(struct shell *shell, const char *pattern, struct error *error)
{
    Sql__CommandGetDbSchemas command = SQL__COMMAND_GET_DB_SCHEMAS__INIT;
    if (*pattern) {
        command.db_schema_filter_pattern_presence_case =
            SQL__COMMAND_GET_DB_SCHEMAS__DB_SCHEMA_FILTER_PATTERN_PRESENCE_DB_SCHEMA_FILTER_PATTERN;
        command.db_schema_filter_pattern = (char *)(uintptr_t)pattern;
    }
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&command);
    return print_command(shell, any, error);
}

static enum status list_catalogs(struct shell *shell, struct error *error)
{
    Sql__CommandGetCatalogs command = SQL__COMMAND_GET_CATALOGS__INIT;
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&command);
    return print_command(shell, any, error);
}

enum status shell_list(struct shell *shell, enum describe_kind kind, struct str pattern,
                       struct error *error)
{
    static const char *const table_types[] = {"TABLE", "BASE TABLE", "LOCAL TEMPORARY"};
    static const char *const view_types[] = {"VIEW"};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const char *text = arena_copy(&arena, pattern).ptr;
    switch (kind) {
    case DESCRIBE_TABLES:
        return list_tables(shell, table_types, ARRAY_COUNT(table_types), text, error);
    case DESCRIBE_VIEWS:
        return list_tables(shell, view_types, ARRAY_COUNT(view_types), text, error);
    case DESCRIBE_SCHEMAS:
        return list_schemas(shell, text, error);
    case DESCRIBE_CATALOGS:
        return list_catalogs(shell, error);
    case DESCRIBE_ALL:
        break;
    }
    return list_tables(shell, NULL, 0, text, error);
}

/* --- one table -------------------------------------------------------------------------------- */

/* What a user writes as a name, with its quotes gone; as a pattern that matches only itself. */
static char *pattern_of(struct arena *arena, struct str name)
{
    CLEANUP(buf_finish) struct buf pattern;
    buf_init(&pattern, 4 * name.len + 16);
    bool is_quoted = name.len > 1 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"';
    if (is_quoted)
        name = str_slice(name, 1, name.len - 1);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '%' || name.ptr[i] == '_' || name.ptr[i] == '\\')
            buf_append_byte(&pattern, '\\');
        buf_append_byte(&pattern, (uint8_t)name.ptr[i]);
        if (is_quoted && name.ptr[i] == '"')
            i++;
    }
    return (char *)(uintptr_t)arena_copy(arena, buf_str(&pattern)).ptr;
}

/* "schema.table" at the last point outside of quotes. */
static struct str split_schema(struct str *name)
{
    bool in_quotes = false;
    size_t at = name->len;
    for (size_t i = 0; i < name->len; i++) {
        in_quotes ^= name->ptr[i] == '"';
        if (name->ptr[i] == '.' && !in_quotes)
            at = i;
    }
    if (at == name->len)
        return STR_EMPTY;
    struct str schema = str_slice(*name, 0, at);
    *name = str_slice(*name, at + 1, name->len);
    ptrdiff_t point = str_find(schema, '.');
    return point < 0 ? schema : str_slice(schema, (size_t)point + 1, schema.len);
}

static enum status open_tables(struct shell *shell, struct str name, struct sql_query **out_query,
                               struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandGetTables command = SQL__COMMAND_GET_TABLES__INIT;
    struct str schema = split_schema(&name);
    command.include_schema = true;
    command.table_name_filter_pattern_presence_case =
        SQL__COMMAND_GET_TABLES__TABLE_NAME_FILTER_PATTERN_PRESENCE_TABLE_NAME_FILTER_PATTERN;
    command.table_name_filter_pattern = pattern_of(&arena, name);
    if (schema.len > 0) {
        command.db_schema_filter_pattern_presence_case =
            SQL__COMMAND_GET_TABLES__DB_SCHEMA_FILTER_PATTERN_PRESENCE_DB_SCHEMA_FILTER_PATTERN;
        command.db_schema_filter_pattern = pattern_of(&arena, schema);
    }
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&command);
    return sql_query_open_command(shell->session.client, any, true, out_query, error);
}

static void append_type(const struct arrow_field *field, struct buf *out)
{
    for (size_t i = 0; i < field->metadata_count; i++) {
        if (str_equal(field->metadata[i].key, TYPE_NAME_KEY)) {
            buf_append_str(out, field->metadata[i].value);
            return;
        }
    }
    arrow_field_type_text(field, out);
}

static struct arrow_batch *columns_batch(const struct arrow_schema *table)
{
    static const char *const names[] = {"column", "type", "nullable"};
    const struct builder_limits limits = {.rows_max = ARROW_FIELDS_MAX,
                                          .bytes_max = (size_t)64 << 20};
    struct arrow_schema *schema = arrow_schema_create(ARRAY_COUNT(names));
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        arrow_field_init(schema, &schema->fields[i], str_of(names[i]), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    arrow_schema_unref(schema);
    for (size_t i = 0; i < table->field_count; i++) {
        CLEANUP(buf_finish) struct buf type;
        buf_init(&type, TYPE_TEXT_MAX);
        append_type(&table->fields[i], &type);
        builder_append_bytes(batch_builder_column(builder, 0), table->fields[i].name);
        builder_append_bytes(batch_builder_column(builder, 1), buf_str(&type));
        builder_append_bytes(batch_builder_column(builder, 2),
                             table->fields[i].nullable ? STR("") : STR("not null"));
    }
    return batch_builder_seal(builder);
}

static enum status print_columns(struct shell *shell, const struct arrow_schema *table,
                                 struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = columns_batch(table);
    CLEANUP(result_close) struct result result = {.server = &shell->session.server};
    TRY(result_begin(&result, shell->session.format, &shell->output, batch->schema, false, error));
    TRY(result_batch(&result, batch, error));
    return result_end(&result, error);
}

struct description {
    struct shell *shell;
    uint64_t count; /* of tables */
};

static enum status print_table(void *context, const struct arrow_column *columns, int64_t row,
                               struct error *error)
{
    struct description *description = context;
    struct shell *shell = description->shell;
    description->count++;
    CLEANUP(arrow_schema_unref) struct arrow_schema *table = NULL;
    struct str bytes = arrow_column_bytes(&columns[4], row);
    TRY(ipc_decode_schema(slice_make(bytes.ptr, bytes.len, NULL), &table, error));
    struct str kind = arrow_column_bytes(&columns[3], row);
    if (shell->session.format->for_people) {
        struct buf *out = &shell->output.buf;
        (void)layout_append(kind, false, out);
        buf_append_byte(out, ' ');
        (void)layout_append(arrow_column_bytes(&columns[1], row), false, out);
        buf_append_byte(out, '.');
        (void)layout_append(arrow_column_bytes(&columns[2], row), false, out);
        buf_append_byte(out, '\n');
    }
    return print_columns(shell, table, error);
}

static bool has_table_columns(const struct sql_query *query)
{
    const struct arrow_schema *schema = sql_query_schema(query);
    if (!schema || schema->field_count < 5 || schema->fields[4].type != ARROW_BINARY)
        return false;
    for (size_t i = 1; i < 4; i++) {
        if (schema->fields[i].type != ARROW_UTF8)
            return false;
    }
    return true;
}

static enum status print_tables(struct shell *shell, struct sql_query *query, uint64_t *out_count,
                                struct error *error)
{
    struct description description = {.shell = shell};
    if (!has_table_columns(query))
        return error_set(error, STATUS_UNIMPLEMENTED, "the server does not tell columns");
    TRY(sql_query_for_each_row(query, print_table, &description, error));
    *out_count = description.count;
    return output_flush(&shell->output, error);
}

enum status shell_describe_table(struct shell *shell, struct str name, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    uint64_t count = 0;
    TRY(open_tables(shell, name, &query, error));
    pager_watch(&shell->pager, &shell->output);
    enum status status = print_tables(shell, query, &count, error);
    pager_end(&shell->pager, &shell->output);
    TRY(status);
    if (count == 0)
        return error_set(error, STATUS_NOT_FOUND, "there is no table or view '%.*s'; \\d lists all",
                         STR_ARGS(name));
    return STATUS_OK;
}
