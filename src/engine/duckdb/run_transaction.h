/*
 * run_transaction.h — the transaction around a text, and what a part of it leaves behind: in the session, in
 * the versions of what others read.
 *
 * Private to the engine's duckdb folder. The connection is entered, but where said otherwise.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/state.h"

/* True when a part begins or ends a transaction itself. */
bool statement_controls_transaction(const struct engine_statement *statement);
/* Has all that the statement runs take place together, unless it or its session has a transaction. */
MUST_CHECK enum status statement_begin_transaction(struct engine_statement *statement,
                                                   struct error *error);
/* Ends the one that statement_begin_transaction began. */
MUST_CHECK enum status statement_end_transaction(struct engine_statement *statement, bool commit,
                                                 struct error *error);
/* Rolls back what is still open of this text; a connection that cannot is not used again. */
void statement_roll_back(struct engine_statement *statement);
/* Refuses a BEGIN and a COMMIT that the engine would take for something else. */
MUST_CHECK enum status statement_check_control(struct engine_statement *statement,
                                               const struct part *part, struct error *error);
/* Before a part runs and after it: others' plans and results made before are not right any more. */
void statement_note_write(struct engine_statement *statement, const struct part *part);
/* A part that went well. */
void statement_note_change(struct engine_statement *statement, const struct part *part);
/* After a failure: the session's transaction may be lost with it. */
void statement_note_failure(struct engine_statement *statement, const struct error *error);
/* Enters the connection for as long as the statement is prepared, which may fail as a run does. */
MUST_CHECK enum status statement_prepare_in_session(struct engine_statement *statement,
                                                    const atomic_bool *interrupted,
                                                    struct error *error);
/* After a part, `status` being how it ended: its transaction, state and settings become the session's. */
MUST_CHECK enum status statement_apply_to_session(struct engine_statement *statement,
                                                  const struct part *part, enum status status,
                                                  struct error *error);
