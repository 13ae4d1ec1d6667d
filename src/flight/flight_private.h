/*
 * flight_private.h — what the RPC files share: the state of a call and its common functions.
 *
 * Every method opens with flight_open and closes with flight_close; between them it uses the fields it
 * needs. `wake` has the call asked again (grpc_call_wake) when its query is over or its dataset has
 * news.
 *
 * cancel may run beside receive. It sets `cancelled`, which receive looks at before it starts a query,
 * and stops the query only once receive has `started` it and thus left `query` alone. What falls
 * between the two is stopped by close. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "flight/flight.h"

#include "arrow/ipc.h"
#include "proto/flight.h"
#include "proto/flight_data.h"

#include <stdatomic.h>

struct flight {
    struct flight_options options;
};

struct flight_call {
    struct grpc_call *call;
    struct flight *flight;
    struct session *session; /* set by flight_begin */
    bool received;           /* the first request message was taken */
    bool half_closed;
    bool is_dry;   /* GetSchema */
    bool answered; /* the one answer was given */
    struct query *query;
    bool is_query_shared;  /* found by its id: it belongs to an earlier call */
    atomic_bool cancelled; /* set by cancel, on the loop */
    atomic_bool started;   /* set by receive: `query` runs and does not change any more */
    struct loop_task wake;
    /* GetFlightInfo, GetSchema */
    struct slice descriptor;     /* as the client sent it */
    struct slice command;        /* the Any of a command that is its own ticket */
    struct arrow_schema *schema; /* of a command without a query */
    struct loop_timer look;      /* while it waits: has it look at the size of the result */
    /* DoGet */
    struct dataset *dataset;
    struct dataset_reader *reader;
    bool schema_sent;
    size_t dictionaries_sent;
    /* DoPut: its answer is a count, so that rows of RETURNING are nobody's. */
    bool discards_rows;
    /* DoAction */
    struct slice result;
    bool has_result;
    /* ListActions */
    size_t actions_sent;
};

/* open, cancel, close of every method. */
enum status flight_open(struct grpc_call *call, struct error *error);
void flight_cancel(struct grpc_call *call);
void flight_close(struct grpc_call *call);

static inline struct flight_call *flight_call_of(struct grpc_call *call)
{
    return (struct flight_call *)call->state;
}

/* Finds the call's session. First thing on the worker. */
MUST_CHECK enum status flight_begin(struct flight_call *call, struct error *error);

/* CANCELLED when the call is over for its client. */
MUST_CHECK enum status flight_check_wanted(const struct flight_call *call, struct error *error);
/* Has the call woken when the query is over, and starts it, unless nobody wants it any more. */
MUST_CHECK enum status flight_start(struct flight_call *call, struct error *error);
bool flight_query_is_over(const struct query *query);

/* The command of that type; UNIMPLEMENTED naming it. */
MUST_CHECK enum status flight_find_command(const struct flight *flight, struct str type_name,
                                           const struct flight_command **out_command,
                                           struct error *error);
#define FLIGHT_SQL_PACKAGE "arrow.flight.protocol.sql."

/* A descriptor or ticket that is no Any: JSON {"sql"} or SQL text. INVALID_ARGUMENT otherwise. The text
 * is copied into `out_sql`. */
MUST_CHECK enum status flight_read_plain_command(struct str bytes, struct buf *out_sql,
                                                 struct error *error);

/* The method functions, by RPC. */
enum status handshake_receive(struct grpc_call *, struct slice, struct error *);
enum status handshake_half_close(struct grpc_call *, struct error *);
enum status handshake_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status get_flight_info_receive(struct grpc_call *, struct slice, struct error *);
enum status get_flight_info_next(struct grpc_call *, struct slices *, enum grpc_step *,
                                 struct error *);
enum status get_schema_receive(struct grpc_call *, struct slice, struct error *);
enum status get_schema_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status do_get_receive(struct grpc_call *, struct slice, struct error *);
enum status do_get_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status do_put_receive(struct grpc_call *, struct slice, struct error *);
enum status do_put_half_close(struct grpc_call *, struct error *);
enum status do_put_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status do_action_receive(struct grpc_call *, struct slice, struct error *);
enum status do_action_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status list_actions_receive(struct grpc_call *, struct slice, struct error *);
enum status list_actions_next(struct grpc_call *, struct slices *, enum grpc_step *,
                              struct error *);

/* Visits every action: flight's own and those of the tables. */
const struct flight_action *flight_action_at(const struct flight *flight, size_t index);
