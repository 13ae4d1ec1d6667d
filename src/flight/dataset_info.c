/*
 * dataset_info.c — finds datasets by their names, and describes them as FlightInfos.
 *
 * An info tells what is there now, and its tickets read just that: later appends are not in them. Several
 * endpoints divide the rows evenly, whatever the batches are: each ticket names the batch in which its
 * rows begin, how many rows of it to pass over, and how many to read.
 *
 * Runs on: a worker; with one endpoint also on a loop. Owns: nothing; results are the arena's.
 * Source: Flight.proto, "FlightInfo". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine/dataset_find.h"
#include "flight/ticket.h"
#include "store/name.h"

#include <assert.h>

/* --- names ---------------------------------------------------------------------------------- */

static struct str name_of(const struct target *target)
{
    if (target->id.len > 0)
        return target->id;
    return target->path.len > 0 ? target->path : target->name;
}

enum status flight_find_dataset(const struct flight *flight, const struct target *target,
                                struct dataset **out_dataset, struct error *error)
{
    struct store *store = flight->options.store;
    struct str name = name_of(target);
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert(target->kind == TARGET_DATASET);
    enum status status = target->id.len > 0 ? store_find(store, target->id, &dataset, error)
                                            : store_find_name(store, name, &dataset, error);
    if (status != STATUS_OK && error && target->id.len == 0)
        dataset_suggest(store, name, error);
    TRY(status);
    if (dataset_id_is_private(dataset_id(dataset)))
        return error_set(error, STATUS_NOT_FOUND, "dataset '%.*s' expired or never existed",
                         STR_ARGS(str_slice(name, 0, 256)));
    *out_dataset = STEAL(dataset);
    return STATUS_OK;
}

static char **path_texts(struct arena *arena, const struct str *elements, size_t count)
{
    char **texts = ARENA_NEW_ARRAY(arena, char *, count);
    for (size_t i = 0; i < count; i++)
        texts[i] = (char *)arena_copy(arena, elements[i]).ptr;
    return texts;
}

Flight__FlightDescriptor *flight_descriptor_make(struct arena *arena, struct dataset *dataset)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    struct str elements[DATASET_PATH_ELEMENTS_MAX] = {STR("batch"), facts.id};
    size_t count = 2;
    if (facts.path.len > 0 &&
        dataset_path_split(arena, facts.path, elements, &count, NULL) != STATUS_OK)
        count = 0;
    Flight__FlightDescriptor *descriptor = ARENA_NEW(arena, Flight__FlightDescriptor);
    flight__flight_descriptor__init(descriptor);
    descriptor->type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__PATH;
    descriptor->path = path_texts(arena, elements, count);
    descriptor->n_path = count;
    return descriptor;
}

/* --- tickets -------------------------------------------------------------------------------- */

static struct str copy_slice(struct arena *arena, struct slice bytes)
{
    CLEANUP(slice_finish) struct slice taken = bytes;
    return arena_copy(arena, slice_str(taken));
}

struct str flight_ticket_make(const struct flight_call *call, struct arena *arena, struct str id,
                              const struct dataset_part *part)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, TICKET_BYTES_MAX);
    ticket_write(call->flight->options.ticket_mac,
                 &(struct ticket){.dataset_id = id, .part = *part}, &text);
    return copy_slice(arena, ticket_pack(buf_str(&text)));
}

enum status flight_read_ticket(const struct flight_call *call, struct arena *arena,
                               struct slice any, struct str *out_id, struct dataset_part *out_part,
                               struct error *error)
{
    struct str type_name;
    struct slice value;
    struct str text;
    struct ticket ticket;
    TRY(proto_any_parse(any, &type_name, &value, error));
    if (!str_equal(type_name, STR(FLIGHT_SQL_PACKAGE "TicketStatementQuery")))
        return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s is no ticket of a result or dataset",
                         STR_ARGS(type_name));
    TRY(ticket_unpack(arena, value, &text, error));
    TRY(ticket_read(call->flight->options.ticket_mac, text, &ticket, error));
    *out_id = arena_copy(arena, ticket.dataset_id);
    *out_part = ticket.part;
    return STATUS_OK;
}

enum status flight_read_plain_ticket(struct arena *arena, struct slice bytes,
                                     struct target *out_target, struct error *error)
{
    if (str_starts_with(slice_str(bytes), STR("v1:")))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the ticket was not issued by this server, or was altered or cut");
    TRY(target_of_command(arena, bytes, TARGET_TO_READ, out_target, error));
    if (out_target->kind == TARGET_STORE)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'store' is a command of DoPut; the id that it answered is the ticket");
    return STATUS_OK;
}

/* --- endpoints ------------------------------------------------------------------------------ */

static void write_locations(const struct flight_call *call, struct arena *arena,
                            Flight__FlightEndpoint *endpoint)
{
    const struct flight_options *options = &call->flight->options;
    if (options->advertise_count == 0)
        return;
    Flight__Location *locations =
        ARENA_NEW_ARRAY(arena, Flight__Location, options->advertise_count);
    endpoint->location = ARENA_NEW_ARRAY(arena, Flight__Location *, options->advertise_count);
    endpoint->n_location = options->advertise_count;
    for (size_t i = 0; i < options->advertise_count; i++) {
        flight__location__init(&locations[i]);
        locations[i].uri = (char *)arena_copy(arena, options->advertise[i]).ptr;
        endpoint->location[i] = &locations[i];
    }
}

Google__Timestamp *flight_timestamp_make(struct arena *arena, int64_t time_us)
{
    Google__Timestamp *timestamp = ARENA_NEW(arena, Google__Timestamp);
    google__timestamp__init(timestamp);
    timestamp->seconds = time_us / 1000000;
    timestamp->nanos = (int32_t)(time_us % 1000000) * 1000;
    return timestamp;
}

Flight__FlightEndpoint *flight_endpoint_make(const struct flight_call *call, struct arena *arena,
                                             struct str ticket, int64_t expires_us)
{
    Flight__FlightEndpoint *endpoint = ARENA_NEW(arena, Flight__FlightEndpoint);
    flight__flight_endpoint__init(endpoint);
    endpoint->ticket = ARENA_NEW(arena, Flight__Ticket);
    flight__ticket__init(endpoint->ticket);
    endpoint->ticket->ticket = proto_binary(ticket);
    if (expires_us != 0)
        endpoint->expiration_time = flight_timestamp_make(arena, expires_us);
    write_locations(call, arena, endpoint);
    return endpoint;
}

void flight_write_dealt(const struct flight_call *call, struct arena *arena, struct str id,
                        const struct dataset_part *part, size_t count, int64_t expires_us,
                        Flight__FlightInfo *flight_info)
{
    struct dataset_part stripe = *part; /* its columns belong to somebody else */
    flight_info->endpoint = ARENA_NEW_ARRAY(arena, Flight__FlightEndpoint *, count);
    flight_info->n_endpoint = count;
    for (size_t i = 0; i < count; i++) {
        if (count > 1) {
            stripe.first_batch = i * DATASET_STRIPE_BATCHES;
            stripe.stride = count;
        }
        flight_info->endpoint[i] = flight_endpoint_make(
            call, arena, flight_ticket_make(call, arena, id, &stripe), expires_us);
    }
}

/* What an info is made from. */
struct description {
    const struct flight_call *call;
    struct arena *arena;
    struct dataset *dataset;
    struct dataset_facts facts;
    struct dataset_part part; /* its columns belong to somebody else */
    uint64_t rows;            /* of the part */
};

static int64_t expiry_of(const struct description *description)
{
    if (description->facts.expires_us > 0)
        return description->facts.expires_us;
    return clock_wall_us() + (int64_t)description->call->flight->options.result_ttl_ms * 1000;
}

static Flight__FlightEndpoint *make_endpoint(const struct description *description,
                                             const struct dataset_part *part)
{
    struct str ticket =
        flight_ticket_make(description->call, description->arena, description->facts.id, part);
    return flight_endpoint_make(description->call, description->arena, ticket,
                                expiry_of(description));
}

/* The first row of endpoint `index` of `count`, from the first row of the part on. */
static uint64_t first_row(uint64_t rows, size_t index, size_t count)
{
    return rows / count * index + rows % count * index / count;
}

/* Makes an endpoint where each share of the rows begins. */
static enum status divide(const struct description *description, size_t count,
                          Flight__FlightEndpoint **out_endpoints, struct error *error)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    TRY(dataset_reader_open(description->dataset, 0, NULL, NULL, &reader, error));
    struct dataset_part part = description->part;
    uint64_t batch_row = 0; /* of the first row that the reader would get */
    for (size_t index = 0; index < count; index++) {
        uint64_t share = first_row(description->rows, index, count);
        uint64_t row = description->part.from + share;
        batch_row += dataset_reader_skip(reader, row - batch_row);
        part.first_batch = dataset_reader_position(reader);
        part.from = row - batch_row;
        part.limit = first_row(description->rows, index + 1, count) - share;
        out_endpoints[index] = make_endpoint(description, &part);
    }
    return STATUS_OK;
}

/* --- infos ---------------------------------------------------------------------------------- */

static uint64_t rows_of_part(const struct description *description)
{
    uint64_t rows = (uint64_t)description->facts.rows;
    uint64_t from = description->part.from;
    uint64_t left = from < rows ? rows - from : 0;
    return left < description->part.limit ? left : description->part.limit;
}

static enum status write_endpoints(const struct description *description, size_t count,
                                   Flight__FlightInfo *info, struct error *error)
{
    bool is_over = description->facts.state == DATASET_COMPLETE && !description->facts.transient;
    /* Which of the rows that are picked lie in a stripe is not known. */
    size_t stripes =
        dataset_part_picks_rows(&description->part) ? 1 : size_max(description->facts.stripes, 1);
    if (count == FLIGHT_ENDPOINTS_AS_DIVIDED || count > description->rows || !is_over) {
        flight_write_dealt(description->call, description->arena, description->facts.id,
                           &description->part, count == FLIGHT_ENDPOINTS_AS_DIVIDED ? stripes : 1,
                           expiry_of(description), info);
        return STATUS_OK;
    }
    info->endpoint = ARENA_NEW_ARRAY(description->arena, Flight__FlightEndpoint *, count);
    info->n_endpoint = count;
    info->ordered = true;
    return divide(description, count, info->endpoint, error);
}

static void write_totals(const struct description *description, Flight__FlightInfo *info)
{
    info->total_records = -1;
    info->total_bytes = -1;
    if (description->facts.state != DATASET_COMPLETE)
        return;
    info->total_records = (int64_t)description->rows;
    if (!description->part.columns && description->rows == (uint64_t)description->facts.rows)
        info->total_bytes = (int64_t)description->facts.bytes;
}

enum status flight_info_make(const struct flight_call *call, struct arena *arena,
                             struct dataset *dataset, const struct dataset_part *part,
                             size_t endpoint_count, Flight__FlightInfo **out_info,
                             struct error *error)
{
    struct description description = {
        .call = call, .arena = arena, .dataset = dataset, .part = *part};
    dataset_facts(dataset, &description.facts);
    if (description.facts.is_kept)
        description.part.end_batch = description.facts.batches;
    description.rows = rows_of_part(&description);
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = NULL;
    TRY(dataset_part_schema(part, dataset_schema(dataset), &schema, error));
    Flight__FlightInfo *info = ARENA_NEW(arena, Flight__FlightInfo);
    flight__flight_info__init(info);
    info->schema = proto_binary(copy_slice(arena, ipc_encapsulated_schema(schema)));
    info->app_metadata = proto_binary(description.facts.id);
    write_totals(&description, info);
    TRY(write_endpoints(&description, endpoint_count, info, error));
    *out_info = info;
    return STATUS_OK;
}
