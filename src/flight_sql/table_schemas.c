/*
 * table_schemas.c — GetTables with include_schema: each table with its Arrow schema.
 *
 * One statement lists the columns of all tables. What Arrow makes of a type is the engine's to say: one more
 * statement, SELECT NULL::<type> of each type there is, has a field for each. So ten thousand tables
 * cost two statements. A type that cannot be named so (its definition is gone) is announced as text.
 *
 * The worker waits for the first statement, so it waits for a slot only so long.
 *
 * Runs on a worker. Source: FlightSql.proto, CommandGetTables and "ARROW:FLIGHT:SQL:..." metadata.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/listing.h"

#include "arrow/builder.h"
#include "arrow/column.h"
#include "arrow/ipc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"

#define TYPES_SQL_BYTES_MAX ((size_t)8 << 20)
#define BATCHES_MAX 4096
/* Of the columns read, and of the table made of them. */
#define LISTING_BYTES_MAX ((size_t)256 << 20)
#define SLOT_WAIT_NS (10 * NANOSECONDS_PER_SECOND)

/* The columns of the statement. */
enum {
    CATALOG,
    SCHEMA,
    TABLE,
    TABLE_TYPE,
    COLUMN,
    TYPE,
    IS_NULLABLE,
    REMARKS,
    IS_AUTO_INCREMENT,
    COLUMN_COUNT
};

#define COLUMNS_BEFORE_TABLES                                                                      \
    "SELECT t.catalog_name, t.db_schema_name, t.table_name, t.table_type, c.column_name, "         \
    "c.data_type, c.is_nullable::VARCHAR, c.comment, "                                             \
    "coalesce(c.column_default LIKE 'nextval(%', false)::VARCHAR AS is_auto_increment FROM ("
#define COLUMNS_BEHIND_TABLES                                                                      \
    ") t LEFT JOIN system.main.duckdb_columns() c ON c.database_name = t.catalog_name AND "        \
    "c.schema_name = t.db_schema_name AND c.table_name = t.table_name "                            \
    "ORDER BY 1, 2, 3, 4, c.column_index"

/* One row of the statement; texts live as long as its batch. */
struct column_row {
    struct str texts[COLUMN_COUNT]; /* empty for NULL */
    bool has_column;
};

/* All rows, and the types in them. */
struct columns_read {
    struct arena arena;
    struct arrow_batch *batches[BATCHES_MAX];
    size_t batch_count;
    size_t bytes; /* of the batches */
    struct column_row *rows;
    size_t row_count;
    size_t row_capacity;
    struct map types; /* text -> its number + 1 */
    struct str *type_texts;
    size_t type_count;
    size_t type_capacity;
    struct engine_statement *statement; /* that has a field for each type; NULL: no type */
    const struct arrow_field **fields;  /* by type number; NULL: announced as text */
};

static struct columns_read *columns_read_create(void)
{
    struct columns_read *columns = NEW(struct columns_read);
    arena_init(&columns->arena);
    map_init(&columns->types);
    return columns;
}

static void columns_read_destroy(struct columns_read *columns)
{
    if (!columns)
        return;
    for (size_t i = 0; i < columns->batch_count; i++)
        arrow_batch_unref(columns->batches[i]);
    engine_statement_destroy(columns->statement);
    map_finish(&columns->types);
    free(columns->rows);
    free(columns->type_texts);
    arena_finish(&columns->arena);
    free(columns);
}
CLEANUP_FUNCTION(struct columns_read *, columns_read_destroy)

/* --- reading ------------------------------------------------------------------------------------ */

static void note_type(struct columns_read *columns, struct str type)
{
    if (map_get(&columns->types, type))
        return;
    if (columns->type_count == columns->type_capacity) {
        columns->type_capacity = columns->type_capacity * 2 + 16;
        columns->type_texts =
            memory_resize(columns->type_texts, columns->type_capacity, sizeof(struct str));
    }
    columns->type_texts[columns->type_count++] = type;
    (void)map_set(&columns->types, type, (void *)(uintptr_t)columns->type_count);
}

static struct column_row *add_row(struct columns_read *columns)
{
    if (columns->row_count == columns->row_capacity) {
        columns->row_capacity = columns->row_capacity * 2 + 256;
        columns->rows =
            memory_resize(columns->rows, columns->row_capacity, sizeof(struct column_row));
    }
    return &columns->rows[columns->row_count++];
}

static enum status too_large(struct error *error)
{
    return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                     "the catalog is too large to list with schemas; filter by catalog, schema or "
                     "table");
}

/* Takes the batch over. */
static enum status take_batch(struct columns_read *columns, struct arrow_batch *batch,
                              struct error *error)
{
    columns->bytes += batch->body_bytes;
    if (columns->batch_count == BATCHES_MAX || columns->bytes > LISTING_BYTES_MAX) {
        arrow_batch_unref(batch);
        return too_large(error);
    }
    columns->batches[columns->batch_count++] = batch;
    const struct arrow_column *values = arrow_columns_open(batch, &columns->arena);
    for (int64_t i = 0; i < batch->rows; i++) {
        struct column_row *row = add_row(columns);
        *row = (struct column_row){.has_column = !arrow_column_is_null(&values[COLUMN], i)};
        for (size_t k = 0; k < COLUMN_COUNT; k++) {
            if (!arrow_column_is_null(&values[k], i))
                row->texts[k] = arrow_column_bytes(&values[k], i);
        }
        if (row->has_column)
            note_type(columns, row->texts[TYPE]);
    }
    return STATUS_OK;
}

static enum status wait_for_slot(struct query *query, struct dataset_reader *reader,
                                 struct error *error)
{
    dataset_reader_wait_until(reader, clock_now_ns() + SLOT_WAIT_NS);
    if (query_state(query) != QUERY_QUEUED)
        return STATUS_OK;
    return error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL",
                          "no slot for a statement came free within %d seconds; try again later",
                          (int)(SLOT_WAIT_NS / NANOSECONDS_PER_SECOND));
}

/* Takes the query over. */
static enum status read_query(struct flight_call *call, struct columns_read *columns,
                              struct query *query, struct error *error)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    TRY(dataset_reader_open(query_dataset(query), 0, NULL, NULL, &reader, error));
    TRY(flight_run(call, query, error));
    TRY(wait_for_slot(query, reader, error));
    enum dataset_step step = DATASET_WAIT;
    while (step != DATASET_END) {
        struct arrow_batch *batch = NULL;
        dataset_reader_wait(reader);
        TRY(dataset_reader_next(reader, &step, &batch, error));
        if (step == DATASET_BATCH)
            TRY(take_batch(columns, batch, error));
    }
    return STATUS_OK;
}

static enum status read_columns(struct flight_call *call, const Sql__CommandGetTables *command,
                                struct columns_read *columns, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, LISTING_SQL_BYTES_MAX);
    buf_append_text(&sql, COLUMNS_BEFORE_TABLES);
    tables_append_sql(&sql, command);
    buf_append_text(&sql, COLUMNS_BEHIND_TABLES);
    struct query *query;
    TRY(listing_prepare(call, &sql, 0, &query, error));
    return read_query(call, columns, query, error);
}

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
static enum status prepare_good_types(struct flight_call *call, struct columns_read *columns,
                                      bool *is_good, struct error *error)
{
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
    return prepare_types(call, good, count, &columns->statement, error);
}

static enum status find_fields(struct flight_call *call, struct columns_read *columns,
                               struct error *error)
{
    size_t count = columns->type_count;
    columns->fields = ARENA_NEW_ARRAY(&columns->arena, const struct arrow_field *, count);
    bool *is_good = ARENA_NEW_ARRAY(&columns->arena, bool, count);
    memset(is_good, true, count);
    if (count == 0)
        return STATUS_OK;
    if (prepare_types(call, columns->type_texts, count, &columns->statement, NULL) != STATUS_OK)
        TRY(prepare_good_types(call, columns, is_good, error));
    size_t next = 0;
    for (size_t i = 0; i < count; i++)
        columns->fields[i] =
            is_good[i] ? &engine_statement_schema(columns->statement)->fields[next++] : NULL;
    return STATUS_OK;
}

static const struct arrow_field *field_of_type(const struct columns_read *columns, struct str type)
{
    uintptr_t number = (uintptr_t)map_get(&columns->types, type);
    return columns->fields[number - 1];
}

/* --- one table ---------------------------------------------------------------------------------- */

static void add_fact(struct arrow_schema *schema, struct arrow_field *field, const char *name,
                     struct str value)
{
    if (value.len > 0)
        arrow_field_add_metadata(schema, field, str_of(name), value);
}

#define FACT(name) "ARROW:FLIGHT:SQL:" name

/* Beside those of its type, which the engine tells. JDBC's driver reads SCHEMA_NAME, the specification says DB_SCHEMA_NAME. */
static void add_facts(struct arrow_schema *schema, struct arrow_field *field,
                      const struct column_row *row)
{
    add_fact(schema, field, FACT("CATALOG_NAME"), row->texts[CATALOG]);
    add_fact(schema, field, FACT("DB_SCHEMA_NAME"), row->texts[SCHEMA]);
    add_fact(schema, field, FACT("SCHEMA_NAME"), row->texts[SCHEMA]);
    add_fact(schema, field, FACT("TABLE_NAME"), row->texts[TABLE]);
    add_fact(schema, field, FACT("REMARKS"), row->texts[REMARKS]);
    bool is_auto = str_equal(row->texts[IS_AUTO_INCREMENT], STR("true"));
    add_fact(schema, field, FACT("IS_AUTO_INCREMENT"), is_auto ? STR("1") : STR("0"));
    add_fact(schema, field, FACT("IS_READ_ONLY"), STR("0"));
    add_fact(schema, field, FACT("IS_SEARCHABLE"), STR("1"));
}

static void make_field(struct arrow_schema *schema, struct arrow_field *field,
                       const struct columns_read *columns, const struct column_row *row)
{
    const struct arrow_field *type = field_of_type(columns, row->texts[TYPE]);
    if (type) {
        arrow_field_copy(schema, field, type);
    } else {
        arrow_field_init(schema, field, STR_EMPTY, ARROW_UTF8);
        add_fact(schema, field, FACT("TYPE_NAME"), row->texts[TYPE]);
    }
    field->name = arena_copy(&schema->arena, row->texts[COLUMN]);
    field->nullable = !str_equal(row->texts[IS_NULLABLE], STR("false"));
    add_facts(schema, field, row);
}

static size_t count_fields(const struct arrow_field *field)
{
    size_t count = 1;
    for (size_t i = 0; field && i < field->child_count; i++)
        count += count_fields(&field->children[i]);
    return count;
}

static enum status check_size(const struct columns_read *columns, const struct column_row *rows,
                              size_t count, struct error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += count_fields(field_of_type(columns, rows[i].texts[TYPE]));
    if (total <= ARROW_FIELDS_MAX)
        return STATUS_OK;
    return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                     "table '%.*s' has more than %d columns and nested fields; list it without its "
                     "schema",
                     STR_ARGS(rows[0].texts[TABLE]), ARROW_FIELDS_MAX);
}

/* The encapsulated schema of a table whose columns are `count` rows. */
static enum status encode_table(const struct columns_read *columns, const struct column_row *rows,
                                size_t count, struct slice *out_message, struct error *error)
{
    TRY(check_size(columns, rows, count, error));
    struct arrow_batch **dictionaries = NULL;
    size_t dictionary_count = 0;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(count);
    for (size_t i = 0; i < count; i++) {
        make_field(schema, &schema->fields[i], columns, &rows[i]);
        const struct arrow_field *type = field_of_type(columns, rows[i].texts[TYPE]);
        if (!type)
            continue;
        const struct arrow_schema *types = engine_statement_schema(columns->statement);
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
        schema->fields[i].nullable = i < TABLE;
    }
    struct arrow_field *last = &schema->fields[ARRAY_COUNT(names)];
    arrow_field_init(schema, last, STR("table_schema"), ARROW_BINARY);
    last->nullable = false;
    arrow_schema_seal(schema, NULL);
    return schema;
}

static bool is_same_table(const struct column_row *a, const struct column_row *b)
{
    for (size_t i = CATALOG; i <= TABLE_TYPE; i++) {
        if (!str_equal(a->texts[i], b->texts[i]))
            return false;
    }
    return true;
}

static enum status append_table(struct batch_builder *builder, const struct columns_read *columns,
                                size_t first, size_t end, struct error *error)
{
    const struct column_row *rows = &columns->rows[first];
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    size_t count = rows->has_column ? end - first : 0;
    TRY(encode_table(columns, rows, count, &message, error));
    for (size_t i = CATALOG; i <= TABLE_TYPE; i++)
        builder_append_bytes(batch_builder_column(builder, i), rows->texts[i]);
    builder_append_bytes(batch_builder_column(builder, TABLE_TYPE + 1), slice_str(message));
    return STATUS_OK;
}

enum status table_schemas_fetch(struct flight_call *call, const Sql__CommandGetTables *command,
                                struct arrow_batch **out_batch, struct error *error)
{
    CLEANUP(columns_read_destroy) struct columns_read *columns = columns_read_create();
    TRY(read_columns(call, command, columns, error));
    TRY(find_fields(call, columns, error));
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = table_schemas_schema();
    static const struct builder_limits limits = {.rows_max = SIZE_MAX,
                                                 .bytes_max = LISTING_BYTES_MAX};
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    size_t first = 0;
    for (size_t i = 1; i <= columns->row_count; i++) {
        if (i < columns->row_count && is_same_table(&columns->rows[first], &columns->rows[i]))
            continue;
        TRY(append_table(builder, columns, first, i, error));
        if (batch_builder_bytes(builder) > LISTING_BYTES_MAX)
            return too_large(error);
        first = i;
    }
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}
