/*
 * do_put.c — DoPut: a command that changes something, or batches to keep.
 *
 * A Flight SQL command comes with the first message and is run at once: clients wait for its row count
 * before they half-close, and some send no schema at all. Rows that it returns are counted and dropped.
 * Where rows follow for a command that takes some, its statement reads them while they come (input.c), and
 * the count is the answer to the whole.
 *
 * Batches for a dataset are taken in one by one (upload.c) and become visible together when the client
 * has half-closed; the answer tells what was kept and how. receive runs on a worker, next on the loop.
 *
 * Source: Flight.proto "DoPut"; FlightSql.proto; contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"
#include "engine/error_place.h"
#include "proto/flight_sql.h"
#include "json/writer.h"

#define ANSWER_BYTES_MAX ((size_t)64 << 10)

/* --- rows for a statement ------------------------------------------------------------------- */

/* Once their schema is there. */
static enum status start_rows(struct flight_call *call, struct error *error)
{
    struct str type_name;
    struct slice value;
    const struct arrow_schema *schema = upload_schema(input_upload(call->input));
    if (!schema)
        return STATUS_OK;
    TRY(proto_any_parse(call->command, &type_name, &value, error));
    if (schema->field_count == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s takes rows; the schema that was sent has no fields",
                         STR_ARGS(type_name));
    TRY(input_begin(call->input, error));
    call->discards_rows = true;
    TRY(call->rows_command->put_rows(call, value, schema, input_id(call->input), &call->query,
                                     error));
    return flight_start(call, error);
}

/* A statement that fails leaves its input first: why that takes no more, its outcome tells. */
static bool is_told_by_statement(const struct flight_call *call)
{
    return call->query && input_is_abandoned(call->input);
}

static enum status receive_rows(struct flight_call *call, const struct flight_data *message,
                                struct error *error)
{
    if (call->answered || input_is_abandoned(call->input))
        return STATUS_OK;
    enum status status = upload_receive(input_upload(call->input), message, error);
    if (status != STATUS_OK)
        return is_told_by_statement(call) ? STATUS_OK : status;
    return call->query ? STATUS_OK : start_rows(call, error);
}

/* Whether the first message begins rows, which then have an input. The schema of a command that takes nothing
 * else may come later. */
static enum status begin_rows(struct flight_call *call, const struct flight_command *command,
                              const struct flight_data *first, struct error *error)
{
    if (!command->put_rows)
        return STATUS_OK;
    TRY(flight_create_input(call, true, error));
    TRY(upload_receive(input_upload(call->input), first, error));
    const struct arrow_schema *schema = upload_schema(input_upload(call->input));
    if (command->put && (!schema || schema->field_count == 0))
        input_destroy(STEAL(call->input));
    return STATUS_OK;
}

/* --- the first message ---------------------------------------------------------------------- */

static enum status run_command(struct flight_call *call, struct slice any,
                               const struct flight_data *first, struct error *error)
{
    struct str type_name;
    struct slice value;
    TRY(proto_any_parse(any, &type_name, &value, error));
    const struct flight_command *command;
    TRY(flight_find_command(call->flight, type_name, &command, error));
    if (!command->put && !command->put_rows && !command->put_bound)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s is a query; it belongs into GetFlightInfo", STR_ARGS(type_name));
    if (command->put_bound)
        TRY(put_parameters_begin(call, command, any, first, error));
    else
        TRY(begin_rows(call, command, first, error));
    if (call->parameters)
        return STATUS_OK;
    if (call->input) {
        call->command = slice_copy(any.ptr, any.len);
        call->rows_command = command;
        return start_rows(call, error);
    }
    call->discards_rows = true;
    TRY(command->put(call, value, &call->query, error));
    return flight_start(call, error);
}

/* What the descriptor says counts more than the metadata. */
static enum status add_wishes_of_metadata(const struct flight_call *call, struct put_wishes *wishes,
                                          struct error *error)
{
    struct put_wishes metadata;
    TRY(flight_put_wishes(call, &metadata, error));
    if (!wishes->has_mode)
        wishes->mode = metadata.mode;
    if (!wishes->has_durability)
        wishes->durability = metadata.durability;
    if (wishes->ttl_ms == 0)
        wishes->ttl_ms = metadata.ttl_ms;
    wishes->has_mode |= metadata.has_mode;
    wishes->has_durability |= metadata.has_durability;
    return STATUS_OK;
}

static enum status begin_upload(struct flight_call *call, struct target *target,
                                const struct flight_data *first, struct error *error)
{
    if (target->kind == TARGET_SQL)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "DoPut takes a PATH, the command store, {\"path\": ...} or a Flight SQL "
                         "command; SQL text belongs into GetFlightInfo or DoGet");
    if (flight_option(call, "queue").len > 0)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "volley-queue: queues are not available in this version");
    TRY(add_wishes_of_metadata(call, &target->wishes, error));
    const struct flight_options *options = &call->flight->options;
    const struct upload_options upload = {
        .store = options->store,
        .workers = options->workers,
        .target = target,
        .owner = session_user(call->session),
        .ttl_default_ms = options->batch_ttl_ms,
    };
    call->is_batch_upload = target->kind == TARGET_STORE;
    TRY(upload_create(&upload, &call->upload, error));
    return upload_receive(call->upload, first, error);
}

static enum status receive_first(struct flight_call *call, const struct flight_data *first,
                                 struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct target target;
    TRY(flight_begin(call, error));
    if (!first->has_descriptor)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the first message of DoPut has no descriptor; it must tell where to put");
    TRY(target_of_descriptor(&arena, first->flight_descriptor, TARGET_TO_PUT, &target, error));
    return target.kind == TARGET_COMMAND ? run_command(call, target.command, first, error)
                                         : begin_upload(call, &target, first, error);
}

enum status do_put_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    CLEANUP(flight_data_finish) struct flight_data data = {0};
    TRY(flight_data_parse(message, &data, error));
    upload_expect(call->input ? input_upload(call->input) : NULL, grpc, message, &data);
    if (!call->received)
        return receive_first(call, &data, error);
    if (call->upload)
        return upload_receive(call->upload, &data, error);
    if (call->parameters)
        return put_parameters_receive(call, &data, error);
    if (call->input)
        return receive_rows(call, &data, error);
    /* Some clients send an empty batch after the schema although there are no parameters. */
    if (data.data_body.len == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "the statement was run with the first message, which brought no columns for "
                     "its parameters: their schema belongs into that message");
}

/* --- the end of the upload ------------------------------------------------------------------ */

static void write_json(const struct put_result *result, struct buf *out)
{
    struct json_writer json;
    char expires[CLOCK_TEXT_SIZE];
    json_writer_init(&json, out);
    json_write_begin_object(&json);
    json_write_key(&json, "rows");
    json_write_integer(&json, result->rows);
    json_write_key(&json, "batches");
    json_write_unsigned(&json, result->batches);
    json_write_key(&json, "id");
    json_write_text(&json, result->id);
    if (result->path.len > 0) {
        json_write_key(&json, "path");
        json_write_text(&json, result->path);
    }
    json_write_key(&json, "durability");
    json_write_text(&json, str_of(dataset_durability_name(result->durability)));
    json_write_key(&json, "total_rows");
    json_write_integer(&json, result->total_rows);
    json_write_key(&json, "total_batches");
    json_write_unsigned(&json, result->total_batches);
    json_write_key(&json, "expires_at");
    json_write_text(&json, str_make(expires, clock_format(result->expires_us, expires)));
    json_write_end_object(&json);
}

static void answer_upload(struct flight_call *call, const struct put_result *result)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, ANSWER_BYTES_MAX);
    if (call->is_batch_upload)
        buf_append_str(&text, result->id);
    else
        write_json(result, &text);
    /* Also for those whose answer is the id alone. */
    grpc_call_add_trailer(call->call, STR("volley-durability"),
                          str_of(dataset_durability_name(result->durability)));
    Flight__PutResult message = FLIGHT__PUT_RESULT__INIT;
    message.app_metadata = proto_binary(buf_str(&text));
    call->answer = proto_pack(&message);
    call->call->rows = (uint64_t)result->rows;
}

enum status do_put_half_close(struct grpc_call *grpc, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    if (!call->received)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "DoPut without a message; the first one must tell where to put");
    if (call->upload) {
        struct put_result result;
        TRY(flight_check_wanted(call, error));
        TRY(upload_commit(call->upload, &result, error));
        answer_upload(call, &result);
    }
    if (call->parameters)
        TRY(put_parameters_end(call, error));
    if (call->input && !call->answered && !is_told_by_statement(call)) {
        TRY(flight_check_wanted(call, error));
        TRY(input_end(call->input, error));
    }
    call->half_closed = true;
    return STATUS_OK;
}

/* --- answers -------------------------------------------------------------------------------- */

/* The text that takes rows is not the client's. */
static enum status read_count(const struct flight_call *call, int64_t *out_rows,
                              struct error *error)
{
    struct error failure = ERROR_NONE;
    if (query_outcome(call->query, out_rows, &failure) == STATUS_OK)
        return STATUS_OK;
    if (call->input)
        error_place_hide(&failure);
    return error_copy(error, &failure);
}

static enum status write_count(struct flight_call *call, struct slices *out, struct error *error)
{
    int64_t rows;
    TRY(read_count(call, &rows, error));
    call->call->rows = rows > 0 ? (uint64_t)rows : 0;
    /* Java's JDBC driver takes -1 for "there are rows" and runs the statement again to get them. */
    if (rows < 0 && flight_client_is_java(call))
        rows = 0;
    Sql__DoPutUpdateResult update = SQL__DO_PUT_UPDATE_RESULT__INIT;
    update.record_count = rows;
    CLEANUP(slice_finish) struct slice metadata = proto_pack(&update);
    Flight__PutResult result = FLIGHT__PUT_RESULT__INIT;
    result.app_metadata = proto_binary(slice_str(metadata));
    proto_append(out, &result);
    return STATUS_OK;
}

/* One that takes rows has not done with them before the client has sent them all, unless it failed. */
static bool statement_is_over(const struct flight_call *call)
{
    if (!flight_query_is_over(call->query))
        return false;
    return !call->input || call->half_closed || query_state(call->query) != QUERY_DONE;
}

enum status do_put_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                        struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    if (call->answered) {
        *out_step = call->half_closed ? GRPC_END : GRPC_WAIT;
        return STATUS_OK;
    }
    bool is_over = call->query ? statement_is_over(call) : call->answer.len > 0;
    *out_step = is_over ? GRPC_MESSAGE : GRPC_WAIT;
    if (!is_over)
        return STATUS_OK;
    call->answered = true;
    if (call->query)
        return write_count(call, out, error);
    slices_append(out, slice_ref(call->answer));
    return STATUS_OK;
}
