/*
 * transaction.c — the id of a session's transaction.
 *
 * Whether there is a transaction is the engine session's to say: a COMMIT as text ends it too. Any thread.
 * Owns: the id. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/transaction.h"

#include <string.h>

void transaction_init(struct transaction *transaction, struct engine_session *engine)
{
    *transaction = (struct transaction){.engine = engine};
    lock_init(&transaction->locked.lock);
}

void transaction_finish(struct transaction *transaction)
{
    lock_finish(&transaction->locked.lock);
}

enum status transaction_check_none(struct transaction *transaction, struct error *error)
{
    if (!engine_session_in_transaction(transaction->engine))
        return STATUS_OK;
    return error_set(error, STATUS_FAILED_PRECONDITION,
                     "this session is in a transaction already; end it first, or begin the other "
                     "one on a connection of its own");
}

void transaction_name(struct transaction *transaction, char out_id[RANDOM_UUID_SIZE])
{
    random_uuid(out_id);
    LOCKED(&transaction->locked.lock);
    memcpy(transaction->locked.id, out_id, RANDOM_UUID_SIZE);
    transaction->locked.is_committing = false;
}

bool transaction_commit_failed(struct transaction *transaction, struct str id)
{
    LOCKED(&transaction->locked.lock);
    return transaction->locked.is_committing && str_equal(id, str_of(transaction->locked.id)) &&
           !engine_session_in_transaction(transaction->engine);
}

void transaction_begin_commit(struct transaction *transaction)
{
    LOCKED(&transaction->locked.lock);
    transaction->locked.is_committing = true;
}

void transaction_end_commit(struct transaction *transaction)
{
    LOCKED(&transaction->locked.lock);
    transaction->locked.id[0] = '\0';
    transaction->locked.is_committing = false;
}

enum status transaction_check(struct transaction *transaction, struct str id, struct error *error)
{
    LOCKED(&transaction->locked.lock);
    bool is_known = transaction->locked.id[0] && str_equal(id, str_of(transaction->locked.id));
    if (is_known && engine_session_in_transaction(transaction->engine))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "transaction '%.*s' is unknown to this session, or over; begin a new one",
                     STR_ARGS(id));
}
