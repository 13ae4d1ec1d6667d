/*
 * query.h — one statement over Flight SQL: its schema, then its batches one at a time.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "grpc/client.h"

struct sql_query;

/* Sends the statement and waits for the schema of its result. `decode` false: sql_query_next only
 * counts. The client must outlive the query. Errors are the server's. */
MUST_CHECK enum status sql_query_open(struct grpc_client *client, struct str sql, bool decode,
                                      struct sql_query **out_query, struct error *error);
/* The same for any command of Flight SQL, packed into an Any. */
MUST_CHECK enum status sql_query_open_command(struct grpc_client *client, struct slice command,
                                              bool decode, struct sql_query **out_query,
                                              struct error *error);
/* Has the server stop the statement (CancelFlightInfo), whoever else follows it: one that was polled does
 * not end with its reader. Waits for the answer for some seconds; what failed does not matter any more. */
void sql_query_cancel(struct sql_query *query);
/* Cancels the statement if it is not over, and frees it. */
void sql_query_close(struct sql_query *query);
CLEANUP_FUNCTION(struct sql_query *, sql_query_close)

/* The id that the server gave the statement, as far as it is text; empty: none. */
struct str sql_query_id(const struct sql_query *query);
/* NULL when the result has no columns. Lives as long as the query. */
struct arrow_schema *sql_query_schema(const struct sql_query *query);
/* Rows that a statement without columns changed; -1: it changed none and is not one that does. */
int64_t sql_query_changed_rows(const struct sql_query *query);
/* The next batch (one reference), or *out_end. Without `decode` *out_batch stays NULL. */
MUST_CHECK enum status sql_query_next(struct sql_query *query, struct arrow_batch **out_batch,
                                      bool *out_end, struct error *error);
/* Calls `take` for every row that is left, with the columns of its batch, until it fails. */
struct arrow_column;
MUST_CHECK enum status
sql_query_for_each_row(struct sql_query *query,
                       enum status (*take)(void *context, const struct arrow_column *columns,
                                           int64_t row, struct error *error),
                       void *context, struct error *error);
/* Rows and bytes of messages received so far. */
uint64_t sql_query_rows(const struct sql_query *query);
uint64_t sql_query_bytes(const struct sql_query *query);

/* The rows of a bare IPC message that is a record batch, else 0; false when it is malformed. */
bool sql_message_rows(struct str message, uint64_t *out_rows);
