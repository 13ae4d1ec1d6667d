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
#include "flight/dataset_list.h"
#include "flight/download.h"
#include "flight/input.h"
#include "flight/target.h"
#include "flight/upload.h"
#include "proto/flight.h"
#include "proto/flight_data.h"

#include <stdatomic.h>

struct flight {
    struct flight_options options;
};

struct flight_call {
    struct grpc_call *call;
    struct flight *flight;
    struct session *session;    /* set by flight_begin */
    struct option_set *options; /* of the session as the call began; NULL: none */
    bool received;              /* the first request message was taken */
    bool half_closed;
    bool is_dry;   /* GetSchema */
    bool is_poll;  /* PollFlightInfo */
    bool answered; /* the one answer was given */
    struct query *query;
    bool is_query_shared;  /* found by its id: it belongs to an earlier call */
    atomic_bool cancelled; /* set by cancel, on the loop */
    atomic_bool started;   /* set by receive: `query` runs and does not change any more */
    struct loop_task wake;
    /* GetFlightInfo, GetSchema, PollFlightInfo */
    struct slice descriptor;     /* as the client sent it */
    struct slice command;        /* the Any of a command that is its own ticket, or takes rows */
    struct arrow_schema *schema; /* of a command without a query, and of a part of a result */
    struct dataset_part part;    /* what is asked of the result of the query */
    size_t endpoint_count;       /* into which that result was divided */
    bool tells_catalog;          /* the command is none of a statement */
    struct slice answer;         /* made by receive; empty: by next */
    struct loop_timer look;      /* while it waits: has it look again */
    uint64_t poll_until_ns;      /* PollFlightInfo: answers then, whatever there is */
    bool awaits_columns;         /* of the query's result: known once it runs */
    /* DoGet, DoExchange */
    struct dataset *dataset;
    struct download download;
    uint64_t
        schema_until_ns; /* the schema waits for the first batch as long; 0: not yet asked for */
    /* DoPut, DoExchange */
    struct upload *upload;             /* into a dataset */
    struct input *input;               /* rows for a statement */
    struct put_parameters *parameters; /* rows for the parameters of one */
    struct exchange *exchange;
    const struct flight_command *rows_command; /* that `input` or `parameters` are for */
    bool is_batch_upload;                      /* its answer is the id alone */
    bool discards_rows; /* the answer is a count, so that rows of RETURNING are nobody's */
    /* DoAction */
    const struct flight_action *action;
    struct slice result;
    bool has_result;
    /* DoAction, ListFlights */
    struct dataset_list list;
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
/* options.c: INVALID_ARGUMENT for metadata `volley-...` that is no option of a call, with the nearest one. */
MUST_CHECK enum status flight_check_metadata(const struct flight_call *call, struct error *error);

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

/* The metadata's wishes for an upload. */
MUST_CHECK enum status flight_put_wishes(const struct flight_call *call,
                                         struct put_wishes *out_wishes, struct error *error);
/* How large the body of a message to the client may be. */
MUST_CHECK enum status flight_body_bytes_max(struct flight_call *call, size_t *out_bytes,
                                             struct error *error);

/* How many endpoints the client asks for, 1 where it does not. */
MUST_CHECK enum status flight_endpoint_count(const struct flight_call *call, size_t *out_count,
                                             struct error *error);
/* Deals the result of the call's query, which was not started yet, out to as many endpoints as are asked
 * for. */
MUST_CHECK enum status flight_divide_result(struct flight_call *call, struct error *error);
/* The FlightInfo of the call's query or command, in the call's arena. */
MUST_CHECK enum status flight_plan_info(struct flight_call *call, Flight__FlightInfo **out_info,
                                        struct error *error);

/* What the option `compression` asks for; NULL: nothing. */
MUST_CHECK enum status flight_compressor(const struct flight_call *call,
                                         struct ipc_compressor **out_compressor,
                                         struct error *error);
/* The next message of the call's download: what DoGet and DoExchange answer. */
MUST_CHECK enum status flight_download_next(struct flight_call *call, struct slices *out,
                                            enum grpc_step *out_step, struct error *error);
/* Opens the call's download of a part of its dataset. On a worker. */
MUST_CHECK enum status flight_open_stream(struct flight_call *call, struct error *error);
/* Makes the call's input. */
MUST_CHECK enum status flight_create_input(struct flight_call *call, bool is_passing,
                                           struct error *error);
/* Whether the call's input takes another message now; else the call looks again soon. On the loop. */
bool flight_has_room(struct grpc_call *call);
/* put_parameters.c: rows for the parameters of a statement. begin leaves the call without `parameters`
 * where the first message brings no columns and the command can do without. */
struct put_parameters;
void put_parameters_destroy(struct put_parameters *parameters);
MUST_CHECK enum status put_parameters_begin(struct flight_call *call,
                                            const struct flight_command *command, struct slice any,
                                            const struct flight_data *first, struct error *error);
MUST_CHECK enum status put_parameters_receive(struct flight_call *call,
                                              const struct flight_data *message,
                                              struct error *error);
/* Whether a message, or the end, takes but a moment. */
bool put_parameters_is_quick(const struct flight_call *call, struct slice message);
bool put_parameters_end_is_quick(struct grpc_call *);
MUST_CHECK enum status put_parameters_end(struct flight_call *call, struct error *error);
/* Frees what a DoExchange holds beside its input. NULL is allowed. */
struct exchange;
void exchange_destroy(struct exchange *exchange);
CLEANUP_FUNCTION(struct exchange *, exchange_destroy)

/* --- datasets: dataset_info.c --------------------------------------------------------------------- */

/* The dataset that a target of kind DATASET names, one reference. */
MUST_CHECK enum status flight_find_dataset(const struct flight *flight, const struct target *target,
                                           struct dataset **out_dataset, struct error *error);
#define FLIGHT_ENDPOINTS_MAX DATASET_STRIPES_MAX
/* The endpoints into which a result was divided once for all. */
#define FLIGHT_ENDPOINTS_AS_DIVIDED 0
/* A FlightInfo without descriptor, in the arena: `endpoint_count` endpoints over the part, which together
 * read what is there now. */
MUST_CHECK enum status flight_info_make(const struct flight_call *call, struct arena *arena,
                                        struct dataset *dataset, const struct dataset_part *part,
                                        size_t endpoint_count, Flight__FlightInfo **out_info,
                                        struct error *error);
/* The descriptor by which a kept dataset is found, in the arena. */
Flight__FlightDescriptor *flight_descriptor_make(struct arena *arena, struct dataset *dataset);
/* The bytes of a signed ticket, in the arena. */
struct str flight_ticket_make(const struct flight_call *call, struct arena *arena, struct str id,
                              const struct dataset_part *part);
/* An endpoint, in the arena; with `expires_us` 0 for a ticket that does not expire. */
Flight__FlightEndpoint *flight_endpoint_make(const struct flight_call *call, struct arena *arena,
                                             struct str ticket, int64_t expires_us);
/* Gives the info the endpoints of the dataset of that id, whose batches are dealt out to `count` (1: all
 * to one); the part has neither `from` nor `limit` where it is more than one. */
void flight_write_dealt(const struct flight_call *call, struct arena *arena, struct str id,
                        const struct dataset_part *part, size_t count, int64_t expires_us,
                        Flight__FlightInfo *flight_info);
Google__Timestamp *flight_timestamp_make(struct arena *arena, int64_t time_us);
/* Reads a ticket that is no Any: a name, JSON or SQL; its texts are the arena's or those of `bytes`. */
MUST_CHECK enum status flight_read_plain_ticket(struct arena *arena, struct slice bytes,
                                                struct target *out_target, struct error *error);
/* Reads an Any with a signed ticket; the part is the caller's to finish. */
MUST_CHECK enum status flight_read_ticket(const struct flight_call *call, struct arena *arena,
                                          struct slice any, struct str *out_id,
                                          struct dataset_part *out_part, struct error *error);

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
bool flight_upload_is_quick(struct grpc_call *, struct slice);
enum status do_put_receive(struct grpc_call *, struct slice, struct error *);
enum status do_put_half_close(struct grpc_call *, struct error *);
enum status do_put_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status do_exchange_receive(struct grpc_call *, struct slice, struct error *);
enum status do_exchange_half_close(struct grpc_call *, struct error *);
enum status do_exchange_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status list_flights_receive(struct grpc_call *, struct slice, struct error *);
enum status list_flights_next(struct grpc_call *, struct slices *, enum grpc_step *,
                              struct error *);
enum status poll_flight_info_receive(struct grpc_call *, struct slice, struct error *);
enum status poll_flight_info_next(struct grpc_call *, struct slices *, enum grpc_step *,
                                  struct error *);
enum status do_action_receive(struct grpc_call *, struct slice, struct error *);
enum status do_action_next(struct grpc_call *, struct slices *, enum grpc_step *, struct error *);
enum status list_actions_receive(struct grpc_call *, struct slice, struct error *);
enum status list_actions_next(struct grpc_call *, struct slices *, enum grpc_step *,
                              struct error *);

/* FAILED_PRECONDITION when the columns of the call's query can only be known by running it. */
MUST_CHECK enum status flight_check_columns_known(const struct flight_call *call,
                                                  struct error *error);
/* Plans what a descriptor asks for: GetFlightInfo, GetSchema, PollFlightInfo. Sets the call's query, or
 * its dataset, or its schema and command. */
MUST_CHECK enum status flight_plan_descriptor(struct flight_call *call, struct slice message,
                                              struct error *error);

/* Every action: flight's own and those of the tables. */
extern const struct flight_action flight_dataset_actions[];
extern const size_t flight_dataset_action_count;
extern const struct flight_action flight_session_actions[];
extern const size_t flight_session_action_count;
extern const struct flight_action flight_info_actions[];
extern const size_t flight_info_action_count;
const struct flight_action *flight_action_at(const struct flight *flight, size_t index);
