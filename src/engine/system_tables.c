/*
 * system_tables.c — the server's state as SQL tables: one row per query, per dataset, per metric.
 *
 * Each table is a row of column names and types, and a function that appends one row. A snapshot
 * visits what there is and seals one batch; it sees each object as it is at that moment, not all of
 * them at the same one.
 *
 * Threads: snapshots on the engine's threads, any number at once. Owns: the schemas.
 * Leaves out: sessions and settings, which belong to others. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/system_tables.h"

#include "arrow/builder.h"
#include "base/memory.h"
#include "store/name.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

/* A snapshot is one batch: as many rows as the tables may have, and their texts. */
static const struct builder_limits snapshot_limits = {.rows_max = 1 << 20,
                                                      .bytes_max = (size_t)1 << 30};

struct table_column {
    const char *name;
    enum arrow_type type; /* integers are 64 bits; timestamps microseconds in UTC */
};

static const struct table_column query_columns[] = {
    {"id", ARROW_UTF8},
    {"state", ARROW_UTF8},
    {"kind", ARROW_UTF8},
    {"door", ARROW_UTF8},
    {"sql", ARROW_UTF8},
    {"request_id", ARROW_UTF8},
    {"peer", ARROW_UTF8},
    {"fingerprint", ARROW_UTF8},
    {"created_at", ARROW_TIMESTAMP},
    {"started_at", ARROW_TIMESTAMP},
    {"ended_at", ARROW_TIMESTAMP},
    {"progress", ARROW_FLOAT},
    {"rows", ARROW_INT},
    {"bytes", ARROW_INT},
    {"error", ARROW_UTF8},
};

static const struct table_column dataset_columns[] = {
    {"id", ARROW_UTF8},
    {"path", ARROW_UTF8}, /* NULL: none */
    {"kind", ARROW_UTF8}, /* result, kept */
    {"owner", ARROW_UTF8},
    {"state", ARROW_UTF8},
    {"durability", ARROW_UTF8}, /* of kept ones */
    {"batches", ARROW_INT},
    {"rows", ARROW_INT},
    {"bytes", ARROW_INT},
    {"memory_bytes", ARROW_INT},
    {"disk_bytes", ARROW_INT},
    {"readers", ARROW_INT},
    {"transient", ARROW_BOOL},
    {"read_to_end", ARROW_BOOL},
    {"ttl_seconds", ARROW_FLOAT},
    {"created_at", ARROW_TIMESTAMP},
    {"expires_at", ARROW_TIMESTAMP},
};

static const struct table_column metric_columns[] = {
    {"name", ARROW_UTF8},
    {"kind", ARROW_UTF8},
    {"labels", ARROW_UTF8},
    {"value", ARROW_FLOAT},
};

struct system_tables {
    struct arrow_schema *query_schema;
    struct arrow_schema *dataset_schema;
    struct arrow_schema *metric_schema;
    _Atomic(struct queries *) queries;
    _Atomic(struct store *) store;
    _Atomic(struct metrics *) metrics;
};

static struct arrow_schema *make_schema(const struct table_column *columns, size_t count)
{
    struct arrow_schema *schema = arrow_schema_create(count);
    for (size_t i = 0; i < count; i++) {
        struct arrow_field *field = &schema->fields[i];
        enum arrow_type type = columns[i].type;
        arrow_field_init(schema, field, str_of(columns[i].name), type);
        if (type == ARROW_INT || type == ARROW_FLOAT || type == ARROW_TIMESTAMP)
            field->bit_width = 64;
        field->is_signed = type == ARROW_INT;
        if (type == ARROW_TIMESTAMP) {
            field->unit = ARROW_MICROSECOND;
            field->timezone = STR("UTC");
        }
    }
    arrow_schema_seal(schema, NULL);
    return schema;
}

struct system_tables *system_tables_create(void)
{
    struct system_tables *tables = NEW(struct system_tables);
    tables->query_schema = make_schema(query_columns, ARRAY_COUNT(query_columns));
    tables->dataset_schema = make_schema(dataset_columns, ARRAY_COUNT(dataset_columns));
    tables->metric_schema = make_schema(metric_columns, ARRAY_COUNT(metric_columns));
    return tables;
}

void system_tables_destroy(struct system_tables *tables)
{
    if (!tables)
        return;
    arrow_schema_unref(tables->query_schema);
    arrow_schema_unref(tables->dataset_schema);
    arrow_schema_unref(tables->metric_schema);
    free(tables);
}

void system_tables_connect(struct system_tables *tables, struct queries *queries,
                           struct store *store, struct metrics *metrics)
{
    atomic_store(&tables->queries, queries);
    atomic_store(&tables->store, store);
    atomic_store(&tables->metrics, metrics);
}

/* --- rows ------------------------------------------------------------------------------------ */

/* A row under construction: each append fills the next column. */
struct row {
    struct batch_builder *builder;
    size_t column;
};

static struct row row_begin(struct batch_builder *builder)
{
    return (struct row){.builder = builder};
}

static struct builder_column *next_column(struct row *row)
{
    return batch_builder_column(row->builder, row->column++);
}

static void append_text(struct row *row, struct str text)
{
    builder_append_bytes(next_column(row), text);
}

static void append_integer(struct row *row, int64_t value)
{
    builder_append_integer(next_column(row), value);
}

static void append_text_or_null(struct row *row, struct str text)
{
    if (text.len == 0)
        builder_append_null(next_column(row));
    else
        append_text(row, text);
}

/* A time that may not have come: 0. */
static void append_time(struct row *row, int64_t time_us)
{
    if (time_us == 0)
        builder_append_null(next_column(row));
    else
        append_integer(row, time_us);
}

static void append_query(void *context, struct query *query)
{
    struct query_facts facts;
    query_facts(query, &facts);
    char fingerprint[17];
    (void)snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, facts.fingerprint);
    struct row row = row_begin(context);
    append_text(&row, str_of(facts.id));
    append_text(&row, str_of(query_state_name(facts.state)));
    append_text(&row, str_of(statement_kind_name(facts.kind)));
    append_text(&row, str_of(facts.door));
    append_text(&row, facts.sql);
    append_text(&row, facts.request_id);
    append_text(&row, facts.peer);
    append_text(&row, str_of(fingerprint));
    append_time(&row, facts.created_us);
    append_time(&row, facts.started_us);
    append_time(&row, facts.ended_us);
    if (facts.progress < 0)
        builder_append_null(next_column(&row));
    else
        builder_append_double(next_column(&row), facts.progress);
    append_integer(&row, facts.rows);
    append_integer(&row, (int64_t)facts.bytes);
    append_text_or_null(&row, facts.error);
}

static void append_dataset(void *context, struct dataset *dataset)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (dataset_id_is_private(facts.id))
        return;
    struct row row = row_begin(context);
    append_text(&row, facts.id);
    append_text_or_null(&row, facts.path);
    append_text(&row, facts.is_kept ? STR("kept") : STR("result"));
    append_text_or_null(&row, facts.owner);
    append_text(&row, str_of(dataset_state_name(facts.state)));
    append_text_or_null(&row, facts.is_kept ? str_of(dataset_durability_name(facts.durability))
                                            : STR_EMPTY);
    append_integer(&row, (int64_t)facts.batches);
    append_integer(&row, facts.rows);
    append_integer(&row, (int64_t)facts.bytes);
    append_integer(&row, (int64_t)facts.memory_bytes);
    append_integer(&row, (int64_t)facts.disk_bytes);
    append_integer(&row, (int64_t)facts.readers);
    append_integer(&row, facts.transient);
    append_integer(&row, facts.read_to_end);
    builder_append_double(next_column(&row), (double)facts.ttl_ms / 1000);
    append_time(&row, facts.created_us);
    append_time(&row, facts.expires_us);
}

static void append_metric(void *context, struct str name, const char *kind, struct str labels,
                          double value)
{
    struct row row = row_begin(context);
    append_text(&row, name);
    append_text(&row, str_of(kind));
    append_text(&row, labels);
    builder_append_double(next_column(&row), value);
}

/* --- snapshots ------------------------------------------------------------------------------- */

static enum status queries_snapshot(void *context, struct arrow_batch **out_batch,
                                    struct error *error)
{
    struct system_tables *tables = context;
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder =
        batch_builder_create(tables->query_schema, NULL, &snapshot_limits);
    struct queries *queries = atomic_load(&tables->queries);
    if (queries)
        queries_visit(queries, append_query, builder);
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}

static enum status datasets_snapshot(void *context, struct arrow_batch **out_batch,
                                     struct error *error)
{
    struct system_tables *tables = context;
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder =
        batch_builder_create(tables->dataset_schema, NULL, &snapshot_limits);
    struct store *store = atomic_load(&tables->store);
    if (store)
        store_visit(store, append_dataset, builder);
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}

static enum status metrics_snapshot(void *context, struct arrow_batch **out_batch,
                                    struct error *error)
{
    struct system_tables *tables = context;
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder =
        batch_builder_create(tables->metric_schema, NULL, &snapshot_limits);
    struct metrics *metrics = atomic_load(&tables->metrics);
    if (metrics)
        metrics_visit(metrics, append_metric, builder);
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}

struct engine_table system_tables_queries(struct system_tables *tables)
{
    return (struct engine_table){.name = "queries",
                                 .schema = arrow_schema_ref(tables->query_schema),
                                 .snapshot = queries_snapshot,
                                 .context = tables};
}

struct engine_table system_tables_datasets(struct system_tables *tables)
{
    return (struct engine_table){.name = "datasets",
                                 .schema = arrow_schema_ref(tables->dataset_schema),
                                 .snapshot = datasets_snapshot,
                                 .context = tables};
}

struct engine_table system_tables_metrics(struct system_tables *tables)
{
    return (struct engine_table){.name = "metrics",
                                 .schema = arrow_schema_ref(tables->metric_schema),
                                 .snapshot = metrics_snapshot,
                                 .context = tables};
}
