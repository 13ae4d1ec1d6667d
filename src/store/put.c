/*
 * put.c — staged uploads, and how they become visible.
 *
 * A put collects its batches in a dataset that no table knows. Its commit either enters that dataset
 * under its name or moves the batches to the end of the present one: one step under the locks, after
 * the disk has what it is to have. Puts into one dataset commit one after the other (commit_lock), so
 * that memory and journal agree on the order. A new durable dataset is written to its journal as the
 * batches come; one that is appended to, at the commit.
 *
 * Lock order: commit_lock, then those of state.h. Runs on: threads that may block.
 * Owns: the staged dataset, a reference to the one appended to. SPDX-License-Identifier: Apache-2.0
 */
#include "store/put.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/state.h"

#include <assert.h>

struct put {
    struct store *store;
    enum put_mode mode;
    uint64_t ttl_ms; /* 0: not told */
    struct dataset *staged;
    struct dataset *target; /* NULL: the staged one becomes the dataset */
    size_t bytes;           /* bodies so far */
    bool is_committed;
    bool is_new;                           /* nothing had the name when it was committed */
    const struct put_condition *condition; /* NULL: none */
    char new_id[RANDOM_UUID_SIZE];
};

/* --- begin ------------------------------------------------------------------------------------- */

/* The dataset of that name that is not over, one reference, or NULL. */
static struct dataset *find_present(struct store *store, struct str id, struct str path)
{
    LOCKED(&store->locked.lock);
    struct dataset *present =
        path.len > 0 ? map_get(&store->locked.paths, path) : map_get(&store->locked.table, id);
    if (!present || store_is_expired(present, clock_now_ns()))
        return NULL;
    return dataset_ref(present);
}

static enum status refuse_type(const struct arrow_field *present, const struct arrow_field *given,
                               struct error *error)
{
    CLEANUP(buf_finish) struct buf present_type;
    CLEANUP(buf_finish) struct buf given_type;
    buf_init(&present_type, ERROR_MESSAGE_MAX);
    buf_init(&given_type, ERROR_MESSAGE_MAX);
    arrow_field_type_text(present, &present_type);
    arrow_field_type_text(given, &given_type);
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "field '%.*s' has type %.*s and nullable=%s in the dataset, but %.*s and "
                     "nullable=%s in what was put",
                     STR_ARGS(present->name), STR_ARGS(buf_str(&present_type)),
                     present->nullable ? "true" : "false", STR_ARGS(buf_str(&given_type)),
                     given->nullable ? "true" : "false");
}

static bool is_same_field(const struct arrow_field *a, const struct arrow_field *b)
{
    struct arrow_schema first = {.fields = (struct arrow_field *)a, .field_count = 1};
    struct arrow_schema second = {.fields = (struct arrow_field *)b, .field_count = 1};
    return arrow_schema_equal(&first, &second);
}

/* Dictionary columns refer to values that are part of the schema: other values, other meaning. */
static enum status check_schema(const struct arrow_schema *present,
                                const struct arrow_schema *given, struct error *error)
{
    size_t count = size_min(present->field_count, given->field_count);
    for (size_t i = 0; i < count; i++) {
        const struct arrow_field *old_field = &present->fields[i];
        const struct arrow_field *new_field = &given->fields[i];
        if (!str_equal(old_field->name, new_field->name))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "field %zu is '%.*s' in the dataset, but '%.*s' in what was put", i,
                             STR_ARGS(old_field->name), STR_ARGS(new_field->name));
        if (!is_same_field(old_field, new_field))
            return refuse_type(old_field, new_field, error);
    }
    if (present->field_count != given->field_count)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the dataset has %zu fields, but what was put has %zu",
                         present->field_count, given->field_count);
    if (given->dictionary_count > 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "dictionary columns cannot be appended to; put the values themselves, or "
                         "replace the dataset");
    return STATUS_OK;
}

static enum status not_kept(const struct dataset *present, struct error *error)
{
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "'%.*s' is the result of a statement; put under another name",
                     STR_ARGS(present->id));
}

/* `dataset` NULL: there is none. */
static enum status check_condition(const struct put_condition *condition, struct dataset *dataset,
                                   struct error *error)
{
    if (!condition)
        return STATUS_OK;
    struct dataset_facts facts;
    if (dataset)
        dataset_facts(dataset, &facts);
    return condition->check(condition, dataset ? &facts : NULL, error);
}

/* What the mode says about the present dataset (NULL: none). *out_appends: its end is where to put. */
static enum status check_mode(const struct put_options *options, const struct dataset *present,
                              bool *out_appends, struct error *error)
{
    struct str name = options->path.len > 0 ? options->path : options->id;
    *out_appends = present && (options->mode == PUT_APPEND || options->mode == PUT_UPSERT);
    if (present && !present->is_kept)
        return not_kept(present, error);
    if (!present && options->mode == PUT_APPEND)
        return error_set(error, STATUS_NOT_FOUND,
                         "there is no dataset '%.*s' to append to; put it with mode create first",
                         STR_ARGS(name));
    if (present && options->mode == PUT_CREATE)
        return error_set(error, STATUS_ALREADY_EXISTS,
                         "dataset '%.*s' exists already; put with mode append or replace, or drop "
                         "it first",
                         STR_ARGS(name));
    if (*out_appends)
        return check_schema(present->schema, options->schema, error);
    return STATUS_OK;
}

static struct store_owner *account_of(struct store *store, struct str owner)
{
    LOCKED(&store->locked.lock);
    struct store_owner *account = map_get(&store->locked.owners, owner);
    if (!account) {
        account = NEW(struct store_owner);
        map_set(&store->locked.owners, owner, account);
    }
    account->datasets++;
    return account;
}

static struct dataset *make_kept(struct store *store, const struct dataset_options *options)
{
    struct dataset *dataset = dataset_make(store, options);
    dataset->is_kept = true;
    dataset->account = account_of(store, dataset->owner);
    lock_init(&dataset->commit_lock);
    LOCKED(&store->locked.lock);
    list_append(&store->locked.kept, &dataset->named.kept_link);
    return dataset;
}

static enum status open_journal(struct dataset *dataset, struct error *error)
{
    const struct journal_head head = {
        .id = dataset->id,
        .path = dataset->path,
        .owner = dataset->owner,
        .durability = dataset->durability,
        .ttl_ms = dataset->ttl_ms,
        .created_us = dataset->created_us,
    };
    return journal_create(dataset->store->kept_folder, &dataset->store->disk, &head,
                          dataset->schema, &dataset->journal, error);
}

static enum status stage(struct put *put, const struct put_options *options, struct error *error)
{
    struct store *store = put->store;
    bool is_new = !put->target;
    uint64_t ttl_default_ms =
        options->ttl_default_ms > 0 ? options->ttl_default_ms : PUT_TTL_DEFAULT_MS;
    const struct dataset_options dataset_options = {
        .id = options->id.len > 0 && is_new ? options->id : str_of(put->new_id),
        .path = is_new ? options->path : STR_EMPTY,
        .owner = options->owner,
        .ttl_ms = options->ttl_ms > 0 ? options->ttl_ms : ttl_default_ms,
        .schema = put->target ? put->target->schema : options->schema,
    };
    put->staged = make_kept(store, &dataset_options);
    if (!is_new || !store->kept_folder || options->durability == DATASET_IN_MEMORY)
        return STATUS_OK;
    put->staged->durability = options->durability;
    return open_journal(put->staged, error);
}

enum status put_begin(struct store *store, const struct put_options *options, struct put **out_put,
                      struct error *error)
{
    CLEANUP(put_destroy) struct put *put = NEW(struct put);
    put->store = store;
    put->mode = options->mode;
    put->ttl_ms = options->ttl_ms;
    put->condition = options->condition;
    random_uuid(put->new_id);
    CLEANUP(dataset_unref)
    struct dataset *present = find_present(store, options->id, options->path);
    bool appends = false;
    TRY(check_condition(options->condition, present, error));
    TRY(check_mode(options, present, &appends, error));
    if (appends)
        put->target = STEAL(present);
    TRY(stage(put, options, error));
    *out_put = STEAL(put);
    return STATUS_OK;
}

/* --- append ------------------------------------------------------------------------------------ */

static enum status check_bounds(const struct put *put, size_t bytes, struct error *error)
{
    const struct store *store = put->store;
    struct dataset_facts facts = {0};
    if (put->target)
        dataset_facts(put->target, &facts);
    size_t dataset_bytes;
    if (!checked_add(facts.bytes, put->bytes, &dataset_bytes) ||
        !checked_add(dataset_bytes, bytes, &dataset_bytes) || dataset_bytes > store->kept_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "a dataset may have %zu bytes; put less into one, or allow more by "
                         "--dataset-bytes-max",
                         store->kept_bytes_max);
    size_t owner_bytes = atomic_load(&put->staged->account->bytes);
    if (owner_bytes > store->owner_bytes_max || bytes > store->owner_bytes_max - owner_bytes)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "one user's datasets may have %zu bytes; drop some, or allow more by "
                         "--owner-dataset-bytes",
                         store->owner_bytes_max);
    return STATUS_OK;
}

static enum status charge(struct store *store, size_t cost, struct error *error)
{
    while (!store_charge(store, cost)) {
        store_make_room(store, cost);
        if (store_charge(store, cost))
            return STATUS_OK;
        TRY(store_spill(store, cost, error));
    }
    return STATUS_OK;
}

/* The file's pages are the batch's memory from then on, where that is worth it. */
static enum status write_to_journal(struct journal *journal, struct arrow_batch **batch,
                                    struct error *error)
{
    struct arrow_batch *mapped = NULL;
    TRY(journal_append(journal, *batch, &mapped, error));
    if (!mapped)
        return STATUS_OK;
    arrow_batch_unref(*batch);
    *batch = mapped;
    return STATUS_OK;
}

enum status put_append(struct put *put, struct arrow_batch *batch, struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *taken = batch;
    struct dataset *staged = put->staged;
    assert(!put->is_committed);
    TRY(check_bounds(put, batch->body_bytes, error));
    if (staged->journal)
        TRY(write_to_journal(staged->journal, &taken, error));
    size_t cost = dataset_batch_cost(taken);
    size_t body_bytes = taken->body_bytes;
    TRY(charge(put->store, cost, error));
    LOCKED(&staged->locked.lock);
    dataset_add(staged, STEAL(taken), cost);
    atomic_fetch_add(&staged->account->bytes, body_bytes);
    put->bytes += body_bytes;
    return STATUS_OK;
}

bool put_may_block(const struct put *put, size_t bytes)
{
    const struct store *store = put->store;
    size_t now = atomic_load(&store->bytes);
    return put->staged->journal || now > store->memory_bytes_max ||
           bytes > store->memory_bytes_max - now;
}

/* --- commit ------------------------------------------------------------------------------------ */

static struct journal_life life_from_now(uint64_t ttl_ms)
{
    int64_t ttl_us;
    int64_t expires_us;
    if (!checked_mul(ttl_ms, 1000, &ttl_us) || !checked_add(clock_wall_us(), ttl_us, &expires_us))
        expires_us = INT64_MAX;
    return (struct journal_life){.ttl_ms = ttl_ms, .expires_us = expires_us};
}

/* The present dataset under the staged one's names: by path or by id. With the store's lock. */
static struct dataset *rival_of(struct store *store, const struct dataset *staged)
{
    struct dataset *rival = NULL;
    if (staged->path.len > 0)
        rival = map_get(&store->locked.paths, staged->path);
    return rival ? rival : map_get(&store->locked.table, staged->id);
}

/* Enters the staged dataset; `*out_dropped` had its name. */
static enum status publish(struct put *put, struct dataset **out_dropped, struct error *error)
{
    struct store *store = put->store;
    struct dataset *staged = put->staged;
    LOCKED(&store->locked.lock);
    struct dataset *rival = rival_of(store, staged);
    bool is_over = rival && store_is_expired(rival, clock_now_ns());
    put->is_new = !rival || is_over;
    TRY(check_condition(put->condition, put->is_new ? NULL : rival, error));
    if (rival && !is_over && (put->mode != PUT_REPLACE || !rival->is_kept))
        return error_set(error, STATUS_ALREADY_EXISTS,
                         "dataset '%.*s' was created by somebody else meanwhile; put again",
                         STR_ARGS(staged->path.len > 0 ? staged->path : staged->id));
    if (!rival && store->locked.table.count >= store->dataset_count_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "there are %zu datasets already",
                         store->locked.table.count);
    if (rival)
        store_take_from_table(store, rival);
    *out_dropped = rival;
    store_enter(store, staged);
    lock_take(&staged->locked.lock);
    staged->locked.state = DATASET_COMPLETE;
    store_start_life(staged);
    store_place(store, staged);
    lock_give(&staged->locked.lock);
    return STATUS_OK;
}

static enum status commit_new(struct put *put, struct error *error)
{
    struct dataset *dropped = NULL;
    struct journal_life life = life_from_now(put->staged->ttl_ms);
    life.replaces = put->mode == PUT_REPLACE;
    if (put->staged->journal)
        TRY(journal_commit(put->staged->journal, life, error));
    TRY(publish(put, &dropped, error));
    if (dropped) {
        store_finish_dropped(dropped);
        journal_sync_names(put->staged->journal);
    }
    return STATUS_OK;
}

/* Moves all batches from the staged dataset to the end of the target. With the store's lock. */
static void move_batches(struct dataset *staged, struct dataset *target,
                         struct dataset_wakes *out_wakes)
{
    lock_take(&staged->locked.lock);
    lock_take(&target->locked.lock);
    for (size_t i = staged->locked.base; i < staged->locked.count; i++) {
        struct arrow_batch *batch = staged->locked.slots[i - staged->locked.slots_base];
        dataset_add(target, batch, dataset_batch_cost(batch));
    }
    atomic_fetch_add(&target->account->bytes, staged->locked.bytes);
    atomic_fetch_sub(&staged->account->bytes, staged->locked.bytes);
    target->locked.spilled_bytes += staged->locked.spilled_bytes;
    staged->locked.spilled_bytes = 0;
    staged->locked.base = staged->locked.count;
    staged->locked.held_bytes = 0;
    staged->locked.bytes = 0;
    dataset_collect_wakes(target, out_wakes);
    lock_give(&target->locked.lock);
    lock_give(&staged->locked.lock);
}

/* A reference to each of the first `count` batches. */
static struct arrow_batch **take_batches(struct dataset *staged, size_t count)
{
    struct arrow_batch **batches = NEW_ARRAY(struct arrow_batch *, size_max(count, 1));
    LOCKED(&staged->locked.lock);
    for (size_t i = 0; i < count; i++)
        batches[i] = arrow_batch_ref(staged->locked.slots[i]);
    return batches;
}

/* Frees the references, and what memory the batches in the places need more than these. */
static void put_back_batches(struct dataset *staged, struct arrow_batch **batches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dataset_replace(staged, i, NULL, batches[i]);
    free(batches);
}

static enum status extend_journal(struct put *put, uint64_t ttl_ms, struct error *error)
{
    struct dataset *staged = put->staged;
    if (!put->target->journal)
        return STATUS_OK;
    /* Nobody else adds to the staged dataset; a spill may replace its batches meanwhile. */
    size_t count = staged->locked.count;
    struct arrow_batch **batches = take_batches(staged, count);
    enum status status =
        journal_extend(put->target->journal, batches, count, life_from_now(ttl_ms), error);
    put_back_batches(staged, batches, count);
    return status;
}

static void start_life(struct store *store, struct dataset *dataset, uint64_t ttl_ms)
{
    lock_take(&dataset->locked.lock);
    dataset->ttl_ms = ttl_ms;
    store_start_life(dataset);
    store_place(store, dataset);
    lock_give(&dataset->locked.lock);
}

static enum status add_to_target(struct put *put, uint64_t ttl_ms, struct dataset_wakes *out_wakes,
                                 struct error *error)
{
    struct store *store = put->store;
    LOCKED(&store->locked.lock);
    if (!put->target->named.is_named)
        return error_set(error, STATUS_NOT_FOUND,
                         "the dataset was dropped or replaced meanwhile; put again");
    move_batches(put->staged, put->target, out_wakes);
    start_life(store, put->target, ttl_ms);
    return STATUS_OK;
}

static enum status commit_append(struct put *put, struct error *error)
{
    struct dataset *target = put->target;
    struct dataset_wakes wakes = {.count = 0};
    uint64_t ttl_ms = put->ttl_ms > 0 ? put->ttl_ms : target->ttl_ms;
    lock_take(&target->commit_lock);
    enum status status = check_condition(put->condition, target, error);
    if (status == STATUS_OK)
        status = extend_journal(put, ttl_ms, error);
    if (status == STATUS_OK)
        status = add_to_target(put, ttl_ms, &wakes, error);
    lock_give(&target->commit_lock);
    if (status == STATUS_OK)
        dataset_post_wakes(target, &wakes);
    return status;
}

enum status put_commit(struct put *put, struct put_result *out_result, struct error *error)
{
    assert(!put->is_committed);
    struct dataset *dataset = put->target ? put->target : put->staged;
    int64_t rows = put->staged->locked.rows;
    size_t batches = put->staged->locked.count;
    TRY(put->target ? commit_append(put, error) : commit_new(put, error));
    put->is_committed = true;
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    *out_result = (struct put_result){
        .id = dataset->id,
        .path = dataset->path,
        .is_new = put->is_new,
        .rows = rows,
        .batches = batches,
        .total_batches = facts.batches,
        .total_rows = facts.rows,
        .total_bytes = facts.bytes,
        .created_us = facts.created_us,
        .durability = dataset->durability,
        .expires_us = facts.expires_us,
    };
    return STATUS_OK;
}

void put_destroy(struct put *put)
{
    if (!put)
        return;
    if (put->staged && !put->is_committed)
        journal_unlink(put->staged->journal);
    dataset_unref(put->staged);
    dataset_unref(put->target);
    free(put);
}

/* --- life -------------------------------------------------------------------------------------- */

static enum status renew(struct dataset *dataset, uint64_t ttl_ms, struct error *error)
{
    struct store *store = dataset->store;
    LOCKED(&store->locked.lock);
    if (!dataset->named.is_named)
        return error_set(error, STATUS_NOT_FOUND, "dataset '%.*s' was dropped",
                         STR_ARGS(dataset->id));
    start_life(store, dataset, ttl_ms);
    return STATUS_OK;
}

enum status dataset_renew(struct dataset *dataset, uint64_t ttl_ms, struct error *error)
{
    if (!dataset->is_kept)
        return not_kept(dataset, error);
    LOCKED(&dataset->commit_lock);
    uint64_t new_ttl_ms = ttl_ms > 0 ? ttl_ms : dataset->ttl_ms;
    if (dataset->journal)
        TRY(journal_commit(dataset->journal, life_from_now(new_ttl_ms), error));
    return renew(dataset, new_ttl_ms, error);
}

static bool is_named(struct dataset *dataset)
{
    LOCKED(&dataset->store->locked.lock);
    return dataset->named.is_named;
}

enum status dataset_drop_if(struct dataset *dataset, const struct put_condition *condition,
                            struct error *error)
{
    if (!dataset->is_kept)
        return not_kept(dataset, error);
    LOCKED(&dataset->commit_lock);
    if (!is_named(dataset))
        return error_set(error, STATUS_NOT_FOUND, "dataset '%.*s' was dropped meanwhile",
                         STR_ARGS(dataset->id));
    TRY(check_condition(condition, dataset, error));
    dataset_drop(dataset);
    return STATUS_OK;
}

/* --- start ------------------------------------------------------------------------------------- */

static void receive_found(void *context, struct journal_found *found)
{
    struct store *store = context;
    const struct dataset_options options = {
        .id = found->head.id,
        .path = found->head.path,
        .owner = found->head.owner,
        .ttl_ms = found->head.ttl_ms,
        .schema = found->schema,
    };
    struct dataset *dataset = make_kept(store, &options);
    dataset->durability = found->head.durability;
    dataset->created_us = found->head.created_us;
    dataset->journal = found->journal;
    for (size_t i = 0; i < found->batch_count; i++) {
        size_t cost = dataset_batch_cost(found->batches[i]);
        store_charge_always(store, cost);
        atomic_fetch_add(&dataset->account->bytes, found->batches[i]->body_bytes);
        lock_take(&dataset->locked.lock);
        dataset_add(dataset, found->batches[i], cost);
        lock_give(&dataset->locked.lock);
    }
    arrow_schema_unref(found->schema);
    int64_t left_us = found->expires_us - clock_wall_us();
    struct dataset *rival = rival_of(store, dataset);
    if (left_us <= 0 || (rival && !journal_prevails(dataset->journal, rival->journal))) {
        journal_unlink(dataset->journal);
        dataset_unref(dataset);
        return;
    }
    if (rival)
        dataset_drop(rival);
    lock_take(&store->locked.lock);
    store_enter(store, dataset);
    lock_take(&dataset->locked.lock);
    dataset->locked.state = DATASET_COMPLETE;
    store_start_life(dataset);
    if (found->expires_us != INT64_MAX) {
        dataset->life.expires_us = found->expires_us;
        dataset->life.expires_ns = clock_now_ns() + (uint64_t)left_us * 1000;
    }
    store_place(store, dataset);
    lock_give(&dataset->locked.lock);
    lock_give(&store->locked.lock);
    dataset_unref(dataset);
}

enum status store_recover(struct store *store, struct error *error)
{
    if (!store->kept_folder)
        return STATUS_OK;
    return journal_recover(store->kept_folder, &store->disk, store->log, store, receive_found,
                           error);
}
