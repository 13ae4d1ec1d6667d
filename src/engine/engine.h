/*
 * engine.h — one interface to run SQL into datasets, whatever engine is behind it.
 *
 * An engine opens sessions; a session prepares statements; a statement is run once into a dataset.
 * Batches come back through the dataset only, and control goes through these few functions: nothing
 * here assumes that the engine shares our process. duckdb/ is the implementation.
 *
 * Threads: engine_prepare and statement_run block and run on a worker or a query thread;
 * statement_interrupt and statement_progress run on any thread. A session may be used from any thread;
 * statements that need the session's own connection run one after the other.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrow/batch.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "store/store.h"

struct engine;
struct engine_session;
struct engine_statement;

/* What a statement does, decided when it is prepared. */
enum statement_kind {
    STATEMENT_QUERY,       /* returns rows and changes nothing; may be started late, never twice */
    STATEMENT_UPDATE,      /* INSERT, UPDATE, DELETE, MERGE, COPY .. FROM: a count */
    STATEMENT_RETURNING,   /* one of these with RETURNING: rows and an effect */
    STATEMENT_DEFINITION,  /* CREATE, DROP, ALTER, SET, USE, ...: no count (-1) */
    STATEMENT_TRANSACTION, /* BEGIN, COMMIT, ROLLBACK */
};
/* True when running the statement has an effect: it runs at once and exactly once. */
bool statement_kind_has_effect(enum statement_kind kind);
const char *statement_kind_name(enum statement_kind kind);

/* A table that Volley shows in SQL (catalog `volley`): a schema and a snapshot of its rows. */
struct engine_table {
    const char *name;            /* "queries" */
    struct arrow_schema *schema; /* owned by the giver, lives as long as the engine */
    enum status (*snapshot)(void *context, struct arrow_batch **out_batch, struct error *error);
    void *context;
};

/* A file of the command line that becomes a view named after it. */
struct engine_file {
    struct str path; /* Parquet, CSV (also .csv.gz, .tsv), JSON (.json, .ndjson, .jsonl) by name */
    struct str view; /* "" : the file's name without extensions, made an identifier */
    /* Of the store, that holds the file's rows; "": the engine reads the file. */
    struct str dataset;
};

/* True for an Arrow IPC file by name: the engine reads its rows from a dataset. */
bool engine_file_is_arrow(struct str path);

/* Who knows the results of jobs, for the table function job('<id>'). */
struct engine_job_results {
    /* The complete result of that job, one reference. Blocks; on any thread. */
    enum status (*find)(void *context, struct str job_id, struct dataset **out_dataset,
                        struct error *error);
    void *context;
};

struct engine_options {
    struct str database; /* a file or ":memory:" */
    bool read_only;
    size_t memory_bytes_max; /* the engine's own limit */
    unsigned threads;
    struct str temp_directory;       /* where the engine spills; "": nowhere */
    const struct str *allowed_paths; /* files and folders SQL may read */
    size_t allowed_path_count;
    struct str
        private_folder; /* that no statement may read, whatever allowed_paths say; "": none */
    struct str
        private_file; /* the same for one file and what lies beside it under its name; "": none */
    struct str attached; /* a file of the engine's that is seen, read-only, as the catalog
                                `registry`; "": none */
    const struct engine_file *files;
    size_t file_count;
    const struct str *allow_statements; /* gate rules switched off by the operator (gate.h);
                                           INVALID_ARGUMENT for one that does not exist */
    size_t allow_statement_count;
    uint64_t
        input_idle_ms; /* how long a statement waits for more of its client's rows; 0: for ever */
    size_t batch_rows_max;  /* 0: 16384..65536 as fits batch_bytes_max */
    size_t batch_bytes_max; /* body bytes of a batch; the message must stay below 2 MiB */
    const struct engine_table *tables; /* of catalog `volley` */
    size_t table_count;
    struct store *store; /* whose datasets batch() reads; outlives the engine; NULL: none */
    struct engine_job_results job_results; /* `find` NULL: there are no jobs */
    struct buffer_pool *pool;
    const char *const *setup; /* statements run before the lock-down (demo data), NULL-ended; may be
                                     NULL */
};

MUST_CHECK enum status engine_open(const struct engine_options *options, struct engine **out_engine,
                                   struct error *error);
/* No session may be left. */
void engine_close(struct engine *engine);
CLEANUP_FUNCTION(struct engine *, engine_close)
/* "duckdb" and its version ("v1.5.6"); `engine` may be NULL. */
const char *engine_name(const struct engine *engine);
const char *engine_version(const struct engine *engine);
/* The catalog that unqualified names live in: "memory", or the file's name ("volley_file" where that
 * would be a catalog of the server). */
struct str engine_catalog(const struct engine *engine);
/* STATUS_OK while the engine can work; after a fatal error UNAVAILABLE for ever. */
MUST_CHECK enum status engine_check(struct engine *engine, struct error *error);

/* --- sessions ----------------------------------------------------------------------------------- */

struct engine_session *engine_session_open(struct engine *engine);
struct engine_session *engine_session_ref(struct engine_session *session);
/* With the last reference an open transaction is rolled back. */
void engine_session_unref(struct engine_session *session);
CLEANUP_FUNCTION(struct engine_session *, engine_session_unref)
/* True while a transaction is open. */
bool engine_session_in_transaction(struct engine_session *session);
/* Rolls back the open transaction, whose client seems to have forgotten it; its next statement fails for
 * `reason`, until it sends ROLLBACK. False when there is none, or a statement uses it. */
bool engine_session_expire_transaction(struct engine_session *session, const struct error *reason);

/* What the statements of a session find set; SQL (USE, SET) sets the same. */
enum engine_session_setting { SESSION_CATALOG, SESSION_SCHEMA, SESSION_TIME_ZONE };
#define ENGINE_SESSION_SETTING_COUNT 3
/* What is set now, or the default; free() releases it. Never blocks. */
char *engine_session_value(struct engine_session *session, enum engine_session_setting setting);
/* Sets a value; empty: the default. A catalog comes with its schema `main`. INVALID_ARGUMENT for what there
 * is none of, FAILED_PRECONDITION while a statement runs on the session's connection. Blocks shortly. */
MUST_CHECK enum status engine_session_set(struct engine_session *session,
                                          enum engine_session_setting setting, struct str value,
                                          struct error *error);
/* Ends what the session has begun: its transaction is rolled back, its temporary objects and settings go.
 * False while a statement runs on its connection: they go with that. Blocks shortly. */
bool engine_session_close(struct engine_session *session);

/* --- statements --------------------------------------------------------------------------------- */

/* Which columns leave as dictionaries. */
enum engine_dictionaries {
    ENGINE_DICTIONARIES_AUTO, /* zone columns */
    ENGINE_DICTIONARIES_OFF,  /* none */
    ENGINE_DICTIONARIES_ON,   /* also ENUMs, and columns of text */
};
/* What the fields' metadata tell (ARROW:FLIGHT:SQL:...). */
enum engine_description {
    ENGINE_DESCRIBES_NOTHING,
    ENGINE_DESCRIBES_TYPES,   /* of any column: type, precision, scale */
    ENGINE_DESCRIBES_RESULTS, /* and what is true of a result's */
};

/* How a result leaves (design section 8). */
struct engine_result_options {
    size_t message_bytes_max; /* 0: the engine's batch_bytes_max */
    enum engine_dictionaries dictionaries;
    bool views; /* text and bytes as UTF8_VIEW and BINARY_VIEW */
    enum engine_description description;
    uint64_t row_limit; /* of the result; 0: none. A statement that only reads ends there */
    int timestamp_unit; /* enum arrow_unit + 1 for TIMESTAMPTZ columns; 0: the rule of section 7 */
    /* For tables whose schema a specification gives, 0 elsewhere. Bit i: column i is announced as one
     * without NULLs; so are the items of all lists. The statement must keep that. */
    uint64_t required_columns;
};

/* Checks `sql` (one statement; or several, run in order in one transaction unless the text has its own:
 * the last one's result counts) against the gate and prepares it. INVALID_ARGUMENT with position for
 * syntax and binding, NOT_FOUND for tables, ...: contracts section 6. The session is referenced by the
 * statement. */
MUST_CHECK enum status engine_prepare(struct engine_session *session, struct str sql,
                                      const struct engine_result_options *options,
                                      struct engine_statement **out_statement, struct error *error);
/* The same for a client's statement that also reads the private dataset of id `input` (store/name.h), which
 * no other statement of a client finds. */
MUST_CHECK enum status engine_prepare_over(struct engine_session *session, struct str sql,
                                           struct str input,
                                           const struct engine_result_options *options,
                                           struct engine_statement **out_statement,
                                           struct error *error);
/* The same for one statement of the server's own, a query, an INSERT or a COPY: the gate does not look at
 * it, so it may read and write the files of temp_directory, and it finds private datasets. Nothing of it may
 * be a client's text but quoted names and texts. */
MUST_CHECK enum status engine_prepare_own(struct engine_session *session, struct str sql,
                                          struct engine_statement **out_statement,
                                          struct error *error);
/* What the words of a text tell. */
struct engine_reading {
    bool is_read; /* it only reads */
    bool leaves_transaction;
};
/* Checks `sql` against the gate and has it parsed, without looking at what it names: the errors of
 * engine_prepare for the gate, limits and syntax. Keeps nothing. Blocks. */
MUST_CHECK enum status engine_parse(struct engine_session *session, struct str sql,
                                    const struct engine_result_options *options,
                                    struct engine_reading *out_reading, struct error *error);
/* Appends text in quotes, single or double; the same inside is doubled. */
void engine_append_quoted(struct buf *sql, struct str text, char quote);
void engine_statement_destroy(struct engine_statement *statement);
CLEANUP_FUNCTION(struct engine_statement *, engine_statement_destroy)

enum statement_kind engine_statement_kind(const struct engine_statement *statement);
/* Whether it was prepared with these. */
bool engine_statement_has_options(const struct engine_statement *statement,
                                  const struct engine_result_options *options);
/* The schema of its rows (0 fields for UPDATE without rows, DEFINITION, TRANSACTION); the same object
 * that the batches of its dataset carry. Not a new reference. */
struct arrow_schema *engine_statement_schema(const struct engine_statement *statement);
size_t engine_statement_parameter_count(const struct engine_statement *statement);
/* True when nothing changed since the statement was prepared that could have changed its columns or
 * parameters. */
bool engine_statement_is_current(const struct engine_statement *statement);
/* A field per parameter, by number or by first appearance: its name or number, and its type as the engine
 * resolved it (Null: only a value tells). NULL when there are none. Not a new reference. */
struct arrow_schema *engine_statement_parameters(const struct engine_statement *statement);
/* Which column has the values of each parameter (as engine_statement_parameters tells them; NULL: none):
 * that of its name, where a name of a parameter is among the columns', else that of its place.
 * INVALID_ARGUMENT for another number of columns, or where some names are missing. */
MUST_CHECK enum status engine_parameters_match(const struct arrow_schema *parameters,
                                               const struct arrow_schema *columns,
                                               size_t *out_columns, struct error *error);
/* Gives the parameters their values: the statement runs once for each row of the batches (of `schema`,
 * references are taken), in one transaction; rows of results come one after the other, counts are added.
 * May change the schema of the result. Errors of engine_parameters_match; INVALID_ARGUMENT for a type that
 * the engine does not have. Blocks; before the run, and again for other values. */
MUST_CHECK enum status engine_statement_bind(struct engine_statement *statement,
                                             struct arrow_schema *schema,
                                             struct arrow_batch *const *batches, size_t count,
                                             struct error *error);

/* True when its text begins a transaction and does not end it. */
bool engine_statement_leaves_transaction(const struct engine_statement *statement);

/* True while its columns are not known because statements of its text that stand before the last one have
 * to run first (a definition, BEGIN, the values of a PIVOT). Its schema then has no fields. */
bool engine_statement_is_late(const struct engine_statement *statement);
/* Begins the run of a late one: runs what stands before its last statement and prepares that, after which
 * the schema is known. engine_statement_run goes on from there, and has to be called after a success.
 * Blocks; may be stopped like a run. */
MUST_CHECK enum status engine_statement_advance(struct engine_statement *statement,
                                                struct error *error);

/* Runs the statement (all of its text: if one fails nothing of it remains), appending batches to
 * `dataset` (made with the statement's schema; NULL: rows are counted and dropped) until it ends, fails
 * or is interrupted; does not complete or fail the dataset. *out_rows: rows changed for UPDATE and
 * RETURNING, -1 for DEFINITION and TRANSACTION, rows returned for QUERY. CANCELLED when interrupted.
 * Blocks; call once, unless the statement may run again (it is QUERY or UPDATE and the previous run
 * ended). */
MUST_CHECK enum status engine_statement_run(struct engine_statement *statement,
                                            struct dataset *dataset, int64_t *out_rows,
                                            struct error *error);
/* Stops a run, also one that has not quite started; idempotent; any thread, never blocks. Give it
 * again every few milliseconds until the run returned: the engine may miss one. */
void engine_statement_interrupt(struct engine_statement *statement);
/* 0..1, or -1 when unknown. */
double engine_statement_progress(struct engine_statement *statement);
