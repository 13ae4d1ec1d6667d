/*
 * proto.h — generated protobuf messages in and out of slices.
 *
 * Doors include proto/flight.h or proto/flight_sql.h for the messages they handle and use these few
 * functions; they never call or include protobuf-c themselves. Names: message FlightInfo of Flight is
 * `Flight__FlightInfo`, its type `flight__flight_info__descriptor`, its initializer
 * `FLIGHT__FLIGHT_INFO__INIT`; Flight SQL's begin with `Sql__`.
 *
 * Unpacking is bounded: a message may have PROTO_MESSAGE_BYTES_MAX bytes and take memory in
 * proportion to them; text fields are checked to be UTF-8 without zero bytes, so that `char *` is all
 * of the text; nesting is as deep as the types themselves are.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/str.h"

#define PROTO_MESSAGE_BYTES_MAX ((size_t)16 << 20)

/* Makes a message of `type` in the arena and puts its address into `out_message`, which points to a
 * pointer to the generated struct:
 *
 *     Flight__Ticket *ticket;
 *     TRY(proto_unpack(call->arena, &flight__ticket__descriptor, message, &ticket, error));
 *
 * INVALID_ARGUMENT naming the type (and the field) when the bytes are not such a message. */
MUST_CHECK enum status proto_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type,
                                    struct slice bytes, void *out_message, struct error *error);
/* The message's bytes in one buffer. `message` is a generated struct. */
struct slice proto_pack(const void *message);
/* The same at the end of `out`. */
void proto_append(struct slices *out, const void *message);

/* --- google.protobuf.Any --------------------------------------------------------------------- */

/* The full name of the message inside ("arrow.flight.protocol.sql.CommandStatementQuery") and its
 * bytes, both inside `bytes` without a reference of their own. INVALID_ARGUMENT when it is none. */
MUST_CHECK enum status proto_any_parse(struct slice bytes, struct str *out_type_name,
                                       struct slice *out_value, struct error *error);
/* True when the bytes are an Any whose type name begins with `prefix`: how commands are told from
 * other descriptors. */
bool proto_any_is(struct slice bytes, struct str prefix);
/* `message` in an Any that names its type. */
struct slice proto_any_pack(const void *message);

/* --- texts and bytes of generated structs ------------------------------------------------------ */

static inline struct str proto_bytes(ProtobufCBinaryData bytes)
{
    return str_make(bytes.data, bytes.len);
}
/* For a field that is only read while the message is packed. */
static inline ProtobufCBinaryData proto_binary(struct str bytes)
{
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)bytes.ptr};
}
