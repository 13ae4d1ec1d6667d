/*
 * download.h — record batches on their way to a client: schema, dictionaries, batches, as FlightData.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/method.h"
#include "store/part_stream.h"

struct download {
    struct part_stream stream;
    bool is_schema_sent;
    struct arrow_schema *sent;  /* whose dictionaries the client has; NULL: none yet */
    size_t dictionary;          /* of the schema that comes next: the first that may be missing */
    struct arrow_batch *unsent; /* waits for its dictionaries */
    bool sends_deltas;          /* of dictionaries that grew; else they go whole */
    struct ipc_compressor *compressor; /* of bodies; NULL: they go as they are */
    bool has_worked;                   /* the last message took a while to make: others first */
};

/* Before download_next `download->stream` is opened. */
void download_finish(struct download *download);
/* Appends the message of a schema that is known before there is a stream, whose own is then left out. */
MUST_CHECK enum status download_write_schema(struct download *download,
                                             const struct arrow_schema *schema, struct slices *out,
                                             struct error *error);
/* Whether there is something to send behind the schema; else the call is woken when there is. */
MUST_CHECK enum status download_look_ahead(struct download *download, bool *out_is_ready,
                                           struct error *error);
/* Whether the next message is better made in another round of the loop; asked once after each. */
bool download_takes_a_rest(struct download *download);
/* Appends the next message, or tells to wait, or that all is sent. *out_rows: those of the message. */
MUST_CHECK enum status download_next(struct download *download, struct slices *out,
                                     enum grpc_step *out_step, uint64_t *out_rows,
                                     struct error *error);
