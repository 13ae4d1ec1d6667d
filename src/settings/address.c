/*
 * address.c — read listening addresses and tell which of them only this machine can reach.
 *
 * The last colon separates the port, except inside the brackets of an IPv6 address. A name other than
 * `localhost` is never taken as local: what it resolves to may change.
 *
 * Runs on: any thread. Owns: nothing; results point into the text.
 * Not done here: name resolution, binding (http).
 * Spec: RFC 3986 section 3.2.2 (brackets), RFC 1122 section 3.2.1.3 (127/8), RFC 4291 section 2.5.3.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <sys/un.h>

#define HOST_SIZE 256

bool address_is_port(struct str text)
{
    uint64_t port = 0;
    return text.len <= 5 && str_to_u64(text, &port) && port <= UINT16_MAX;
}

bool address_is_host(struct str text)
{
    if (text.len == 0 || text.len >= HOST_SIZE)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (!isalnum(byte) && byte != '.' && byte != '-' && byte != '_' && byte != ':' &&
            byte != '%')
            return false;
    }
    return true;
}

static bool parse_bracketed(struct str text, struct address *out_address)
{
    ptrdiff_t end = str_find(text, ']');
    if (end < 0 || (size_t)end + 1 >= text.len || text.ptr[end + 1] != ':')
        return false;
    out_address->host = str_slice(text, 1, (size_t)end);
    out_address->port = str_slice(text, (size_t)end + 2, text.len);
    return str_find(out_address->host, ':') >= 0;
}

static bool parse_plain(struct str text, struct address *out_address)
{
    struct str rest = text;
    out_address->host = str_split(&rest, ':');
    out_address->port = rest;
    return true;
}

bool address_parse(struct str *text, struct address *out_address)
{
    struct str rest = str_trim(*text);
    if (str_starts_with(rest, STR("tcp://")))
        rest = str_slice(rest, 6, rest.len);
    struct address address = {0};
    if (str_starts_with(rest, STR("unix:"))) {
        address.unix_socket = true;
        address.host = str_slice(rest, 5, rest.len);
        if (address.host.len == 0 || address.host.ptr[0] != '/' ||
            address.host.len >= sizeof(((struct sockaddr_un *)0)->sun_path))
            return false;
    } else {
        bool bracketed = rest.len > 0 && rest.ptr[0] == '[';
        if (!(bracketed ? parse_bracketed(rest, &address) : parse_plain(rest, &address)))
            return false;
        if (!address_is_host(address.host) || !address_is_port(address.port))
            return false;
    }
    *text = rest;
    *out_address = address;
    return true;
}

bool address_is_local(const struct address *address)
{
    if (address->unix_socket || str_equal_nocase(address->host, STR("localhost")))
        return true;
    char host[HOST_SIZE];
    (void)snprintf(host, sizeof(host), "%.*s", STR_ARGS(address->host));
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return false;
}
