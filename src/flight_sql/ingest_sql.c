/*
 * ingest_sql.c — writes the CREATE or INSERT that an ingest comes to.
 *
 * A table is made and filled by one CREATE TABLE .. AS, so that the types of its columns are those that the
 * engine reads the rows with. Where a table may be there or not, an empty one is made unless it is there and
 * the rows are appended. Names are quoted, whatever is in them.
 *
 * Any thread; owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/ingest_sql.h"

#include "engine/engine.h"

#define TEMPORARY_CATALOG "temp"
#define DEFAULT_SCHEMA "main"

enum status ingest_target_check(const struct ingest_target *target, struct error *error)
{
    if (target->table.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the ingest names no table; 'table' is required");
    if (!target->is_temporary)
        return STATUS_OK;
    bool has_catalog =
        target->catalog.len > 0 && !str_equal_nocase(target->catalog, STR(TEMPORARY_CATALOG));
    bool has_schema =
        target->schema.len > 0 && !str_equal_nocase(target->schema, STR(DEFAULT_SCHEMA));
    if (!has_catalog && !has_schema)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "a temporary table is in catalog '" TEMPORARY_CATALOG
                     "', schema '" DEFAULT_SCHEMA "'; name no other catalog or schema with it");
}

static void append_name(struct buf *out, struct str name)
{
    engine_append_quoted(out, name, '"');
}

void ingest_target_write(const struct ingest_target *target, struct buf *out)
{
    struct str catalog = target->is_temporary ? STR(TEMPORARY_CATALOG) : target->catalog;
    struct str schema = target->schema;
    if (schema.len == 0 && catalog.len > 0)
        schema = STR(DEFAULT_SCHEMA);
    if (catalog.len > 0) {
        append_name(out, catalog);
        buf_append_byte(out, '.');
    }
    if (schema.len > 0) {
        append_name(out, schema);
        buf_append_byte(out, '.');
    }
    append_name(out, target->table);
}

/* The engine stores what a table function gives in its order, which takes one thread. Beside a relation that
 * has none, as groups have not, the rows have none either. */
static void write_rows(const struct ingest_sql *ingest, bool keeps_order, struct buf *out)
{
    buf_append_text(out, "SELECT input.* FROM batch(");
    engine_append_quoted(out, ingest->input_id, '\'');
    buf_append_text(out, ") AS input");
    if (!keeps_order)
        buf_append_text(out, ", (SELECT DISTINCT unnest([1]))");
}

static void write_create(const struct ingest_sql *ingest, const char *verb, const char *condition,
                         bool keeps_order, struct buf *out)
{
    buf_printf(out, "%s%s TABLE %s", verb, ingest->target.is_temporary ? " TEMPORARY" : "",
               condition);
    ingest_target_write(&ingest->target, out);
    buf_append_text(out, " AS ");
    write_rows(ingest, keeps_order, out);
}

static void write_insert(const struct ingest_sql *ingest, struct buf *out)
{
    buf_append_text(out, "INSERT INTO ");
    ingest_target_write(&ingest->target, out);
    buf_append_text(out, ingest->matches_position ? " " : " BY NAME ");
    write_rows(ingest, ingest->keeps_order, out);
}

void ingest_sql_write(const struct ingest_sql *ingest, struct buf *out)
{
    switch (ingest->way) {
    case INGEST_APPEND:
        write_insert(ingest, out);
        break;
    case INGEST_CREATE:
        write_create(ingest, "CREATE", "", ingest->keeps_order, out);
        break;
    case INGEST_REPLACE:
        write_create(ingest, "CREATE OR REPLACE", "", ingest->keeps_order, out);
        break;
    case INGEST_CREATE_OR_APPEND:
        write_create(ingest, "CREATE", "IF NOT EXISTS ", true, out);
        buf_append_text(out, " WITH NO DATA; ");
        write_insert(ingest, out);
        break;
    }
}
