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

#include "base/memory.h"

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

static enum address_scheme take_scheme(struct str *text)
{
    static const struct {
        struct str prefix;
        enum address_scheme scheme;
    } known[] = {{{"tcp://", 6}, ADDRESS_TCP}, {{"tls://", 6}, ADDRESS_TLS}};
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (str_starts_with(*text, known[i].prefix)) {
            *text = str_slice(*text, known[i].prefix.len, text->len);
            return known[i].scheme;
        }
    }
    return ADDRESS_DEFAULT;
}

static bool is_client_auth(struct str text)
{
    return str_equal(text, STR("none")) || str_equal(text, STR("request")) ||
           str_equal(text, STR("require"));
}

static bool read_option(struct str option, struct address *address)
{
    struct {
        struct str name;
        struct str *value;
    } const known[] = {
        {STR("client-auth"), &address->client_auth},
        {STR("cert"), &address->certificate_file},
        {STR("key"), &address->key_file},
        {STR("ca"), &address->ca_file},
    };
    struct str value = option;
    struct str name = str_split(&value, '=');
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (!str_equal(known[i].name, name))
            continue;
        bool is_first = known[i].value->len == 0;
        *known[i].value = value;
        return is_first && value.len > 0;
    }
    return false;
}

/* Takes what follows '?' off *text. */
static bool take_options(struct str *text, struct address *address)
{
    if (str_find(*text, '?') < 0)
        return true;
    struct str rest = *text;
    *text = str_split(&rest, '?');
    address->options = rest;
    if (rest.len == 0)
        return false;
    while (rest.len > 0) {
        if (!read_option(str_split(&rest, '&'), address))
            return false;
    }
    bool has_pair = address->certificate_file.len > 0 && address->key_file.len > 0;
    bool has_half = address->certificate_file.len > 0 || address->key_file.len > 0;
    return (has_pair || !has_half) && address->scheme != ADDRESS_TCP &&
           (address->client_auth.len == 0 || is_client_auth(address->client_auth));
}

static bool parse_unix(struct str path, struct address *address)
{
    address->unix_socket = true;
    address->host = path;
    return address->scheme == ADDRESS_DEFAULT && path.len > 0 && path.ptr[0] == '/' &&
           path.len < sizeof(((struct sockaddr_un *)0)->sun_path);
}

bool address_parse(struct str text, struct address *out_address)
{
    struct address address = {0};
    struct str rest = str_trim(text);
    address.scheme = take_scheme(&rest);
    if (str_starts_with(rest, STR("unix:"))) {
        if (!parse_unix(str_slice(rest, 5, rest.len), &address))
            return false;
    } else {
        if (!take_options(&rest, &address))
            return false;
        bool is_bracketed = rest.len > 0 && rest.ptr[0] == '[';
        if (!(is_bracketed ? parse_bracketed(rest, &address) : parse_plain(rest, &address)))
            return false;
        if (!address_is_host(address.host) || !address_is_port(address.port))
            return false;
    }
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
