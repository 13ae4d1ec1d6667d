/*
 * query.c — GetFlightInfo with a CommandStatementQuery, then DoGet of each endpoint in order.
 *
 * The schema is that of the first endpoint's stream; all endpoints must have it. Locations of endpoints
 * are not followed: they name the same server.
 *
 * Runs on: the client's thread. Owns: the call under way, its decoder and the FlightInfo.
 * Spec: Flight.proto, FlightSql.proto; flatbuffers of Message.fbs for counting.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/query.h"

#include "arrow/column.h"
#include "arrow/ipc.h"
#include "base/memory.h"
#include "proto/flight.h"
#include "proto/flight_data.h"
#include "proto/flight_sql.h"

#define CANCEL_MS 5000
#define SERVICE "/arrow.flight.protocol.FlightService/"

struct sql_query {
    struct grpc_client *client;
    struct arena arena;
    const Flight__FlightInfo *flight_info; /* in the arena */
    size_t endpoint;                       /* the next one to read */
    struct grpc_client_call *call;         /* of the endpoint before it; NULL: none */
    struct ipc_decoder *decoder;
    struct arrow_schema *schema;
    bool decode;
    bool has_schema_message; /* seen on this call, when not decoding */
    uint64_t rows;
    uint64_t bytes;
};

static enum status get_flight_info(struct sql_query *query, struct slice command,
                                   struct error *error)
{
    Flight__FlightDescriptor descriptor = FLIGHT__FLIGHT_DESCRIPTOR__INIT;
    descriptor.type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__CMD;
    descriptor.cmd = proto_binary(slice_str(command));
    CLEANUP(slices_finish) struct slices request;
    slices_init(&request);
    proto_append(&request, &descriptor);
    CLEANUP(slice_finish) struct slice response = SLICE_EMPTY;
    TRY(grpc_client_unary(query->client, STR(SERVICE "GetFlightInfo"), 0, false, &request,
                          &response, error));
    Flight__FlightInfo *flight_info;
    TRY(proto_unpack(&query->arena, &flight__flight_info__descriptor, response, &flight_info,
                     error));
    query->flight_info = flight_info;
    return STATUS_OK;
}

static enum status start_endpoint(struct sql_query *query, struct error *error)
{
    const Flight__FlightEndpoint *endpoint = query->flight_info->endpoint[query->endpoint++];
    if (!endpoint->ticket)
        return error_set(error, STATUS_INTERNAL, "the server sent an endpoint without a ticket");
    CLEANUP(slices_finish) struct slices request;
    slices_init(&request);
    proto_append(&request, endpoint->ticket);
    TRY(grpc_client_start(query->client, STR(SERVICE "DoGet"), 0, &query->call, error));
    TRY(grpc_client_send(query->call, &request, error));
    query->decoder = ipc_decoder_create(&ipc_limits_default);
    query->has_schema_message = false;
    return grpc_client_half_close(query->call, error);
}

static void finish_endpoint(struct sql_query *query)
{
    if (query->call)
        grpc_client_finish(STEAL(query->call));
    if (query->decoder)
        ipc_decoder_destroy(STEAL(query->decoder));
}

/* --- counting without decoding ---------------------------------------------------------------------- */

static bool read_at(struct str message, size_t at, size_t size, uint64_t *out)
{
    if (at > message.len || message.len - at < size)
        return false;
    *out = 0;
    memcpy(out, message.ptr + at, size);
    return true;
}

/* The place of a table's field; 0 when it is absent, false when the table is malformed. */
static bool find_field(struct str message, size_t table, size_t slot, size_t *out_at)
{
    uint64_t back;
    uint64_t size;
    uint64_t offset = 0;
    if (!read_at(message, table, 4, &back) || back > INT32_MAX || back > table)
        return false;
    size_t vtable = table - (size_t)back;
    if (!read_at(message, vtable, 2, &size))
        return false;
    if (4 + 2 * slot + 2 <= size && !read_at(message, vtable + 4 + 2 * slot, 2, &offset))
        return false;
    *out_at = offset == 0 ? 0 : table + (size_t)offset;
    return true;
}

enum { MESSAGE_KIND_SLOT = 1, MESSAGE_HEADER_SLOT = 2, BATCH_LENGTH_SLOT = 0, KIND_BATCH = 3 };

bool sql_message_rows(struct str message, uint64_t *out_rows)
{
    uint64_t table;
    uint64_t kind = 0;
    uint64_t header;
    size_t at;
    *out_rows = 0;
    if (!read_at(message, 0, 4, &table) || !find_field(message, table, MESSAGE_KIND_SLOT, &at))
        return false;
    if (at > 0 && !read_at(message, at, 1, &kind))
        return false;
    if (kind != KIND_BATCH)
        return true;
    if (!find_field(message, table, MESSAGE_HEADER_SLOT, &at) || at == 0 ||
        !read_at(message, at, 4, &header) ||
        !find_field(message, at + header, BATCH_LENGTH_SLOT, &at))
        return false;
    return at == 0 || read_at(message, at, 8, out_rows);
}

/* --- messages ---------------------------------------------------------------------------------------- */

static enum status count_message(struct sql_query *query, const struct flight_data *message,
                                 struct error *error)
{
    uint64_t rows = 0;
    if (message->data_header.len > 0 && !sql_message_rows(slice_str(message->data_header), &rows))
        return error_set(error, STATUS_INTERNAL, "the server sent a malformed message");
    query->has_schema_message = true;
    query->rows += rows;
    return STATUS_OK;
}

static enum status decode_message(struct sql_query *query, const struct flight_data *message,
                                  struct arrow_batch **out_batch, struct error *error)
{
    if (message->data_header.len == 0)
        return STATUS_OK;
    TRY(ipc_decode(query->decoder, message->data_header, message->data_body, out_batch, error));
    struct arrow_schema *schema = ipc_decoder_schema(query->decoder);
    if (!query->schema && schema)
        query->schema = arrow_schema_ref(schema);
    if (*out_batch)
        query->rows += (uint64_t)(*out_batch)->rows;
    return STATUS_OK;
}

/* The next message of the call: its batch if it has one, or *out_end. */
static enum status receive(struct sql_query *query, struct arrow_batch **out_batch, bool *out_end,
                           struct error *error)
{
    CLEANUP(slice_finish) struct slice bytes = SLICE_EMPTY;
    TRY(grpc_client_receive(query->call, &bytes, out_end, error));
    if (*out_end)
        return STATUS_OK;
    query->bytes += bytes.len;
    CLEANUP(flight_data_finish) struct flight_data message = {0};
    TRY(flight_data_parse(bytes, &message, error));
    return query->decode ? decode_message(query, &message, out_batch, error)
                         : count_message(query, &message, error);
}

static bool has_schema(const struct sql_query *query)
{
    return query->schema || query->has_schema_message;
}

/* Reads the first endpoint up to its schema. A result without endpoints may have one announced. */
static enum status read_schema(struct sql_query *query, struct error *error)
{
    const Flight__FlightInfo *flight_info = query->flight_info;
    struct slice announced = slice_make(flight_info->schema.data, flight_info->schema.len, NULL);
    if (flight_info->n_endpoint == 0)
        return announced.len > 0 ? ipc_decode_schema(announced, &query->schema, error) : STATUS_OK;
    TRY(start_endpoint(query, error));
    bool end = false;
    while (!has_schema(query) && !end) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(receive(query, &batch, &end, error));
    }
    if (end)
        finish_endpoint(query);
    return STATUS_OK;
}

enum status sql_query_open_command(struct grpc_client *client, struct slice command, bool decode,
                                   struct sql_query **out_query, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NEW(struct sql_query);
    query->client = client;
    query->decode = decode;
    arena_init(&query->arena);
    TRY(get_flight_info(query, command, error));
    TRY(read_schema(query, error));
    *out_query = STEAL(query);
    return STATUS_OK;
}

enum status sql_query_open(struct grpc_client *client, struct str sql, bool decode,
                           struct sql_query **out_query, struct error *error)
{
    if (!str_is_utf8(sql) || str_find(sql, '\0') >= 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the statement is not UTF-8 text");
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandStatementQuery command = SQL__COMMAND_STATEMENT_QUERY__INIT;
    command.query = (char *)arena_copy(&arena, sql).ptr;
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&command);
    return sql_query_open_command(client, any, decode, out_query, error);
}

static enum status send_cancel(struct sql_query *query, struct error *error)
{
    Flight__CancelFlightInfoRequest request = FLIGHT__CANCEL_FLIGHT_INFO_REQUEST__INIT;
    request.info = (Flight__FlightInfo *)(uintptr_t)query->flight_info;
    CLEANUP(slice_finish) struct slice body = proto_pack(&request);
    Flight__Action action = FLIGHT__ACTION__INIT;
    action.type = (char *)(uintptr_t) "CancelFlightInfo";
    action.body = proto_binary(slice_str(body));
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    proto_append(&message, &action);
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = NULL;
    TRY(grpc_client_start(query->client, STR(SERVICE "DoAction"), CANCEL_MS, &call, error));
    TRY(grpc_client_send(call, &message, error));
    TRY(grpc_client_half_close(call, error));
    for (bool end = false; !end;) {
        CLEANUP(slice_finish) struct slice answer = SLICE_EMPTY;
        TRY(grpc_client_receive(call, &answer, &end, error));
    }
    return STATUS_OK;
}

void sql_query_cancel(struct sql_query *query)
{
    struct error ignored = ERROR_NONE;
    finish_endpoint(query);
    (void)send_cancel(query, &ignored);
}

void sql_query_close(struct sql_query *query)
{
    if (!query)
        return;
    finish_endpoint(query);
    if (query->schema)
        arrow_schema_unref(query->schema);
    arena_finish(&query->arena);
    free(query);
}

struct str sql_query_id(const struct sql_query *query)
{
    struct str id = proto_bytes(query->flight_info->app_metadata);
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~')
            return STR_EMPTY;
    }
    return id;
}

struct arrow_schema *sql_query_schema(const struct sql_query *query)
{
    return query->schema;
}

int64_t sql_query_changed_rows(const struct sql_query *query)
{
    return query->flight_info->total_records;
}

/* Endpoints after the first must not change the columns. */
static enum status check_schema(const struct sql_query *query, struct error *error)
{
    const struct arrow_schema *schema = ipc_decoder_schema(query->decoder);
    if (!query->decode || !schema || arrow_schema_equal(schema, query->schema))
        return STATUS_OK;
    return error_set(error, STATUS_INTERNAL, "the server sent endpoints with different schemas");
}

enum status sql_query_next(struct sql_query *query, struct arrow_batch **out_batch, bool *out_end,
                           struct error *error)
{
    *out_end = false;
    for (;;) {
        bool end = false;
        uint64_t rows = query->rows;
        if (!query->call && query->endpoint == query->flight_info->n_endpoint) {
            *out_end = true;
            return STATUS_OK;
        }
        if (!query->call)
            TRY(start_endpoint(query, error));
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(receive(query, &batch, &end, error));
        if (end) {
            finish_endpoint(query);
            continue;
        }
        TRY(check_schema(query, error));
        if (batch || query->rows > rows) {
            *out_batch = STEAL(batch);
            return STATUS_OK;
        }
    }
}

enum status sql_query_for_each_row(struct sql_query *query,
                                   enum status (*take)(void *context,
                                                       const struct arrow_column *columns,
                                                       int64_t row, struct error *error),
                                   void *context, struct error *error)
{
    for (;;) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        CLEANUP(arena_finish) struct arena arena;
        bool end;
        arena_init(&arena);
        TRY(sql_query_next(query, &batch, &end, error));
        if (end)
            return STATUS_OK;
        const struct arrow_column *columns = arrow_columns_open(batch, &arena);
        for (int64_t row = 0; row < batch->rows; row++)
            TRY(take(context, columns, row, error));
    }
}

uint64_t sql_query_rows(const struct sql_query *query)
{
    return query->rows;
}

uint64_t sql_query_bytes(const struct sql_query *query)
{
    return query->bytes;
}
