/*
 * upload.h — the batches of a DoPut or DoExchange on their way into the store.
 *
 * An upload takes FlightData messages one by one. What it brings is seen by nobody before upload_commit;
 * one that is destroyed before leaves nothing.
 *
 * Threads: one at a time, which may block. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "event/workers.h"
#include "flight/target.h"
#include "grpc/method.h"
#include "proto/flight_data.h"
#include "store/put.h"

struct upload;

struct upload_options {
    struct store *store;
    struct workers *workers;     /* free what a broken upload brought; NULL: its own thread does */
    const struct target *target; /* DATASET or STORE; its texts are copied */
    struct str owner;
    uint64_t ttl_default_ms; /* of a new dataset */
    bool is_open;    /* its batches are read as they come (put.h); metadata are not looked at */
    bool is_passing; /* and go as they are read: upload_has_room is asked before each message */
};

/* INVALID_ARGUMENT, UNIMPLEMENTED for a name that nothing can be put under. */
MUST_CHECK enum status upload_create(const struct upload_options *options,
                                     struct upload **out_upload, struct error *error);
/* Has the messages that follow come as this one: with their bodies aligned, where columns may stay. `upload`
 * may be NULL. */
void upload_expect(const struct upload *upload, struct grpc_call *call, struct slice message,
                   const struct flight_data *parts);
/* Takes one message. Metadata before or with the first batch may be JSON with wishes. */
MUST_CHECK enum status upload_receive(struct upload *upload, const struct flight_data *message,
                                      struct error *error);
/* Takes a batch that was decoded elsewhere, and its reference, also on failure. */
MUST_CHECK enum status upload_append(struct upload *upload, struct arrow_batch *batch,
                                     struct error *error);
/* Whether upload_receive would be done with the message in a moment: fewer bytes than it takes to read from
 * the socket, no decompression, no disk. */
bool upload_is_quick(const struct upload *upload, const struct flight_data *message);
/* Whether a passing one takes another message now; one that is abandoned does, for its failure to be told. */
bool upload_has_room(const struct upload *upload);
/* Whether an open one's readers have left it: it takes nothing more. */
bool upload_is_abandoned(const struct upload *upload);
/* Begins the put before the first batch; the schema is there. */
MUST_CHECK enum status upload_begin(struct upload *upload, struct error *error);
/* The schema, or NULL before it came. Not a new reference. */
struct arrow_schema *upload_schema(const struct upload *upload);
/* Publishes everything; the texts of the result live as long as the upload. */
MUST_CHECK enum status upload_commit(struct upload *upload, struct put_result *out_result,
                                     struct error *error);
/* Any thread, at once: what takes a while is done by the workers. NULL is allowed. */
void upload_destroy(struct upload *upload);
CLEANUP_FUNCTION(struct upload *, upload_destroy)
