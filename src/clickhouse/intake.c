/*
 * intake.c — an answer on its way in: an Arrow stream, validated batch by batch and appended as it comes.
 *
 *      bytes -> ipc_stream_reader -> batches, cut to the size of messages -> dataset_append (may wait)
 *
 * Where the dataset makes the thread wait, nothing is read, and the server feels it. An exception in the
 * middle stands as text where the next message should begin, or inside of one that was begun, and a newer
 * server breaks the connection after it; so the last bytes are kept, and looked at when the stream has not
 * come to its own end. Without its mark of the end an answer is not whole.
 *
 * Runs on: the thread of the request. Owns: the reader of the stream.
 * Source: Arrow Columnar.rst, "IPC Streaming Format"; ClickHouse documentation, "HTTP Interface".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "clickhouse/clickhouse_private.h"

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"

#define TAIL_BYTES CLICKHOUSE_ERROR_BYTES_MAX
/* Read behind a fault, since its reason may stand there. */
#define DRAIN_BYTES_MAX ((size_t)64 << 10)

enum intake_state {
    INTAKE_EMPTY,
    INTAKE_READING,
    INTAKE_ENDED,  /* the mark of the end came */
    INTAKE_FULL,   /* as many rows as were wanted */
    INTAKE_FAULTY, /* what came is no Arrow stream */
    INTAKE_REFUSED /* the dataset, or whoever waits, takes no more */
};

struct clickhouse_intake {
    const struct clickhouse *clickhouse;
    const struct remote_sink *sink;
    struct ipc_stream_reader *reader;
    uint64_t row_limit; /* 0: none */
    size_t batch_bytes_max;
    enum intake_state state;
    bool has_schema;
    int64_t rows;
    int64_t written_rows; /* that the head told; -1: it did not */
    struct error fault;   /* of INTAKE_FAULTY and INTAKE_REFUSED */
    size_t drained;
    size_t tail_size;
    char tail[2 * TAIL_BYTES]; /* the last bytes that came, TAIL_BYTES at least */
};

struct clickhouse_intake *clickhouse_intake_create(const struct clickhouse *clickhouse,
                                                   const struct remote_sink *sink,
                                                   uint64_t row_limit, size_t batch_bytes_max)
{
    struct clickhouse_intake *intake = NEW(struct clickhouse_intake);
    intake->clickhouse = clickhouse;
    intake->sink = sink;
    intake->reader = ipc_stream_reader_create(&ipc_limits_default);
    intake->row_limit = row_limit;
    intake->batch_bytes_max = batch_bytes_max;
    intake->written_rows = -1;
    intake->fault = ERROR_NONE;
    return intake;
}

void clickhouse_intake_destroy(struct clickhouse_intake *intake)
{
    if (!intake)
        return;
    ipc_stream_reader_destroy(intake->reader);
    free(intake);
}

bool clickhouse_intake_is_full(const struct clickhouse_intake *intake)
{
    return intake->state == INTAKE_FULL;
}

/* --- batches ------------------------------------------------------------------------------------ */

static enum status append(struct clickhouse_intake *intake, struct arrow_batch *batch,
                          struct error *error)
{
    intake->rows += batch->rows;
    if (intake->sink->dataset)
        return dataset_append(intake->sink->dataset, batch, error);
    arrow_batch_unref(batch);
    return STATUS_OK;
}

/* In parts of at most so many bytes, as far as rows can be parted. */
static enum status append_parts(struct clickhouse_intake *intake, struct arrow_batch *batch,
                                struct error *error)
{
    size_t parts = batch->body_bytes / intake->batch_bytes_max + 1;
    int64_t step = batch->rows / (int64_t)parts + 1;
    if (parts == 1)
        return append(intake, arrow_batch_ref(batch), error);
    for (int64_t first = 0; first < batch->rows; first += step) {
        int64_t count = step < batch->rows - first ? step : batch->rows - first;
        TRY(append(intake, arrow_batch_slice(batch, first, count), error));
    }
    return STATUS_OK;
}

static enum status take_batch(struct clickhouse_intake *intake, struct arrow_batch *batch,
                              struct error *error)
{
    int64_t left = intake->row_limit > 0 ? (int64_t)intake->row_limit - intake->rows : INT64_MAX;
    if (batch->rows < left)
        return append_parts(intake, batch, error);
    CLEANUP(arrow_batch_unref) struct arrow_batch *beginning = arrow_batch_slice(batch, 0, left);
    TRY(append_parts(intake, beginning, error));
    intake->state = INTAKE_FULL;
    return STATUS_OK;
}

static enum status tell_schema(struct clickhouse_intake *intake, struct error *error)
{
    struct arrow_schema *schema = ipc_stream_reader_schema(intake->reader);
    if (intake->has_schema || !schema)
        return STATUS_OK;
    intake->has_schema = true;
    return intake->sink->tell_schema(intake->sink->context, schema, error);
}

/* --- bytes -------------------------------------------------------------------------------------- */

static void keep_tail(struct clickhouse_intake *intake, struct str bytes)
{
    struct str last = str_slice(bytes, bytes.len - size_min(bytes.len, TAIL_BYTES), bytes.len);
    if (intake->tail_size + last.len > sizeof(intake->tail)) {
        memmove(intake->tail, intake->tail + intake->tail_size - TAIL_BYTES, TAIL_BYTES);
        intake->tail_size = TAIL_BYTES;
    }
    memcpy(intake->tail + intake->tail_size, last.ptr, last.len);
    intake->tail_size += last.len;
}

static enum status refuse(struct clickhouse_intake *intake, const struct error *error)
{
    intake->state = INTAKE_REFUSED;
    intake->fault = *error;
    return error->status;
}

/* The transfer goes on for a while: the reason may come behind what is faulty. */
static enum status note_fault(struct clickhouse_intake *intake, const struct error *error)
{
    intake->state = INTAKE_FAULTY;
    intake->fault = *error;
    return STATUS_OK;
}

static enum status take_batches(struct clickhouse_intake *intake, struct error *error)
{
    while (intake->state == INTAKE_READING) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        enum ipc_stream_step step = IPC_STREAM_MORE;
        struct error own = ERROR_NONE;
        if (ipc_stream_reader_next(intake->reader, &step, &batch, &own) != STATUS_OK)
            return note_fault(intake, &own);
        enum status status = tell_schema(intake, &own);
        if (batch && status == STATUS_OK)
            status = take_batch(intake, batch, &own);
        if (status != STATUS_OK) {
            (void)error_copy(error, &own);
            return refuse(intake, &own);
        }
        if (step == IPC_STREAM_MORE)
            return STATUS_OK;
        if (step == IPC_STREAM_END)
            intake->state = INTAKE_ENDED;
    }
    return STATUS_OK;
}

/* What a transfer is ended with that need not go on. */
static enum status stop(struct error *error)
{
    return error_set(error, STATUS_CANCELLED, "the rest of the answer is not wanted");
}

static enum status on_write(void *context, struct str bytes, struct error *error)
{
    struct clickhouse_intake *intake = context;
    keep_tail(intake, bytes);
    if (intake->state == INTAKE_FAULTY) {
        intake->drained += bytes.len;
        return intake->drained > DRAIN_BYTES_MAX ? stop(error) : STATUS_OK;
    }
    if (intake->state == INTAKE_EMPTY)
        intake->state = INTAKE_READING;
    ipc_stream_reader_feed(intake->reader, (const uint8_t *)bytes.ptr, bytes.len);
    TRY(take_batches(intake, error));
    return intake->state == INTAKE_FULL ? stop(error) : STATUS_OK;
}

/* {"read_rows":"0",...,"written_rows":"5",...} */
static int64_t read_written_rows(struct str summary)
{
    static const struct str mark = {"\"written_rows\":\"", 16};
    uint64_t rows = 0;
    ptrdiff_t at = str_find_str(summary, mark);
    if (at < 0)
        return -1;
    struct str rest = str_slice(summary, (size_t)at + mark.len, summary.len);
    return str_to_u64(str_split(&rest, '"'), &rows) && rows < INT64_MAX ? (int64_t)rows : -1;
}

static enum status on_begin(void *context, const struct fetch_response *response,
                            struct error *error)
{
    struct clickhouse_intake *intake = context;
    struct str format = fetch_response_header(response, STR("x-clickhouse-format"));
    intake->written_rows =
        read_written_rows(fetch_response_header(response, STR("x-clickhouse-summary")));
    if (format.len == 0 || str_equal(format, STR("ArrowStream")))
        return STATUS_OK;
    struct error own = ERROR_NONE;
    (void)error_set_code(&own, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                         "the statement asks for the format '%.*s'; leave FORMAT out: the form of "
                         "the result is chosen where it is fetched",
                         (int)size_min(format.len, 64), format.ptr);
    (void)error_copy(error, &own);
    return refuse(intake, &own);
}

struct fetch_sink clickhouse_intake_sink(struct clickhouse_intake *intake)
{
    return (struct fetch_sink){.begin = on_begin, .write = on_write, .context = intake};
}

/* --- the end ------------------------------------------------------------------------------------ */

static enum status unfinished(const struct clickhouse_intake *intake, enum status status,
                              const struct error *failure, struct error *error)
{
    if (clickhouse_read_exception(intake->clickhouse, str_make(intake->tail, intake->tail_size),
                                  error))
        return error ? error->status : STATUS_INTERNAL;
    if (intake->state == INTAKE_FAULTY)
        return error_set_code(error, STATUS_INTERNAL, "DATABASE_ERROR",
                              "what ClickHouse sent cannot be read: %s%s", intake->fault.message,
                              strstr(intake->fault.message, "UTF-8")
                                  ? " (wrap the column in toValidUTF8(), or in hex())"
                                  : "");
    if (status != STATUS_OK)
        return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                              "ClickHouse broke off in the middle of the result: %s",
                              failure->message);
    return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                          "ClickHouse broke off in the middle of the result: it came without its "
                          "end");
}

enum status clickhouse_intake_end(struct clickhouse_intake *intake, enum status status,
                                  const struct error *failure, int64_t *out_rows,
                                  struct error *error)
{
    struct error own = ERROR_NONE;
    error = error ? error : &own;
    *out_rows = intake->rows;
    if (intake->state == INTAKE_FULL || intake->state == INTAKE_ENDED)
        return STATUS_OK;
    if (intake->state == INTAKE_REFUSED)
        return error_copy(error, &intake->fault);
    if (intake->state == INTAKE_EMPTY) {
        *out_rows = intake->written_rows;
        return status == STATUS_OK ? STATUS_OK : error_copy(error, failure);
    }
    /* The server has been told to stop, or did not do so in time. */
    if (intake->state == INTAKE_READING &&
        (status == STATUS_CANCELLED || status == STATUS_DEADLINE_EXCEEDED))
        return error_copy(error, failure);
    return unfinished(intake, status, failure, error);
}
