/*
 * store.c — the table of datasets, what is dropped when memory or places are short, and time to live.
 *
 * Datasets that are over and have no reader stand in one of two lists, each oldest first: `spent`
 * (read to the end, or failed: nobody can finish those) and `unread`. When bytes or places are short,
 * the first of `spent` goes, then the first of `unread` that has waited for half its time to live. The
 * same datasets stand in a wheel of one list per second, from which the sweep takes what expired, so
 * that neither costs a walk over the table. Bytes are one atomic counter: batches, and for each dataset
 * a fixed overhead, so that many small results are bounded too.
 *
 * Threads: any; locks and their order are in state.h. Owns: the table, one reference per named dataset.
 * Leaves out: what a dataset does by itself (dataset.c, reader.c). SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

/* A table entry with its key, allocator overhead: an estimate, on the safe side. */
#define DATASET_TABLE_BYTES 192
/* Unread results looked at for one that may be dropped; they are nearly sorted by that time. */
#define UNREAD_SEARCH_MAX 64
/* Of the file system: others need some, too. */
#define DISK_FREE_PERCENT_MIN 5

static size_t or_unbounded(size_t bytes)
{
    return bytes > 0 ? bytes : SIZE_MAX;
}

static char *copy_path(const char *path)
{
    return path ? str_copy(str_of(path)) : NULL;
}

static void open_metrics(struct store *store, struct metrics *metrics)
{
    static const char *const where[] = {"where"};
    static const char *const kind[] = {"kind"};
    struct metric_family *bytes =
        metrics_family(metrics, METRIC_GAUGE, "volley_dataset_bytes",
                       "Bytes of batches kept in datasets, overhead included.", where, 1, NULL, 0);
    struct metric_family *objects =
        metrics_family(metrics, METRIC_GAUGE, "volley_live_objects",
                       "Objects of the server that exist now.", kind, 1, NULL, 0);
    store->bytes_metric = metric_get(bytes, (const char *const[]){"memory"});
    store->disk.metric = metric_get(bytes, (const char *const[]){"disk"});
    store->count_metric = metric_get(objects, (const char *const[]){"dataset"});
}

struct store *store_create(const struct store_options *options)
{
    struct store *store = NEW(struct store);
    store->memory_bytes_max = options->memory_bytes_max;
    store->dataset_bytes_max = options->dataset_bytes_max;
    store->read_bytes_max =
        options->read_bytes_max > 0 ? options->read_bytes_max : options->memory_bytes_max;
    store->dataset_count_max = options->dataset_count_max;
    store->kept_bytes_max = or_unbounded(options->kept_bytes_max);
    store->owner_bytes_max = or_unbounded(options->owner_bytes_max);
    store->spill_folder = copy_path(options->spill_folder);
    store->kept_folder = copy_path(options->kept_folder);
    store->log = options->log;
    store->disk.bytes_max = options->disk_bytes_max;
    store->disk.free_percent_min = DISK_FREE_PERCENT_MIN;
    if (options->metrics)
        open_metrics(store, options->metrics);
    lock_init(&store->spill.lock);
    lock_init(&store->locked.lock);
    map_init(&store->locked.table);
    map_init(&store->locked.paths);
    map_init(&store->locked.owners);
    list_init(&store->locked.kept);
    list_init(&store->locked.datasets);
    list_init(&store->locked.spent);
    list_init(&store->locked.unread);
    list_init(&store->locked.waiting);
    for (size_t i = 0; i < STORE_WHEEL_SECONDS; i++)
        list_init(&store->locked.wheel[i]);
    store->locked.swept_second = clock_now_ns() / NANOSECONDS_PER_SECOND;
    return store;
}

size_t store_bytes(const struct store *store)
{
    return atomic_load(&store->bytes);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void count_bytes(struct store *store, double change)
{
    if (store->bytes_metric)
        metric_add(store->bytes_metric, change);
}

bool store_charge(struct store *store, size_t bytes)
{
    size_t now = atomic_load(&store->bytes);
    do {
        if (now > store->memory_bytes_max || bytes > store->memory_bytes_max - now)
            return false;
    } while (!atomic_compare_exchange_weak(&store->bytes, &now, now + bytes));
    count_bytes(store, (double)bytes);
    return true;
}

void store_charge_always(struct store *store, size_t bytes)
{
    atomic_fetch_add(&store->bytes, bytes);
    count_bytes(store, (double)bytes);
}

void store_discharge(struct store *store, size_t bytes)
{
    if (bytes == 0)
        return;
    atomic_fetch_sub(&store->bytes, bytes);
    count_bytes(store, -(double)bytes);
    store_wake_waiting(store);
}

static bool is_short(const struct store *store, size_t bytes)
{
    size_t now = atomic_load(&store->bytes);
    return now > store->memory_bytes_max || bytes > store->memory_bytes_max - now;
}

/* --- producers that wait --------------------------------------------------------------------- */

/* The counter is written before the producer looks at the bytes, and read after they came down: one of
 * the two sees the other. */
void store_wake_waiting(struct store *store)
{
    if (atomic_load(&store->waiting) == 0)
        return;
    LOCKED(&store->locked.lock);
    LIST_FOR_EACH (dataset, &store->locked.waiting, struct dataset, named.waiting_link) {
        lock_take(&dataset->locked.lock);
        dataset_wake_producer(dataset);
        lock_give(&dataset->locked.lock);
    }
}

void store_join_waiting(struct store *store, struct dataset *dataset)
{
    LOCKED(&store->locked.lock);
    list_append(&store->locked.waiting, &dataset->named.waiting_link);
    atomic_fetch_add(&store->waiting, 1);
}

void store_leave_waiting(struct store *store, struct dataset *dataset)
{
    LOCKED(&store->locked.lock);
    list_remove(&dataset->named.waiting_link);
    atomic_fetch_sub(&store->waiting, 1);
}

/* --- idle datasets --------------------------------------------------------------------------- */

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return checked_add(a, b, &sum) ? sum : CLOCK_NEVER;
}

void store_start_life(struct dataset *dataset)
{
    uint64_t now = clock_now_ns();
    uint64_t ttl_ns;
    int64_t ttl_us;
    if (!checked_mul(dataset->ttl_ms, NANOSECONDS_PER_MILLISECOND, &ttl_ns))
        ttl_ns = CLOCK_NEVER;
    dataset->life.expires_ns = add_saturated(now, ttl_ns);
    dataset->life.evictable_ns = add_saturated(now, ttl_ns / 2);
    if (!checked_mul(dataset->ttl_ms, 1000, &ttl_us) ||
        !checked_add(clock_wall_us(), ttl_us, &dataset->life.expires_us))
        dataset->life.expires_us = INT64_MAX;
}

static void leave_idle(struct dataset *dataset)
{
    dataset->store->locked.spent_bytes -= dataset->named.spent_bytes;
    dataset->named.spent_bytes = 0;
    list_remove(&dataset->named.idle_link);
    list_remove(&dataset->named.expiry_link);
}

static void await_expiry(struct store *store, struct dataset *dataset)
{
    size_t second = dataset->life.expires_ns / NANOSECONDS_PER_SECOND % STORE_WHEEL_SECONDS;
    list_append(&store->locked.wheel[second], &dataset->named.expiry_link);
}

void store_place(struct store *store, struct dataset *dataset)
{
    leave_idle(dataset);
    if (dataset->locked.state == DATASET_OPEN)
        return;
    if (dataset->is_kept) { /* until its time is over, whoever reads */
        if (dataset->named.is_named)
            await_expiry(store, dataset);
        return;
    }
    store_start_life(dataset);
    if (!dataset->named.is_named || dataset->locked.reader_count > 0)
        return;
    bool is_spent = dataset->locked.read_to_end || dataset->locked.state == DATASET_FAILED;
    list_append(is_spent ? &store->locked.spent : &store->locked.unread, &dataset->named.idle_link);
    dataset->named.spent_bytes = is_spent ? dataset->locked.held_bytes : 0;
    store->locked.spent_bytes += dataset->named.spent_bytes;
    await_expiry(store, dataset);
}

bool store_is_expired(const struct dataset *dataset, uint64_t now)
{
    return list_is_linked(&dataset->named.expiry_link) && dataset->life.expires_ns <= now;
}

/* --- dropping -------------------------------------------------------------------------------- */

void store_take_from_table(struct store *store, struct dataset *dataset)
{
    leave_idle(dataset);
    list_remove(&dataset->named.link);
    dataset->named.is_named = false;
    void *removed = map_remove(&store->locked.table, dataset->id);
    assert(removed == dataset);
    if (dataset->path.len > 0) {
        removed = map_remove(&store->locked.paths, dataset->path);
        assert(removed == dataset);
    }
}

/* The dataset to drop first, or NULL. With the store's lock. */
static struct dataset *find_droppable(struct store *store)
{
    struct dataset *spent = LIST_FIRST(&store->locked.spent, struct dataset, named.idle_link);
    if (spent)
        return spent;
    uint64_t now = clock_now_ns();
    unsigned seen = 0;
    LIST_FOR_EACH (dataset, &store->locked.unread, struct dataset, named.idle_link) {
        if (dataset->life.evictable_ns <= now)
            return dataset;
        if (++seen == UNREAD_SEARCH_MAX)
            return NULL;
    }
    return NULL;
}

/* Takes one droppable dataset out of the table, with the table's reference, or NULL. */
static struct dataset *take_droppable(struct store *store)
{
    LOCKED(&store->locked.lock);
    struct dataset *dataset = find_droppable(store);
    if (dataset)
        store_take_from_table(store, dataset);
    return dataset;
}

/* Frees what was taken from the table. Somebody may still hold a reference, so the batches go by
 * themselves: memory is what it was dropped for. */
void store_finish_dropped(struct dataset *dataset)
{
    if (!dataset->store->is_closing)
        journal_unlink(dataset->journal);
    dataset_discard(dataset);
    dataset_unref(dataset);
}

static bool has_too_much_read(struct store *store)
{
    LOCKED(&store->locked.lock);
    return store->locked.spent_bytes > store->read_bytes_max;
}

void store_drop_read(struct store *store)
{
    while (has_too_much_read(store)) {
        struct dataset *dataset = take_droppable(store);
        if (!dataset)
            return;
        store_finish_dropped(dataset);
    }
}

void store_make_room(struct store *store, size_t bytes)
{
    while (is_short(store, bytes)) {
        struct dataset *dataset = take_droppable(store);
        if (!dataset)
            return;
        store_finish_dropped(dataset);
    }
}

void dataset_drop(struct dataset *dataset)
{
    struct store *store = dataset->store;
    lock_take(&store->locked.lock);
    bool was_named = dataset->named.is_named;
    if (was_named)
        store_take_from_table(store, dataset);
    lock_give(&store->locked.lock);
    if (!was_named)
        return;
    if (!store->is_closing) {
        journal_unlink(dataset->journal);
        journal_sync_names(dataset->journal);
    }
    dataset_unref(dataset);
}

/* Moves what expired in one second's list to `expired`. With the store's lock. */
static void take_expired(struct store *store, uint64_t second, uint64_t now, struct list *expired)
{
    struct list *of_second = &store->locked.wheel[second % STORE_WHEEL_SECONDS];
    LIST_FOR_EACH (dataset, of_second, struct dataset, named.expiry_link) {
        if (dataset->life.expires_ns <= now) {
            store_take_from_table(store, dataset);
            list_append(expired, &dataset->named.expiry_link);
        }
    }
}

void store_sweep(struct store *store)
{
    struct list expired; /* dataset.named.expiry_link */
    list_init(&expired);
    uint64_t now = clock_now_ns();
    uint64_t second = now / NANOSECONDS_PER_SECOND;
    lock_take(&store->locked.lock);
    uint64_t first = store->locked.swept_second;
    if (second - first >= STORE_WHEEL_SECONDS)
        first = second - STORE_WHEEL_SECONDS + 1;
    for (uint64_t each = first; each <= second; each++)
        take_expired(store, each, now, &expired);
    /* The present second is not over: it is looked at again the next time. */
    store->locked.swept_second = second;
    lock_give(&store->locked.lock);

    LIST_FOR_EACH (dataset, &expired, struct dataset, named.expiry_link) {
        list_remove(&dataset->named.expiry_link);
        store_finish_dropped(dataset);
    }
    /* An unread result may have become droppable by the time alone. */
    store_wake_waiting(store);
}

void store_destroy(struct store *store)
{
    if (!store)
        return;
    struct dataset *dataset;
    store->is_closing = true;
    while ((dataset = LIST_FIRST(&store->locked.datasets, struct dataset, named.link)))
        dataset_drop(dataset);
    /* Datasets give their bytes back to the store: all references must be gone before it. */
    assert(atomic_load(&store->alive) == 0);
    map_finish(&store->locked.table);
    map_finish(&store->locked.paths);
    map_finish(&store->locked.owners);
    free(store->spill_folder);
    free(store->kept_folder);
    body_file_unref(store->spill.segment);
    lock_finish(&store->spill.lock);
    lock_finish(&store->locked.lock);
    free(store);
}

/* --- names ----------------------------------------------------------------------------------- */

/* Copies `text` to `*place`, which moves on. */
static struct str place_text(char **place, struct str text)
{
    char *start = *place;
    if (text.len > 0)
        memcpy(start, text.ptr, text.len);
    *place += text.len;
    return str_make(start, text.len);
}

struct dataset *dataset_make(struct store *store, const struct dataset_options *options)
{
    size_t size = sizeof(struct dataset) + options->id.len + options->owner.len + options->path.len;
    struct dataset *dataset = memory_new(size);
    char *place = (char *)(dataset + 1);
    atomic_init(&dataset->references, 1);
    dataset->store = store;
    dataset->schema = arrow_schema_ref(options->schema);
    dataset->id = place_text(&place, options->id);
    dataset->owner = place_text(&place, options->owner);
    dataset->path = place_text(&place, options->path);
    dataset->ttl_ms = options->ttl_ms;
    dataset->created_us = clock_wall_us();
    dataset->overhead_bytes = size + options->id.len + options->path.len + DATASET_TABLE_BYTES;
    dataset->held_bytes_max = options->transient
                                  ? size_min(store->dataset_bytes_max, DATASET_TRANSIENT_BYTES)
                                  : store->dataset_bytes_max;
    dataset->life.expires_ns = CLOCK_NEVER;
    lock_init(&dataset->locked.lock);
    condition_init(&dataset->locked.changed);
    list_init(&dataset->locked.readers);
    dataset->locked.is_transient = options->transient;
    dataset->locked.slots = dataset->locked.inline_slots;
    dataset->locked.slots_capacity = DATASET_INLINE_SLOTS;
    atomic_fetch_add(&store->alive, 1);
    store_charge_always(store, dataset->overhead_bytes);
    if (store->count_metric)
        metric_add(store->count_metric, 1);
    return dataset;
}

void store_enter(struct store *store, struct dataset *dataset)
{
    map_set(&store->locked.table, dataset->id, dataset_ref(dataset));
    if (dataset->path.len > 0)
        map_set(&store->locked.paths, dataset->path, dataset);
    list_append(&store->locked.datasets, &dataset->named.link);
    dataset->named.is_named = true;
}

/* Names the dataset, or tells why not; `*out_dropped` is what had to go for it. */
static enum status enter(struct store *store, struct dataset *dataset, struct dataset **out_dropped,
                         struct error *error)
{
    LOCKED(&store->locked.lock);
    struct dataset *present = map_get(&store->locked.table, dataset->id);
    struct dataset *dropped = NULL;
    if (present && !store_is_expired(present, clock_now_ns()))
        return error_set(error, STATUS_ALREADY_EXISTS,
                         "result '%.*s' exists already; choose another name or drop it first",
                         STR_ARGS(dataset->id));
    if (present)
        dropped = present;
    else if (store->locked.table.count >= store->dataset_count_max)
        dropped = find_droppable(store);
    if (dropped)
        store_take_from_table(store, dropped);
    else if (store->locked.table.count >= store->dataset_count_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "%zu results are kept and none can be dropped yet; read or close some",
                         store->locked.table.count);
    store_enter(store, dataset);
    *out_dropped = dropped;
    return STATUS_OK;
}

enum status dataset_create(struct store *store, const struct dataset_options *options,
                           struct dataset **out_dataset, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = dataset_make(store, options);
    struct dataset *dropped = NULL;
    TRY(enter(store, dataset, &dropped, error));
    if (dropped)
        store_finish_dropped(dropped);
    store_make_room(store, 0);
    *out_dataset = STEAL(dataset);
    return STATUS_OK;
}

enum status store_find(struct store *store, struct str id, struct dataset **out_dataset,
                       struct error *error)
{
    LOCKED(&store->locked.lock);
    struct dataset *dataset = map_get(&store->locked.table, id);
    if (!dataset || store_is_expired(dataset, clock_now_ns()))
        return error_set(error, STATUS_NOT_FOUND, "result '%.*s' expired or never existed",
                         STR_ARGS(id));
    *out_dataset = dataset_ref(dataset);
    return STATUS_OK;
}

enum status store_find_name(struct store *store, struct str name, struct dataset **out_dataset,
                            struct error *error)
{
    LOCKED(&store->locked.lock);
    struct dataset *dataset = map_get(&store->locked.paths, name);
    if (!dataset)
        dataset = map_get(&store->locked.table, name);
    if (!dataset || store_is_expired(dataset, clock_now_ns()))
        return error_set(error, STATUS_NOT_FOUND, "dataset '%.*s' expired or never existed",
                         STR_ARGS(str_slice(name, 0, 256)));
    *out_dataset = dataset_ref(dataset);
    return STATUS_OK;
}

/* A reference to every named dataset; the array ends with its count. */
static struct dataset **take_references(struct store *store, size_t *out_count)
{
    LOCKED(&store->locked.lock);
    struct dataset **datasets = NEW_ARRAY(struct dataset *, size_max(store->locked.table.count, 1));
    size_t count = 0;
    LIST_FOR_EACH (dataset, &store->locked.datasets, struct dataset, named.link) {
        datasets[count++] = dataset_ref(dataset);
    }
    *out_count = count;
    return datasets;
}

void store_visit(struct store *store, void (*visit)(void *context, struct dataset *dataset),
                 void *context)
{
    size_t count = 0;
    struct dataset **datasets = take_references(store, &count);
    for (size_t i = 0; i < count; i++) {
        visit(context, datasets[i]);
        dataset_unref(datasets[i]);
    }
    free(datasets);
}
