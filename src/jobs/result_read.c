/*
 * result_read.c — the rows of a result: from memory, or brought back; and as JSON.
 *
 * What comes back is an open dataset until its end: nobody is given it before. One thread at a time brings
 * back a result; others that want it wait, and find it.
 *
 * Runs on: threads that may block. Owns: nothing; rendered text belongs to its result.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/row_writer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "compress/encoder.h"
#include "jobs/results_private.h"
#include "meta/meta.h"

/* JSON of a result of RESULT_JSON_BYTES_MAX: names and digits take more than their values. */
#define JSON_BYTES_MAX ((size_t)512 << 20)
#define JSON_STEP_BYTES ((size_t)1 << 20)

/* --- rows ---------------------------------------------------------------------------------------- */

/* What is complete; an open one comes back just now, or another run of the job makes it. */
static enum status find_complete(struct result *result, struct dataset **out_dataset)
{
    char id[RESULT_ID_BYTES_MAX + 16];
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_facts facts;
    TRY(store_find(result->results->options.store, result_dataset_id(id, result->id), &dataset,
                   NULL));
    dataset_facts(dataset, &facts);
    if (facts.state != DATASET_COMPLETE)
        return STATUS_NOT_FOUND;
    *out_dataset = STEAL(dataset);
    return STATUS_OK;
}

static enum status read_blob(struct result *result, struct dataset **out_dataset,
                             struct error *error)
{
    char key[RESULT_ID_BYTES_MAX + 16];
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(result_return_finish) struct result_return back = {0};
    struct str bytes;
    arena_init(&arena);
    TRY(meta_blob_get(result->results->options.meta,
                      result_blob_key(key, RESULT_BLOB_PREFIX, result->id), clock_wall_us(), &arena,
                      &bytes, error));
    TRY(result_return_begin(&back, result, error));
    TRY(result_return_feed(&back, bytes, error));
    return result_return_end(&back, out_dataset, error);
}

/* By id: whoever found the result where the table had lost it has one for itself. */
static void claim_return(struct result *result)
{
    struct results *results = result->results;
    LOCKED(&results->locked.lock);
    while (map_get(&results->locked.returning, str_of(result->id)))
        condition_wait(&results->locked.returned, &results->locked.lock);
    (void)map_set(&results->locked.returning, str_of(result->id), result);
}

static void end_return(struct result *result)
{
    struct results *results = result->results;
    LOCKED(&results->locked.lock);
    (void)map_remove(&results->locked.returning, str_of(result->id));
    condition_broadcast(&results->locked.returned);
}

/* With the claim. */
static enum status bring_back(struct result *result, struct dataset **out_dataset,
                              struct error *error)
{
    enum status status = STATUS_NOT_FOUND;
    if (result->where == RESULT_IN_REGISTRY && result->results->options.meta)
        status = read_blob(result, out_dataset, error);
    if (status == STATUS_NOT_FOUND && result->results->options.s3)
        status = result_download(result, out_dataset, error);
    /* Not complete and not ours: another run of the job has taken this one's place. */
    if (status == STATUS_NOT_FOUND || status == STATUS_ALREADY_EXISTS)
        return result_refuse_expired(result->id, error);
    if (status == STATUS_OK && result->results->restores)
        metric_add(result->results->restores, 1);
    return status;
}

static enum status find_rows(struct result *result, struct dataset **out_dataset,
                             struct error *error)
{
    if (find_complete(result, out_dataset) == STATUS_OK)
        return STATUS_OK;
    claim_return(result);
    enum status status = find_complete(result, out_dataset);
    if (status != STATUS_OK)
        status = bring_back(result, out_dataset, error);
    end_return(result);
    return status;
}

bool result_is_far(struct result *result)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    return result->results->options.s3 && result->where != RESULT_IN_REGISTRY &&
           !result_is_over(result) && find_complete(result, &dataset) != STATUS_OK;
}

enum status result_dataset(struct result *result, struct dataset **out_dataset, struct error *error)
{
    if (result_is_over(result))
        return result_refuse_expired(result->id, error);
    return find_rows(result, out_dataset, error);
}

/* --- JSON ---------------------------------------------------------------------------------------- */

/* Rows as lines; a comma takes the place of each line break but the last. */
static enum status append_rows(struct row_writer *writer, const struct arrow_batch *batch,
                               struct buf *out, struct error *error)
{
    int64_t row = 0;
    while (row < batch->rows) {
        size_t start = out->len;
        row_writer_rows(writer, batch, &row, out->len + JSON_STEP_BYTES, out);
        TRY(buf_check(out, "a result as JSON", error));
        for (size_t i = start; i < out->len; i++)
            if (out->ptr[i] == '\n')
                out->ptr[i] = ',';
    }
    return STATUS_OK;
}

static enum status write_rows(struct dataset *dataset, struct buf *out, struct error *error)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(ROW_NDJSON, dataset_schema(dataset), false);
    TRY(dataset_reader_open(dataset, 0, NULL, NULL, &reader, error));
    buf_append_byte(out, '[');
    for (;;) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        enum dataset_step step;
        dataset_reader_wait(reader);
        TRY(dataset_reader_next(reader, &step, &batch, error));
        if (step == DATASET_END)
            break;
        if (step == DATASET_BATCH)
            TRY(append_rows(writer, batch, out, error));
    }
    if (out->len > 1)
        out->len--;
    buf_append_byte(out, ']');
    return buf_check(out, "a result as JSON", error);
}

static enum status render(struct result *result, struct buffer **out_plain, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, JSON_BYTES_MAX);
    TRY(find_rows(result, &dataset, error));
    TRY(write_rows(dataset, &out, error));
    *out_plain = buffer_create_copy(out.ptr, out.len);
    return STATUS_OK;
}

static enum status compress(struct buffer *plain, struct buffer **out_gzip, struct error *error)
{
    CLEANUP(slices_finish) struct slices in;
    CLEANUP(slices_finish) struct slices out;
    slices_init(&in);
    slices_init(&out);
    slices_append(&in, slice_make(plain->data, plain->size, buffer_ref(plain)));
    TRY(compress_encode(COMPRESS_GZIP, 0, &in, &out, error));
    CLEANUP(slice_finish) struct slice whole = slices_join(&out);
    *out_gzip = buffer_create_copy(whole.ptr, whole.len);
    return STATUS_OK;
}

/* References to what is rendered already; true when nothing more is asked for. */
static bool take_rendered(struct result *result, struct buffer **out_plain,
                          struct buffer **out_gzip)
{
    LOCKED(&result->locked.lock);
    if (out_plain && !*out_plain && result->locked.plain)
        *out_plain = buffer_ref(result->locked.plain);
    if (out_gzip && !*out_gzip && result->locked.gzip)
        *out_gzip = buffer_ref(result->locked.gzip);
    return (!out_plain || *out_plain) && (!out_gzip || *out_gzip);
}

/* Takes over the references. */
static void keep_rendered(struct result *result, struct buffer *plain, struct buffer *gzip)
{
    lock_take(&result->locked.lock);
    struct buffer *old_plain = result->locked.plain;
    struct buffer *old_gzip = result->locked.gzip;
    result->locked.plain = plain;
    result->locked.gzip = gzip;
    size_t bytes = (plain ? plain->size : 0) + (gzip ? gzip->size : 0);
    lock_give(&result->locked.lock);
    buffer_unref(old_plain);
    buffer_unref(old_gzip);
    results_charge_json(result, bytes);
}

/* With the result occupied. */
static enum status render_both(struct result *result, bool wants_gzip, struct error *error)
{
    CLEANUP(buffer_unref) struct buffer *plain = NULL;
    CLEANUP(buffer_unref) struct buffer *gzip = NULL;
    (void)take_rendered(result, &plain, &gzip);
    if (!plain)
        TRY(render(result, &plain, error));
    if (wants_gzip && !gzip)
        TRY(compress(plain, &gzip, error));
    keep_rendered(result, STEAL(plain), STEAL(gzip));
    return STATUS_OK;
}

enum status result_json(struct result *result, struct buffer **out_plain, struct buffer **out_gzip,
                        struct error *error)
{
    CLEANUP(buffer_unref) struct buffer *plain = NULL;
    CLEANUP(buffer_unref) struct buffer *gzip = NULL;
    if (!result->is_json)
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "the result of job '%s' is in Arrow form", result->id);
    if (result_is_over(result))
        return result_refuse_expired(result->id, error);
    while (!take_rendered(result, out_plain ? &plain : NULL, out_gzip ? &gzip : NULL)) {
        result_occupy(result);
        enum status status = render_both(result, out_gzip != NULL, error);
        if (status == STATUS_OK)
            (void)take_rendered(result, out_plain ? &plain : NULL, out_gzip ? &gzip : NULL);
        result_leave(result);
        TRY(status);
    }
    if (out_plain)
        *out_plain = STEAL(plain);
    if (out_gzip)
        *out_gzip = STEAL(gzip);
    return STATUS_OK;
}

/* The one whose text goes, with a reference; NULL: all may stay. */
static struct result *take_rendered_longest_ago(struct results *results, const struct result *but)
{
    LOCKED(&results->locked.lock);
    if (results->locked.json_bytes <= RESULTS_JSON_BYTES_MAX)
        return NULL;
    LIST_FOR_EACH (result, &results->locked.rendered, struct result, listed.json_link) {
        if (result == but)
            continue;
        int references = atomic_load(&result->references);
        while (references > 0)
            if (atomic_compare_exchange_weak(&result->references, &references, references + 1))
                return result;
    }
    return NULL;
}

static void set_json_bytes(struct result *result, size_t bytes)
{
    struct results *results = result->results;
    LOCKED(&results->locked.lock);
    results->locked.json_bytes += bytes - result->listed.json_bytes;
    result->listed.json_bytes = bytes;
    list_remove(&result->listed.json_link);
    if (bytes > 0)
        list_append(&results->locked.rendered, &result->listed.json_link);
}

void results_charge_json(struct result *result, size_t bytes)
{
    struct result *oldest;
    set_json_bytes(result, bytes);
    while (bytes > 0 && (oldest = take_rendered_longest_ago(result->results, result))) {
        keep_rendered(oldest, NULL, NULL);
        result_unref(oldest);
    }
}
