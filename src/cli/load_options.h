/*
 * load_options.h — what `volley load` was asked for.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

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
    struct put_options put; /* its server, files, format and quiet; nothing else is given */
    struct load_target target;
    enum load_mode mode;
};

/* Reads the arguments. INVALID_ARGUMENT telling what would be right. */
MUST_CHECK enum status load_options_read(struct load_options *options, struct arena *arena,
                                         char *const *arguments, size_t count, struct error *error);
