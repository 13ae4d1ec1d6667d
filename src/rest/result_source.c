/*
 * result_source.c — a finished result or a kept dataset as bytes from any offset on: an Arrow stream or file.
 *
 * The size of each batch's message is known without making it, so a row of offsets is all that is needed
 * to find the batch that an offset falls into; that batch is then sent by reference. The dataset's batches
 * stay while the source has its reader open. What is on disk is compared with its checksum when it is sent,
 * once it is in the processor's cache anyway; the first batch at once, so that a file that has gone bad as a
 * whole is an error and no broken answer.
 *
 * Made on a worker, read on a loop, one at a time. Owns a reader, the offsets, the beginning and the end.
 * Source: Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "arrow/ipc.h"
#include "base/memory.h"

#include <assert.h>

struct result_source {
    struct dataset *dataset;
    struct dataset_reader *reader; /* keeps the batches; stands before the next one to be sent */
    uint64_t *offsets;             /* of each batch, and behind the last one */
    size_t count;
    struct slices begin;
    struct slices end;
};

static enum status expired(const struct query *query, struct error *error)
{
    return error_set_code(
        error, STATUS_NOT_FOUND, "RESULT_EXPIRED",
        "the result of query '%.*s' is not kept any more; run the statement again",
        STR_ARGS(query_id(query)));
}

static void source_release(void *context)
{
    struct result_source *source = context;
    dataset_reader_close(source->reader);
    dataset_unref_later(source->dataset);
    slices_finish(&source->begin);
    slices_finish(&source->end);
    free(source->offsets);
    free(source);
}

/* Appends what lies from `skip` on. */
static void append_from(const struct slices *bytes, uint64_t skip, struct slices *out)
{
    for (size_t i = 0; i < bytes->count; i++) {
        const struct slice *slice = &bytes->items[bytes->first + i];
        size_t passed = skip < slice->len ? (size_t)skip : slice->len;
        struct slice rest = slice_ref(*slice);
        rest.ptr += passed;
        rest.len -= passed;
        slices_append(out, rest);
        skip -= passed;
    }
}

/* The batch that `offset` falls into. */
static size_t find_batch(const struct result_source *source, uint64_t offset)
{
    size_t low = 0;
    size_t high = source->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (source->offsets[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Has the reader stand before batch `index`; the new one opens first, so that nothing is freed. */
static enum status stand_before(struct result_source *source, size_t index, struct error *error)
{
    if (dataset_reader_position(source->reader) == index)
        return STATUS_OK;
    struct dataset_reader *reader;
    TRY(dataset_reader_open(source->dataset, index, NULL, NULL, &reader, error));
    dataset_reader_close(source->reader);
    dataset_reader_shed_pages(reader);
    source->reader = reader;
    return STATUS_OK;
}

static enum status next_batch(struct result_source *source, struct arrow_batch **out_batch,
                              struct error *error)
{
    enum dataset_step step;
    TRY(dataset_reader_next(source->reader, &step, out_batch, error));
    if (step == DATASET_BATCH)
        return STATUS_OK;
    return error_set(error, STATUS_INTERNAL, "a complete result lacks a batch");
}

/* Notes that the result was read to its end, as a reader of rows would. A kept dataset may have grown. */
static void mark_read(struct result_source *source)
{
    enum dataset_step step;
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    if (dataset_reader_position(source->reader) == source->count &&
        dataset_reader_next(source->reader, &step, &batch, NULL) == STATUS_OK)
        assert(step != DATASET_WAIT);
}

static enum status source_read(void *context, uint64_t offset, size_t size_max, struct slices *out,
                               struct error *error)
{
    struct result_source *source = context;
    uint64_t batches_end = source->offsets[source->count];
    if (offset < source->begin.bytes) {
        append_from(&source->begin, offset, out);
        return STATUS_OK;
    }
    if (offset >= batches_end) {
        mark_read(source);
        append_from(&source->end, offset - batches_end, out);
        return STATUS_OK;
    }
    size_t index = find_batch(source, offset);
    TRY(stand_before(source, index, error));
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    TRY(next_batch(source, &batch, error));
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    ipc_stream_batch(&message, batch);
    append_from(&message, offset - source->offsets[index], out);
    return STATUS_OK;
}

/* --- making it --------------------------------------------------------------------------------- */

/* Dictionaries that grow on the way travel between batches, and have no place among the offsets. */
static enum status check_dictionaries(const struct result_source *source,
                                      const struct arrow_batch *batch, struct error *error)
{
    const struct arrow_schema *schema = dataset_schema(source->dataset);
    if (batch->schema == schema ||
        ipc_dictionary_next(batch->schema, schema, 0) == batch->schema->dictionary_count)
        return STATUS_OK;
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "the result's dictionaries change on the way: it cannot be had in parts; "
                     "ask for ndjson, json or csv");
}

/* Goes once through the batches for their sizes. */
static enum status measure(struct result_source *source, struct ipc_file *file, struct error *error)
{
    uint64_t offset = source->begin.bytes;
    for (size_t i = 0; i < source->count; i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        dataset_reader_measure(source->reader, i > 0);
        TRY(next_batch(source, &batch, error));
        TRY(check_dictionaries(source, batch, error));
        source->offsets[i] = offset;
        offset += ipc_batch_bytes(batch);
        if (file)
            ipc_file_note_batch(file, batch);
    }
    dataset_reader_measure(source->reader, false);
    source->offsets[source->count] = offset;
    return STATUS_OK;
}

static enum status encode_file(struct result_source *source, struct error *error)
{
    struct ipc_file file;
    ipc_file_begin(&file, &source->begin, dataset_schema(source->dataset));
    enum status status = measure(source, &file, error);
    if (status == STATUS_OK)
        status = ipc_file_end(&file, &source->end, error);
    ipc_file_finish(&file);
    return status;
}

static enum status encode_stream(struct result_source *source, struct error *error)
{
    ipc_stream_begin(&source->begin, dataset_schema(source->dataset));
    ipc_stream_end(&source->end);
    return measure(source, NULL, error);
}

/* A result that passes by its readers has no second one: a reader of it must not even be opened. */
static enum status open_kept(struct query *query, struct dataset_reader **out_reader,
                             struct error *error)
{
    struct dataset_facts facts;
    dataset_facts(query_dataset(query), &facts);
    if (facts.transient ||
        dataset_reader_open(query_dataset(query), 0, NULL, NULL, out_reader, NULL) != STATUS_OK)
        return expired(query, error);
    return STATUS_OK;
}

enum status rest_result_check(struct query *query, struct error *error)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    return open_kept(query, &reader, error);
}

enum status rest_batches_source(struct dataset *dataset, struct dataset_reader *reader,
                                size_t count, enum rest_format format,
                                struct http_source *out_source, struct error *error)
{
    struct result_source *source = NEW(struct result_source);
    source->dataset = dataset_ref(dataset);
    dataset_reader_shed_pages(reader);
    source->reader = reader;
    source->count = count;
    source->offsets = NEW_ARRAY(uint64_t, count + 1);
    slices_init(&source->begin);
    slices_init(&source->end);
    enum status status =
        format == REST_ARROW_FILE ? encode_file(source, error) : encode_stream(source, error);
    if (status != STATUS_OK) {
        source_release(source);
        return status;
    }
    *out_source = (struct http_source){
        .size = source->offsets[source->count] + source->end.bytes,
        .context = source,
        .read = source_read,
        .release = source_release,
    };
    return STATUS_OK;
}

enum status rest_result_source(struct query *query, enum rest_format format,
                               struct http_source *out_source, struct error *error)
{
    struct dataset *dataset = query_dataset(query);
    struct dataset_reader *reader;
    TRY(open_kept(query, &reader, error));
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    return rest_batches_source(dataset, reader, facts.batches, format, out_source, error);
}
