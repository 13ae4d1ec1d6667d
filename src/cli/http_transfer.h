/*
 * http_transfer.h — transfers that the server converts: Parquet, CSV and JSON in, Parquet out, over HTTP.
 *
 * Volley only. Threads: the main thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/command.h"
#include "cli/get_options.h"
#include "cli/input_set.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/put_options.h"

/* What is known of a put by HTTP. */
struct http_put {
    const struct put_options *options;
    struct interrupt *interrupt;
    struct progress *progress;
    struct progress_state state;
    bool is_connected;
    bool is_sent; /* all of it: what became of it is the server's to tell */
};
/* Sends an input under a name, in a mode. */
MUST_CHECK enum status http_put_input(struct http_put *put, struct input *input, struct str name,
                                      enum put_mode mode, struct error *error);

/* `volley get --format parquet`. */
enum exit_code http_get_parquet(const struct get_options *options, struct interrupt *interrupt);
