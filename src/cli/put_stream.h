/*
 * put_stream.h — one try of a DoPut: all batches of the files, one visible result.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/dataset.h"
#include "cli/input_set.h"
#include "cli/progress.h"
#include "cli/put_options.h"

struct put_stream {
    const struct put_options *options;
    const Flight__FlightDescriptor *descriptor; /* NULL: of the options' name */
    struct input_set *inputs;
    struct progress *progress;
    struct progress_state state;
    bool is_sent;  /* all of it: what became of it is the server's to tell */
    struct str id; /* what the server answered with last; in the arena */
    struct arena arena;
};

void put_stream_init(struct put_stream *stream, const struct put_options *options,
                     struct input_set *inputs, struct progress *progress);
void put_stream_finish(struct put_stream *stream);
CLEANUP_IN_PLACE(struct put_stream, put_stream_finish)
/* Sends everything and waits for the answer. */
MUST_CHECK enum status put_stream_run(struct put_stream *stream, struct grpc_client *client,
                                      struct error *error);
