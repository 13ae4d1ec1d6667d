/*
 * fake_engine.c — see fake_engine.h. Threads: as engine.h says.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fake_engine.h"

#include "arrow/builder.h"
#include "base/memory.h"
#include "engine/gate.h"
#include "engine/sources.h"

struct engine_statement {
    struct engine *engine;
    enum statement_kind kind;
    enum status (*run)(struct engine_statement *statement, struct dataset *dataset,
                       int64_t *out_rows, struct error *error);
    int64_t number;
    bool is_late;
    int interrupts; /* guarded by the engine's lock */
};

struct engine *fake_engine_create(void)
{
    struct engine *engine = NEW(struct engine);
    engine->schema = arrow_schema_create(1);
    arrow_field_init(engine->schema, &engine->schema->fields[0], STR("n"), ARROW_INT);
    engine->schema->fields[0].bit_width = 64;
    engine->schema->fields[0].is_signed = true;
    arrow_schema_seal(engine->schema, NULL);
    engine->no_columns = arrow_schema_create(0);
    arrow_schema_seal(engine->no_columns, NULL);
    lock_init(&engine->lock);
    condition_init(&engine->changed);
    return engine;
}

void fake_engine_destroy(struct engine *engine)
{
    arrow_schema_unref(engine->schema);
    arrow_schema_unref(engine->no_columns);
    condition_finish(&engine->changed);
    lock_finish(&engine->lock);
    free(engine);
}

void fake_engine_release(struct engine *engine)
{
    LOCKED(&engine->lock);
    engine->is_released = true;
    condition_broadcast(&engine->changed);
}

struct engine_session *fake_session(struct engine *engine)
{
    return (struct engine_session *)engine;
}

/* --- what statements do ---------------------------------------------------------------------- */

static enum status interrupted(struct error *error)
{
    return error_set(error, STATUS_CANCELLED, "fake engine was interrupted");
}

static enum status run_rows(struct engine_statement *statement, struct dataset *dataset,
                            int64_t *out_rows, struct error *error)
{
    struct builder_limits limits = {.rows_max = 1000, .bytes_max = 1 << 20};
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(statement->engine->schema, NULL, &limits);
    for (int64_t i = 0; dataset && i < statement->number; i++) {
        builder_append_integer(batch_builder_column(builder, 0), i);
        TRY(dataset_append(dataset, batch_builder_seal(builder), error));
    }
    *out_rows = statement->number;
    return STATUS_OK;
}

static enum status run_update(struct engine_statement *statement, struct dataset *dataset,
                              int64_t *out_rows, struct error *error)
{
    atomic_fetch_add(&statement->engine->changes, 1);
    *out_rows = statement->number;
    return STATUS_OK;
}

static enum status run_fail(struct engine_statement *statement, struct dataset *dataset,
                            int64_t *out_rows, struct error *error)
{
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL", "fake failure");
}

/* Until it was interrupted `number` times. */
static enum status run_stubborn(struct engine_statement *statement, struct dataset *dataset,
                                int64_t *out_rows, struct error *error)
{
    struct engine *engine = statement->engine;
    LOCKED(&engine->lock);
    while (statement->interrupts < statement->number)
        condition_wait(&engine->changed, &engine->lock);
    return interrupted(error);
}

static enum status run_block(struct engine_statement *statement, struct dataset *dataset,
                             int64_t *out_rows, struct error *error)
{
    struct engine *engine = statement->engine;
    LOCKED(&engine->lock);
    while (!engine->is_released)
        condition_wait(&engine->changed, &engine->lock);
    *out_rows = 7;
    bool is_stopped = statement->interrupts > 0 && statement->kind == STATEMENT_QUERY;
    return is_stopped ? interrupted(error) : STATUS_OK;
}

static const struct {
    const char *word;
    enum statement_kind kind;
    enum status (*run)(struct engine_statement *statement, struct dataset *dataset,
                       int64_t *out_rows, struct error *error);
} fake_statements[] = {
    {"rows ", STATEMENT_QUERY, run_rows},          {"late rows ", STATEMENT_QUERY, run_rows},
    {"update ", STATEMENT_UPDATE, run_update},     {"fail", STATEMENT_QUERY, run_fail},
    {"compute", STATEMENT_QUERY, run_stubborn},    {"stubborn ", STATEMENT_QUERY, run_stubborn},
    {"block update", STATEMENT_UPDATE, run_block}, {"block", STATEMENT_QUERY, run_block},
};

/* --- engine.h -------------------------------------------------------------------------------- */

const char *engine_name(const struct engine *engine)
{
    return "fake";
}

bool statement_kind_has_effect(enum statement_kind kind)
{
    return kind != STATEMENT_QUERY;
}

const char *statement_kind_name(enum statement_kind kind)
{
    static const char *const names[] = {"query", "update", "returning", "definition",
                                        "transaction"};
    return names[kind];
}

uint64_t sql_fingerprint(struct str sql)
{
    return 42;
}

enum status engine_prepare(struct engine_session *session, struct str sql,
                           const struct engine_result_options *options,
                           struct engine_statement **out_statement, struct error *error)
{
    struct engine *engine = (struct engine *)session;
    for (size_t i = 0; i < ARRAY_COUNT(fake_statements); i++) {
        struct str word = str_of(fake_statements[i].word);
        if (!str_starts_with(sql, word))
            continue;
        struct engine_statement *statement = NEW(struct engine_statement);
        *statement = (struct engine_statement){.engine = engine,
                                               .kind = fake_statements[i].kind,
                                               .run = fake_statements[i].run,
                                               .number = 1};
        statement->is_late = str_starts_with(word, STR("late "));
        (void)str_to_i64(str_slice(sql, word.len, sql.len), &statement->number);
        atomic_fetch_add(&engine->statements, 1);
        *out_statement = statement;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID_ARGUMENT, "syntax error at or near \"%.*s\"",
                     STR_ARGS(sql));
}

enum status engine_parse(struct engine_session *session, struct str sql,
                         const struct engine_result_options *options,
                         struct engine_reading *out_reading, struct error *error)
{
    struct engine_statement *statement = NULL;
    TRY(engine_prepare(session, sql, options, &statement, error));
    *out_reading = (struct engine_reading){.is_read = statement->kind == STATEMENT_QUERY};
    engine_statement_destroy(statement);
    return STATUS_OK;
}

struct engine_session *engine_session_open(struct engine *engine)
{
    return fake_session(engine);
}

void engine_session_unref(struct engine_session *session)
{
}

enum status engine_session_set(struct engine_session *session, enum engine_session_setting setting,
                               struct str value, struct error *error)
{
    return STATUS_OK;
}

void engine_statement_destroy(struct engine_statement *statement)
{
    if (!statement)
        return;
    atomic_fetch_sub(&statement->engine->statements, 1);
    free(statement);
}

bool engine_statement_has_options(const struct engine_statement *statement,
                                  const struct engine_result_options *options)
{
    return true;
}

enum statement_kind engine_statement_kind(const struct engine_statement *statement)
{
    return statement->kind;
}

struct arrow_schema *engine_statement_schema(const struct engine_statement *statement)
{
    return statement->is_late ? statement->engine->no_columns : statement->engine->schema;
}

bool engine_statement_is_late(const struct engine_statement *statement)
{
    return statement->is_late;
}

enum status engine_statement_advance(struct engine_statement *statement, struct error *error)
{
    struct engine *engine = statement->engine;
    LOCKED(&engine->lock);
    while (!engine->is_released && statement->interrupts == 0)
        condition_wait(&engine->changed, &engine->lock);
    if (statement->interrupts > 0)
        return interrupted(error);
    statement->is_late = false;
    return STATUS_OK;
}

enum status engine_statement_run(struct engine_statement *statement, struct dataset *dataset,
                                 int64_t *out_rows, struct error *error)
{
    struct engine *engine = statement->engine;
    atomic_fetch_add(&engine->runs, 1);
    atomic_fetch_add(&engine->inside, 1);
    enum status status = statement->run(statement, dataset, out_rows, error);
    atomic_fetch_sub(&engine->inside, 1);
    return status;
}

void engine_statement_interrupt(struct engine_statement *statement)
{
    LOCKED(&statement->engine->lock);
    statement->interrupts++;
    condition_broadcast(&statement->engine->changed);
}

double engine_statement_progress(struct engine_statement *statement)
{
    return 0.5;
}

/* --- sources.h ------------------------------------------------------------------------------- */

struct engine_sources {
    struct engine *engine;
    int changes;
};

struct engine_sources *engine_sources_capture(struct engine *engine, struct str sql,
                                              const struct str *session, const char **out_reason)
{
    struct engine_sources *sources = NEW(struct engine_sources);
    *sources = (struct engine_sources){engine, atomic_load(&engine->changes)};
    return sources;
}

bool engine_sources_are_current(const struct engine_sources *sources)
{
    return sources->changes == atomic_load(&sources->engine->changes);
}

void engine_sources_destroy(struct engine_sources *sources)
{
    free(sources);
}
