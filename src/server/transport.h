/*
 * transport.h — what the settings say about connections, as http wants to have it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "http/server.h"
#include "settings/settings.h"

/* Lets the process have as many files open as it may. Before anything is opened. */
void transport_raise_descriptors(void);
/* Sets limits and TLS. `*out_pairs` (free() releases it) and the settings outlive the server. */
void transport_set_options(const struct settings *settings, struct log *log,
                           struct http_server_options *options, struct tls_pair **out_pairs);
