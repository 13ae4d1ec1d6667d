/*
 * server_profile.c — which server a command means: an address, a name from client.yaml, or the default.
 *
 * The file is not looked at where an address is given. Flags win over what the profile says.
 *
 * Runs on: the main thread. Owns: nothing; texts are the arena's. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/options.h"

#include "grpc/base64.h"
#include "settings/profiles.h"

#include <stdio.h>
#include <stdlib.h>

static void fill(struct str *target, struct str value)
{
    if (target->len == 0)
        *target = value;
}

/* "Basic " and base64 of user:password. */
static struct str write_basic(struct arena *arena, struct str user, struct str password)
{
    struct str plain = arena_printf(arena, "%.*s:%.*s", STR_ARGS(user), STR_ARGS(password));
    struct base64_encoder encoder = {0};
    char *text = ARENA_NEW_ARRAY(arena, char, BASE64_SIZE(plain.len) + BASE64_SIZE(1) + 1);
    size_t len = base64_encode(&encoder, plain, text);
    len += base64_encode_end(&encoder, true, text + len);
    return arena_printf(arena, "Basic %.*s", (int)len, text);
}

static enum status apply(struct server_options *options, struct arena *arena,
                         const struct profile *profile, struct error *error)
{
    struct str password;
    options->url = profile->url;
    options->is_of_profile = true;
    fill(&options->ca_file, profile->tls_ca);
    fill(&options->certificate_file, profile->tls_cert);
    fill(&options->key_file, profile->tls_key);
    options->is_insecure = options->is_insecure || profile->tls_insecure;
    if (profile->user.len == 0)
        return STATUS_OK;
    TRY(profile_password(arena, profile, &password, error));
    options->authorization = write_basic(arena, profile->user, password);
    return STATUS_OK;
}

enum status server_options_resolve(struct server_options *options, struct arena *arena,
                                   struct error *error)
{
    const struct profile *profile;
    struct str named = options->url.len > 0 ? options->url : str_of(getenv("VOLLEY_SERVER"));
    options->url = named;
    /* An address, a right one or not. */
    if (str_find(named, ':') >= 0 || str_find(named, '/') >= 0)
        return STATUS_OK;
    TRY(profiles_find(arena, profiles_path(arena), named, &profile, error));
    return profile ? apply(options, arena, profile, error) : STATUS_OK;
}
