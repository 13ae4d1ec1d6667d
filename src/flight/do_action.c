/*
 * do_action.c — DoAction and ListActions: a table of named actions.
 *
 * An action runs on a worker and gives a result, none, or more, of which all but the first are made on the
 * loop, one at a time. One that is a statement only starts it there: the statement may have to wait for a
 * slot, and what frees one may need the worker. flight's own are in the tables below; doors above add theirs.
 * Source: Flight.proto, "DoAction". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/memory.h"

const struct flight_action *flight_action_at(const struct flight *flight, size_t index)
{
    const struct flight_action_table own[] = {
        {flight_info_actions, flight_info_action_count},
        {flight_session_actions, flight_session_action_count},
        {flight_dataset_actions, flight_dataset_action_count},
    };
    size_t table_count = ARRAY_COUNT(own) + flight->options.action_table_count;
    for (size_t i = 0; i < table_count; i++) {
        const struct flight_action_table *table =
            i < ARRAY_COUNT(own) ? &own[i] : &flight->options.action_tables[i - ARRAY_COUNT(own)];
        if (index < table->count)
            return &table->actions[index];
        index -= table->count;
    }
    return NULL;
}

static enum status find_action(const struct flight *flight, struct str name,
                               const struct flight_action **out_action, struct error *error)
{
    const struct flight_action *action;
    for (size_t i = 0; (action = flight_action_at(flight, i)); i++) {
        if (str_equal(str_of(action->name), name)) {
            *out_action = action;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "unknown action '%.*s'; ListActions tells which there are", STR_ARGS(name));
}

enum status do_action_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    TRY(flight_begin(call, error));
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__Action *request;
    TRY(proto_unpack(&arena, &flight__action__descriptor, message, &request, error));
    TRY(find_action(call->flight, str_of(request->type), &call->action, error));
    if (call->action->makes_state)
        TRY(sessions_keep(call->flight->options.sessions, grpc, &call->session, error));
    struct slice body = slice_make(request->body.data, request->body.len, NULL);
    if (call->action->run)
        return call->action->run(call, body, &call->result, &call->has_result, error);
    call->discards_rows = true;
    TRY(call->action->start(call, body, &call->query, error));
    return flight_start(call, error);
}

/* The action's statement is over. */
static enum status finish_query(struct flight_call *call, struct error *error)
{
    int64_t rows;
    call->answered = true;
    TRY(query_outcome(call->query, &rows, error));
    if (!call->action->finish)
        return STATUS_OK;
    return call->action->finish(call, &call->result, &call->has_result, error);
}

enum status do_action_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                           struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    *out_step = GRPC_WAIT;
    if (call->query && !flight_query_is_over(call->query))
        return STATUS_OK;
    if (call->query && !call->answered)
        TRY(finish_query(call, error));
    if (!call->has_result && call->action->next)
        TRY(call->action->next(call, &call->result, &call->has_result, error));
    *out_step = call->has_result ? GRPC_MESSAGE : GRPC_END;
    if (!call->has_result)
        return STATUS_OK;
    Flight__Result result = FLIGHT__RESULT__INIT;
    result.body = proto_binary(slice_str(call->result));
    proto_append(out, &result);
    slice_finish(&call->result);
    call->has_result = false;
    return STATUS_OK;
}

enum status list_actions_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    return STATUS_OK;
}

/* One ActionType a message. */
enum status list_actions_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    const struct flight_action *action;
    while ((action = flight_action_at(call->flight, call->actions_sent)) && !action->description)
        call->actions_sent++;
    *out_step = action ? GRPC_MESSAGE : GRPC_END;
    if (!action)
        return STATUS_OK;
    call->actions_sent++;
    Flight__ActionType type = FLIGHT__ACTION_TYPE__INIT;
    type.type = (char *)action->name;
    type.description = (char *)action->description;
    proto_append(out, &type);
    return STATUS_OK;
}
