/*
 * transaction.h — the transaction that a session opened by action, and its id.
 *
 * A session has one transaction at a time, however it was begun: statements of the session are in it, with
 * its id or without. The id is a handle that keeps a client from working on after its transaction ended.
 *
 * Threads: any; a lock of its own. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/random.h"
#include "base/str.h"
#include "engine/engine.h"
#include "event/lock.h"

struct transaction {
    struct engine_session *engine; /* of the session that has this */
    struct {
        struct lock lock;
        char id[RANDOM_UUID_SIZE]; /* "": none was opened by action */
        bool is_committing;        /* its COMMIT was sent: it may be over without being committed */
    } locked;
};

void transaction_init(struct transaction *transaction, struct engine_session *engine);
void transaction_finish(struct transaction *transaction);
/* FAILED_PRECONDITION when the session is in one. */
MUST_CHECK enum status transaction_check_none(struct transaction *transaction, struct error *error);
/* The id of the transaction that just began. */
void transaction_name(struct transaction *transaction, char out_id[RANDOM_UUID_SIZE]);
/* True when the transaction of that id is over because its COMMIT failed: clients roll it back then. */
bool transaction_commit_failed(struct transaction *transaction, struct str id);
/* The COMMIT of the transaction is sent; it went well. */
void transaction_begin_commit(struct transaction *transaction);
void transaction_end_commit(struct transaction *transaction);
/* INVALID_ARGUMENT when the session is in no transaction of that id. */
MUST_CHECK enum status transaction_check(struct transaction *transaction, struct str id,
                                         struct error *error);
