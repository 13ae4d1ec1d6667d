/*
 * url.h — a server as people write it: grpc://host:port and its relatives.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"

struct http_url {
    struct str address; /* for http_client_options: "host:port" or "unix:/path" */
    bool is_tls;
};

/* The address is allocated in the arena. INVALID_ARGUMENT naming the forms that are known. */
MUST_CHECK enum status http_url_parse(struct arena *arena, struct str text,
                                      struct http_url *out_url, struct error *error);
