/*
 * list_flights.c — ListFlights: the kept datasets, as FlightInfos that can be used as they are.
 *
 * receive (on a worker) collects the datasets, next (on the loop) describes one at a time. Results of
 * statements are not listed. Source: Flight.proto, "ListFlights". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

enum status list_flights_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    TRY(flight_begin(call, error));
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__Criteria *criteria;
    TRY(proto_unpack(&arena, &flight__criteria__descriptor, message, &criteria, error));
    struct str prefix;
    TRY(dataset_list_read_criteria(&arena, proto_bytes(criteria->expression), &prefix, error));
    dataset_list_make(&call->list, call->flight->options.store, prefix);
    return STATUS_OK;
}

enum status list_flights_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    CLEANUP(dataset_unref_later) struct dataset *dataset = dataset_list_next(&call->list);
    *out_step = dataset ? GRPC_MESSAGE : GRPC_END;
    if (!dataset)
        return STATUS_OK;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__FlightInfo *info;
    TRY(flight_info_make(call, &arena, dataset, &DATASET_PART_WHOLE, 1, &info, error));
    info->flight_descriptor = flight_descriptor_make(&arena, dataset);
    proto_append(out, info);
    return STATUS_OK;
}
