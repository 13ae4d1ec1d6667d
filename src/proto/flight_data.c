/*
 * flight_data.c — FlightData by hand: parts by reference in, one small head and the body out.
 *
 * Runs on any thread. The parts of a parsed message share the message's buffer; the body of a written
 * one stays where it is. Leaves out: what the parts mean.
 *
 * Source: format/Flight.proto of apache/arrow.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/flight_data.h"

#include "proto/wire.h"

enum {
    FIELD_FLIGHT_DESCRIPTOR = 1,
    FIELD_DATA_HEADER = 2,
    FIELD_APP_METADATA = 3,
    FIELD_DATA_BODY = 1000,
};

/* The fields found, still without references. */
struct parts {
    struct str descriptor;
    struct str header;
    struct str metadata;
    struct str body;
    bool has_descriptor;
    bool has_metadata;
};

static struct str *parts_at(struct parts *parts, uint32_t number)
{
    switch (number) {
    case FIELD_FLIGHT_DESCRIPTOR:
        parts->has_descriptor = true;
        return &parts->descriptor;
    case FIELD_DATA_HEADER:
        return &parts->header;
    case FIELD_APP_METADATA:
        parts->has_metadata = true;
        return &parts->metadata;
    case FIELD_DATA_BODY:
        return &parts->body;
    default:
        return NULL;
    }
}

static bool parts_read(struct parts *parts, struct slice message)
{
    struct wire_reader reader = wire_reader_make(slice_str(message));
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        struct str *part = parts_at(parts, field.number);
        if (!part)
            continue;
        if (field.type != WIRE_BYTES)
            return false;
        *part = field.bytes;
    }
    return !reader.malformed;
}

static struct slice part_of(struct slice message, struct str part)
{
    if (part.len == 0)
        return SLICE_EMPTY;
    return slice_ref(slice_make(part.ptr, part.len, message.owner));
}

enum status flight_data_parse(struct slice message, struct flight_data *out, struct error *error)
{
    struct parts parts = {.has_descriptor = false};
    if (!parts_read(&parts, message))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "malformed arrow.flight.protocol.FlightData message of %zu bytes",
                         message.len);
    *out = (struct flight_data){
        .flight_descriptor = part_of(message, parts.descriptor),
        .data_header = part_of(message, parts.header),
        .app_metadata = part_of(message, parts.metadata),
        .data_body = part_of(message, parts.body),
        .has_descriptor = parts.has_descriptor,
        .has_app_metadata = parts.has_metadata,
    };
    return STATUS_OK;
}

void flight_data_finish(struct flight_data *flight_data)
{
    slice_finish(&flight_data->flight_descriptor);
    slice_finish(&flight_data->data_header);
    slice_finish(&flight_data->app_metadata);
    slice_finish(&flight_data->data_body);
    *flight_data = (struct flight_data){.has_descriptor = false};
}

enum status flight_data_write(struct slices *out, struct str data_header, struct str app_metadata,
                              struct slices *body, struct error *error)
{
    /* Three tags and lengths take far less than the difference to the round number. */
    const size_t heads_bytes_max = 64;
    size_t body_bytes = body ? body->bytes : 0;
    if (data_header.len > FLIGHT_DATA_BYTES_MAX || app_metadata.len > FLIGHT_DATA_BYTES_MAX ||
        body_bytes > FLIGHT_DATA_BYTES_MAX ||
        data_header.len + app_metadata.len + body_bytes > FLIGHT_DATA_BYTES_MAX - heads_bytes_max)
        return error_set(
            error, STATUS_RESOURCE_EXHAUSTED,
            "a record batch of %zu bytes does not fit one Flight message; the limit is "
            "%zu bytes",
            data_header.len + app_metadata.len + body_bytes, FLIGHT_DATA_BYTES_MAX);
    if (data_header.len > 0)
        wire_append_bytes(out, FIELD_DATA_HEADER, data_header);
    if (app_metadata.len > 0)
        wire_append_bytes(out, FIELD_APP_METADATA, app_metadata);
    if (body_bytes > 0) {
        uint8_t head[2 * WIRE_VARINT_SIZE_MAX];
        uint8_t *end = wire_write_bytes_head(head, FIELD_DATA_BODY, body_bytes);
        slices_append_copy(out, head, (size_t)(end - head));
        slices_move(out, body);
    }
    return STATUS_OK;
}
