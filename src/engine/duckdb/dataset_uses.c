/*
 * dataset_uses.c — finding the datasets that statements read, and knowing whether they still fit.
 *
 * A prepared statement is good for the columns that its datasets had; which rows they hold is looked up
 * when it runs, once for all of its scans: they start one after the other, and what is put meanwhile must
 * not be seen by some of them only.
 *
 * Any thread; a list belongs to its statement. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/dataset_find.h"
#include "engine/duckdb/state.h"
#include "store/name.h"

/* How often a dataset may be replaced between two steps of ours. */
#define OPEN_ATTEMPTS_MAX 100

void dataset_uses_add(struct dataset_uses *uses, struct str name, struct arrow_schema *schema)
{
    uses->items = memory_resize(uses->items, uses->count + 1, sizeof(*uses->items));
    uses->items[uses->count++] = (struct dataset_use){
        .name = str_copy(name),
        .schema = arrow_schema_ref(schema),
    };
}

void dataset_uses_clear(struct dataset_uses *uses)
{
    for (size_t i = 0; i < uses->count; i++) {
        free(uses->items[i].name);
        arrow_schema_unref(uses->items[i].schema);
    }
    free(uses->items);
    uses->items = NULL;
    uses->count = 0;
}

static bool may_read_private(struct connection *connection, struct str id)
{
    LOCKED(&connection->locked.lock);
    const struct dataset_uses *uses =
        connection->uses ? connection->uses : connection->locked.reads;
    return uses && (uses->reads_private || str_equal(uses->input, id));
}

enum status dataset_check_private(struct engine *engine, struct connection *connection,
                                  struct dataset *dataset, struct error *error)
{
    struct str id = dataset_id(dataset);
    if (!dataset_id_is_private(id) || (connection && may_read_private(connection, id)))
        return STATUS_OK;
    return dataset_refuse_unknown(engine->store, id, error);
}

static enum status find_result(struct engine *engine, struct str job_id,
                               struct dataset **out_dataset, struct error *error)
{
    if (!engine->job_results.find)
        return error_set_code(error, STATUS_NOT_FOUND, "JOB_NOT_FOUND", "there are no jobs here");
    return engine->job_results.find(engine->job_results.context, job_id, out_dataset, error);
}

/* By id, path or the name of a job's result. */
static enum status find_named(struct engine *engine, struct str name, struct dataset **out_dataset,
                              struct error *error)
{
    if (name.len > 0 && name.ptr[0] == JOB_NAME_MARK)
        return find_result(engine, str_slice(name, 1, name.len), out_dataset, error);
    if (!engine->store || store_find_name(engine->store, name, out_dataset, NULL) != STATUS_OK)
        return dataset_refuse_unknown(engine->store, name, error);
    return STATUS_OK;
}

static bool use_is_current(const struct dataset_use *use, struct engine *engine)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (find_named(engine, str_of(use->name), &dataset, NULL) != STATUS_OK)
        return false;
    const struct arrow_schema *schema = dataset_schema(dataset);
    return schema == use->schema || arrow_schema_equal(schema, use->schema);
}

bool dataset_uses_are_current(const struct dataset_uses *uses, struct engine *engine)
{
    for (size_t i = 0; i < uses->count; i++)
        if (!use_is_current(&uses->items[i], engine))
            return false;
    return true;
}

/* What a client sends while a statement reads it: open, and known to that statement alone. */
static bool is_input(const struct dataset_facts *facts)
{
    return facts->state == DATASET_OPEN && facts->is_kept && dataset_id_is_private(facts->id);
}

/* How much of it there is to read; of an input nobody knows. */
static void use_measure(struct dataset_use *use)
{
    struct dataset_facts facts;
    dataset_facts(use->dataset, &facts);
    use->is_growing = facts.state == DATASET_OPEN;
    use->is_passing = facts.is_kept && facts.transient;
    use->batches = use->is_growing ? SIZE_MAX : facts.batches;
    use->rows = use->is_growing ? INPUT_ROWS_GUESS : facts.rows;
}

enum status dataset_find_readable(struct engine *engine, struct str name,
                                  struct dataset **out_dataset, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_facts facts;
    TRY(find_named(engine, name, &dataset, error));
    dataset_facts(dataset, &facts);
    if (facts.state != DATASET_COMPLETE && !is_input(&facts))
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "dataset '%.*s' is %s: SQL reads complete ones only", STR_ARGS(name),
                         dataset_state_name(facts.state));
    *out_dataset = STEAL(dataset);
    return STATUS_OK;
}

/* --- one run ------------------------------------------------------------------------------------ */

/* A reader keeps the batches, a reference does not: where another dataset took the name over before the
 * reader was there, that one is meant. */
static enum status use_open(struct dataset_use *use, struct engine *engine, struct str name,
                            struct error *error)
{
    for (unsigned attempt = 1;; attempt++) {
        CLEANUP(dataset_unref) struct dataset *dataset = NULL;
        TRY(dataset_find_readable(engine, name, &dataset, error));
        enum status status = dataset_reader_open(dataset, 0, NULL, NULL, &use->reader, error);
        if (status == STATUS_OK) {
            use->dataset = STEAL(dataset);
            use_measure(use);
            return STATUS_OK;
        }
        if (attempt == OPEN_ATTEMPTS_MAX)
            return status;
    }
}

static bool is_named_before(const struct dataset_uses *uses, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(uses->items[i].name, uses->items[index].name) == 0)
            return true;
    return false;
}

void dataset_uses_pin(struct dataset_uses *uses, struct connection *connection)
{
    /* One that cannot be read is left for its scan to tell. One reader for each dataset: a second one, which
     * nobody reads from, would hold what passes. */
    for (size_t i = 0; i < uses->count; i++)
        if (!is_named_before(uses, i))
            (void)use_open(&uses->items[i], connection->engine, str_of(uses->items[i].name), NULL);
    LOCKED(&connection->locked.lock);
    connection->locked.reads = uses;
}

void dataset_uses_unpin(struct dataset_uses *uses, struct connection *connection)
{
    lock_take(&connection->locked.lock);
    connection->locked.reads = NULL;
    lock_give(&connection->locked.lock);
    for (size_t i = 0; i < uses->count; i++) {
        dataset_reader_close(STEAL(uses->items[i].reader));
        dataset_unref(STEAL(uses->items[i].dataset));
    }
}

/* The first of a name counts, however often it was read. Of one that passes its reader is handed over too. */
static bool use_find_pinned(struct connection *connection, struct str name,
                            struct dataset_use *out_use)
{
    LOCKED(&connection->locked.lock);
    struct dataset_uses *uses = connection->locked.reads;
    for (size_t i = 0; uses && i < uses->count; i++) {
        if (!uses->items[i].dataset || !str_equal(str_of(uses->items[i].name), name))
            continue;
        *out_use = uses->items[i];
        dataset_ref(out_use->dataset);
        if (out_use->is_passing)
            uses->items[i].reader = NULL;
        return true;
    }
    return false;
}

enum status dataset_use_open(struct engine *engine, struct connection *connection, struct str name,
                             struct dataset_use *out_use, struct error *error)
{
    *out_use = (struct dataset_use){0};
    if (!connection || !use_find_pinned(connection, name, out_use)) {
        TRY(use_open(out_use, engine, name, error));
    } else {
        CLEANUP(dataset_unref) struct dataset *dataset = STEAL(out_use->dataset);
        if (!out_use->is_passing)
            TRY(dataset_reader_open(dataset, 0, NULL, NULL, &out_use->reader, error));
        if (!out_use->reader)
            return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                                  "the statement reads twice what is sent to it once");
        out_use->dataset = STEAL(dataset);
    }
    dataset_reader_end_at(out_use->reader, out_use->batches);
    return STATUS_OK;
}

struct str dataset_path_of(void *engine, struct arena *arena, struct str path, bool is_exact)
{
    return dataset_find_path(arena, ((struct engine *)engine)->store, path, is_exact);
}
