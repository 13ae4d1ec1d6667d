/*
 * sql_session.h — a connection that statements go to, and how their results are shown.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/interrupt.h"
#include "cli/query.h"
#include "cli/result.h"

/* What the session's transaction is at: the words of its statements tell, and the server once one fails. */
enum transaction_state { TRANSACTION_NONE, TRANSACTION_OPEN, TRANSACTION_FAILED };

struct sql_session {
    struct interrupt *interrupt;
    struct grpc_client_options client_options; /* of the client; texts live as long */
    struct grpc_client *client;
    struct server_options server; /* the client's; texts live as long */
    struct output *output;
    const struct result_format *format;
    bool footer;             /* tables tell their number of rows */
    bool is_expanded;        /* tables: a line for each value */
    bool is_coloured;        /* tables: marks for a terminal */
    bool shows_types;        /* tables: the columns' types below their names */
    uint64_t elapsed_ns;     /* that the last statement took */
    bool shows_progress;     /* of what takes longer, on a terminal */
    uint64_t rows_shown_max; /* of a table; the others are counted. 0: all */
    enum transaction_state transaction;
};

/* Runs one statement and prints its rows, or what it did. Errors are the server's; CANCELLED too when
 * Ctrl-C came, and when nobody reads the output any more (output->broken). */
MUST_CHECK enum status sql_session_run(struct sql_session *session, struct str sql,
                                       struct error *error);
/* Prints the rows of a query that was opened; like sql_session_run. */
MUST_CHECK enum status sql_session_print(struct sql_session *session, struct sql_query *query,
                                         struct error *error);
