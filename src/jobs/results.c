/*
 * results.c — the table of results: found, renewed, dropped when they are over or too many.
 *
 * The table knows what is in memory or on disk; what the registry or S3 have too may leave it at any time
 * and come back. Who holds a reference may use a result that has left.
 *
 * Threads: any. Owns: the table with a reference to each result. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "jobs/results_private.h"
#include "meta/meta.h"
#include "store/put.h"

/* What one call lets go of, so that it stays short. */
#define SWEPT_MAX 64

static const char *const where_names[] = {
    [RESULT_IN_MEMORY] = "memory",
    [RESULT_IN_REGISTRY] = "registry",
    [RESULT_ON_DISK] = "disk",
};

/* --- one result ---------------------------------------------------------------------------------- */

struct str result_dataset_id(char out[RESULT_ID_BYTES_MAX + 16], const char *id)
{
    int len = snprintf(out, RESULT_ID_BYTES_MAX + 16, RESULT_DATASET_PREFIX "%s", id);
    return str_make(out, (size_t)len);
}

struct str result_blob_key(char out[RESULT_ID_BYTES_MAX + 16], const char *prefix, const char *id)
{
    int len = snprintf(out, RESULT_ID_BYTES_MAX + 16, "%s%s", prefix, id);
    return str_make(out, (size_t)len);
}

struct result *result_make(struct results *results, struct str id)
{
    struct result *result = NEW(struct result);
    atomic_init(&result->references, 1);
    result->results = results;
    (void)snprintf(result->id, sizeof(result->id), "%.*s", STR_ARGS(id));
    lock_init(&result->locked.lock);
    condition_init(&result->locked.changed);
    return result;
}

void result_set_where(struct result *result, enum result_where where)
{
    result->where = where;
    (void)snprintf(result->where_text, sizeof(result->where_text), "%s:%s", where_names[where],
                   result->id);
}

struct result *result_ref(struct result *result)
{
    atomic_fetch_add_explicit(&result->references, 1, memory_order_relaxed);
    return result;
}

void result_unref(struct result *result)
{
    if (!result || atomic_fetch_sub_explicit(&result->references, 1, memory_order_acq_rel) != 1)
        return;
    results_charge_json(result, 0);
    buffer_unref(result->locked.plain);
    buffer_unref(result->locked.gzip);
    free(result->columns);
    condition_finish(&result->locked.changed);
    lock_finish(&result->locked.lock);
    free(result);
}

void result_facts(struct result *result, struct result_facts *out_facts)
{
    *out_facts = (struct result_facts){
        .job_id = str_of(result->id),
        .where = str_of(result->where_text),
        .format = result->is_json ? STR("json.gz") : STR("arrow"),
        .columns = result->columns ? str_of(result->columns) : STR_EMPTY,
        .rows = result->rows,
        .bytes = result->bytes,
        .completed_us = result->completed_us,
        .expires_us = atomic_load(&result->expires_us),
    };
}

bool result_is_over(struct result *result)
{
    return atomic_load(&result->is_dropped) || atomic_load(&result->expires_us) <= clock_wall_us();
}

uint64_t result_ttl_left_ms(struct result *result)
{
    int64_t left_us = atomic_load(&result->expires_us) - clock_wall_us();
    if (left_us <= 0 || atomic_load(&result->is_dropped))
        return 0;
    return (uint64_t)left_us / 1000 + 1;
}

enum status result_refuse_expired(const char *id, struct error *error)
{
    return error_set_code(error, STATUS_NOT_FOUND, "RESULT_EXPIRED",
                          "the result of job '%s' has expired: run the statement again", id);
}

void result_occupy(struct result *result)
{
    LOCKED(&result->locked.lock);
    while (result->locked.is_busy)
        condition_wait(&result->locked.changed, &result->locked.lock);
    result->locked.is_busy = true;
}

void result_leave(struct result *result)
{
    LOCKED(&result->locked.lock);
    result->locked.is_busy = false;
    condition_signal(&result->locked.changed);
}

/* --- what goes ----------------------------------------------------------------------------------- */

static bool is_restorable(const struct result *result)
{
    return result->where == RESULT_IN_REGISTRY || atomic_load(&result->is_in_s3);
}

/* With the lock. The table's reference is the caller's. */
static void take_out(struct results *results, struct result *result)
{
    list_remove(&result->listed.link);
    (void)map_remove(&results->locked.table, str_of(result->id));
    if (result->where == RESULT_IN_REGISTRY)
        results->locked.restorable_count--;
    else
        results->locked.kept_bytes -= (size_t)result->bytes;
}

static bool has_too_much(const struct results *results, const struct result *oldest)
{
    size_t bytes_max = results->options.bytes_max;
    if (oldest->where == RESULT_IN_REGISTRY)
        return results->locked.restorable_count > RESULTS_RESTORABLE_MAX;
    return bytes_max > 0 && results->locked.kept_bytes > bytes_max;
}

/* The first that is over, or of a kind of which there is too much. With the lock. */
static struct result *take_one(struct results *results)
{
    bool has_small = results->locked.restorable_count > RESULTS_RESTORABLE_MAX;
    bool has_large =
        results->options.bytes_max > 0 && results->locked.kept_bytes > results->options.bytes_max;
    LIST_FOR_EACH (result, &results->locked.all, struct result, listed.link) {
        bool is_over = result_is_over(result);
        if (is_over || has_too_much(results, result)) {
            take_out(results, result);
            return result;
        }
        if (!has_small && !has_large)
            return NULL;
    }
    return NULL;
}

/* Somebody brings it back just now, and enters it in the table again. */
static bool is_open(struct dataset *dataset)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    return facts.state == DATASET_OPEN;
}

/* Takes over the reference. The memory goes; elsewhere it may stay. */
static void let_go(struct results *results, struct result *result)
{
    char id[RESULT_ID_BYTES_MAX + 16];
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (!is_restorable(result)) {
        atomic_store(&result->is_dropped, true);
        atomic_store(&result->results->has_lost_some, true);
    }
    if (store_find(results->options.store, result_dataset_id(id, result->id), &dataset, NULL) ==
            STATUS_OK &&
        !is_open(dataset))
        dataset_drop(dataset);
    result_unref(result);
}

void results_sweep(struct results *results)
{
    for (unsigned i = 0; i < SWEPT_MAX; i++) {
        lock_take(&results->locked.lock);
        struct result *result = take_one(results);
        lock_give(&results->locked.lock);
        if (!result)
            return;
        let_go(results, result);
    }
}

/* --- the table ----------------------------------------------------------------------------------- */

void results_enter(struct results *results, struct result *result)
{
    lock_take(&results->locked.lock);
    if (!map_get(&results->locked.table, str_of(result->id))) {
        map_set(&results->locked.table, str_of(result->id), result_ref(result));
        list_append(&results->locked.all, &result->listed.link);
        if (result->where == RESULT_IN_REGISTRY)
            results->locked.restorable_count++;
        else
            results->locked.kept_bytes += (size_t)result->bytes;
    }
    lock_give(&results->locked.lock);
    results_sweep(results);
}

void results_leave(struct results *results, struct str id)
{
    lock_take(&results->locked.lock);
    struct result *result = map_get(&results->locked.table, id);
    if (result)
        take_out(results, result);
    lock_give(&results->locked.lock);
    result_unref(result);
}

static struct result *find_listed(struct results *results, struct str id)
{
    LOCKED(&results->locked.lock);
    struct result *result = map_get(&results->locked.table, id);
    if (!result)
        return NULL;
    list_remove(&result->listed.link);
    list_append(&results->locked.all, &result->listed.link);
    return result_ref(result);
}

static bool parse_where(struct str text, enum result_where *out_where, struct str *out_id)
{
    struct str rest = text;
    struct str name = str_split(&rest, ':');
    for (size_t i = 0; i < ARRAY_COUNT(where_names); i++) {
        if (str_equal(name, str_of(where_names[i])) && rest.len > 0 &&
            rest.len <= RESULT_ID_BYTES_MAX) {
            *out_where = (enum result_where)i;
            *out_id = rest;
            return true;
        }
    }
    return false;
}

/* Of one that is not in the table, by its record alone. */
static struct result *make_of_record(struct results *results, const struct job_record *record,
                                     enum result_where where, struct str id)
{
    struct result *result = result_make(results, id);
    result_set_where(result, where);
    result->columns = record->columns.len > 0 ? str_copy(record->columns) : NULL;
    result->is_json = str_equal(record->format, STR("json.gz"));
    result->rows = record->rows;
    result->bytes = record->bytes;
    result->completed_us = record->completed_us;
    atomic_store(&result->expires_us,
                 record->completed_us + (int64_t)results->options.ttl_ms * 1000);
    return result;
}

enum status results_find(struct results *results, const struct job_record *record,
                         struct result **out_result, struct error *error)
{
    enum result_where where;
    struct str id;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    if (!parse_where(record->result, &where, &id))
        return result_refuse_expired(arena_copy(&arena, record->id).ptr, error);
    CLEANUP(result_unref) struct result *result = find_listed(results, id);
    if (!result)
        result = make_of_record(results, record, where, id);
    if (result_is_over(result))
        return result_refuse_expired(arena_copy(&arena, record->id).ptr, error);
    *out_result = STEAL(result);
    return STATUS_OK;
}

/* What the registry remembers of an upload; a registry that cannot be read remembers all. */
static bool was_uploaded(struct results *results, struct str id)
{
    char key[RESULT_ID_BYTES_MAX + 16];
    char text[RESULT_ID_BYTES_MAX + 1];
    struct str unused;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    if (!results->options.meta)
        return false;
    (void)snprintf(text, sizeof(text), "%.*s", STR_ARGS(id));
    return meta_blob_get(results->options.meta, result_blob_key(key, RESULT_OBJECT_PREFIX, text),
                         clock_wall_us(), &arena, &unused, NULL) != STATUS_NOT_FOUND;
}

bool results_lost_some(struct results *results)
{
    return atomic_exchange(&results->has_lost_some, false);
}

bool results_have(struct results *results, const struct job_record *record)
{
    enum result_where where;
    struct str id;
    if (!parse_where(record->result, &where, &id))
        return false;
    {
        LOCKED(&results->locked.lock);
        struct result *result = map_get(&results->locked.table, id);
        if (result)
            return !result_is_over(result);
    }
    int64_t age_us = clock_wall_us() - record->completed_us;
    if (age_us >= (int64_t)results->options.ttl_ms * 1000)
        return false;
    return where == RESULT_IN_REGISTRY || (results->options.s3 && was_uploaded(results, id));
}

bool results_may_return(struct results *results, const struct job_record *record)
{
    enum result_where where;
    struct str id;
    return !results->options.s3 && parse_where(record->result, &where, &id) &&
           was_uploaded(results, id);
}

/* A clone of its time: renewing what has most of it left is not worth the disk. */
void result_renew(struct result *result)
{
    struct results *results = result->results;
    uint64_t left_ms = result_ttl_left_ms(result);
    if (left_ms == 0 || left_ms > results->options.ttl_ms / 2)
        return;
    char text[RESULT_ID_BYTES_MAX + 16];
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    CLEANUP(arena_finish) struct arena arena;
    struct str blob;
    struct error error = ERROR_NONE;
    int64_t expires_us = clock_wall_us() + (int64_t)results->options.ttl_ms * 1000;
    enum status status = STATUS_OK;
    arena_init(&arena);
    if (result->where == RESULT_IN_REGISTRY) {
        struct str key = result_blob_key(text, RESULT_BLOB_PREFIX, result->id);
        status = meta_blob_get(results->options.meta, key, clock_wall_us(), &arena, &blob, &error);
        if (status == STATUS_OK)
            status = meta_blob_put(results->options.meta, key, blob, expires_us, &error);
    }
    if (status == STATUS_OK &&
        store_find(results->options.store, result_dataset_id(text, result->id), &dataset, NULL) ==
            STATUS_OK)
        status = dataset_renew(dataset, results->options.ttl_ms, &error);
    if (status == STATUS_OK)
        atomic_store(&result->expires_us, expires_us);
}

/* --- life ---------------------------------------------------------------------------------------- */

static void open_metrics(struct results *results)
{
    static const char *const upload_labels[] = {"outcome"};
    static const char *const outcomes[] = {"failed", "done"};
    struct metrics *metrics = results->options.metrics;
    if (!metrics)
        return;
    struct metric_family *uploads =
        metrics_family(metrics, METRIC_COUNTER, "volley_result_uploads_total",
                       "Results put into S3, or not.", upload_labels, 1, NULL, 0);
    for (size_t i = 0; i < ARRAY_COUNT(outcomes); i++)
        results->uploads[i] = metric_get(uploads, &outcomes[i]);
    struct metric_family *restores =
        metrics_family(metrics, METRIC_COUNTER, "volley_result_restores_total",
                       "Results that came back from the registry or S3.", NULL, 0, NULL, 0);
    results->restores = metric_get(restores, NULL);
}

enum status results_create(const struct results_options *options, struct results **out_results,
                           struct error *error)
{
    CLEANUP(results_destroy) struct results *results = NEW(struct results);
    results->options = *options;
    atomic_init(&results->has_lost_some, true);
    lock_init(&results->locked.lock);
    map_init(&results->locked.table);
    list_init(&results->locked.all);
    list_init(&results->locked.rendered);
    map_init(&results->locked.returning);
    condition_init(&results->locked.returned);
    open_metrics(results);
    TRY(results_open_objects(results, error));
    results_enter_left(results);
    *out_results = STEAL(results);
    return STATUS_OK;
}

/* Durable datasets stay for the next process. */
void results_destroy(struct results *results)
{
    if (!results)
        return;
    results_close_objects(results);
    LIST_FOR_EACH (result, &results->locked.all, struct result, listed.link) {
        list_remove(&result->listed.link);
        result_unref(result);
    }
    map_finish(&results->locked.table);
    map_finish(&results->locked.returning);
    condition_finish(&results->locked.returned);
    lock_finish(&results->locked.lock);
    free(results);
}
