/*
 * announce.h — the addresses that were bound, told to people and to programs.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"
#include "settings/settings.h"

struct bound_address {
    const char *door; /* "flight", "http" or "metrics" */
    char *text;       /* "127.0.0.1:50052", "tls://..."; free() releases it */
};

/* Prints one line for each address ("listening flight 127.0.0.1:50052") and, on a terminal or with
 * demo data, three commands to try; writes `addresses-file` as JSON when it is set. */
MUST_CHECK enum status announce(const struct settings *settings,
                                const struct bound_address *addresses, size_t count,
                                struct error *error);
