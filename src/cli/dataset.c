/*
 * dataset.c — names to descriptors and tickets; GetFlightInfo and DoAction.
 *
 * A server is recognised as a Volley by its tickets: they say which dataset they are of. Only then a
 * position is asked for, which another server would take for something else.
 *
 * Runs on: the client's thread. Owns: nothing; results are the arena's. Leaves out: reading (fetch.c)
 * and writing (put_stream.c) batches.
 * Source: Flight.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/dataset.h"

#include "base/buf.h"
#include "base/memory.h"
#include "json/writer.h"

#include <ctype.h>

#define NAME_BYTES_MAX 4096
#define ELEMENTS_MAX 64
#define TICKET_BYTES_MAX ((size_t)1 << 20)

/* --- names ---------------------------------------------------------------------------------------- */

static int hex_digit(char digit)
{
    if (!isxdigit((unsigned char)digit))
        return -1;
    return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

/* The element with its %XX as bytes; a '%' before something else stands for itself. */
static char *decode_element(struct arena *arena, struct str element)
{
    char *text = ARENA_NEW_ARRAY(arena, char, element.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < element.len; i++) {
        bool escaped = element.ptr[i] == '%' && i + 2 < element.len &&
                       hex_digit(element.ptr[i + 1]) >= 0 && hex_digit(element.ptr[i + 2]) >= 0;
        if (!escaped) {
            text[len++] = element.ptr[i];
            continue;
        }
        text[len++] = (char)(hex_digit(element.ptr[i + 1]) * 16 + hex_digit(element.ptr[i + 2]));
        i += 2;
    }
    text[len] = '\0';
    return text;
}

enum status dataset_descriptor(struct arena *arena, struct str name,
                               Flight__FlightDescriptor **out_descriptor, struct error *error)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || !str_is_utf8(name))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a dataset's name is 1 to %d bytes of UTF-8, such as trips or 2026/trips",
                         NAME_BYTES_MAX);
    char **elements = ARENA_NEW_ARRAY(arena, char *, ELEMENTS_MAX);
    size_t count = 0;
    struct str rest = name;
    for (bool more = true; more && count < ELEMENTS_MAX;) {
        more = str_find(rest, '/') >= 0;
        struct str element = str_split(&rest, '/');
        if (element.len == 0)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "'%.*s' is no dataset's name: an element is empty; elements are "
                             "joined by one '/', as in 2026/trips",
                             STR_ARGS(name));
        elements[count] = decode_element(arena, element);
        if (str_find(element, '\0') >= 0 || str_find_str(element, STR("%00")) >= 0)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "'%.*s' is no dataset's name: it has a zero byte", STR_ARGS(name));
        count++;
    }
    if (rest.len > 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "'%.*s' has more than %d elements",
                         STR_ARGS(name), ELEMENTS_MAX);
    Flight__FlightDescriptor *descriptor = ARENA_NEW(arena, Flight__FlightDescriptor);
    flight__flight_descriptor__init(descriptor);
    descriptor->type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__PATH;
    descriptor->path = elements;
    descriptor->n_path = count;
    *out_descriptor = descriptor;
    return STATUS_OK;
}

/* --- descriptions --------------------------------------------------------------------------------- */

enum status dataset_info(struct grpc_client *client, struct arena *arena,
                         const Flight__FlightDescriptor *descriptor, Flight__FlightInfo **out_info,
                         struct error *error)
{
    CLEANUP(slices_finish) struct slices request;
    slices_init(&request);
    proto_append(&request, descriptor);
    CLEANUP(slice_finish) struct slice response = SLICE_EMPTY;
    TRY(grpc_client_unary(client, STR(FLIGHT_SERVICE "GetFlightInfo"), 0, true, &request, &response,
                          error));
    return proto_unpack(arena, &flight__flight_info__descriptor, response, out_info, error);
}

bool dataset_info_has_positions(const Flight__FlightInfo *info)
{
    struct str id = proto_bytes(info->app_metadata);
    if (id.len == 0 || info->n_endpoint == 0 || !info->endpoint[0]->ticket)
        return false;
    struct str ticket = proto_bytes(info->endpoint[0]->ticket->ticket);
    CLEANUP(buf_finish) struct buf mark;
    buf_init(&mark, NAME_BYTES_MAX);
    buf_printf(&mark, "v1:%.*s:", STR_ARGS(id));
    return str_find_str(ticket, buf_str(&mark)) >= 0;
}

/* --- JSON ----------------------------------------------------------------------------------------- */

static void write_columns(struct json_writer *json, const struct dataset_range *range)
{
    if (range->column_count == 0)
        return;
    json_write_key(json, "columns");
    json_write_begin_array(json);
    for (size_t i = 0; i < range->column_count; i++)
        json_write_text(json, range->columns[i]);
    json_write_end_array(json);
}

struct str dataset_ticket(struct arena *arena, struct str id, const struct dataset_range *range)
{
    CLEANUP(buf_finish) struct buf text;
    struct json_writer json;
    buf_init(&text, TICKET_BYTES_MAX);
    json_writer_init(&json, &text);
    json_write_begin_object(&json);
    json_write_key(&json, "path");
    json_write_begin_array(&json);
    json_write_text(&json, STR("batch"));
    json_write_text(&json, id);
    json_write_end_array(&json);
    write_columns(&json, range);
    json_write_key(&json, "from");
    json_write_unsigned(&json, range->from);
    if (range->limit < UINT64_MAX) {
        json_write_key(&json, "limit");
        json_write_unsigned(&json, range->limit);
    }
    json_write_end_object(&json);
    return arena_copy(arena, buf_str(&text));
}

struct str dataset_action_body(struct arena *arena, struct str name, struct str ttl)
{
    CLEANUP(buf_finish) struct buf text;
    struct json_writer json;
    buf_init(&text, TICKET_BYTES_MAX);
    json_writer_init(&json, &text);
    json_write_begin_object(&json);
    json_write_key(&json, "path");
    json_write_text(&json, name);
    if (ttl.len > 0) {
        json_write_key(&json, "ttl");
        json_write_text(&json, ttl);
    }
    json_write_end_object(&json);
    return arena_copy(arena, buf_str(&text));
}

/* --- calls with many answers ---------------------------------------------------------------------- */

enum status dataset_call(struct grpc_client *client, struct str method, const void *request,
                         enum status (*visit)(void *context, struct slice message,
                                              struct error *error),
                         void *context, struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = NULL;
    slices_init(&message);
    proto_append(&message, request);
    TRY(grpc_client_start(client, method, 0, &call, error));
    TRY(grpc_client_send(call, &message, error));
    TRY(grpc_client_half_close(call, error));
    for (;;) {
        CLEANUP(slice_finish) struct slice answer = SLICE_EMPTY;
        bool end;
        TRY(grpc_client_receive(call, &answer, &end, error));
        if (end)
            return STATUS_OK;
        TRY(visit(context, answer, error));
    }
}

struct action_visit {
    enum status (*visit)(void *context, struct str body, struct error *error);
    void *context;
};

static enum status visit_result(void *context, struct slice message, struct error *error)
{
    const struct action_visit *action = context;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__Result *result;
    TRY(proto_unpack(&arena, &flight__result__descriptor, message, &result, error));
    return action->visit ? action->visit(action->context, proto_bytes(result->body), error)
                         : STATUS_OK;
}

enum status dataset_action(struct grpc_client *client, const char *action, struct str body,
                           enum status (*visit)(void *context, struct str body,
                                                struct error *error),
                           void *context, struct error *error)
{
    Flight__Action message = FLIGHT__ACTION__INIT;
    struct action_visit action_visit = {.visit = visit, .context = context};
    message.type = (char *)action;
    message.body = proto_binary(body);
    return dataset_call(client, STR(FLIGHT_SERVICE "DoAction"), &message, visit_result,
                        &action_visit, error);
}
