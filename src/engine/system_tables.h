/*
 * system_tables.h — volley.queries, volley.datasets, volley.metrics: the server's state as SQL tables.
 *
 * The engine is opened with these tables before there are queries to show: until
 * system_tables_connect they are empty. Snapshots are taken on the engine's threads.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/metric.h"
#include "engine/engine.h"
#include "engine/query.h"
#include "store/store.h"

struct system_tables;

struct system_tables *system_tables_create(void);
/* After engine_close. */
void system_tables_destroy(struct system_tables *tables);
CLEANUP_FUNCTION(struct system_tables *, system_tables_destroy)

/* Tells where the rows come from; once, from any thread. These outlive the last snapshot, or are
 * disconnected with NULL before they go. */
void system_tables_connect(struct system_tables *tables, struct queries *queries,
                           struct store *store, struct metrics *metrics);

/* For engine_options; the caller owns the schema reference in each. */
struct engine_table system_tables_queries(struct system_tables *tables);
struct engine_table system_tables_datasets(struct system_tables *tables);
struct engine_table system_tables_metrics(struct system_tables *tables);
