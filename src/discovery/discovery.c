/*
 * discovery.c — the thread that scans a bucket when it is time, and what it tells of itself.
 *
 *      list of the bucket -> pages of 1,000 files, in order -> stretches of the registry
 *
 * Pages are kept in an arena until they are full; a stretch reaches from the last path of the one before to
 * its own last, the final one to the end of the bucket. So files that are gone go with the stretch they
 * were in. A service that lists out of order, which none should, fails the scan rather than the registry.
 *
 * Runs on: its own thread; asking and telling on any. Owns: the thread. Leaves out: what is in the files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "discovery/discovery.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "event/lock.h"
#include "event/thread.h"
#include "s3/s3.h"

#include <stdio.h>

#define TYPE_BYTES_MAX 16
/* A service that is down is not asked again before. */
#define RETRY_MS_MAX UINT64_C(30000)

struct discovery {
    struct discovery_options options;
    char *root;     /* "s3://bucket/" */
    char *root_end; /* behind all that begin with it */
    struct fetch_cancel *cancel;
    struct thread *thread;
    struct metric_family *scans;
    struct metric *files;
    struct {
        struct lock lock;
        struct condition changed;
        bool is_asked;
        bool is_stopping;
        bool is_scanning;
        int64_t scanned_us;
        uint64_t file_count;
        char failure[ERROR_MESSAGE_MAX];
    } locked;
};

/* --- one scan ------------------------------------------------------------------------------------- */

struct scan {
    struct discovery *discovery;
    int64_t now_us;
    struct arena arena; /* of the page */
    struct meta_file files[META_FILES_MAX];
    size_t count;
    char last[S3_KEY_BYTES_MAX + 128]; /* the path before the page */
    uint64_t found, added, changed, removed;
};

static enum status flush(struct scan *scan, struct str to, struct error *error)
{
    struct meta_files_stretch stretch = {
        .from = str_of(scan->last),
        .to = to,
        .files = scan->files,
        .count = scan->count,
        .now_us = scan->now_us,
    };
    TRY(meta_files_replace(scan->discovery->options.meta, &stretch, error));
    scan->found += scan->count;
    scan->added += stretch.added;
    scan->changed += stretch.changed;
    scan->removed += stretch.removed;
    (void)snprintf(scan->last, sizeof(scan->last), "%.*s", STR_ARGS(to));
    scan->count = 0;
    arena_finish(&scan->arena);
    arena_init(&scan->arena);
    return STATUS_OK;
}

static bool is_type(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (!(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'z') &&
            !(byte >= 'A' && byte <= 'Z'))
            return false;
    }
    return text.len > 0 && text.len <= TYPE_BYTES_MAX;
}

/* What stands behind the last dot of the last segment, in lower case; else "unknown". */
static struct str type_of(struct arena *arena, struct str key)
{
    size_t at = key.len;
    while (at > 0 && key.ptr[at - 1] != '.' && key.ptr[at - 1] != '/')
        at--;
    struct str type = str_slice(key, at, key.len);
    bool has_name = at > 1 && key.ptr[at - 1] == '.' && key.ptr[at - 2] != '/';
    if (!has_name || !is_type(type))
        return STR("unknown");
    char *lower = memcpy(arena_new(arena, type.len), type.ptr, type.len);
    for (size_t i = 0; i < type.len; i++)
        lower[i] = lower[i] >= 'A' && lower[i] <= 'Z' ? (char)(lower[i] + 32) : lower[i];
    return str_make(lower, type.len);
}

static bool is_after(struct str path, struct str last)
{
    size_t common = path.len < last.len ? path.len : last.len;
    int order = memcmp(path.ptr, last.ptr, common);
    return order > 0 || (order == 0 && path.len > last.len);
}

static enum status on_object(void *context, struct str key, const struct s3_object *object,
                             struct error *error)
{
    struct scan *scan = context;
    if (scan->count == META_FILES_MAX)
        TRY(flush(scan, scan->files[scan->count - 1].path, error));
    struct str last = scan->count > 0 ? scan->files[scan->count - 1].path : str_of(scan->last);
    struct str path = arena_printf(&scan->arena, "%s%.*s", scan->discovery->root, STR_ARGS(key));
    if (!is_after(path, last))
        return error_set(error, STATUS_INTERNAL, "the service lists '%.*s' out of order",
                         (int)size_min(key.len, 200), key.ptr);
    scan->files[scan->count++] = (struct meta_file){
        .path = path,
        .type = type_of(&scan->arena, key),
        .etag = arena_copy(&scan->arena, str_of(object->etag)),
        .size_bytes = object->size_bytes,
        .modified_us = object->modified_us,
    };
    return STATUS_OK;
}

static enum status run_scan(struct scan *scan, struct error *error)
{
    struct discovery *discovery = scan->discovery;
    struct s3_list_options options = {.cancel = discovery->cancel};
    TRY(s3_list(discovery->options.s3, &options, on_object, scan, error));
    return flush(scan, str_of(discovery->root_end), error);
}

static void tell(struct discovery *discovery, const struct scan *scan, enum status status,
                 const struct error *error)
{
    struct log *log = discovery->options.log;
    if (status == STATUS_OK)
        LOG(log, LOG_INFO, "files scanned", LOG_STR("bucket", s3_bucket(discovery->options.s3)),
            LOG_INTEGER("files", scan->found), LOG_INTEGER("added", scan->added),
            LOG_INTEGER("changed", scan->changed), LOG_INTEGER("removed", scan->removed));
    else
        LOG(log, LOG_WARNING, "files not scanned", LOG_STR("error", str_of(error->message)));
    if (!discovery->scans)
        return;
    const char *outcome = status == STATUS_OK ? "ok" : "failed";
    metric_add(metric_get(discovery->scans, (const char *const[]){outcome}), 1);
    if (status == STATUS_OK)
        metric_set(discovery->files, (double)scan->found);
}

static enum status scan_bucket(struct discovery *discovery)
{
    struct error error = ERROR_NONE;
    struct scan *scan = NEW(struct scan);
    scan->discovery = discovery;
    scan->now_us = clock_wall_us();
    arena_init(&scan->arena);
    (void)snprintf(scan->last, sizeof(scan->last), "%s", discovery->root);
    enum status status = run_scan(scan, &error);
    if (status != STATUS_CANCELLED)
        tell(discovery, scan, status, &error);
    lock_take(&discovery->locked.lock);
    discovery->locked.is_scanning = false;
    if (status == STATUS_OK) {
        discovery->locked.scanned_us = clock_wall_us();
        discovery->locked.file_count = scan->found;
    }
    (void)snprintf(discovery->locked.failure, sizeof(discovery->locked.failure), "%s",
                   status == STATUS_OK ? "" : error.message);
    lock_give(&discovery->locked.lock);
    arena_finish(&scan->arena);
    free(scan);
    return status;
}

/* --- when ----------------------------------------------------------------------------------------- */

/* Sleeps until a scan is due; false: the thread is to end. */
static bool await(struct discovery *discovery, uint64_t due_ns)
{
    LOCKED(&discovery->locked.lock);
    while (!discovery->locked.is_stopping && !discovery->locked.is_asked) {
        if (due_ns == CLOCK_NEVER)
            condition_wait(&discovery->locked.changed, &discovery->locked.lock);
        else if (!condition_wait_until(&discovery->locked.changed, &discovery->locked.lock, due_ns))
            break;
    }
    discovery->locked.is_asked = false;
    discovery->locked.is_scanning = !discovery->locked.is_stopping;
    return !discovery->locked.is_stopping;
}

static uint64_t next_ns(const struct discovery *discovery, enum status status)
{
    uint64_t interval_ms = discovery->options.interval_ms;
    if (interval_ms == 0)
        return CLOCK_NEVER;
    if (status != STATUS_OK && interval_ms > RETRY_MS_MAX)
        interval_ms = RETRY_MS_MAX;
    return clock_now_ns() + interval_ms * NANOSECONDS_PER_MILLISECOND;
}

static void run(void *argument)
{
    struct discovery *discovery = argument;
    uint64_t due_ns = clock_now_ns();
    while (await(discovery, due_ns))
        due_ns = next_ns(discovery, scan_bucket(discovery));
}

/* --- lifetime ------------------------------------------------------------------------------------- */

static void make_metrics(struct discovery *discovery, struct metrics *metrics)
{
    if (!metrics)
        return;
    discovery->scans = metrics_family(metrics, METRIC_COUNTER, "volley_files_scans_total",
                                      "Scans of the bucket whose files are registered.",
                                      (const char *const[]){"outcome"}, 1, NULL, 0);
    discovery->files = metric_get(metrics_family(metrics, METRIC_GAUGE, "volley_files",
                                                 "Files that the last scan of the bucket found.",
                                                 NULL, 0, NULL, 0),
                                  NULL);
}

/* '0' is what follows '/'. */
static void name_root(struct discovery *discovery)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 256);
    buf_printf(&text, "s3://%.*s/", STR_ARGS(s3_bucket(discovery->options.s3)));
    discovery->root = buf_steal(&text);
    buf_printf(&text, "s3://%.*s0", STR_ARGS(s3_bucket(discovery->options.s3)));
    discovery->root_end = buf_steal(&text);
}

enum status discovery_create(const struct discovery_options *options,
                             struct discovery **out_discovery, struct error *error)
{
    CLEANUP(discovery_destroy) struct discovery *discovery = NEW(struct discovery);
    discovery->options = *options;
    discovery->cancel = fetch_cancel_create();
    lock_init(&discovery->locked.lock);
    condition_init(&discovery->locked.changed);
    if (options->s3) {
        make_metrics(discovery, options->metrics);
        name_root(discovery);
        TRY(thread_start("files", 0, run, discovery, &discovery->thread, error));
    }
    *out_discovery = STEAL(discovery);
    return STATUS_OK;
}

void discovery_destroy(struct discovery *discovery)
{
    if (!discovery)
        return;
    if (discovery->thread) {
        lock_take(&discovery->locked.lock);
        discovery->locked.is_stopping = true;
        condition_signal(&discovery->locked.changed);
        lock_give(&discovery->locked.lock);
        fetch_cancel_fire(discovery->cancel);
        thread_join(discovery->thread);
    }
    fetch_cancel_destroy(discovery->cancel);
    condition_finish(&discovery->locked.changed);
    lock_finish(&discovery->locked.lock);
    free(discovery->root);
    free(discovery->root_end);
    free(discovery);
}

enum status discovery_scan(struct discovery *discovery, struct error *error)
{
    if (!discovery->options.s3)
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "no bucket is configured: set files-endpoint and files-bucket (or "
                         "MINIO_ENDPOINT and MINIO_BUCKET), or s3-endpoint and s3-bucket");
    LOCKED(&discovery->locked.lock);
    discovery->locked.is_asked = !discovery->locked.is_scanning;
    condition_signal(&discovery->locked.changed);
    return STATUS_OK;
}

struct meta *discovery_meta(struct discovery *discovery)
{
    return discovery->options.meta;
}

void discovery_facts(struct discovery *discovery, struct discovery_facts *out)
{
    const struct discovery_options *options = &discovery->options;
    LOCKED(&discovery->locked.lock);
    *out = (struct discovery_facts){
        .is_configured = options->s3,
        .is_scanning = discovery->locked.is_scanning,
        .bucket = options->s3 ? s3_bucket(options->s3) : STR_EMPTY,
        .endpoint = options->s3 ? s3_endpoint(options->s3) : STR_EMPTY,
        .interval_ms = options->interval_ms,
        .scanned_us = discovery->locked.scanned_us,
        .files = discovery->locked.file_count,
    };
    memcpy(out->failure, discovery->locked.failure, sizeof(out->failure));
}
