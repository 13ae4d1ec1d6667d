/*
 * options.h — the flags of the commands other than serve: a small table each.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

enum option_kind {
    OPTION_SWITCH,   /* bool: no value */
    OPTION_TEXT,     /* struct str */
    OPTION_NUMBER,   /* uint64_t, min to max */
    OPTION_DURATION, /* uint64_t, milliseconds, min to max */
    OPTION_CHOICE,   /* unsigned: index into choices */
};

struct option {
    const char *name;
    const char *letter; /* a second name; or NULL */
    enum option_kind kind;
    void *target;
    uint64_t min, max;
    const char *const *choices; /* ends with NULL */
};

/* What is no flag, in order; at most `capacity` of them. */
struct positionals {
    const char **items;
    size_t count;
    size_t capacity;
};

/* Fills the targets of the options that are given. INVALID_ARGUMENT for unknown flags, wrong values and
 * too many arguments. */
MUST_CHECK enum status options_read(const struct option *options, size_t option_count,
                                    char *const *arguments, size_t count,
                                    struct positionals *positionals, struct error *error);

/* The server to talk to: `given`, else $VOLLEY_SERVER, else grpc://127.0.0.1:50052. */
struct str options_server(struct str given);
