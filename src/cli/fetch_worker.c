/*
 * fetch_worker.c — reads parts, one after the other, through broken connections.
 *
 * A call that breaks off is made again where it stopped: its ticket then names the first row that did not
 * come. Without positions a part is only begun again while nothing of it came. Each row that comes makes the
 * count of tries begin anew.
 *
 * Runs on: threads of its own. Owns: the call under way and its decoder.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/fetch_private.h"

#include "arrow/ipc.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/connect.h"
#include "proto/flight_data.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_DELAY_MS 200
#define DELAY_MS_MAX 10000
#define JITTER_PERCENT 20

/* Parts that may be read or wait before those that are given out, for each worker. */
#define PARTS_AHEAD 2

/* One part on its way. */
struct reading {
    struct fetch_worker *worker;
    struct fetch_part *part;
    struct ipc_decoder *decoder;
    uint64_t rows; /* that came */
};

/* --- connections ---------------------------------------------------------------------------------- */

static bool is_stopping(struct fetch *fetch)
{
    LOCKED(&fetch->locked.lock);
    return fetch->locked.is_stopping;
}

static enum status reach(struct fetch_worker *worker, struct error *error)
{
    struct fetch *fetch = worker->fetch;
    if (worker->client)
        return STATUS_OK;
    struct grpc_client *client = NULL;
    TRY(cli_connect(fetch->options.server, &client, error));
    LOCKED(&fetch->locked.lock);
    worker->client = client;
    return fetch->locked.is_stopping ? error_set(error, STATUS_CANCELLED, "interrupted")
                                     : STATUS_OK;
}

/* --- batches -------------------------------------------------------------------------------------- */

/* All parts must have the same columns. */
static enum status note_schema(struct fetch *fetch, struct arrow_schema *schema,
                               struct error *error)
{
    LOCKED(&fetch->locked.lock);
    if (!fetch->locked.schema)
        fetch->locked.schema = arrow_schema_ref(schema);
    if (arrow_schema_equal(schema, fetch->locked.schema))
        return STATUS_OK;
    return error_set(error, STATUS_INTERNAL, "the server sent parts with different columns");
}

static void append(struct fetch_part *part, struct arrow_batch *batch)
{
    if (part->count == part->capacity && part->first > 0) {
        memmove(part->batches, part->batches + part->first,
                (part->count - part->first) * sizeof(*part->batches));
        part->count -= part->first;
        part->first = 0;
    }
    if (part->count == part->capacity) {
        part->capacity = part->capacity > 0 ? 2 * part->capacity : 16;
        part->batches = memory_resize(part->batches, part->capacity, sizeof(*part->batches));
    }
    part->batches[part->count++] = batch;
    part->bytes += batch->memory_bytes;
}

/* Takes the batch over; waits while the part has enough that nobody took. */
static enum status hand_over(struct reading *reading, struct arrow_batch *batch,
                             struct error *error)
{
    struct fetch *fetch = reading->worker->fetch;
    struct fetch_part *part = reading->part;
    reading->rows += (uint64_t)batch->rows;
    LOCKED(&fetch->locked.lock);
    while (part->bytes >= PART_QUEUE_BYTES_MAX && !fetch->locked.is_stopping)
        condition_wait(&fetch->locked.changed, &fetch->locked.lock);
    append(part, batch);
    condition_broadcast(&fetch->locked.changed);
    return fetch->locked.is_stopping ? error_set(error, STATUS_CANCELLED, "interrupted")
                                     : STATUS_OK;
}

static enum status take_message(struct reading *reading, struct slice bytes, struct error *error)
{
    CLEANUP(flight_data_finish) struct flight_data message = {0};
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    TRY(flight_data_parse(bytes, &message, error));
    if (message.data_header.len == 0)
        return STATUS_OK;
    bool is_first = !ipc_decoder_schema(reading->decoder);
    TRY(ipc_decode(reading->decoder, message.data_header, message.data_body, &batch, error));
    struct arrow_schema *schema = ipc_decoder_schema(reading->decoder);
    if (is_first && schema)
        TRY(note_schema(reading->worker->fetch, schema, error));
    if (!batch || batch->rows == 0)
        return STATUS_OK;
    return hand_over(reading, STEAL(batch), error);
}

/* --- calls ---------------------------------------------------------------------------------------- */

/* The ticket of what did not come yet. */
static struct str remaining_ticket(const struct reading *reading, struct arena *arena)
{
    const struct fetch *fetch = reading->worker->fetch;
    const struct fetch_part *part = reading->part;
    if (!fetch->has_positions)
        return part->ticket;
    struct dataset_range range = fetch->options.range;
    range.from = part->from + reading->rows;
    range.limit = part->rows == UINT64_MAX ? UINT64_MAX : part->rows - reading->rows;
    return dataset_ticket(arena, proto_bytes(fetch->options.info->app_metadata), &range);
}

static enum status start_call(struct reading *reading, struct grpc_client_call **out_call,
                              struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(slices_finish) struct slices request;
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = NULL;
    Flight__Ticket ticket = FLIGHT__TICKET__INIT;
    arena_init(&arena);
    slices_init(&request);
    ticket.ticket = proto_binary(remaining_ticket(reading, &arena));
    proto_append(&request, &ticket);
    TRY(reach(reading->worker, error));
    TRY(grpc_client_start(reading->worker->client, STR(FLIGHT_SERVICE "DoGet"), 0, &call, error));
    TRY(grpc_client_send(call, &request, error));
    TRY(grpc_client_half_close(call, error));
    *out_call = STEAL(call);
    return STATUS_OK;
}

/* A call that ends in peace brought all that was announced. */
static enum status check_count(const struct reading *reading, struct error *error)
{
    const struct fetch *fetch = reading->worker->fetch;
    const struct fetch_part *part = reading->part;
    if (!fetch->has_positions || fetch->options.info->total_records < 0 ||
        reading->rows == part->rows)
        return STATUS_OK;
    return error_set(error, STATUS_DATA_LOSS, "the server sent %llu of %llu rows",
                     (unsigned long long)reading->rows, (unsigned long long)part->rows);
}

/* Reads until the call ends. */
static enum status read_call(struct reading *reading, struct error *error)
{
    /* What comes was asked for: only what memory can hold is refused. */
    struct ipc_limits limits = ipc_limits_default;
    limits.body_bytes_max = (size_t)2 << 30;
    limits.decoded_bytes_max = (size_t)8 << 30;
    limits.rows_max = INT32_MAX;
    limits.cells_max = INT64_C(1) << 40;
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = NULL;
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = ipc_decoder_create(&limits);
    reading->decoder = decoder;
    TRY(start_call(reading, &call, error));
    for (;;) {
        CLEANUP(slice_finish) struct slice bytes = SLICE_EMPTY;
        bool end;
        TRY(grpc_client_receive(call, &bytes, &end, error));
        if (end)
            return check_count(reading, error);
        TRY(take_message(reading, bytes, error));
    }
}

/* --- trying again --------------------------------------------------------------------------------- */

static void tell(const struct reading *reading, const struct error *failure, uint64_t delay_ms)
{
    struct fetch *fetch = reading->worker->fetch;
    LOCKED(&fetch->locked.lock);
    (void)snprintf(fetch->locked.notice, FETCH_NOTICE_SIZE,
                   "%.300s; trying again in %.1f s from row %llu on", failure->message,
                   (double)delay_ms / 1000,
                   (unsigned long long)(reading->part->from + reading->rows));
    fetch->locked.has_notice = true;
    condition_broadcast(&fetch->locked.changed);
}

static void pause_for(struct fetch *fetch, uint64_t delay_ms)
{
    uint64_t end_ns = clock_now_ns() + delay_ms * NANOSECONDS_PER_MILLISECOND;
    LOCKED(&fetch->locked.lock);
    while (!fetch->locked.is_stopping &&
           condition_wait_until(&fetch->locked.changed, &fetch->locked.lock, end_ns))
        continue;
}

/* Whether a part that failed is tried again; waits before it says so. */
static bool may_go_on(const struct reading *reading, unsigned tries, const struct error *failure)
{
    struct fetch *fetch = reading->worker->fetch;
    const struct grpc_retry retry = {.tries_max = fetch->options.retries + 1,
                                     .first_delay_ms = FIRST_DELAY_MS,
                                     .delay_ms_max = DELAY_MS_MAX,
                                     .jitter_percent = JITTER_PERCENT};
    uint64_t delay_ms;
    if (!fetch->has_positions && reading->rows > 0)
        return false;
    if (is_stopping(fetch) || !grpc_retry_next(&retry, tries, GRPC_IDEMPOTENT, failure, &delay_ms))
        return false;
    tell(reading, failure, delay_ms);
    pause_for(fetch, delay_ms);
    return !is_stopping(fetch);
}

/* A call that broke off behind the last row of its part has nothing left to ask for. */
static bool is_complete(const struct reading *reading)
{
    const struct fetch_part *part = reading->part;
    return reading->worker->fetch->has_positions && part->rows != UINT64_MAX &&
           reading->rows >= part->rows && part->rows > 0;
}

static enum status read_part(struct reading *reading, struct error *error)
{
    struct error failure = ERROR_NONE;
    for (unsigned tries = 1;; tries++) {
        uint64_t rows = reading->rows;
        enum status status = read_call(reading, &failure);
        if (status == STATUS_OK || is_complete(reading))
            return STATUS_OK;
        if (reading->rows > rows)
            tries = 1;
        if (!may_go_on(reading, tries, &failure))
            return error_copy(error, &failure);
    }
}

/* --- the thread ----------------------------------------------------------------------------------- */

/* The next part to read, or NULL when there is none. */
static struct fetch_part *take_part(struct fetch *fetch)
{
    LOCKED(&fetch->locked.lock);
    while (!fetch->locked.is_stopping && fetch->locked.next_part < fetch->part_count) {
        size_t window = (size_t)PARTS_AHEAD * fetch->options.parallel;
        if (fetch->locked.next_part <= fetch->locked.front_part + window)
            return &fetch->parts[fetch->locked.next_part++];
        condition_wait(&fetch->locked.changed, &fetch->locked.lock);
    }
    return NULL;
}

static void finish_part(struct fetch *fetch, struct fetch_part *part, const struct error *failure)
{
    LOCKED(&fetch->locked.lock);
    if (failure) {
        part->failure = NEW(struct error);
        *part->failure = *failure;
    }
    part->is_over = true;
    condition_broadcast(&fetch->locked.changed);
}

void fetch_worker_run(void *argument)
{
    struct fetch_worker *worker = (struct fetch_worker *)argument;
    struct fetch_part *part;
    while ((part = take_part(worker->fetch))) {
        struct error failure = ERROR_NONE;
        struct reading reading = {.worker = worker, .part = part};
        enum status status = read_part(&reading, &failure);
        finish_part(worker->fetch, part, status == STATUS_OK ? NULL : &failure);
        if (status != STATUS_OK)
            return;
    }
}
