/*
 * do_get.c — DoGet: a ticket in, a stream of record batches out.
 *
 * A ticket is a signed handle of a dataset (inside an Any TicketStatementQuery), a command that makes
 * its table anew, a raw dataset id, JSON {"sql": ...} or SQL text. receive (on a worker) finds or makes
 * the dataset, starts its query and opens a reader; next (on the loop) sends the schema, the
 * dictionaries and then each batch by reference. An empty result still sends its schema.
 *
 * Not done here: flow control (grpc), waiting (store wakes the call), stopping the query when the reader
 * leaves (methods.c). Source: Flight.proto, "DoGet". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/random.h"
#include "engine/gate.h"
#include "flight/ticket.h"

static enum status open_reader(struct flight_call *call, size_t position, struct error *error)
{
    return dataset_reader_open(call->dataset, position, call->call->loop, &call->wake,
                               &call->reader, error);
}

/* A dataset of one batch that is complete at once: the table of a metadata command. The reader is there
 * before the batch, so that the append never waits. */
static enum status dataset_of_batch(struct flight_call *call, struct arrow_batch *batch,
                                    struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    random_uuid(id);
    struct dataset_options options = {
        .id = str_of(id), .ttl_ms = 1000, .transient = true, .schema = batch->schema};
    TRY(dataset_create(call->flight->options.store, &options, &call->dataset, error));
    TRY(open_reader(call, 0, error));
    TRY(dataset_append(call->dataset, arrow_batch_ref(batch), error));
    dataset_complete(call->dataset);
    return STATUS_OK;
}

/* The dataset of a finished or running query, by its id. The query may be gone from the table already;
 * its dataset then is complete, or the result has expired. */
static enum status open_by_id(struct flight_call *call, struct str id, struct error *error)
{
    struct error unknown = ERROR_NONE;
    if (queries_find(call->flight->options.queries, id, &call->query, &unknown) == STATUS_OK) {
        call->is_query_shared = true;
        call->dataset = dataset_ref(query_dataset(call->query));
        return STATUS_OK;
    }
    return store_find(call->flight->options.store, id, &call->dataset, error);
}

static enum status open_signed(struct flight_call *call, struct slice value, size_t *out_position,
                               struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str text;
    TRY(ticket_unpack(&arena, value, &text, error));
    struct ticket ticket;
    TRY(ticket_read(call->flight->options.ticket_mac, text, &ticket, error));
    *out_position = ticket.first_batch;
    return open_by_id(call, ticket.dataset_id, error);
}

static enum status open_command(struct flight_call *call, struct slice any, size_t *out_position,
                                struct error *error)
{
    struct str type_name;
    struct slice value;
    TRY(proto_any_parse(any, &type_name, &value, error));
    if (str_equal(type_name, STR(FLIGHT_SQL_PACKAGE "TicketStatementQuery")))
        return open_signed(call, value, out_position, error);
    const struct flight_command *command;
    TRY(flight_find_command(call->flight, type_name, &command, error));
    if (!command->fetch)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s is no ticket; ask GetFlightInfo for one", STR_ARGS(type_name));
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    TRY(command->fetch(call, value, &batch, error));
    return dataset_of_batch(call, batch, error);
}

static bool looks_like_id(struct str text)
{
    return text.len == RANDOM_UUID_SIZE - 1 && text.ptr[8] == '-' && text.ptr[13] == '-' &&
           str_find(text, ' ') < 0;
}

static enum status open_plain(struct flight_call *call, struct str text, struct error *error)
{
    if (looks_like_id(text))
        return open_by_id(call, text, error);
    if (str_starts_with(text, STR("v1:")))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the ticket was not issued by this server, or was altered or cut");
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_TEXT_BYTES_MAX);
    TRY(flight_read_plain_command(text, &sql, error));
    TRY(flight_prepare(call, buf_str(&sql), NULL, &call->query, error));
    call->dataset = dataset_ref(query_dataset(call->query));
    return STATUS_OK;
}

static enum status open_ticket(struct flight_call *call, struct slice message, size_t *out_position,
                               struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__Ticket *ticket;
    TRY(proto_unpack(&arena, &flight__ticket__descriptor, message, &ticket, error));
    struct slice bytes = slice_make(ticket->ticket.data, ticket->ticket.len, NULL);
    if (proto_any_is(bytes, STR(FLIGHT_SQL_PACKAGE)))
        return open_command(call, bytes, out_position, error);
    return open_plain(call, slice_str(bytes), error);
}

enum status do_get_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    size_t position = 0;
    TRY(flight_begin(call, error));
    TRY(open_ticket(call, message, &position, error));
    /* Before the reader is there: with its leaving it would stop a query of somebody else. */
    TRY(flight_check_wanted(call, error));
    if (!call->reader)
        TRY(open_reader(call, position, error));
    if (!call->query)
        return STATUS_OK;
    grpc->fingerprint = query_fingerprint(call->query);
    TRY(flight_check_wanted(call, error));
    return query_start(call->query, NULL, NULL, error);
}

/* Appends one FlightData message of a header and the body of a batch (NULL: no body). */
static enum status write_message(struct slices *out, struct slice header,
                                 const struct arrow_batch *batch, struct error *error)
{
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (batch)
        ipc_append_body(&body, batch);
    return flight_data_write(out, slice_str(header), STR_EMPTY, &body, error);
}

/* The schema and then the dictionaries, one message at a time; *out_sent is false when all are sent. */
static enum status write_preamble(struct flight_call *call, struct slices *out, bool *out_sent,
                                  struct error *error)
{
    struct arrow_schema *schema = dataset_schema(call->dataset);
    *out_sent = true;
    if (!call->schema_sent) {
        call->schema_sent = true;
        return write_message(out, schema->message, NULL, error);
    }
    if (call->dictionaries_sent < schema->dictionary_count) {
        size_t index = call->dictionaries_sent++;
        CLEANUP(slice_finish) struct slice header = ipc_dictionary_message(schema, index);
        return write_message(out, header, schema->dictionaries[index], error);
    }
    *out_sent = false;
    return STATUS_OK;
}

enum status do_get_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                        struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    bool sent;
    TRY(write_preamble(call, out, &sent, error));
    *out_step = GRPC_MESSAGE;
    if (sent)
        return STATUS_OK;
    enum dataset_step step;
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    TRY(dataset_reader_next(call->reader, &step, &batch, error));
    if (step != DATASET_BATCH) {
        *out_step = step == DATASET_END ? GRPC_END : GRPC_WAIT;
        return STATUS_OK;
    }
    grpc->rows += (uint64_t)batch->rows;
    return write_message(out, batch->header, batch, error);
}
