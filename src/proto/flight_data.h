/*
 * flight_data.h — arrow.flight.protocol.FlightData without copies of the body.
 *
 * The message that carries every byte of a result. Written as data_header, app_metadata, data_body in
 * this order, so that the body is last and contiguous; read in any order.
 *
 * Threads: any. Source: format/Flight.proto of apache/arrow. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"

/* What protobuf allows for one message. */
#define FLIGHT_DATA_BYTES_MAX ((size_t)INT32_MAX)

/* Each part holds its own reference to the message's owner; an absent part is SLICE_EMPTY. */
struct flight_data {
    struct slice flight_descriptor; /* a FlightDescriptor, still packed */
    struct slice data_header;       /* an IPC Message */
    struct slice app_metadata;
    struct slice data_body; /* as aligned as it stands in the message */
    bool has_descriptor;    /* present, possibly of no bytes */
    bool has_app_metadata;
};

/* Fills *out on success only. Unknown fields are passed over; of a field given twice the last counts.
 * INVALID_ARGUMENT when the bytes are not a FlightData. */
MUST_CHECK enum status flight_data_parse(struct slice message, struct flight_data *out,
                                         struct error *error);
void flight_data_finish(struct flight_data *flight_data);
CLEANUP_IN_PLACE(struct flight_data, flight_data_finish)

/* Appends one message to `out`: header and metadata copied (an empty one is left out), the body taken
 * out of `body` by reference (NULL or empty: left out). RESOURCE_EXHAUSTED, with nothing appended, when
 * the message would be larger than FLIGHT_DATA_BYTES_MAX. */
MUST_CHECK enum status flight_data_write(struct slices *out, struct str data_header,
                                         struct str app_metadata, struct slices *body,
                                         struct error *error);
