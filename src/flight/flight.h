/*
 * flight.h — the FlightService: a table of methods for grpc, and what flight_sql adds to it.
 *
 * flight knows descriptors, tickets, sessions and streams; what a command means comes from tables of
 * `struct flight_command`, looked up by the type name inside an Any. So flight_sql is a table given at
 * start, and flight does not know it.
 *
 * Threads: create and destroy by the composition root; the methods run where grpc/method.h says.
 * Source: format/Flight.proto of apache/arrow. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "crypto/crypto.h"
#include "engine/query.h"
#include "flight/parameter_rows.h"
#include "flight/session.h"
#include "grpc/service.h"

struct flight;
struct flight_call;

/* What a command comes to at GetFlightInfo and GetSchema: a query, or a table that is made anew at each
 * DoGet (its ticket is the command itself). */
struct flight_plan {
    struct query *query;         /* one reference, or NULL */
    struct arrow_schema *schema; /* one reference, when there is no query */
};

/* One command: a message that travels in an Any in a descriptor or a ticket. All functions run on a
 * worker and may block; each may be NULL: the command is then UNIMPLEMENTED for that RPC. */
struct flight_command {
    const char *type_name; /* "arrow.flight.protocol.sql.CommandStatementQuery" */
    /* GetFlightInfo, GetSchema. */
    enum status (*plan)(struct flight_call *call, struct slice value, struct flight_plan *out_plan,
                        struct error *error);
    /* DoGet with the command as ticket: its table as one batch. */
    enum status (*fetch)(struct flight_call *call, struct slice value,
                         struct arrow_batch **out_batch, struct error *error);
    /* DoPut without rows, at the first message: a query whose row count is the answer. */
    enum status (*put)(struct flight_call *call, struct slice value, struct query **out_query,
                       struct error *error);
    /* DoPut with rows, once their schema (of a field or more) came: a query that reads batch('<input_id>'),
     * which are the rows as they come (flight_prepare_over). Its row count is the answer when the client has
     * sent everything; where the client breaks off, reading fails. */
    enum status (*put_rows)(struct flight_call *call, struct slice value,
                            const struct arrow_schema *schema, struct str input_id,
                            struct query **out_query, struct error *error);
    /* DoPut of rows for the parameters of a statement, when the client has sent them all: a query whose row
     * count is the answer, or the answer's metadata. */
    enum status (*put_bound)(struct flight_call *call, struct slice value,
                             struct parameter_rows *rows, struct query **out_query,
                             struct slice *out_metadata, struct error *error);
    /* Beside put_bound: whether put_rows is to take the rows as they come, since there are several. */
    enum status (*streams)(struct flight_call *call, struct slice value,
                           const struct arrow_schema *schema, bool *out_streams,
                           struct error *error);
};

/* One action of DoAction. It has `run`, or `start` where a statement does it. */
struct flight_action {
    const char *name;        /* "CreatePreparedStatement" */
    const char *description; /* for ListActions; NULL: it is refused, and not listed */
    bool makes_state;        /* a session that is the call's alone is kept for it */
    /* Runs on a worker. *out_body (may stay empty with *out_has_body false) is a Result. */
    enum status (*run)(struct flight_call *call, struct slice body, struct slice *out_body,
                       bool *out_has_body, struct error *error);
    /* Runs on a worker: *out_query is started, and the call waits for it without one. */
    enum status (*start)(struct flight_call *call, struct slice body, struct query **out_query,
                         struct error *error);
    /* After `start`, once the query went well; may be NULL: no Result. On the loop. */
    enum status (*finish)(struct flight_call *call, struct slice *out_body, bool *out_has_body,
                          struct error *error);
    /* May be NULL: the next of further Results, until *out_has_body is false. On the loop. */
    enum status (*next)(struct flight_call *call, struct slice *out_body, bool *out_has_body,
                        struct error *error);
};

struct flight_command_table {
    const struct flight_command *commands;
    size_t count;
};
struct flight_action_table {
    const struct flight_action *actions;
    size_t count;
};

struct flight_options {
    struct engine *engine;
    struct remote_engine *remote; /* beside it; NULL: none */
    struct queries *queries;
    struct store *store;
    struct sessions *sessions;
    const struct crypto_mac *ticket_mac;
    struct workers *workers;         /* of the calls */
    uint64_t transaction_timeout_ms; /* that an unused transaction stays open; it fits too */
    size_t prepared_max;             /* prepared statements of a session */
    uint64_t session_timeout_ms;     /* that an unused session is kept; fits 32 bits with a sign */
    uint64_t result_ttl_ms;
    uint64_t batch_ttl_ms; /* of a dataset that was put without one */
    size_t body_bytes_max; /* of a message, where the client asks for nothing else */
    bool read_only;
    const struct str
        *advertise; /* locations put into endpoints; none: endpoints carry no location */
    size_t advertise_count;
    const struct flight_command_table *command_tables;
    size_t command_table_count;
    const struct flight_action_table *action_tables; /* beside flight's own */
    size_t action_table_count;
};

struct flight *flight_create(const struct flight_options *options);
void flight_destroy(struct flight *flight);
CLEANUP_FUNCTION(struct flight *, flight_destroy)
/* The methods of arrow.flight.protocol.FlightService; the service pointer is the flight. */
struct grpc_service_table flight_methods(struct flight *flight);

/* --- for command and action tables -------------------------------------------------------------- */

const struct flight_options *flight_call_options(const struct flight_call *call);
struct session *flight_call_session(const struct flight_call *call);
/* What the call's log line tells of its statement. */
void flight_call_name_statement(struct flight_call *call, struct str sql);
/* True when the statement is only to be looked at (GetSchema). */
bool flight_call_is_dry(const struct flight_call *call);
/* Java's JDBC driver has ways of its own, and tells no more of itself than its gRPC. */
bool flight_client_is_java(const struct flight_call *call);

/* Prepares `sql` in the call's session, with the call's metadata options, and returns the query.
 * `statement` (may be NULL) is taken over on success. Blocks. */
MUST_CHECK enum status flight_prepare(struct flight_call *call, struct str sql,
                                      struct engine_statement *statement, struct query **out_query,
                                      struct error *error);
/* The same for a client's text, which the engine runs that the call or its session names. */
MUST_CHECK enum status flight_prepare_text(struct flight_call *call, struct str sql,
                                           struct query **out_query, struct error *error);
/* UNIMPLEMENTED, telling `what`, when the call or its session names a remote engine: for what only the
 * embedded one does with a client's text. */
MUST_CHECK enum status flight_check_own_engine(const struct flight_call *call, const char *what,
                                               struct error *error);
/* The same for `put_rows`: a text of one statement or several that reads the rows which the client sends. */
MUST_CHECK enum status flight_prepare_over(struct flight_call *call, struct str sql,
                                           struct str input_id, struct query **out_query,
                                           struct error *error);
/* For `fetch`: starts a query, which is taken over and stays the call's, so that the client's cancel and its
 * deadline reach it while `fetch` reads its dataset. */
MUST_CHECK enum status flight_run(struct flight_call *call, struct query *query,
                                  struct error *error);
enum flight_cancel_outcome { FLIGHT_CANCELLED, FLIGHT_CANCELLING, FLIGHT_NOT_CANCELLABLE };
/* Stops the statement of a FlightInfo message. NOT_FOUND when there is none. */
MUST_CHECK enum status flight_cancel_info(struct flight_call *call, struct slice info,
                                          enum flight_cancel_outcome *out_outcome,
                                          struct error *error);
/* What the metadata `volley-<name>` says, else the option of the session, or empty. */
struct str flight_option(const struct flight_call *call, const char *name);
/* What the call's metadata says about results (volley-max-message-bytes, ...). */
MUST_CHECK enum status flight_result_options(struct flight_call *call,
                                             struct engine_result_options *out_options,
                                             struct error *error);
