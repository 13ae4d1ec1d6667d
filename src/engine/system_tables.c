/*
 * system_tables.c — the server's state as SQL tables: one row per query, per dataset, per metric.
 *
 * Each table is a list of columns and a function that appends one row (table_rows.h). A snapshot
 * visits what there is and seals one batch; it sees each object as it is at that moment, not all of
 * them at the same one.
 *
 * Threads: snapshots on the engine's threads, any number at once. Owns: the schemas.
 * Leaves out: sessions and settings, which belong to others. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/system_tables.h"

#include "base/memory.h"
#include "engine/table_rows.h"
#include "store/name.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

/* A snapshot is one batch: as many rows as the tables may have, and their texts. */
static const struct builder_limits snapshot_limits = {.rows_max = 1 << 20,
                                                      .bytes_max = (size_t)1 << 30};

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

struct system_tables *system_tables_create(void)
{
    struct system_tables *tables = NEW(struct system_tables);
    tables->query_schema = table_schema_create(query_columns, ARRAY_COUNT(query_columns));
    tables->dataset_schema = table_schema_create(dataset_columns, ARRAY_COUNT(dataset_columns));
    tables->metric_schema = table_schema_create(metric_columns, ARRAY_COUNT(metric_columns));
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

static void append_query(void *context, struct query *query)
{
    struct query_facts facts;
    query_facts(query, &facts);
    char fingerprint[17];
    (void)snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, facts.fingerprint);
    struct table_row row = {.builder = context};
    table_row_text(&row, str_of(facts.id));
    table_row_text(&row, str_of(query_state_name(facts.state)));
    table_row_text(&row, str_of(statement_kind_name(facts.kind)));
    table_row_text(&row, str_of(facts.door));
    table_row_text(&row, facts.sql);
    table_row_text(&row, facts.request_id);
    table_row_text(&row, facts.peer);
    table_row_text(&row, str_of(fingerprint));
    table_row_integer_or_null(&row, facts.created_us);
    table_row_integer_or_null(&row, facts.started_us);
    table_row_integer_or_null(&row, facts.ended_us);
    table_row_progress(&row, facts.progress);
    table_row_integer(&row, facts.rows);
    table_row_integer(&row, (int64_t)facts.bytes);
    table_row_text_or_null(&row, facts.error);
}

static void append_dataset(void *context, struct dataset *dataset)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (dataset_id_is_private(facts.id))
        return;
    struct table_row row = {.builder = context};
    table_row_text(&row, facts.id);
    table_row_text_or_null(&row, facts.path);
    table_row_text(&row, facts.is_kept ? STR("kept") : STR("result"));
    table_row_text_or_null(&row, facts.owner);
    table_row_text(&row, str_of(dataset_state_name(facts.state)));
    table_row_text_or_null(&row, facts.is_kept ? str_of(dataset_durability_name(facts.durability))
                                               : STR_EMPTY);
    table_row_integer(&row, (int64_t)facts.batches);
    table_row_integer(&row, facts.rows);
    table_row_integer(&row, (int64_t)facts.bytes);
    table_row_integer(&row, (int64_t)facts.memory_bytes);
    table_row_integer(&row, (int64_t)facts.disk_bytes);
    table_row_integer(&row, (int64_t)facts.readers);
    table_row_integer(&row, facts.transient);
    table_row_integer(&row, facts.read_to_end);
    table_row_double(&row, (double)facts.ttl_ms / 1000);
    table_row_integer_or_null(&row, facts.created_us);
    table_row_integer_or_null(&row, facts.expires_us);
}

static void append_metric(void *context, struct str name, const char *kind, struct str labels,
                          double value)
{
    struct table_row row = {.builder = context};
    table_row_text(&row, name);
    table_row_text(&row, str_of(kind));
    table_row_text(&row, labels);
    table_row_double(&row, value);
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
