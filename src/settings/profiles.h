/*
 * profiles.h — the servers that a user of the command line has given names: client.yaml.
 *
 * Threads: one at a time. Owns: nothing; texts live in the arena. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

/* Texts that are not given are empty. Names of files are absolute, or as they were given where nothing
 * tells what they are relative to; all texts end with a NUL. */
struct profile {
    struct str name;
    struct str url;
    struct str tls_ca;
    struct str tls_cert;
    struct str tls_key;
    struct str user;
    struct str password_file;
    struct str password_command;
    bool tls_insecure;
};

/* volley/client.yaml below $XDG_CONFIG_HOME or ~/.config; empty: neither is set. */
struct str profiles_path(struct arena *arena);
/* The profile of a name, of an empty name the default. NULL when no name was given and there is no file
 * or no default. NOT_FOUND for other names, with the nearest; INVALID_ARGUMENT for files that are wrong,
 * with the line. */
MUST_CHECK enum status profiles_find(struct arena *arena, struct str path, struct str name,
                                     const struct profile **out_profile, struct error *error);
/* The names of all servers, each with a newline; of a file that is wrong those before the fault. */
void profiles_names(struct arena *arena, struct str path, struct buf *out);
/* The first line of the profile's file, or of what its command prints; empty when it has neither.
 * PERMISSION_DENIED for a file that others may read. */
MUST_CHECK enum status profile_password(struct arena *arena, const struct profile *profile,
                                        struct str *out_password, struct error *error);
