/*
 * load_options.h — what `volley load` was asked for.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/interrupt.h"
#include "cli/put_options.h"

/* "create-append", "create", "append", "replace". */
enum load_mode { LOAD_CREATE_APPEND, LOAD_CREATE, LOAD_APPEND, LOAD_REPLACE };
extern const char *const load_mode_names[];

/* Names as they are, without quotes; empty: the session's. */
struct load_target {
    struct str catalog;
    struct str schema;
    struct str table;
};

struct load_options {
    struct put_options put; /* its server, files, format, unfinished, retries and quiet */
    struct load_target target;
    enum load_mode mode;
    bool is_temporary; /* the session's: gone with it */
};

/* Reads the arguments; without `has_server` not those of which server is meant. INVALID_ARGUMENT telling what
 * would be right. */
MUST_CHECK enum status load_options_read(struct load_options *options, struct arena *arena,
                                         bool has_server, char *const *arguments, size_t count,
                                         struct error *error);
/* Loads in the session of a client that is connected, and prints the summary on standard error. What is
 * under way is the interrupt's. */
MUST_CHECK enum status load_in_session(const struct load_options *options,
                                       struct interrupt *interrupt, struct grpc_client *session,
                                       struct error *error);
