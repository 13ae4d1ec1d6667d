/*
 * address.h — "host:port" and "unix:/path" as texts, and the sockets they mean.
 *
 *      [tls://|tcp://]host:port[?client-auth=none|request|require][&cert=FILE&key=FILE][&ca=FILE]
 *      unix:/path
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/str.h"

#define HTTP_ADDRESS_TEXT_SIZE 320
#define HTTP_ADDRESSES_MAX 8

enum http_scheme { HTTP_SCHEME_DEFAULT, HTTP_SCHEME_TCP, HTTP_SCHEME_TLS };

/* What follows '?'; empty: not given. The texts point into the address's. */
struct http_address_options {
    struct str client_auth;
    struct str certificate_file;
    struct str key_file;
    struct str ca_file;
};

struct http_address {
    enum http_scheme scheme;
    struct http_address_options options;
    bool is_unix;
    char host[256]; /* without brackets */
    uint16_t port;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

struct http_socket_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* INVALID_ARGUMENT naming the forms that can be used. */
MUST_CHECK enum status http_address_parse(struct str text, struct http_address *out_address,
                                          struct error *error);
/* The socket addresses that an address means, at most HTTP_ADDRESSES_MAX; "localhost" is both loopback
 * addresses. UNAVAILABLE when the host is not known. May ask a name server. */
MUST_CHECK enum status http_address_resolve(const struct http_address *address,
                                            struct http_socket_address *out_addresses,
                                            size_t *out_count, struct error *error);
/* "127.0.0.1:80", "[::1]:80" or "unix". */
void http_socket_address_text(const struct http_socket_address *address,
                              char out[HTTP_ADDRESS_TEXT_SIZE]);
uint16_t http_socket_address_port(const struct http_socket_address *address);
void http_socket_address_set_port(struct http_socket_address *address, uint16_t port);
/* True when both ends of a connection with this peer are on one machine. */
bool http_socket_address_is_loopback(const struct http_socket_address *address);
