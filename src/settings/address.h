/*
 * address.h — the text form of a listening address: host:port, [v6]:port, unix:/path; the first two also
 * after tcp:// or tls:// and before ?client-auth=, cert=, key= and ca=, joined by '&'.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

enum address_scheme { ADDRESS_DEFAULT, ADDRESS_TCP, ADDRESS_TLS };

struct address {
    enum address_scheme scheme;
    bool unix_socket;
    struct str host;    /* without brackets; the path of a unix socket */
    struct str port;    /* decimal digits, 0 to 65535; empty for a unix socket */
    struct str options; /* what follows '?'; empty: nothing */
    struct str client_auth;
    struct str certificate_file;
    struct str key_file;
    struct str ca_file;
};

/* False when the text is no address. */
bool address_parse(struct str text, struct address *out_address);
/* True when the text is a port number. */
bool address_is_port(struct str text);
/* True when the text can be a host (a name, an IPv4 or an IPv6 address without brackets). */
bool address_is_host(struct str text);
/* True when only this machine can reach the address. */
bool address_is_local(const struct address *address);
