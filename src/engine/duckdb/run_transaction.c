/*
 * run_transaction.c — transactions of a text and of its session, and who has to know of what it wrote.
 *
 * Of a text that fails nothing remains: what it changed is rolled back, and so is a transaction that it began
 * itself. One that the client began before stays open only where nothing was done that its end alone takes
 * back; else the session keeps why it can only be rolled back.
 *
 * Runs on a query thread, the connection is entered. Owns the connection's set of written tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/run_transaction.h"

#include "base/memory.h"

#include <string.h>

/* --- what was written --------------------------------------------------------------------------- */

/* What is written inside a transaction is seen when that ends. */
static void note_targets(struct engine_statement *statement, const struct part *part)
{
    struct write_versions *versions = &statement->session->engine->versions;
    struct connection *connection = statement->connection;
    if (!connection->writes)
        connection->writes = NEW(struct write_set);
    if (part->class == PART_BEGIN) {
        *connection->writes = (struct write_set){0};
    } else if (part->class == PART_END) {
        write_versions_bump(versions, connection->writes);
    } else {
        struct write_set set = {0};
        write_set_add(&set, part->text, part->class == PART_DEFINITION);
        write_set_join(connection->writes, &set);
        write_versions_bump(versions, &set);
    }
}

/* Plans that others made before a change, or while it goes on, must not be run after it, and results must not
 * be taken for what another run would give. */
void statement_note_write(struct engine_statement *statement, const struct part *part)
{
    if (part->class == PART_QUERY)
        return;
    atomic_fetch_add(&statement->session->engine->write_epoch, 1);
    note_targets(statement, part);
}

/* A part that went well. */
void statement_note_change(struct engine_statement *statement, const struct part *part)
{
    bool is_setting = part->sets_path || part->sets_zone;
    if (part->class == PART_BEGIN || part->class == PART_END)
        statement->has_changed = false;
    else if (part->class != PART_QUERY && !is_setting)
        statement->has_changed = true;
}

/* --- the session -------------------------------------------------------------------------------- */

/* A COMMIT that failed has rolled back; one that was refused or interrupted may not have. */
static void make_sure_it_ended(struct connection *connection)
{
    if (connection_execute(connection, "ROLLBACK", NULL) == STATUS_OK)
        atomic_fetch_add(&connection->engine->write_epoch, 1);
}

enum status statement_apply_to_session(struct engine_statement *statement, const struct part *part,
                                       enum status status, struct error *error)
{
    struct engine_session *session = statement->session;
    struct connection *connection = statement->connection;
    if (part->class == PART_END) {
        if (status != STATUS_OK)
            make_sure_it_ended(connection);
        session_end_transaction(session, connection);
        statement->began = false;
    }
    if (status != STATUS_OK)
        return status;
    if (part->class == PART_BEGIN) {
        session_begin(session, connection);
        statement->began = true;
    }
    if (part->makes_state)
        session_pin(session, connection, true);
    if (part->resets_zone)
        TRY(connection_execute(connection, "SET TimeZone='" TIME_ZONE_DEFAULT "'", error));
    if (part->sets_path)
        status = connection_mend_path(connection, error);
    if (part->sets_path || part->sets_zone)
        session_note_settings(session, connection);
    return status;
}

/* The engine gives a transaction up for a BEGIN inside it; and the COMMIT of one that was given up it takes
 * for a ROLLBACK, and tells nobody. */
enum status statement_check_control(struct engine_statement *statement, const struct part *part,
                                    struct error *error)
{
    struct engine_session *session = statement->session;
    if (part->class == PART_BEGIN && atomic_load(&session->in_transaction)) {
        error_set_sqlstate(error, "25001",
                           "this session is within a transaction already; end that first");
        return statement_number_error(statement, part, error);
    }
    if (!part->is_commit || session_check_transaction(session, true, error) == STATUS_OK)
        return STATUS_OK;
    return statement_apply_to_session(statement, part,
                                      statement_number_error(statement, part, error), error);
}

static bool transaction_is_given_up(struct connection *connection)
{
    struct error error = ERROR_NONE;
    return connection_execute(connection, "SELECT 1", &error) != STATUS_OK &&
           strstr(error.message, "ransaction is aborted");
}

/* After a failure inside a client's transaction: some leave it usable, as long as nothing was done that only
 * the end of the transaction takes back. */
void statement_note_failure(struct engine_statement *statement, const struct error *error)
{
    if (!atomic_load(&statement->session->in_transaction) ||
        (!statement->has_changed && !transaction_is_given_up(statement->connection)))
        return;
    struct error failure = *error;
    error_set(&failure, error->status, "a statement of it failed: %s", error->message);
    failure.retry_after_ms = error->retry_after_ms;
    session_fail_transaction(statement->session, &failure);
}

/* What is only planned may already be the end of the transaction: constants are computed then. */
enum status statement_prepare_in_session(struct engine_statement *statement,
                                         const atomic_bool *interrupted, struct error *error)
{
    struct error unwanted;
    error = error ? error : &unwanted;
    TRY(connection_enter(statement->connection, interrupted, error));
    enum status status = statement_prepare(statement, error);
    if (status != STATUS_OK)
        statement_note_failure(statement, error);
    connection_leave(statement->connection);
    return status;
}

/* --- around the text ---------------------------------------------------------------------------- */

bool statement_controls_transaction(const struct engine_statement *statement)
{
    for (size_t i = 0; i < statement->parts.count; i++)
        if (statement->parts.items[i].class == PART_BEGIN ||
            statement->parts.items[i].class == PART_END)
            return true;
    return false;
}

enum status statement_end_transaction(struct engine_statement *statement, bool commit,
                                      struct error *error)
{
    statement->owns_transaction = false;
    return connection_execute(statement->connection, commit ? "COMMIT" : "ROLLBACK", error);
}

/* Rolls back what is still open of this text; a connection that cannot is not used again. */
void statement_roll_back(struct engine_statement *statement)
{
    bool began = statement->began;
    if (!began && !statement->owns_transaction)
        return;
    if (statement_end_transaction(statement, false, NULL) != STATUS_OK)
        atomic_store(&statement->connection->is_spent, true);
    statement->began = false;
    if (began)
        session_end_transaction(statement->session, statement->connection);
}

/* Has all that the statement runs take place together. */
enum status statement_begin_transaction(struct engine_statement *statement, struct error *error)
{
    if (statement_controls_transaction(statement) ||
        atomic_load(&statement->session->in_transaction))
        return STATUS_OK;
    TRY(connection_execute(statement->connection, "BEGIN TRANSACTION", error));
    static const struct part begin = {.class = PART_BEGIN};
    note_targets(statement, &begin);
    statement->owns_transaction = true;
    return STATUS_OK;
}
