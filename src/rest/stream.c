/*
 * stream.c — the rows of a query or a dataset as an HTTP response body, pulled as the client reads.
 *
 * The head waits for the first batch, the end or an error, so that a statement that fails before its
 * first row gets its proper status. After the first byte an error breaks the response visibly. Arrow
 * batches are sent by reference; text is written in pieces, of which the first comes at once and every
 * later one when it is its turn.
 *
 * Runs on the request's loop. Owns: the reader (part), one batch. Not done here: running the query
 * (engine/query.c), waiting for room (http). SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "arrow/ipc.h"
#include "base/memory.h"
#include "http/coding.h"
#include "http/pieces.h"

/* Text produced in one turn: about 0.1 ms. */
#define PIECE_BYTES ((size_t)32 << 10)

struct rest_stream {
    struct rest_exchange *exchange;
    struct query *query;       /* NULL: the rows of a dataset */
    struct part_stream *part;  /* where rows come from; NULL: the columns are not known yet */
    struct arrow_schema *sent; /* of the batch before; NULL: only the stream's beginning was sent */
    struct loop_task wake;     /* the dataset or the query has news */
    struct http_piece piece;   /* our turn to write text */
    struct row_writer *writer; /* NULL: Arrow */
    struct ipc_file file;      /* the file that is written, if it is one */
    struct arrow_batch *batch; /* being written as text */
    int64_t row;
    struct buf text;
    bool text_begun;
    bool head_sent;
    bool over;
};

static bool is_file(const struct rest_stream *stream)
{
    return stream->exchange->reply.format == REST_ARROW_FILE;
}

/* Where the result can be had once more. */
static struct str result_path(const struct rest_stream *stream)
{
    const struct rest_reply *reply = &stream->exchange->reply;
    return arena_printf(stream->exchange->request->arena, "/v1/queries/%.*s/result?format=%s%s",
                        STR_ARGS(query_id(stream->query)), rest_format_name(reply->format),
                        reply->integers_as_text ? "&int64=string" : "");
}

/* Text shrinks. Arrow has a compression of its own, so it is left alone unless the client takes no
 * bytes as they are. */
static void choose_coding(const struct rest_stream *stream)
{
    struct http_request *request = stream->exchange->request;
    if (stream->writer || !http_coding_takes_identity(&request->headers))
        http_response_compressible(request);
}

static void respond(struct rest_stream *stream)
{
    struct rest_exchange *exchange = stream->exchange;
    struct http_request *request = exchange->request;
    struct http_header headers[3 + REST_REPLY_HEADERS_MAX + REST_CORS_HEADERS_MAX] = {
        {STR("content-type"), str_of(rest_format_media_type(exchange->reply.format))},
    };
    size_t count = 1;
    if (stream->query)
        headers[count++] = (struct http_header){STR("volley-query-id"), query_id(stream->query)};
    if (stream->query && exchange->reply.keep_result)
        headers[count++] = (struct http_header){STR("content-location"), result_path(stream)};
    count += rest_put_headers(exchange, headers + count);
    count += rest_cors_headers(exchange, headers + count);
    choose_coding(stream);
    stream->head_sent = true;
    stream->over = str_equal(request->method, STR("HEAD"));
    http_respond(request, exchange->reply.http_status, headers, count, stream->over);
}

static void begin_text(struct rest_stream *stream)
{
    if (stream->text_begun)
        return;
    stream->text_begun = true;
    buf_append_str(&stream->text, stream->exchange->reply.before);
    row_writer_begin(stream->writer, &stream->text);
}

static void send_head(struct rest_stream *stream)
{
    respond(stream);
    if (stream->over)
        return;
    if (stream->writer) {
        begin_text(stream);
        return;
    }
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (is_file(stream))
        ipc_file_begin(&stream->file, &body, stream->part->schema);
    else
        ipc_stream_begin(&body, stream->part->schema);
    http_write(stream->exchange->request, &body);
}

/* Hands the text that was written to the transport. */
static void send_text(struct rest_stream *stream)
{
    if (stream->text.len == 0)
        return;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    slices_append_copy(&body, stream->text.ptr, stream->text.len);
    buf_clear(&stream->text);
    http_write(stream->exchange->request, &body);
}

static void break_off(struct rest_stream *stream, const struct error *error)
{
    struct rest_exchange *exchange = stream->exchange;
    stream->over = true;
    exchange->error = *error;
    exchange->status = error->status;
    if (stream->head_sent)
        http_abort(exchange->request);
    else
        rest_respond_error(exchange, error);
}

static enum status end_arrow(struct rest_stream *stream, struct error *error)
{
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (is_file(stream))
        TRY(ipc_file_end(&stream->file, &body, error));
    else
        ipc_stream_end(&body);
    http_write(stream->exchange->request, &body);
    return STATUS_OK;
}

static void finish(struct rest_stream *stream)
{
    struct error error = ERROR_NONE;
    if (!stream->head_sent)
        send_head(stream);
    if (stream->over)
        return;
    stream->over = true;
    if (stream->writer) {
        row_writer_end(stream->writer, &stream->text);
        buf_append_str(&stream->text, stream->exchange->reply.after);
        send_text(stream);
    } else if (end_arrow(stream, &error) != STATUS_OK) {
        break_off(stream, &error);
        return;
    }
    http_end(stream->exchange->request, NULL, 0);
}

/* A statement without rows answers with what it changed, in JSON whatever the format. */
static void respond_count(struct rest_stream *stream)
{
    struct rest_exchange *exchange = stream->exchange;
    int64_t rows = -1;
    struct error error = ERROR_NONE;
    if (query_outcome(stream->query, &rows, &error) != STATUS_OK) {
        break_off(stream, &error);
        return;
    }
    struct json_writer json;
    json_writer_init(&json, &stream->text);
    json_write_begin_object(&json);
    json_write_key(&json, "statement");
    json_write_text(&json, str_of(statement_kind_name(query_kind(stream->query))));
    json_write_integer_or_null(&json, "rows_changed", rows, rows >= 0);
    json_write_end_object(&json);
    stream->over = true;
    exchange->rows = rows < 0 ? 0 : rows;
    http_respond_text(exchange->request, 200, STR("application/json"), buf_str(&stream->text));
}

static void send_batch(struct rest_stream *stream, struct arrow_batch *batch)
{
    stream->exchange->rows += batch->rows;
    if (stream->writer) {
        stream->batch = arrow_batch_ref(batch);
        stream->row = 0;
        return;
    }
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (is_file(stream))
        ipc_file_batch(&stream->file, &body, batch);
    else
        ipc_stream_batch_after(&body, batch, stream->sent ? stream->sent : stream->part->schema);
    arrow_schema_unref(stream->sent);
    stream->sent = arrow_schema_ref(batch->schema);
    http_write(stream->exchange->request, &body);
}

static void refuse_long_row(struct rest_stream *stream)
{
    struct error error = ERROR_NONE;
    error_set_code(&error, STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE",
                   "a row of the result has more than %zu bytes as %s: ask for format=arrow",
                   REST_REPLY_BYTES_MAX, rest_format_name(stream->exchange->reply.format));
    break_off(stream, &error);
}

/* Writes the next piece of the batch at hand. The head follows the first one, which may fail. */
static void write_rows(struct rest_stream *stream)
{
    begin_text(stream);
    row_writer_rows(stream->writer, stream->batch, &stream->row, PIECE_BYTES, &stream->text);
    if (stream->text.failed) {
        refuse_long_row(stream);
        return;
    }
    if (!stream->head_sent)
        respond(stream);
    if (stream->over)
        return;
    send_text(stream);
    if (stream->row < stream->batch->rows)
        return;
    arrow_batch_unref(stream->batch);
    stream->batch = NULL;
}

/* One step of the stream; false when it has to wait or is over. */
static bool step(struct rest_stream *stream)
{
    if (stream->batch) {
        write_rows(stream);
        return true;
    }
    struct error error = ERROR_NONE;
    enum dataset_step what;
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    if (part_stream_next(stream->part, &what, &batch, &error) != STATUS_OK) {
        break_off(stream, &error);
        return false;
    }
    if (what == DATASET_WAIT)
        return false;
    if (what == DATASET_END) {
        finish(stream);
        return false;
    }
    if (!stream->head_sent && !stream->writer)
        send_head(stream);
    if (stream->over)
        return false;
    send_batch(stream, batch);
    return true;
}

static bool query_is_over(const struct query *query)
{
    enum query_state state = query_state(query);
    return state == QUERY_DONE || state == QUERY_FAILED || state == QUERY_CANCELLED;
}

/* Sends what there is; of text a piece, and asks for the next turn. */
static void send_some(struct rest_stream *stream)
{
    struct http_request *request = stream->exchange->request;
    uint64_t sent_before = request->bytes_sent;
    while (!stream->over && http_writable_bytes(request) > 0 && step(stream)) {
        if (stream->writer && request->bytes_sent - sent_before >= PIECE_BYTES) {
            http_piece_ask(request, &stream->piece);
            return;
        }
    }
}

static void on_turn(struct http_piece *piece)
{
    send_some(CONTAINER_OF(piece, struct rest_stream, piece));
}

static struct row_writer *text_writer(const struct rest_exchange *exchange,
                                      struct arrow_schema *schema)
{
    static const enum row_format row_formats[] = {
        [REST_JSON] = ROW_JSON, [REST_NDJSON] = ROW_NDJSON, [REST_CSV] = ROW_CSV};
    const struct rest_reply *reply = &exchange->reply;
    /* Of Parquet no more than the head goes this way. */
    if (reply->format == REST_ARROW || reply->format == REST_ARROW_FILE ||
        reply->format == REST_PARQUET)
        return NULL;
    enum row_format format = reply->before.len > 0 ? ROW_JSON_ARRAY : row_formats[reply->format];
    return row_writer_create(format, schema, reply->integers_as_text);
}

/* Reads the query's result from its first row on. */
static enum status open_result(struct rest_stream *stream, struct error *error)
{
    struct dataset_part whole = DATASET_PART_WHOLE;
    struct loop *loop = stream->exchange->request->loop;
    stream->writer = text_writer(stream->exchange, query_schema(stream->query));
    stream->part = NEW(struct part_stream);
    return part_stream_open(stream->part, query_dataset(stream->query), &whole, 0, loop,
                            &stream->wake, error);
}

/* Reads what a dataset has and what comes; who appends to it is nobody's business here. */
static enum status open_followed(struct rest_stream *stream, struct error *error)
{
    struct rest_reply *reply = &stream->exchange->reply;
    struct loop *loop = stream->exchange->request->loop;
    struct part_stream *part = NEW(struct part_stream);
    enum status status = part_stream_open(part, reply->followed, &reply->followed_part, 0, loop,
                                          &stream->wake, error);
    if (status != STATUS_OK) {
        rest_part_destroy(part);
        return status;
    }
    stream->part = part;
    stream->writer = text_writer(stream->exchange, part->schema);
    return STATUS_OK;
}

static void pump(struct rest_stream *stream)
{
    struct http_request *request = stream->exchange->request;
    if (stream->over)
        return;
    struct error error = ERROR_NONE;
    if (!stream->part && query_schema_is_known(stream->query) &&
        open_result(stream, &error) != STATUS_OK) {
        break_off(stream, &error);
        return;
    }
    if (stream->query && query_schema(stream->query)->field_count == 0) {
        if (query_is_over(stream->query))
            respond_count(stream);
        return;
    }
    if (stream->writer && request->bytes_sent > 0)
        http_piece_ask(request, &stream->piece);
    else
        send_some(stream);
}

static void on_wake(struct loop_task *task)
{
    pump(CONTAINER_OF(task, struct rest_stream, wake));
}

/* Has the query run. Its reader is there before its first row where its columns are known before it runs. */
static enum status begin_query(struct rest_stream *stream, struct error *error)
{
    if (query_schema_is_known(stream->query))
        TRY(open_result(stream, error));
    return query_start(stream->query, stream->exchange->request->loop, &stream->wake, error);
}

void rest_stream_begin(struct rest_exchange *exchange)
{
    struct rest_stream *stream = NEW(struct rest_stream);
    struct error error = ERROR_NONE;
    stream->exchange = exchange;
    stream->wake = LOOP_TASK_INIT(on_wake);
    stream->piece.make = on_turn;
    stream->part = STEAL(exchange->reply.part);
    buf_init(&stream->text, REST_REPLY_BYTES_MAX);
    exchange->stream = stream;
    if (exchange->reply.query) {
        stream->query = query_ref(exchange->reply.query);
        exchange->fingerprint = query_fingerprint(stream->query);
        if (begin_query(stream, &error) != STATUS_OK) {
            break_off(stream, &error);
            return;
        }
    } else if (exchange->reply.followed) {
        if (open_followed(stream, &error) != STATUS_OK) {
            break_off(stream, &error);
            return;
        }
    } else {
        stream->writer = text_writer(exchange, stream->part->schema);
    }
    pump(stream);
}

void rest_stream_writable(struct rest_stream *stream)
{
    pump(stream);
}

void rest_release_result(const struct rest_reply *reply, bool over, const struct error *reason)
{
    bool is_stopped = !over && query_cancel(reply->query, reason);
    if (is_stopped || !reply->keep_result)
        dataset_drop(query_dataset(reply->query));
}

void rest_part_destroy(struct part_stream *part)
{
    if (!part)
        return;
    part_stream_finish(part);
    free(part);
}

void rest_stream_close(struct rest_stream *stream)
{
    if (!stream)
        return;
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "the client left before the result was sent");
    if (stream->query) {
        query_forget(stream->query, &stream->wake);
        rest_release_result(&stream->exchange->reply, stream->over, &reason);
    }
    rest_part_destroy(stream->part);
    loop_task_cancel(stream->exchange->request->loop, &stream->wake);
    http_piece_forget(&stream->piece);
    query_unref(stream->query);
    arrow_schema_unref(stream->sent);
    ipc_file_finish(&stream->file);
    row_writer_destroy(stream->writer);
    arrow_batch_unref(stream->batch);
    buf_finish(&stream->text);
    free(stream);
}
