/*
 * table_schemas.c — GetTables with include_schema: each table with its Arrow schema.
 *
 * One statement lists the columns of all tables (table_columns.c). What Arrow makes of a type is the engine's
 * to say: one more statement, SELECT NULL::<type> of each type there is, has a field for each, with what
 * Flight SQL tells of it. So ten thousand tables cost two statements. A type that cannot be named so (its
 * definition is gone) is announced as text.
 *
 * Runs on a worker. Source: FlightSql.proto, CommandGetTables and "ARROW:FLIGHT:SQL:..." metadata.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/table_columns.h"

#include "arrow/builder.h"
#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"

#define TYPES_SQL_BYTES_MAX ((size_t)8 << 20)

/* The columns, and a field for each of their types. */
struct table_listing {
    struct table_columns columns;
    struct engine_statement *statement; /* that has a field for each type; NULL: no type */
    const struct arrow_field **fields;  /* by type number; NULL: announced as text */
};

static struct table_listing *table_listing_create(void)
{
    struct table_listing *listing = NEW(struct table_listing);
    table_columns_init(&listing->columns);
    return listing;
}

static void table_listing_destroy(struct table_listing *listing)
{
    if (!listing)
        return;
    engine_statement_destroy(listing->statement);
    table_columns_finish(&listing->columns);
    free(listing);
}
CLEANUP_FUNCTION(struct table_listing *, table_listing_destroy)

/* --- types -------------------------------------------------------------------------------------- */

static enum status prepare_types(struct flight_call *call, const struct str *types, size_t count,
                                 struct engine_statement **out_statement, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, TYPES_SQL_BYTES_MAX);
    buf_append_text(&sql, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&sql, i > 0 ? ", NULL::" : "NULL::");
        buf_append_str(&sql, types[i]);
    }
    TRY(buf_check(&sql, "the types of the catalog", error));
    struct engine_result_options options;
    TRY(flight_result_options(call, &options, error));
    options.description = ENGINE_DESCRIBES_TYPES;
    return engine_prepare(session_engine(flight_call_session(call)), buf_str(&sql), &options,
                          out_statement, error);
}

/* Without those that cannot be prepared, which are tried one by one. */
static enum status prepare_good_types(struct flight_call *call, struct table_listing *listing,
                                      bool *is_good, struct error *error)
{
    struct table_columns *columns = &listing->columns;
    struct str *good = ARENA_NEW_ARRAY(&columns->arena, struct str, columns->type_count);
    size_t count = 0;
    for (size_t i = 0; i < columns->type_count; i++) {
        CLEANUP(engine_statement_destroy) struct engine_statement *alone = NULL;
        is_good[i] = prepare_types(call, &columns->type_texts[i], 1, &alone, NULL) == STATUS_OK;
        if (is_good[i])
            good[count++] = columns->type_texts[i];
    }
    if (count == 0)
        return STATUS_OK;
    return prepare_types(call, good, count, &listing->statement, error);
}

static enum status find_fields(struct flight_call *call, struct table_listing *listing,
                               struct error *error)
{
    struct table_columns *columns = &listing->columns;
    size_t count = columns->type_count;
    listing->fields = ARENA_NEW_ARRAY(&columns->arena, const struct arrow_field *, count);
    bool *is_good = ARENA_NEW_ARRAY(&columns->arena, bool, count);
    memset(is_good, true, count);
    if (count == 0)
        return STATUS_OK;
    if (prepare_types(call, columns->type_texts, count, &listing->statement, NULL) != STATUS_OK)
        TRY(prepare_good_types(call, listing, is_good, error));
    size_t next = 0;
    for (size_t i = 0; i < count; i++)
        listing->fields[i] =
            is_good[i] ? &engine_statement_schema(listing->statement)->fields[next++] : NULL;
    return STATUS_OK;
}

/* --- one table ---------------------------------------------------------------------------------- */

#define FACT(name) STR("ARROW:FLIGHT:SQL:" name)
#define FACTS_MAX 9

static void add_fact(struct arrow_field *field, struct arrow_key_value *facts, struct str key,
                     struct str value)
{
    if (value.len > 0)
        facts[field->metadata_count++] = (struct arrow_key_value){.key = key, .value = value};
}

static bool has_fact(const struct arrow_field *field, struct str key)
{
    for (size_t i = 0; i < field->metadata_count; i++) {
        if (str_equal(field->metadata[i].key, key))
            return true;
    }
    return false;
}

/* Behind those of the type. JDBC's driver reads SCHEMA_NAME, the specification says DB_SCHEMA_NAME. Texts
 * outlive the schema. */
static void add_facts(struct arrow_schema *schema, struct arrow_field *field,
                      const struct table_column *row)
{
    size_t known = field->metadata_count;
    struct arrow_key_value *facts =
        ARENA_NEW_ARRAY(&schema->arena, struct arrow_key_value, known + FACTS_MAX);
    if (known > 0)
        memcpy(facts, field->metadata, known * sizeof(*facts));
    bool is_known_text = has_fact(field, FACT("IS_CASE_SENSITIVE"));
    field->metadata = facts;
    add_fact(field, facts, FACT("CATALOG_NAME"), row->texts[COLUMN_CATALOG]);
    add_fact(field, facts, FACT("DB_SCHEMA_NAME"), row->texts[COLUMN_SCHEMA]);
    add_fact(field, facts, FACT("SCHEMA_NAME"), row->texts[COLUMN_SCHEMA]);
    add_fact(field, facts, FACT("TABLE_NAME"), row->texts[COLUMN_TABLE]);
    add_fact(field, facts, FACT("REMARKS"), row->remarks);
    add_fact(field, facts, FACT("IS_AUTO_INCREMENT"), row->is_auto_increment ? STR("1") : STR("0"));
    if (!is_known_text)
        add_fact(field, facts, FACT("IS_CASE_SENSITIVE"), STR("0"));
    add_fact(field, facts, FACT("IS_READ_ONLY"), STR("0"));
    add_fact(field, facts, FACT("IS_SEARCHABLE"), STR("1"));
}

static void make_field(struct arrow_schema *schema, struct arrow_field *field,
                       const struct table_listing *listing, const struct table_column *row)
{
    const struct arrow_field *type = listing->fields[row->type];
    if (type) {
        arrow_field_copy(schema, field, type);
    } else {
        arrow_field_init(schema, field, STR_EMPTY, ARROW_UTF8);
        arrow_field_add_metadata(schema, field, FACT("TYPE_NAME"), row->texts[COLUMN_TYPE]);
    }
    field->name = row->texts[COLUMN_NAME];
    field->nullable = row->is_nullable;
    add_facts(schema, field, row);
}

static size_t count_fields(const struct arrow_field *field)
{
    size_t count = 1;
    for (size_t i = 0; field && i < field->child_count; i++)
        count += count_fields(&field->children[i]);
    return count;
}

static enum status check_size(const struct table_listing *listing, const struct table_column *rows,
                              size_t count, struct error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += count_fields(listing->fields[rows[i].type]);
    if (total <= ARROW_FIELDS_MAX)
        return STATUS_OK;
    return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                     "table '%.*s' has more than %d columns and nested fields; list it without its "
                     "schema",
                     STR_ARGS(rows[0].texts[COLUMN_TABLE]), ARROW_FIELDS_MAX);
}

/* The encapsulated schema of a table whose columns are `count` rows. */
static enum status encode_table(const struct table_listing *listing,
                                const struct table_column *rows, size_t count,
                                struct slice *out_message, struct error *error)
{
    TRY(check_size(listing, rows, count, error));
    struct arrow_batch **dictionaries = NULL;
    size_t dictionary_count = 0;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(count);
    for (size_t i = 0; i < count; i++) {
        make_field(schema, &schema->fields[i], listing, &rows[i]);
        const struct arrow_field *type = listing->fields[rows[i].type];
        if (!type)
            continue;
        const struct arrow_schema *types = engine_statement_schema(listing->statement);
        dictionaries = memory_resize(dictionaries, dictionary_count + types->dictionary_count + 1,
                                     sizeof(*dictionaries));
        dictionary_count += arrow_field_dictionaries(types, type, dictionaries + dictionary_count);
    }
    arrow_schema_seal(schema, dictionaries);
    free(dictionaries);
    *out_message = ipc_encapsulated_schema(schema);
    return STATUS_OK;
}

/* --- the table of tables ------------------------------------------------------------------------ */

struct arrow_schema *table_schemas_schema(void)
{
    static const char *const names[] = {"catalog_name", "db_schema_name", "table_name",
                                        "table_type"};
    struct arrow_schema *schema = arrow_schema_create(ARRAY_COUNT(names) + 1);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        arrow_field_init(schema, &schema->fields[i], str_of(names[i]), ARROW_UTF8);
        schema->fields[i].nullable = i < COLUMN_TABLE;
    }
    struct arrow_field *last = &schema->fields[ARRAY_COUNT(names)];
    arrow_field_init(schema, last, STR("table_schema"), ARROW_BINARY);
    last->nullable = false;
    arrow_schema_seal(schema, NULL);
    return schema;
}

static bool is_same_table(const struct table_column *a, const struct table_column *b)
{
    for (size_t i = COLUMN_CATALOG; i <= COLUMN_TABLE_TYPE; i++) {
        if (!str_equal(a->texts[i], b->texts[i]))
            return false;
    }
    return true;
}

/* Room for all messages if they are like the first, which has `count` of `total` rows: growing by doubling
 * would copy them all. */
static void reserve_messages(struct builder_column *messages, size_t bytes, size_t count,
                             size_t total)
{
    size_t wanted;
    if (checked_mul(bytes, total / count + 1, &wanted))
        builder_column_reserve_bytes(messages, size_min(wanted, TABLE_LISTING_BYTES_MAX));
}

static enum status append_table(struct batch_builder *builder, const struct table_listing *listing,
                                size_t first, size_t end, struct error *error)
{
    const struct table_column *rows = &listing->columns.rows[first];
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    size_t count = rows->has_column ? end - first : 0;
    TRY(encode_table(listing, rows, count, &message, error));
    if (first == 0)
        reserve_messages(batch_builder_column(builder, COLUMN_TABLE_TYPE + 1), message.len, end,
                         listing->columns.row_count);
    for (size_t i = COLUMN_CATALOG; i <= COLUMN_TABLE_TYPE; i++)
        builder_append_bytes(batch_builder_column(builder, i), rows->texts[i]);
    builder_append_bytes(batch_builder_column(builder, COLUMN_TABLE_TYPE + 1), slice_str(message));
    return STATUS_OK;
}

enum status table_schemas_fetch(struct flight_call *call, const Sql__CommandGetTables *command,
                                struct arrow_batch **out_batch, struct error *error)
{
    CLEANUP(table_listing_destroy) struct table_listing *listing = table_listing_create();
    const struct table_columns *columns = &listing->columns;
    TRY(table_columns_read(&listing->columns, call, command, error));
    TRY(find_fields(call, listing, error));
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = table_schemas_schema();
    static const struct builder_limits limits = {.rows_max = SIZE_MAX,
                                                 .bytes_max = TABLE_LISTING_BYTES_MAX};
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    size_t first = 0;
    for (size_t i = 1; i <= columns->row_count; i++) {
        if (i < columns->row_count && is_same_table(&columns->rows[first], &columns->rows[i]))
            continue;
        TRY(append_table(builder, listing, first, i, error));
        if (batch_builder_bytes(builder) > TABLE_LISTING_BYTES_MAX)
            return table_columns_too_large(error);
        first = i;
    }
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}
