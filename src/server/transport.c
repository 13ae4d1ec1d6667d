/*
 * transport.c — the transport's limits and certificates from the settings.
 *
 * Connections must not take the last file descriptors: the engine opens files too, and so do the log
 * and the health of the process depend on some. So fewer connections are let in where the limit of
 * open files is lower than the setting, and the log tells.
 *
 * Threads: the composition root's. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "server/transport.h"

#include "base/checked.h"
#include "base/memory.h"

#include <sys/resource.h>

/* Left to everything that is not a client's connection. */
#define DESCRIPTORS_RESERVED 64
#define CONNECTIONS_MIN 16

void transport_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static size_t connections_max(const struct settings *settings, struct log *log)
{
    size_t wanted = (size_t)settings->max_connections;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return wanted;
    size_t possible = size_max((size_t)limit.rlim_cur, DESCRIPTORS_RESERVED + CONNECTIONS_MIN) -
                      DESCRIPTORS_RESERVED;
    if (wanted <= possible)
        return wanted;
    LOG(log, LOG_INFO, "fewer connections than max-connections",
        LOG_INTEGER("max_connections", wanted), LOG_INTEGER("connections", possible),
        LOG_STR("reason", STR("the limit of open files (ulimit -n)")));
    return possible;
}

void transport_set_options(const struct settings *settings, struct log *log,
                           struct http_server_options *options, struct tls_pair **out_pairs)
{
    static const enum tls_client_auth client_auths[] = {
        [SETTINGS_CLIENT_AUTH_NONE] = TLS_CLIENT_AUTH_NONE,
        [SETTINGS_CLIENT_AUTH_REQUEST] = TLS_CLIENT_AUTH_REQUEST,
        [SETTINGS_CLIENT_AUTH_REQUIRE] = TLS_CLIENT_AUTH_REQUIRE,
    };
    options->limits.connection_count_max = connections_max(settings, log);
    options->limits.connections_per_address_max = (size_t)settings->max_connections_per_address;
    options->limits.handshake_timeout_ms = settings->tls_handshake_timeout_ms;
    struct tls_pair *pairs = NEW_ARRAY(struct tls_pair, settings->tls_cert.count);
    for (size_t i = 0; i < settings->tls_cert.count; i++)
        pairs[i] = (struct tls_pair){.certificate_file = settings->tls_cert.items[i].ptr,
                                     .key_file = settings->tls_key.items[i].ptr};
    options->tls = (struct tls_server_options){
        .pairs = pairs,
        .pair_count = settings->tls_cert.count,
        .client_ca_file = settings->tls_ca.len > 0 ? settings->tls_ca.ptr : NULL,
        .client_auth = client_auths[settings->tls_client_auth],
        .key_updates_max = settings->limits.tls_key_updates,
    };
    *out_pairs = pairs;
}
