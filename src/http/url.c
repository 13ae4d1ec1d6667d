/*
 * url.c — the table of schemes.
 *
 * Runs on: any thread. Owns: nothing. Leaves out: paths; every request has its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/url.h"

#include "base/memory.h"

/* What a message quotes of a text at most. */
#define QUOTED_BYTES_MAX 256

static const struct {
    const char *prefix;
    const char *address_prefix; /* what http_client wants before the rest */
    bool is_tls;
} schemes[] = {
    {"grpc://", "", false},           {"grpc+tcp://", "", false}, {"http://", "", false},
    {"grpc+unix://", "unix:", false}, {"grpc+tls://", "", true},  {"grpcs://", "", true},
    {"https://", "", true},
};

static bool is_address(struct str rest, bool is_unix)
{
    if (rest.len == 0)
        return false;
    return is_unix ? rest.ptr[0] == '/' : str_find(rest, '/') < 0;
}

enum status http_url_parse(struct arena *arena, struct str text, struct http_url *out_url,
                           struct error *error)
{
    for (size_t i = 0; i < ARRAY_COUNT(schemes); i++) {
        struct str prefix = str_of(schemes[i].prefix);
        if (!str_starts_with_nocase(text, prefix))
            continue;
        struct str rest = str_slice(text, prefix.len, text.len);
        bool is_unix = schemes[i].address_prefix[0] != '\0';
        if (!is_unix && str_ends_with(rest, STR("/")))
            rest.len--;
        if (!is_address(rest, is_unix))
            break;
        out_url->address = arena_printf(arena, "%s%.*s", schemes[i].address_prefix, STR_ARGS(rest));
        out_url->is_tls = schemes[i].is_tls;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "\"%.*s\" names no server; expected grpc://HOST:PORT, grpc+tls://HOST:PORT, "
                     "grpc+unix:///PATH, http://HOST:PORT or https://HOST:PORT",
                     STR_ARGS(str_slice(text, 0, QUOTED_BYTES_MAX)));
}
