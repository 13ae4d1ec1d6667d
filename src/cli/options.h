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
#include "tls/context.h"

enum option_kind {
    OPTION_SWITCH,   /* bool: no value */
    OPTION_TEXT,     /* struct str */
    OPTION_LIST,     /* struct positionals: may be given again */
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

/* The server that a command talks to, and what makes both sides trust each other. */
struct server_options {
    struct str url;              /* empty: $VOLLEY_SERVER, else grpc://127.0.0.1:50052 */
    struct str ca_file;          /* of grpc+tls:// and https://; empty: the system's authorities */
    struct str certificate_file; /* shown to a server that asks; empty: none */
    struct str key_file;
    bool is_insecure; /* takes any certificate */
};
/* Rows for them in a command's table. */
#define SERVER_OPTIONS(options)                                                                    \
    {.name = "server", .kind = OPTION_TEXT, .target = &(options)->url},                            \
        {.name = "tls-ca", .kind = OPTION_TEXT, .target = &(options)->ca_file},                    \
        {.name = "tls-cert", .kind = OPTION_TEXT, .target = &(options)->certificate_file},         \
        {.name = "tls-key", .kind = OPTION_TEXT, .target = &(options)->key_file},                  \
    {                                                                                              \
        .name = "tls-insecure", .kind = OPTION_SWITCH, .target = &(options)->is_insecure           \
    }

struct str options_server_url(const struct server_options *options);
/* What to speak TLS with; NULL for a server without it. INVALID_ARGUMENT for wrong URLs and files. */
MUST_CHECK enum status options_tls(const struct server_options *options,
                                   struct tls_context **out_context, struct error *error);
