/*
 * result_stream.c — a result as an Arrow IPC stream, and a result made of one.
 *
 * Threads: one at a time, which may block. Owns: the reader and what waits to be taken; of a return the put
 * until its end. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc.h"
#include "base/memory.h"
#include "jobs/results_private.h"
#include "store/put.h"

/* --- out ----------------------------------------------------------------------------------------- */

enum status result_stream_open(struct result_stream *stream, struct dataset *dataset,
                               struct error *error)
{
    *stream = (struct result_stream){0};
    slices_init(&stream->pending);
    TRY(dataset_reader_open(dataset, 0, NULL, NULL, &stream->reader, error));
    stream->dataset = dataset_ref(dataset);
    stream->sent = arrow_schema_ref(dataset_schema(dataset));
    return STATUS_OK;
}

void result_stream_finish(struct result_stream *stream)
{
    dataset_reader_close(stream->reader);
    arrow_schema_unref(stream->sent);
    slices_finish(&stream->pending);
    dataset_unref(stream->dataset);
    *stream = (struct result_stream){0};
}

static void add_batch(struct result_stream *stream, struct arrow_batch *batch)
{
    ipc_stream_batch_after(&stream->pending, batch, stream->sent);
    arrow_schema_unref(stream->sent);
    stream->sent = arrow_schema_ref(batch->schema);
    arrow_batch_unref(batch);
}

enum status result_stream_fill(struct result_stream *stream, struct error *error)
{
    if (stream->pending.bytes > 0 || stream->is_over)
        return STATUS_OK;
    if (!stream->is_begun) {
        stream->is_begun = true;
        ipc_stream_begin(&stream->pending, stream->sent);
        return STATUS_OK;
    }
    struct arrow_batch *batch = NULL;
    enum dataset_step step;
    do {
        dataset_reader_wait(stream->reader);
        TRY(dataset_reader_next(stream->reader, &step, &batch, error));
    } while (step == DATASET_WAIT);
    if (step == DATASET_BATCH) {
        add_batch(stream, batch);
        return STATUS_OK;
    }
    ipc_stream_end(&stream->pending);
    stream->is_over = true;
    return STATUS_OK;
}

enum status result_stream_whole(struct dataset *dataset, size_t size_max, struct slice *out_bytes,
                                struct error *error)
{
    CLEANUP(result_stream_finish) struct result_stream stream;
    CLEANUP(slices_finish) struct slices all;
    slices_init(&all);
    TRY(result_stream_open(&stream, dataset, error));
    while (!stream.is_over) {
        TRY(result_stream_fill(&stream, error));
        slices_move(&all, &stream.pending);
        if (all.bytes > size_max)
            return error_set(error, STATUS_RESOURCE_EXHAUSTED, "a result has more than %zu bytes",
                             size_max);
    }
    *out_bytes = slices_join(&all);
    return STATUS_OK;
}

/* --- back ---------------------------------------------------------------------------------------- */

enum status result_return_begin(struct result_return *back, struct result *result,
                                struct error *error)
{
    char id[RESULT_ID_BYTES_MAX + 16];
    *back = (struct result_return){.result = result};
    uint64_t ttl_ms = result_ttl_left_ms(result);
    if (ttl_ms == 0)
        return result_refuse_expired(result->id, error);
    const struct put_options options = {
        .id = result_dataset_id(id, result->id),
        .mode = PUT_CREATE,
        .owner = STR(".results"),
        .ttl_ms = ttl_ms,
        .durability = DATASET_IN_MEMORY,
        .is_open = true,
        .is_result = true,
    };
    back->reader = ipc_stream_reader_create(&ipc_limits_default);
    return put_begin(result->results->options.store, &options, &back->put, error);
}

static enum status take_batches(struct result_return *back, bool *out_is_over, struct error *error)
{
    for (;;) {
        enum ipc_stream_step step;
        struct arrow_batch *batch = NULL;
        TRY(ipc_stream_reader_next(back->reader, &step, &batch, error));
        struct arrow_schema *schema = ipc_stream_reader_schema(back->reader);
        if (schema)
            dataset_set_schema(put_dataset(back->put), schema);
        *out_is_over = step == IPC_STREAM_END;
        if (step != IPC_STREAM_BATCH)
            return STATUS_OK;
        TRY(put_append(back->put, batch, error));
    }
}

enum status result_return_feed(struct result_return *back, struct str bytes, struct error *error)
{
    bool is_over;
    ipc_stream_reader_feed(back->reader, (const uint8_t *)bytes.ptr, bytes.len);
    return take_batches(back, &is_over, error);
}

enum status result_return_end(struct result_return *back, struct dataset **out_dataset,
                              struct error *error)
{
    bool is_over = false;
    struct put_result kept;
    TRY(take_batches(back, &is_over, error));
    struct dataset_facts facts;
    dataset_facts(put_dataset(back->put), &facts);
    if (!is_over || !dataset_schema(put_dataset(back->put)) || facts.rows != back->result->rows)
        return error_set(error, STATUS_DATA_LOSS, "the result of job '%s' came back incomplete",
                         back->result->id);
    struct dataset *dataset = dataset_ref(put_dataset(back->put));
    enum status status = put_commit(back->put, &kept, error);
    if (status != STATUS_OK) {
        dataset_unref(dataset);
        return status;
    }
    results_enter(back->result->results, back->result);
    *out_dataset = dataset;
    return STATUS_OK;
}

void result_return_finish(struct result_return *back)
{
    put_destroy(back->put);
    ipc_stream_reader_destroy(back->reader);
    *back = (struct result_return){0};
}
