/*
 * put_sender.h — one DoPut: a descriptor and a schema, then batches with their dictionaries.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/dataset.h"

#include "arrow/batch.h"

struct put_sender {
    struct grpc_client_call *call;
    struct arrow_schema *sent; /* whose dictionaries the server has; NULL: none */
    /* Called behind each piece that went out; may be NULL. */
    void (*note)(void *context, const struct arrow_batch *piece);
    void *note_context;
};

/* Begins the call; headers are the client's. Clears all but note. */
MUST_CHECK enum status put_sender_start(struct put_sender *sender, struct grpc_client *client,
                                        struct error *error);
MUST_CHECK enum status put_sender_schema(struct put_sender *sender,
                                         const Flight__FlightDescriptor *descriptor,
                                         const struct arrow_schema *schema, struct error *error);
MUST_CHECK enum status put_sender_batch(struct put_sender *sender, struct arrow_batch *batch,
                                        struct error *error);
/* The server ended the call: put_sender_end tells why. */
bool put_sender_is_over(const struct put_sender *sender);
/* Says that this was all, and waits for the answer: the metadata of its last message, in the arena. */
MUST_CHECK enum status put_sender_end(struct put_sender *sender, struct arena *arena,
                                      struct str *out_answer, struct error *error);
/* Cancels what has not ended. */
void put_sender_finish(struct put_sender *sender);
CLEANUP_IN_PLACE(struct put_sender, put_sender_finish)
