/*
 * address.c — address texts and socket addresses.
 *
 * Any thread. Leaves out: sockets (server.c, client.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/address.h"

#include "base/checked.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>

static enum status malformed(struct str text, struct error *error)
{
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "'%.*s' is not an address: expected host:port, [::1]:port (also after tls:// "
                     "or tcp://) or unix:/path",
                     (int)size_min(text.len, 100), text.ptr ? text.ptr : "");
}

static enum status parse_unix(struct str text, struct str path, struct http_address *address,
                              struct error *error)
{
    if (path.len == 0)
        return malformed(text, error);
    if (path.len >= sizeof(address->path))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the path of a Unix socket may have at most %zu bytes, '%.*s' has %zu",
                         sizeof(address->path) - 1, (int)size_min(path.len, 200), path.ptr,
                         path.len);
    address->is_unix = true;
    memcpy(address->path, path.ptr, path.len);
    return STATUS_OK;
}

static struct str *option_of(struct http_address_options *options, struct str name)
{
    struct {
        struct str name;
        struct str *value;
    } const known[] = {
        {STR("client-auth"), &options->client_auth},
        {STR("cert"), &options->certificate_file},
        {STR("key"), &options->key_file},
        {STR("ca"), &options->ca_file},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (str_equal(known[i].name, name))
            return known[i].value;
    }
    return NULL;
}

/* Takes what follows '?' off *text. */
static enum status parse_options(struct str *text, struct http_address *address,
                                 struct error *error)
{
    ptrdiff_t mark = str_find(*text, '?');
    if (mark < 0)
        return STATUS_OK;
    struct str rest = str_slice(*text, (size_t)mark + 1, text->len);
    *text = str_slice(*text, 0, (size_t)mark);
    while (rest.len > 0) {
        struct str value = str_split(&rest, '&');
        struct str name = str_split(&value, '=');
        struct str *place = option_of(&address->options, name);
        if (!place || place->len > 0 || value.len == 0)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "'%.*s' is not an option of an address: expected client-auth=, cert=, "
                             "key= and ca=, each once and with a value",
                             (int)size_min(name.len, 100), name.ptr ? name.ptr : "");
        *place = value;
    }
    return STATUS_OK;
}

static enum status parse_host_port(struct str text, struct str rest, struct http_address *address,
                                   struct error *error)
{
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return malformed(text, error);
    struct str host = str_slice(rest, 0, colon - 1);
    uint64_t port = 0;
    if (!str_to_u64(str_slice(rest, colon, rest.len), &port) || port > UINT16_MAX)
        return malformed(text, error);
    bool is_bracketed = str_starts_with(host, STR("[")) && str_ends_with(host, STR("]"));
    if (is_bracketed)
        host = str_slice(host, 1, host.len - 1);
    if (host.len == 0 || host.len >= sizeof(address->host) ||
        (!is_bracketed && str_find(host, ':') >= 0))
        return malformed(text, error);
    memcpy(address->host, host.ptr, host.len);
    address->port = (uint16_t)port;
    return STATUS_OK;
}

static enum http_scheme take_scheme(struct str *text)
{
    if (str_starts_with(*text, STR("tls://"))) {
        *text = str_slice(*text, 6, text->len);
        return HTTP_SCHEME_TLS;
    }
    if (str_starts_with(*text, STR("tcp://"))) {
        *text = str_slice(*text, 6, text->len);
        return HTTP_SCHEME_TCP;
    }
    return HTTP_SCHEME_DEFAULT;
}

enum status http_address_parse(struct str text, struct http_address *out_address,
                               struct error *error)
{
    struct http_address address = {0};
    struct str rest = text;
    address.scheme = take_scheme(&rest);
    if (str_starts_with(rest, STR("unix:"))) {
        if (address.scheme != HTTP_SCHEME_DEFAULT)
            return malformed(text, error);
        TRY(parse_unix(text, str_slice(rest, 5, rest.len), &address, error));
    } else {
        TRY(parse_options(&rest, &address, error));
        TRY(parse_host_port(text, rest, &address, error));
    }
    *out_address = address;
    return STATUS_OK;
}

static struct http_socket_address make_unix(const char *path)
{
    struct http_socket_address made = {.size = sizeof(struct sockaddr_un)};
    struct sockaddr_un *local = (struct sockaddr_un *)&made.storage;
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, strlen(path) + 1);
    return made;
}

static struct http_socket_address make_loopback(int family, uint16_t port)
{
    struct http_socket_address made = {0};
    made.storage.ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        ((struct sockaddr_in *)&made.storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        made.size = sizeof(struct sockaddr_in);
    } else {
        ((struct sockaddr_in6 *)&made.storage)->sin6_addr = in6addr_loopback;
        made.size = sizeof(struct sockaddr_in6);
    }
    http_socket_address_set_port(&made, port);
    return made;
}

static enum status look_up(const struct http_address *address,
                           struct http_socket_address *out_addresses, size_t *out_count,
                           struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(address->host, NULL, &hints, &found);
    if (result != 0)
        return error_set(error, STATUS_UNAVAILABLE, "host '%s' cannot be found: %s", address->host,
                         gai_strerror(result));
    size_t count = 0;
    for (const struct addrinfo *next = found; next; next = next->ai_next) {
        if (count == HTTP_ADDRESSES_MAX || next->ai_addrlen > sizeof(out_addresses->storage))
            break;
        out_addresses[count] = (struct http_socket_address){.size = next->ai_addrlen};
        memcpy(&out_addresses[count].storage, next->ai_addr, next->ai_addrlen);
        http_socket_address_set_port(&out_addresses[count], address->port);
        count++;
    }
    freeaddrinfo(found);
    *out_count = count;
    return STATUS_OK;
}

enum status http_address_resolve(const struct http_address *address,
                                 struct http_socket_address *out_addresses, size_t *out_count,
                                 struct error *error)
{
    if (address->is_unix) {
        out_addresses[0] = make_unix(address->path);
        *out_count = 1;
        return STATUS_OK;
    }
    if (str_equal_nocase(str_of(address->host), STR("localhost"))) {
        out_addresses[0] = make_loopback(AF_INET, address->port);
        out_addresses[1] = make_loopback(AF_INET6, address->port);
        *out_count = 2;
        return STATUS_OK;
    }
    return look_up(address, out_addresses, out_count, error);
}

void http_socket_address_text(const struct http_socket_address *address,
                              char out[HTTP_ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        (void)snprintf(out, HTTP_ADDRESS_TEXT_SIZE, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        (void)snprintf(out, HTTP_ADDRESS_TEXT_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        (void)snprintf(out, HTTP_ADDRESS_TEXT_SIZE, "unix");
    }
}

uint16_t http_socket_address_port(const struct http_socket_address *address)
{
    if (address->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    if (address->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    return 0;
}

void http_socket_address_set_port(struct http_socket_address *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
    else if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
}

bool http_socket_address_is_loopback(const struct http_socket_address *address)
{
    if (address->storage.ss_family == AF_UNIX)
        return true;
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return v6->sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}
