/*
 * store.c — the table of datasets: what there is, under which names.
 *
 * Threads: any; locks and their order are in state.h. Owns: the table, one reference per named dataset.
 * Leaves out: memory and what is dropped for it (store_room.c), time to live (store_life.c), what a dataset
 * does by itself (dataset.c, reader.c). SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

/* A table entry with its key, allocator overhead: an estimate, on the safe side. */
#define DATASET_TABLE_BYTES 192
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
    atomic_init(&dataset->schema, options->schema ? arrow_schema_ref(options->schema) : NULL);
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
        dropped = store_find_droppable(store);
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

void store_use_workers(struct store *store, struct workers *workers)
{
    store->workers = workers;
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
