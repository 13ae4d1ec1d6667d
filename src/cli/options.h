/*
 * options.h — the flags of the commands other than serve: a small table each.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "tls/context.h"

enum option_kind {
    OPTION_SWITCH,   /* bool: no value */
    OPTION_TEXT,     /* struct str */
    OPTION_LIST,     /* struct positionals: may be given again */
    OPTION_NUMBER,   /* uint64_t, min to max */
    OPTION_DURATION, /* uint64_t, milliseconds, min to max */
    OPTION_CHOICE,   /* unsigned: index into choices */
    OPTION_SERVER,   /* struct server_options: its url, or a name, which is looked up at the end */
};

struct option {
    const char *name;
    const char *letter; /* a second name; or NULL */
    enum option_kind kind;
    void *target;
    uint64_t min, max;
    const char *const *choices; /* ends with NULL */
    struct arena *arena;        /* of OPTION_SERVER: what the texts of a profile live in */
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

/* The arguments without the switch --NAME, which a command adds to flags that others read; *out_given tells
 * whether it was there, *count becomes that of those left. */
char **options_without(struct arena *arena, char *const *arguments, size_t *count, const char *name,
                       bool *out_given);

/* The server that a command talks to, and what makes both sides trust each other. */
struct server_options {
    struct str url;              /* or the name of a profile; empty: grpc://127.0.0.1:50052 */
    struct str ca_file;          /* of grpc+tls:// and https://; empty: the system's authorities */
    struct str certificate_file; /* shown to a server that asks; empty: none */
    struct str key_file;
    bool is_insecure;         /* takes any certificate */
    bool is_of_profile;       /* some of this stands in client.yaml, and is for this server alone */
    struct str authorization; /* header of every call; empty: none */
};
/* Rows for them in a command's table. */
#define SERVER_OPTION_COUNT 5
#define SERVER_OPTIONS(options, texts)                                                             \
    {.name = "server", .kind = OPTION_SERVER, .target = (options), .arena = (texts)},              \
        {.name = "tls-ca", .kind = OPTION_TEXT, .target = &(options)->ca_file},                    \
        {.name = "tls-cert", .kind = OPTION_TEXT, .target = &(options)->certificate_file},         \
        {.name = "tls-key", .kind = OPTION_TEXT, .target = &(options)->key_file},                  \
    {                                                                                              \
        .name = "tls-insecure", .kind = OPTION_SWITCH, .target = &(options)->is_insecure           \
    }

/* Finds out which server is meant, where its address is not given: by $VOLLEY_SERVER, else by the profile
 * of the name or the default one (settings/profiles.h). options_read does it for OPTION_SERVER. */
MUST_CHECK enum status server_options_resolve(struct server_options *options, struct arena *arena,
                                              struct error *error);
struct str options_server_url(const struct server_options *options);
/* What to speak TLS with; NULL for a server without it. INVALID_ARGUMENT for wrong URLs and files. */
MUST_CHECK enum status options_tls(const struct server_options *options,
                                   struct tls_context **out_context, struct error *error);
