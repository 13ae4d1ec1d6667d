/*
 * put.c — staged uploads: who may put what where, and the batches as they come.
 *
 * A put collects its batches in a dataset that no table knows. A new durable dataset is written to its
 * journal meanwhile; one that is appended to, at the commit (put_commit.c).
 *
 * Runs on: threads that may block. Owns: the staged dataset, a reference to the one appended to.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/put_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>

/* What a passing dataset is ahead of its readers: a few parts that large clients send, so that those who
 * store them find something while others write groups of rows to disk. */
#define PASSING_BYTES ((size_t)16 << 20)
/* Of a result whose time begins with its commit, however long its statement ran: ten years. */
#define RESULT_OPEN_TTL_MS (UINT64_C(3650) * 86400 * 1000)

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
enum status put_check_schema(const struct arrow_schema *present, const struct arrow_schema *given,
                             struct error *error)
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

enum status put_refuse_result(const struct dataset *present, struct error *error)
{
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "'%.*s' is the result of a statement; put under another name",
                     STR_ARGS(present->id));
}

enum status put_check_condition(const struct put_condition *condition, struct dataset *dataset,
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
        return put_refuse_result(present, error);
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
        return put_check_schema(present->schema, options->schema, error);
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

struct dataset *dataset_make_kept(struct store *store, const struct dataset_options *options)
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
    struct journal *journal = NULL;
    const struct journal_head head = {
        .id = dataset->id,
        .path = dataset->path,
        .owner = dataset->owner,
        .durability = dataset->durability,
        .ttl_ms = dataset->ttl_ms,
        .created_us = dataset->created_us,
    };
    TRY(journal_create(dataset->store->kept_folder, &dataset->store->disk, &head, dataset->schema,
                       &journal, error));
    dataset->journal = journal;
    return STATUS_OK;
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
        .ttl_ms = options->is_result    ? RESULT_OPEN_TTL_MS
                  : options->ttl_ms > 0 ? options->ttl_ms
                                        : ttl_default_ms,
        .schema = put->target ? put->target->schema : options->schema,
        .transient = options->is_passing,
    };
    put->staged = dataset_make_kept(store, &dataset_options);
    put->staged->is_passing = options->is_passing;
    put->staged->put = put->is_result ? put : NULL;
    if (!is_new || !store->kept_folder || options->durability == DATASET_IN_MEMORY)
        return STATUS_OK;
    put->staged->durability = options->durability;
    if (put->is_result)
        return STATUS_OK;
    return open_journal(put->staged, error);
}

/* Who reads it meanwhile reads memory, and nothing that was there before. */
static enum status check_open(const struct put_options *options, bool appends, struct error *error)
{
    if (!options->is_open || options->is_result ||
        (!appends && options->durability == DATASET_IN_MEMORY))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "a dataset that is read while it comes is a new one with durability memory");
}

enum status put_begin(struct store *store, const struct put_options *options, struct put **out_put,
                      struct error *error)
{
    CLEANUP(put_destroy) struct put *put = NEW(struct put);
    put->store = store;
    put->mode = options->mode;
    put->ttl_ms = options->ttl_ms;
    put->condition = options->condition;
    put->is_result = options->is_result;
    put->durable_from_bytes = options->durable_from_bytes;
    assert(!put->is_result || (options->is_open && options->mode == PUT_CREATE));
    random_uuid(put->new_id);
    CLEANUP(dataset_unref)
    struct dataset *present = find_present(store, options->id, options->path);
    bool appends = false;
    TRY(put_check_condition(options->condition, present, error));
    TRY(check_mode(options, present, &appends, error));
    TRY(check_open(options, appends, error));
    if (appends)
        put->target = STEAL(present);
    TRY(stage(put, options, error));
    if (options->is_open)
        TRY(put_publish_open(put, error));
    *out_put = STEAL(put);
    return STATUS_OK;
}

/* --- append ------------------------------------------------------------------------------------ */

enum status put_check_size(const struct put *put, size_t bytes, struct error *error)
{
    const struct store *store = put->store;
    struct dataset_facts facts = {0};
    if (put->target)
        dataset_facts(put->target, &facts);
    size_t dataset_bytes;
    if (!checked_add(facts.bytes, facts.dictionary_bytes, &dataset_bytes) ||
        !checked_add(dataset_bytes, put->bytes, &dataset_bytes) ||
        !checked_add(dataset_bytes, bytes, &dataset_bytes) || dataset_bytes > store->kept_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "a dataset may have %zu bytes; put less into one, or allow more by "
                         "--dataset-bytes-max",
                         store->kept_bytes_max);
    return STATUS_OK;
}

enum status put_charge_owner(const struct store *store, struct store_owner *owner, size_t bytes,
                             struct error *error)
{
    size_t now = atomic_load(&owner->bytes);
    do {
        if (now > store->owner_bytes_max || bytes > store->owner_bytes_max - now)
            return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                             "one user's datasets may have %zu bytes; drop some, or allow more by "
                             "--owner-dataset-bytes",
                             store->owner_bytes_max);
    } while (!atomic_compare_exchange_weak(&owner->bytes, &now, now + bytes));
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

/* One reference; NULL: it has gone, since the result was cancelled. */
static struct arrow_batch *batch_at(struct dataset *dataset, size_t position)
{
    LOCKED(&dataset->locked.lock);
    if (position < dataset->locked.base)
        return NULL;
    return arrow_batch_ref(dataset->locked.slots[position - dataset->locked.slots_base]);
}

/* From here on the result is in a file; what came before is written first. */
static enum status begin_journal(struct put *put, struct error *error)
{
    struct dataset *staged = put->staged;
    LOCKED(&staged->commit_lock);
    if (put->is_given_up)
        return error_set(error, STATUS_CANCELLED, "the result was given up");
    TRY(open_journal(staged, error));
    for (size_t i = 0; i < staged->locked.count; i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_at(staged, i);
        struct arrow_batch *mapped = NULL;
        if (!batch)
            return error_set(error, STATUS_CANCELLED, "the result was given up");
        TRY(journal_append(staged->journal, batch, &mapped, error));
        if (mapped)
            dataset_replace(staged, i, NULL, mapped);
    }
    return STATUS_OK;
}

static bool needs_journal(const struct put *put, size_t bytes)
{
    const struct dataset *staged = put->staged;
    return put->is_result && !staged->journal && staged->durability != DATASET_IN_MEMORY &&
           put->bytes + bytes >= put->durable_from_bytes;
}

/* Adds what its owner was charged for; takes the batch over, also on failure. */
static enum status add_batch(struct put *put, struct arrow_batch *batch, struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *taken = batch;
    struct dataset *staged = put->staged;
    if (needs_journal(put, dataset_batch_bytes(taken)))
        TRY(begin_journal(put, error));
    if (staged->journal)
        TRY(write_to_journal(staged->journal, &taken, error));
    size_t cost = dataset_batch_cost(taken);
    if (staged->is_passing)
        store_charge_always(put->store, cost);
    else
        TRY(charge(put->store, cost, error));
    struct dataset_wakes wakes = {.count = 0};
    lock_take(&staged->locked.lock);
    const struct error *failure = staged->locked.error;
    if (!failure) {
        dataset_add(staged, STEAL(taken), cost);
        if (put->is_open)
            dataset_collect_wakes(staged, &wakes);
    }
    lock_give(&staged->locked.lock);
    dataset_post_wakes(staged, &wakes);
    if (!failure)
        return STATUS_OK;
    store_discharge(put->store, cost);
    return error_copy(error, failure);
}

/* Charges the owner, who pays for as long as the dataset lives. */
static enum status charge_dataset(struct put *put, size_t bytes, struct error *error)
{
    if (put->staged->is_passing || put->is_result)
        return STATUS_OK;
    TRY(put_check_size(put, bytes, error));
    return put_charge_owner(put->store, put->staged->account, bytes, error);
}

enum status put_append(struct put *put, struct arrow_batch *batch, struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *taken = batch;
    size_t bytes = dataset_batch_bytes(batch);
    assert(!put->is_committed);
    TRY(charge_dataset(put, bytes, error));
    enum status status = add_batch(put, STEAL(taken), error);
    if (status == STATUS_OK)
        put->bytes += bytes;
    else if (!put->staged->is_passing && !put->is_result)
        atomic_fetch_sub(&put->staged->account->bytes, bytes);
    return status;
}

struct dataset *put_dataset(struct put *put)
{
    return put->staged;
}

bool put_is_durable(const struct put *put)
{
    return put->staged->journal != NULL;
}

bool put_may_block(const struct put *put, size_t bytes)
{
    if (put->staged->is_passing)
        return false;
    return put->staged->journal || store_is_short(put->store, bytes);
}

/* One that holds nothing takes a batch in any case: so all of them get on, however short memory is. */
bool put_has_room(const struct put *put)
{
    struct dataset *staged = put->staged;
    LOCKED(&staged->locked.lock);
    size_t held = staged->locked.held_bytes;
    if (staged->locked.state != DATASET_OPEN || held == 0)
        return true;
    return held < PASSING_BYTES && !store_is_short(put->store, 0);
}

bool put_is_abandoned(const struct put *put)
{
    LOCKED(&put->staged->locked.lock);
    return put->staged->locked.state == DATASET_FAILED;
}

/* Who reads an open dataset is told that no more will come. */
static void take_back(struct dataset *dataset)
{
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "what was put was given up");
    dataset_cancel(dataset, &reason);
    dataset_drop(dataset);
}

static void give_up(struct put *put)
{
    LOCKED(&put->staged->commit_lock);
    put->is_given_up = true;
    journal_unlink(put->staged->journal);
}

void put_destroy(struct put *put)
{
    if (!put)
        return;
    struct dataset *staged = put->staged;
    bool outlives = staged && staged->put == put;
    if (staged && !put->is_committed)
        give_up(put);
    if (put->is_open && !put->is_committed)
        take_back(put->staged);
    dataset_unref(put->target);
    if (!outlives)
        free(put);
    dataset_unref(staged);
}
