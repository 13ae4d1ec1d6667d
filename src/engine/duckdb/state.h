/*
 * state.h — the structs behind engine.h and what the files of engine/duckdb ask of one another.
 *
 * Lock order: none is ever held together with another. Private to engine/duckdb.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <duckdb.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/dataset_names.h"
#include "engine/duckdb/file_gate.h"
#include "engine/duckdb/parameters.h"
#include "engine/duckdb/task_threads.h"
#include "engine/duckdb/type.h"
#include "engine/duckdb/write_versions.h"
#include "engine/engine.h"
#include "event/lock.h"

/* --- engine (database.c) ------------------------------------------------------------------------ */

/* Unused connections kept for the next statement; connecting costs little, its search path more. */
#define CONNECTIONS_IDLE_MAX 32
/* Connections at once: sessions with state and statements that wait to be run hold one each. */
#define CONNECTIONS_MAX 100000

struct engine {
    duckdb_database database;
    struct task_threads *task_threads; /* NULL: none */
    struct arena arena;                /* texts that live as long as the engine */
    struct str catalog;
    struct str *allowed_rules;
    size_t allowed_rule_count;
    size_t batch_rows_max;
    uint64_t input_idle_ms; /* 0: for ever */
    size_t batch_bytes_max;
    struct buffer_pool *pool;
    struct store *store; /* what batch() reads; NULL: nothing */
    struct engine_job_results job_results;
    struct engine_table *tables;
    size_t table_count;
    struct time_zones zones;
    struct file_gate files;
    const char *connection_setup; /* statement that every new connection runs first; NULL: none */
    const char *search_path_tail; /* what every search path must end with */
    atomic_bool is_broken;        /* after a fatal error, for ever */
    /* Grows before and after everything that may change data or catalog: plans made at another epoch
     * are not run. */
    atomic_uint_fast64_t write_epoch;
    struct write_versions versions; /* the same by what was changed */
    struct catalog_facts_cache *catalog_facts;
    struct {
        struct lock lock;
        struct list idle; /* connection.link; last used first */
        size_t idle_count;
        struct list cached; /* engine_statement.cache_link; last used first */
        size_t cached_count;
        struct map connections; /* the engine's number of a connection -> connection */
        size_t connection_count;
    } locked;
};

bool database_is_in_memory(struct str database);

/* --- set-up (file_views.c) ---------------------------------------------------------------------- */

/* Runs a statement of ours on the connection that sets the engine up. */
MUST_CHECK enum status setup_execute(struct engine *engine, duckdb_connection connection,
                                     const char *sql, struct error *error);
MUST_CHECK enum status setup_execute_buf(struct engine *engine, duckdb_connection connection,
                                         const struct buf *sql, struct error *error);
/* Appends text in quotes, single or double; the same inside is doubled. */
void buf_append_quoted(struct buf *sql, struct str text, char quote);
MUST_CHECK enum status file_view_make(struct engine *engine, duckdb_connection connection,
                                      const struct engine_file *file, bool in_memory,
                                      struct error *error);

/* The time zone of every session until it sets its own: never the machine's, which is the engine's
 * default. */
#define TIME_ZONE_DEFAULT "UTC"

/* --- connections (connection.c) ----------------------------------------------------------------- */

struct result_writer;

/* One DuckDB connection: held by the statement prepared on it, or by the session pinned to it. */
struct connection {
    struct list link; /* engine->locked.idle */
    atomic_int references;
    struct engine *engine;
    duckdb_connection handle;
    uint64_t number;              /* the engine's own, by which a COPY finds its writer */
    atomic_bool is_tainted;       /* has state of a session: closed instead of kept */
    atomic_bool is_spent;         /* has types of a PIVOT: closed when nobody needs it any more */
    bool is_direct;               /* the optimizer is off */
    struct result_writer *writer; /* of the COPY that runs; set by who has entered */
    atomic_bool is_interrupted;   /* the statement that runs shall stop: what waits looks at it */
    atomic_uint_fast64_t chunks;  /* grows while the running statement makes progress */
    struct dataset_uses *uses;    /* of the statement that is prepared; set by who has entered */
    struct write_set *writes;     /* since the last BEGIN; used by who has entered; NULL: none */
    struct {
        struct lock lock;
        struct condition left;
        bool is_entered;
        struct dataset_uses *reads; /* of the statement that runs; NULL: none */
        struct error cause;         /* that a function of ours gave the engine; STATUS_OK: none */
    } locked;
};

MUST_CHECK enum status connection_take(struct engine *engine, bool is_direct,
                                       struct connection **out_connection, struct error *error);
struct connection *connection_ref(struct connection *connection);
void connection_unref(struct connection *connection);
CLEANUP_FUNCTION(struct connection *, connection_unref)
/* Waits until nobody else uses the connection. FAILED_PRECONDITION when its statement makes no progress
 * because nobody reads its result; CANCELLED when *interrupted becomes true; with `interrupted` NULL
 * the wait is short. */
MUST_CHECK enum status connection_enter(struct connection *connection,
                                        const atomic_bool *interrupted, struct error *error);
/* Waits until then at most (0: not at all); true when the connection was entered. */
bool connection_try_enter(struct connection *connection, uint64_t deadline_ns);
void connection_leave(struct connection *connection);
void connection_leave_if(struct connection **connection);
/* Closes the idle connections. */
void connections_close_idle(struct engine *engine);
struct connection *connection_find(struct engine *engine, uint64_t number);

/* Keeps the error of a function of ours as it is: the engine only passes its text on. The first one counts;
 * `connection` may be NULL. */
void connection_note_cause(struct connection *connection, const struct error *cause);
/* Takes the cause if `message`, the engine's error, is about it. */
bool connection_take_cause(struct connection *connection, const char *message,
                           struct error *out_cause);

/* The engine copies the list of what it measures for every operator of every statement, measured or not,
 * which is a tenth of what a small one costs: it is empty but for EXPLAIN ANALYZE. */
#define METRICS_NONE "SET custom_profiling_settings='{}'; PRAGMA disable_profiling"
#define METRICS_ALL "RESET custom_profiling_settings"

/* Runs statements of our own, for their effect; the error is DuckDB's. */
MUST_CHECK enum status connection_execute(struct connection *connection, const char *sql,
                                          struct error *error);

/* --- sessions (session.c) ----------------------------------------------------------------------- */

struct engine_session {
    atomic_int references;
    struct engine *engine;
    atomic_bool in_transaction;
    struct {
        struct lock lock;
        struct connection *pinned; /* NULL: every statement takes a connection of its own */
        bool has_state;            /* temporary objects or settings: pinned for good */
        bool is_claimed;           /* pinned at least as long as the statement on it runs */
        bool is_expired;           /* the open transaction is an empty one */
        struct error
            *failure; /* why the open transaction can only be rolled back; NULL: it need not */
        char *values[ENGINE_SESSION_SETTING_COUNT]; /* NULL: the default */
    } locked;
};

/* The connection of the next statement, one reference: the pinned one or another, which is direct where
 * that is asked for. */
MUST_CHECK enum status session_connection(struct engine_session *session, bool is_direct,
                                          struct connection **out_connection, struct error *error);
/* The pinned connection, one reference; NULL: none. */
struct connection *session_pinned(struct engine_session *session);
/* `connection` now has this session's state (or an open transaction). */
void session_pin(struct engine_session *session, struct connection *connection, bool has_state);
void session_begin(struct engine_session *session, struct connection *connection);
/* The transaction on that connection is over. */
void session_end_transaction(struct engine_session *session, struct connection *connection);
/* For who entered the connection: false when the session has another one meanwhile. Who claims it keeps it
 * the session's until session_release, so that of statements which begin or end a transaction or leave state
 * behind one runs after the other, however many come at once. */
bool session_admit(struct engine_session *session, struct connection *connection, bool claims);
void session_release(struct engine_session *session, struct connection *connection);
/* The open transaction can only be rolled back from now on; the first failure counts. */
void session_fail_transaction(struct engine_session *session, const struct error *failure);
/* FAILED_PRECONDITION, or ABORTED where running it again is likely to help, when that is so; worded for a
 * COMMIT or for any other statement. */
MUST_CHECK enum status session_check_transaction(struct engine_session *session, bool is_commit,
                                                 struct error *error);
/* Keeps what the session's connection has set now; the connection is entered (session_settings.c). */
void session_note_settings(struct engine_session *session, struct connection *connection);
/* A search path that a client set still has to find the server's types; one that leads into the server's
 * catalog is refused and reset (search_path.c). */
MUST_CHECK enum status connection_mend_path(struct connection *connection, struct error *error);

/* --- statements (statement.c, parts.c) ---------------------------------------------------------- */

/* What the first words of a statement say about it. */
enum part_class {
    PART_QUERY,
    PART_CHANGE,     /* INSERT, UPDATE, DELETE, MERGE, COPY .. FROM, EXPLAIN ANALYZE of these */
    PART_DEFINITION, /* CREATE, DROP, ALTER, SET, USE, ... */
    PART_BEGIN,
    PART_END, /* COMMIT, ROLLBACK */
};

/* One statement of a text. */
struct part {
    struct str text;   /* without the final ';' */
    struct str source; /* the same from the ';' before it on: what the engine counts lines in */
    enum part_class class;
    bool makes_state;   /* temporary object, setting, variable: pins the session */
    bool sets_path;     /* USE, SET search_path */
    bool sets_zone;     /* SET TimeZone, SET TIME ZONE */
    bool resets_zone;   /* TimeZone becomes the default again */
    bool is_small;      /* the result has few rows, by the look of the statement */
    bool has_returning; /* or is an EXPLAIN: it gives rows */
    bool is_measured;   /* EXPLAIN ANALYZE */
    bool is_commit;
    bool is_plain; /* INSERT of values: there is nothing to optimize */
    int64_t limit; /* of a LIMIT at its end; -1: none */
};

/* One statement that the engine runs. A part is one, except a PIVOT that has to find its values: types that
 * hold them come first. */
struct step {
    struct part *part;
    size_t index; /* among the extracted statements */
    bool is_last; /* of its part */
};

#define PARTS_MAX 1000

struct parts {
    struct part *items; /* in the arena */
    size_t count;
};
/* Splits and classifies; also refuses what the words alone show to be forbidden: COPY .. TO, settings
 * that are not a session's own, and changes to the catalogs of the server. */
MUST_CHECK enum status parts_make(struct engine *engine, struct str sql, struct arena *arena,
                                  struct parts *out_parts, struct error *error);

/* --- datasets that statements read (dataset_uses.c) --------------------------------------------- */

struct dataset_use {
    char *name; /* id or path, or JOB_NAME_MARK and a job's id */
    struct arrow_schema *schema;
    struct dataset *dataset; /* while the statement runs: what it reads, a reference; else NULL */
    struct dataset_reader *reader; /* has it keep its batches */
    size_t batches;                /* of it, so many: what came later is for later statements */
    int64_t rows;
    bool
        is_growing; /* what a client sends while the statement runs: read until its sender ends it */
    bool is_passing; /* what was read is gone: one scan reads it, with the reader above */
};
/* So that a join goes through what is still coming and keeps the other side. */
#define INPUT_ROWS_GUESS INT64_C(10000000)

struct dataset_uses {
    struct dataset_use *items;
    size_t count;
    struct str input;   /* the private dataset that the statement may read; empty: none */
    bool reads_private; /* it may read any */
};
void dataset_uses_add(struct dataset_uses *uses, struct str name, struct arrow_schema *schema);
/* Forgets the datasets, not which private ones may be read. */
void dataset_uses_clear(struct dataset_uses *uses);
/* NOT_FOUND for a private dataset that is not for the statement that is prepared or runs on that connection
 * (NULL: none of ours). */
MUST_CHECK enum status dataset_check_private(struct engine *engine, struct connection *connection,
                                             struct dataset *dataset, struct error *error);
/* True when the datasets of these names have the columns that they had. */
bool dataset_uses_are_current(const struct dataset_uses *uses, struct engine *engine);
/* Has all scans of one run read the same: what the datasets hold now. */
void dataset_uses_pin(struct dataset_uses *uses, struct connection *connection);
void dataset_uses_unpin(struct dataset_uses *uses, struct connection *connection);
/* What a scan on that connection (NULL: none of ours) reads of a name: a reader of its own and one reference
 * to the dataset, for the caller. Errors of dataset_find_readable. */
MUST_CHECK enum status dataset_use_open(struct engine *engine, struct connection *connection,
                                        struct str name, struct dataset_use *out_use,
                                        struct error *error);
/* The dataset of an id or a path, one reference. NOT_FOUND; FAILED_PRECONDITION for one that is not
 * complete. */
MUST_CHECK enum status dataset_find_readable(struct engine *engine, struct str name,
                                             struct dataset **out_dataset, struct error *error);
/* dataset_find_path for dataset_names_replace; `engine` is a struct engine. */
struct str dataset_path_of(void *engine, struct arena *arena, struct str path, bool is_exact);

struct engine_statement {
    struct engine_session *session;
    struct connection *connection;
    struct arena arena;
    struct dataset_names names; /* names.source is what the client sent */
    struct str sql;             /* what the engine gets */
    struct parts parts;
    struct engine_result_options options;
    duckdb_extracted_statements extracted; /* one a part; of a PIVOT also the types it needs */
    size_t extracted_count;
    struct step *steps; /* of the text, in the arena; the last one's result counts */
    size_t step_count;
    duckdb_prepared_statement prepared; /* the last statement */
    bool is_deferred;                   /* that is prepared by the run, after those before it */
    bool is_late;                       /* and so its columns are not known yet */
    enum statement_kind kind;
    size_t parameter_count;
    struct statement_parameters parameters;
    bool has_bound_columns; /* the plan is right for the bound values' types alone */
    struct result_plan plan;
    bool owns_transaction; /* opened by us around several statements, still open */
    bool began;            /* the text opened one itself, still open */
    bool has_changed; /* a part of what it does was done, in a transaction that it may not end */
    bool is_own;      /* engine_prepare_own: not to be found in the cache */
    bool is_advanced; /* what stands before the last statement has run; the connection is entered */
    bool has_run;     /* to its end */
    uint64_t epoch;   /* of the engine when `prepared` was made */
    struct dataset_uses uses; /* by `prepared` */
    uint64_t sql_hash;        /* while in the cache */
    struct list cache_link;
    atomic_bool interrupted;
    struct {
        struct lock lock;
        struct connection *running; /* while engine_statement_run uses it */
    } locked;
};

/* The part that counts. */
static inline const struct part *statement_last_part(const struct engine_statement *statement)
{
    return &statement->parts.items[statement->parts.count - 1];
}
/* Refuses a type whose rule is not switched off (statement_kind.c). */
MUST_CHECK enum status statement_check_type(const struct engine *engine, duckdb_statement_type type,
                                            struct error *error);
/* What the whole text is, by the type of its last statement. */
enum statement_kind statement_kind_of(const struct engine_statement *statement,
                                      duckdb_statement_type type);
/* The same by its words, where the last statement cannot be prepared yet. */
enum statement_kind statement_kind_by_words(const struct engine_statement *statement);

/* --- what is extracted (statement_steps.c) ------------------------------------------------------ */

/* Puts before an error which statement of the text it is about, where there are several. */
enum status statement_number_error(const struct engine_statement *statement,
                                   const struct part *part, struct error *error);
/* The statement of a step, checked against the table of statement types. */
MUST_CHECK enum status statement_prepare_step(struct engine_statement *statement,
                                              const struct step *step,
                                              duckdb_prepared_statement *out_prepared,
                                              struct error *error);
/* Has the engine parse the text, and sorts out its steps. */
MUST_CHECK enum status statement_extract(struct engine_statement *statement, struct error *error);

/* --- preparing (statement_prepare.c) ------------------------------------------------------------ */

/* Extracts, and prepares what can be prepared; the connection is entered. */
MUST_CHECK enum status statement_prepare(struct engine_statement *statement, struct error *error);
/* Prepares the last statement again when its plan was made at another epoch; the connection is entered. */
MUST_CHECK enum status statement_refresh(struct engine_statement *statement, struct error *error);
/* Prepares the last statement of a deferred one, and makes its plan if that is not known. */
MUST_CHECK enum status statement_describe(struct engine_statement *statement, struct error *error);
/* Drops what statement_prepare made, except the plan. */
void statement_forget(struct engine_statement *statement);

/* --- life (statement.c) ------------------------------------------------------------------------- */

/* After a failure: moves the error to the client's text. */
void statement_complete_error(const struct engine_statement *statement, struct error *error);
/* Frees a statement; `session` may be NULL (one from the cache); NULL is allowed. */
void statement_free(struct engine_statement *statement);

/* --- statements kept prepared (statement_cache.c) ----------------------------------------------- */

/* A prepared statement of that text and these options (NULL: none), now of this session; or NULL. */
struct engine_statement *statement_cache_take(struct engine_session *session, struct str sql,
                                              const struct engine_result_options *options);
/* Whether there is one, which then only reads. */
bool statement_cache_has(struct engine *engine, struct str sql,
                         const struct engine_result_options *options);
/* Keeps the statement instead of its being freed; false: it is not worth it, or not safe. */
bool statement_cache_put(struct engine_statement *statement);
void statement_cache_clear(struct engine *engine);

/* --- results (writer.c) ------------------------------------------------------------------------- */

/* Chunks in, batches out into the dataset. */
struct result_writer {
    const struct result_plan *plan;
    struct batch_builder *builder;
    struct dictionary_encoder *encoder; /* of text columns; NULL: none */
    struct dataset *dataset;
    struct connection *connection;
    const atomic_bool *interrupted;
    size_t rows_max;
    size_t bytes_max;
    uint64_t first_row_ns; /* when the batch under construction got its first row */
    int64_t rows;
    uint64_t rows_left; /* of the option row-limit */
    size_t bytes;       /* bodies of the batches appended */
    enum status status; /* of the first failure, which `error` tells */
    struct error error;
};
void result_writer_init(struct result_writer *writer, struct engine_statement *statement,
                        struct dataset *dataset);
void result_writer_finish(struct result_writer *writer);
CLEANUP_IN_PLACE(struct result_writer, result_writer_finish)
/* Appends the rows of a flat chunk; blocks while the dataset is full. False after a failure. */
bool result_writer_add(struct result_writer *writer, duckdb_data_chunk chunk);
/* True once the option row-limit lets no more rows pass: those that come are dropped. */
static inline bool result_writer_is_sated(const struct result_writer *writer)
{
    return writer->rows_left == 0;
}
/* Appends what is left. */
bool result_writer_end(struct result_writer *writer);

/* --- running (run.c, run_copy.c, run_stream.c) -------------------------------------------------- */

/* One run of one prepared statement. */
struct run {
    struct engine_statement *statement;
    struct connection *connection;
    struct result_writer *writer; /* NULL: rows are dropped */
    int64_t changed;              /* rows of a count; -1: none */
    int64_t dropped;              /* rows that came without a writer */
    struct str text;              /* what the engine was given, for positions in errors */
    unsigned line_shift;          /* lines that we put before it */
    uint64_t started_ns;          /* of the engine's work for it */
    bool wants_threads;           /* it has the task threads serve */
};
/* Gives up a run that was begun by engine_statement_advance alone. */
void statement_abandon(struct engine_statement *statement);
/* DuckDB's message about this run as an error of ours. */
enum status run_error(const struct run *run, const char *message, struct error *error);

/* Where the engine's work for a run begins and ends: between them it gets the task threads once it has
 * lasted. */
void run_begin_work(struct run *run);
void run_end_work(struct run *run);
/* Drives a pending result to its end (or first rows), sleeping when there is nothing to do here. */
MUST_CHECK enum status run_pending(struct run *run, duckdb_pending_result pending,
                                   struct error *error);
MUST_CHECK enum status run_stream(struct run *run, duckdb_prepared_statement prepared,
                                  struct error *error);
/* True when the COPY route serves the statement and is likely to be the cheaper one. */
bool run_copy_is_better(const struct engine_statement *statement);
MUST_CHECK enum status run_copy(struct run *run, struct error *error);
/* Registers the COPY function; its name and path. */
#define COPY_FORMAT "volley_rows"
#define COPY_PATH "/dev/null/volley_rows"
MUST_CHECK enum status run_copy_register(struct engine *engine, duckdb_connection connection,
                                         struct error *error);

/* --- catalog `volley` (catalog.c, table_function.c) --------------------------------------------- */

#define CATALOG_NAME "volley"
/* On every search path; apart from `volley`, since a catalog on the path is only searched there. */
#define SHARED_CATALOG_NAME "volley_shared"
#define ZONE_TYPE_NAME "time_zone"
/* Takes the name of a system table. */
#define TABLE_FUNCTION "volley_table"
MUST_CHECK enum status table_function_register(struct engine *engine, duckdb_connection connection,
                                               struct error *error);
MUST_CHECK enum status catalog_make(struct engine *engine, duckdb_connection connection,
                                    struct error *error);

/* --- datasets in SQL (batch_function.c) --------------------------------------------------------- */

/* Takes the id or the path of a dataset. */
#define BATCH_FUNCTION "batch"
/* Takes the id of a job. */
#define JOB_FUNCTION "job"
/* Begins the name of a job's result where datasets have theirs; no path has such a byte. */
#define JOB_NAME_MARK '\x01'
/* Both functions. */
MUST_CHECK enum status batch_function_register(struct engine *engine, duckdb_connection connection,
                                               struct error *error);

/* --- errors (error.c) --------------------------------------------------------------------------- */

/* From DuckDB's text to ours. `sql` is what the client sent and `line_shift` the lines we put before it;
 * both only serve the position. */
enum status duckdb_error(struct engine *engine, const char *message, struct str sql,
                         unsigned line_shift, struct error *error);
/* error_name.c: where the name that the error is about stands, if it stands once in `sql`; else -1. */
int64_t duckdb_error_name_position(const struct error *error, struct str sql);
/* Adds what the client's text and the catalog tell: the place of a name, the nearest existing one, the
 * excerpt, line and column. The error's position is one in `sql`. */
void duckdb_error_complete(struct error *error, struct engine *engine, struct str sql);
