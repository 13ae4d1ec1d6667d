/*
 * Any bytes as a message: FlightData by hand, the others through the generated code and back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "base/memory.h"
#include "proto/flight.h"
#include "proto/flight_data.h"
#include "proto/flight_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &flight__flight_info__descriptor,
    &flight__flight_descriptor__descriptor,
    &flight__poll_info__descriptor,
    &flight__action__descriptor,
    &flight__set_session_options_request__descriptor,
    &sql__command_get_tables__descriptor,
    &sql__command_get_sql_info__descriptor,
    &sql__command_statement_ingest__descriptor,
    &sql__action_create_prepared_statement_result__descriptor,
    &google__status__descriptor,
};

static void check_flight_data(struct slice message)
{
    CLEANUP(flight_data_finish) struct flight_data parsed = {.has_descriptor = false};
    if (flight_data_parse(message, &parsed, NULL) != STATUS_OK)
        return;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    slices_append(&body, slice_ref(parsed.data_body));
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    assert(flight_data_write(&out, slice_str(parsed.data_header), slice_str(parsed.app_metadata),
                             &body, NULL) == STATUS_OK);
    CLEANUP(slice_finish) struct slice written = slices_join(&out);
    CLEANUP(flight_data_finish) struct flight_data again = {.has_descriptor = false};
    assert(flight_data_parse(written, &again, NULL) == STATUS_OK);
    assert(str_equal(slice_str(again.data_body), slice_str(parsed.data_body)));
    assert(str_equal(slice_str(again.data_header), slice_str(parsed.data_header)));
}

static void check_generated(struct slice message)
{
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        void *unpacked;
        if (proto_unpack(&arena, types[i], message, &unpacked, NULL) != STATUS_OK)
            continue;
        CLEANUP(slice_finish) struct slice packed = proto_pack(unpacked);
        void *again;
        assert(proto_unpack(&arena, types[i], packed, &again, NULL) == STATUS_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct buffer *buffer = buffer_create_copy(bytes, size);
    CLEANUP(slice_finish) struct slice message = slice_make(buffer->data, size, buffer);
    check_flight_data(message);
    check_generated(message);
    struct str name;
    struct slice value;
    if (proto_any_parse(message, &name, &value, NULL) == STATUS_OK)
        assert(name.len > 0 && value.len < size);
    return 0;
}
