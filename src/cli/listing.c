/*
 * listing.c — reads the list of datasets: one JSON object each, or FlightInfos.
 *
 * Volley's action tells more than ListFlights can. A server that refuses it, or answers something else
 * under that name, is asked the other way.
 *
 * Runs on: the client's thread. Owns: the texts of the list. Leaves out: printing (list.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/listing.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "cli/dataset.h"
#include "json/reader.h"

#include <stdlib.h>

#define ITEMS_MAX 1000000
#define ANSWER_BYTES_MAX ((size_t)1 << 20)

void listing_init(struct listing *listing)
{
    *listing = (struct listing){0};
    arena_init(&listing->arena);
}

void listing_finish(struct listing *listing)
{
    arena_finish(&listing->arena);
    free(listing->items);
    *listing = (struct listing){0};
}

static enum status add(struct listing *listing, const struct listed *item, struct error *error)
{
    if (listing->count == ITEMS_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "there are more than %d datasets; give a prefix of their names",
                         ITEMS_MAX);
    if (listing->count == listing->capacity) {
        listing->capacity = listing->capacity > 0 ? 2 * listing->capacity : 64;
        listing->items = memory_resize(listing->items, listing->capacity, sizeof(*item));
    }
    listing->items[listing->count++] = *item;
    return STATUS_OK;
}

/* --- by the action -------------------------------------------------------------------------------- */

static enum status read_text(struct listing *listing, const struct json_value *object,
                             const char *key, struct str *out, struct error *error)
{
    struct str text = STR_EMPTY;
    TRY(json_member_text(object, key, false, &text, NULL, error));
    *out = arena_copy(&listing->arena, text);
    return STATUS_OK;
}

static enum status add_object(void *context, struct str body, struct error *error)
{
    struct listing *listing = context;
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    TRY(json_parse(body, ANSWER_BYTES_MAX, &document, error));
    const struct json_value *object = json_root(document);
    struct listed item = {.rows = -1, .bytes = -1};
    struct str id;
    TRY(read_text(listing, object, "path", &item.name, error));
    TRY(read_text(listing, object, "batch_id", &id, error));
    TRY(read_text(listing, object, "expires_at", &item.expires, error));
    TRY(read_text(listing, object, "durability", &item.durability, error));
    TRY(read_text(listing, object, "owner", &item.owner, error));
    TRY(json_member_integer(object, "rows", false, &item.rows, NULL, error));
    TRY(json_member_integer(object, "bytes", false, &item.bytes, NULL, error));
    if (item.name.len == 0)
        item.name = id;
    if (item.name.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a dataset without a name");
    return add(listing, &item, error);
}

/* --- by ListFlights ------------------------------------------------------------------------------- */

static struct str join_path(struct arena *arena, const Flight__FlightDescriptor *descriptor)
{
    struct str name = STR_EMPTY;
    for (size_t i = 0; i < descriptor->n_path; i++)
        name =
            arena_printf(arena, "%.*s%s%s", STR_ARGS(name), i > 0 ? "/" : "", descriptor->path[i]);
    return name.len > 0 ? name : arena_copy(arena, proto_bytes(descriptor->cmd));
}

static struct str expiry_text(struct arena *arena, const Flight__FlightInfo *info)
{
    if (info->n_endpoint == 0 || !info->endpoint[0]->expiration_time)
        return STR_EMPTY;
    const Google__Timestamp *time = info->endpoint[0]->expiration_time;
    char text[CLOCK_TEXT_SIZE];
    if (time->seconds < 0 || time->seconds > INT64_C(253402300799))
        return STR_EMPTY;
    return arena_copy(
        arena, str_make(text, clock_format(time->seconds * 1000000 + time->nanos / 1000, text)));
}

static enum status add_info(void *context, struct slice message, struct error *error)
{
    struct listing *listing = context;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__FlightInfo *info;
    TRY(proto_unpack(&arena, &flight__flight_info__descriptor, message, &info, error));
    if (!info->flight_descriptor)
        return STATUS_OK;
    const struct listed item = {
        .name = join_path(&listing->arena, info->flight_descriptor),
        .rows = info->total_records,
        .bytes = info->total_bytes,
        .expires = expiry_text(&listing->arena, info),
    };
    return add(listing, &item, error);
}

static enum status list_flights(struct listing *listing, struct grpc_client *client,
                                struct str prefix, struct error *error)
{
    Flight__Criteria criteria = FLIGHT__CRITERIA__INIT;
    criteria.expression = proto_binary(prefix);
    TRY(dataset_call(client, STR(FLIGHT_SERVICE "ListFlights"), &criteria, add_info, listing,
                     error));
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; i++) {
        if (str_starts_with(listing->items[i].name, prefix))
            listing->items[kept++] = listing->items[i];
    }
    listing->count = kept;
    return STATUS_OK;
}

/* --- both ----------------------------------------------------------------------------------------- */

/* Failures that another way of asking would meet as well. */
static bool is_final(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED ||
           status == STATUS_UNAUTHENTICATED || status == STATUS_PERMISSION_DENIED ||
           status == STATUS_RESOURCE_EXHAUSTED;
}

static int compare_names(const void *a, const void *b)
{
    return str_compare(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

enum status listing_read(struct listing *listing, struct grpc_client *client, struct str prefix,
                         struct error *error)
{
    struct error failure = ERROR_NONE;
    enum status status = dataset_action(client, "list", prefix, add_object, listing, &failure);
    if (status != STATUS_OK && is_final(status))
        return error_copy(error, &failure);
    if (status != STATUS_OK) {
        listing->count = 0;
        TRY(list_flights(listing, client, prefix, error));
    }
    if (listing->count > 0)
        qsort(listing->items, listing->count, sizeof(*listing->items), compare_names);
    return STATUS_OK;
}

void listing_suggest(struct grpc_client *client, struct str name, struct error *error)
{
    /* A server of Volley asks itself. */
    if (error->status != STATUS_NOT_FOUND || strstr(error->message, "did you mean"))
        return;
    CLEANUP(listing_finish) struct listing listing;
    listing_init(&listing);
    struct error ignored = ERROR_NONE;
    struct nearest nearest;
    nearest_init(&nearest, name);
    if (listing_read(&listing, client, STR_EMPTY, &ignored) != STATUS_OK)
        return;
    for (size_t i = 0; i < listing.count; i++)
        nearest_offer(&nearest, listing.items[i].name);
    if (nearest.best.len == 0)
        return;
    struct error plain = *error;
    (void)error_set(error, STATUS_NOT_FOUND, "%s; did you mean '%.*s'?", plain.message,
                    STR_ARGS(nearest.best));
}
