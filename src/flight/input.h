/*
 * input.h — the rows that a client sends for one statement of its call.
 *
 * They go into a private dataset, which the statement reads as batch('<id>') while they come: what a
 * DoExchange is sent, and a DoPut whose command takes rows. No other statement finds it, and it goes with the
 * call. Where the call goes before the client has sent everything, the statement is told so and fails.
 *
 * Threads: as upload.h. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "flight/upload.h"

struct input;

struct input_options {
    struct store *store;
    struct workers *workers; /* free what an input held; NULL: its own thread does */
    struct str owner;
    /* What was read is freed, and the client waits where the statement is behind (input_has_room): the
     * statement reads it once. Else it is kept, on disk where need be, and may be read again and again. */
    bool is_passing;
};

MUST_CHECK enum status input_create(const struct input_options *options, struct input **out_input,
                                    struct error *error);
/* Of the dataset; lives as long as the input. */
struct str input_id(const struct input *input);
/* Takes the client's messages: upload_receive, upload_schema. */
struct upload *input_upload(const struct input *input);
/* Has batch('<id>') find the dataset, open, from now on; the schema is there. */
MUST_CHECK enum status input_begin(struct input *input, struct error *error);
/* Whether a message may come now; one that is kept has room always. */
bool input_has_room(const struct input *input);
/* Whether its statement has ended, or is about to, and takes no more. */
bool input_is_abandoned(const struct input *input);
/* The client has sent everything. */
MUST_CHECK enum status input_end(struct input *input, struct error *error);
/* Any thread, at once. NULL is allowed. */
void input_destroy(struct input *input);
CLEANUP_FUNCTION(struct input *, input_destroy)
