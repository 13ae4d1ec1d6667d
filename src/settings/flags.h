/*
 * flags.h — the words of a command line: flags with and without values, arguments.
 *
 * `--name VALUE`, `--name=VALUE`, `-name VALUE` and `-name=VALUE` are the same; `--` ends the flags; `-`
 * alone and words whose name would have white space are arguments.
 *
 * Threads: one at a time. Owns: nothing; texts point into the arguments.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/str.h"

struct flags {
    char *const *arguments;
    size_t count;
    size_t at;  /* the next argument */
    bool ended; /* `--` was seen */
};

struct flag {
    struct str text;  /* as written, without a value: "--query-slots"; an argument: all of it */
    struct str name;  /* without the hyphens; empty: an argument */
    struct str value; /* of "=VALUE", or what flags_value took */
    bool has_value;
};

/* The next flag or argument; false at the end. */
bool flags_next(struct flags *flags, struct flag *out_flag);
/* Fills flag->value, from the next word if it was not given with "=". INVALID_ARGUMENT when there is
 * none. */
MUST_CHECK enum status flags_value(struct flags *flags, struct flag *flag, struct error *error);
