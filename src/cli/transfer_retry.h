/*
 * transfer_retry.h — whether a transfer that broke off begins again.
 *
 * Threads: the main thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/interrupt.h"
#include "cli/progress.h"

struct transfer_retry {
    uint64_t retries;
    struct interrupt *interrupt;
    struct progress *progress;
    bool is_connected;   /* the server was reached once: before that nothing is tried again */
    const char *again;   /* what the next try is: "putting it again" */
    const char *unknown; /* what holds when all was sent: "... only the server knows: ..." */
};

/* What broke off. */
struct transfer_try {
    unsigned number;       /* of the try, from 1 */
    bool is_sent;          /* all of it: what became of it is the server's to tell */
    bool is_repeatable;    /* the input can be read again */
    bool may_happen_twice; /* done again it is the same */
};

/* Waits before it says that it goes on; completes the error if not. */
bool transfer_retry_next(const struct transfer_retry *retry, const struct transfer_try *failed,
                         struct error *error);
