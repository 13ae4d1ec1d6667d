/*
 * credentials.h — the TLS certificates of listening addresses, which can be read again while they serve.
 *
 * Addresses with the same files share one. Each loop keeps a reference to the context in force; a new one
 * waits in the loop's slot until the loop next accepts.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/log.h"
#include "http/address.h"
#include "tls/context.h"

struct http_tls_slot {
    struct tls_context *current;        /* the loop's; NULL before the first connection */
    _Atomic(struct tls_context *) next; /* any thread puts one in, the loop takes it out */
};

struct http_credentials {
    struct list link; /* http_server.credentials */
    struct tls_server_options options;
    struct tls_pair own_pair; /* of an address with files of its own */
    char *own_ca_file;
    struct http_tls_slot *slots; /* one per loop */
    size_t slot_count;
};

/* Whether an address speaks TLS where `defaults` are set. */
bool http_address_is_tls(const struct http_address *address,
                         const struct tls_server_options *defaults);
/* INVALID_ARGUMENT when one that does not has options of TLS. */
MUST_CHECK enum status http_address_check_plain(const struct http_address *address,
                                                struct error *error);
/* Finds in `list`, or makes, what an address that speaks TLS needs; for `loop_count` loops.
 * INVALID_ARGUMENT naming what is missing or wrong. */
MUST_CHECK enum status http_credentials_get(struct list *list, const struct http_address *address,
                                            const struct tls_server_options *defaults,
                                            size_t loop_count, struct log *log,
                                            struct http_credentials **out_credentials,
                                            struct error *error);
/* Reads the files again; when they are wrong, what is in force stays. The log tells. */
void http_credentials_reload(struct http_credentials *credentials, struct log *log);
void http_credentials_destroy(struct http_credentials *credentials);
CLEANUP_FUNCTION(struct http_credentials *, http_credentials_destroy)

/* The context for a connection accepted now. On the slot's loop. */
struct tls_context *http_tls_slot_context(struct http_tls_slot *slot);
