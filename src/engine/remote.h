/*
 * remote.h — an engine that is another server: what a query needs of it, whoever speaks its protocol.
 *
 * The embedded engine prepares statements and knows their columns before they run (engine.h). One behind the
 * network is told the text when it runs, and its columns come with the first bytes of its answer: its queries
 * are late (query_schema_is_known). clickhouse/ is an implementation.
 *
 * Threads: `check` and `interrupt` on any, never blocking; `prepare` looks at the text alone; `run` blocks on
 * a query thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/engine.h"

struct remote_engine;
struct remote_statement;

/* A value that a statement of the server's own names as a parameter. */
struct remote_parameter {
    struct str name;
    struct str value;
};

struct remote_spec {
    struct str id; /* of the query, by which the server knows it too */
    struct str sql;
    const struct engine_result_options *result;
    uint64_t timeout_ms;                       /* of the run; 0: none */
    const struct remote_parameter *parameters; /* copied */
    size_t parameter_count;
};

/* Where a run leaves what it has. */
struct remote_sink {
    struct dataset *dataset; /* NULL: rows are counted and dropped */
    /* The columns are known; once, before the first batch. CANCELLED when nobody waits any more. */
    enum status (*tell_schema)(void *context, struct arrow_schema *schema, struct error *error);
    void *context;
};

struct remote_engine_methods {
    /* STATUS_OK while the server answered last; else UNAVAILABLE, code ENGINE_UNAVAILABLE, and why. */
    enum status (*check)(struct remote_engine *engine, struct error *error);
    /* What the statement does, as far as its words tell, and whether it is one that can be sent. */
    enum status (*read)(struct remote_engine *engine, struct str sql,
                        const struct engine_result_options *options, enum statement_kind *out_kind,
                        struct error *error);
    enum status (*prepare)(struct remote_engine *engine, const struct remote_spec *spec,
                           struct remote_statement **out_statement, struct error *error);
};
struct remote_engine {
    const char *name; /* "clickhouse" */
    const struct remote_engine_methods *methods;
};

struct remote_statement_methods {
    /* As engine_statement_run; once. */
    enum status (*run)(struct remote_statement *statement, const struct remote_sink *sink,
                       int64_t *out_rows, struct error *error);
    /* As engine_statement_interrupt. */
    void (*interrupt)(struct remote_statement *statement);
    void (*destroy)(struct remote_statement *statement);
};
struct remote_statement {
    const struct remote_statement_methods *methods;
    enum statement_kind kind;
};

/* NULL is allowed. */
static inline void remote_statement_destroy(struct remote_statement *statement)
{
    if (statement)
        statement->methods->destroy(statement);
}
CLEANUP_FUNCTION(struct remote_statement *, remote_statement_destroy)
