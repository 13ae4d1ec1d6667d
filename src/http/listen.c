/*
 * listen.c — binding addresses, and what the sockets accepted there speak.
 *
 * A TCP address is bound once per loop with SO_REUSEPORT, and the kernel spreads connections over
 * them. Before that a plain bind proves that nobody else listens there: with SO_REUSEPORT a second
 * server of the same user would succeed and take half of the connections. A Unix socket is one
 * listening descriptor that all loops watch.
 *
 * Runs on the composition root's thread before the loops run; reload also while they do. Owns nothing
 * itself. Leaves out: accepting (listener.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/server.h"

#include "base/memory.h"
#include "http/address.h"
#include "http/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
/* Port 0 on two address families needs a port that is free in both. */
#define PORT_TRIES_MAX 16

/* What is bound, and how. */
struct listening {
    struct http_server *server;
    const struct http_door *door;
    struct http_credentials *credentials; /* NULL: no TLS */
    struct http_address address;
    struct str text; /* as given, without options */
};

static enum status bind_failed(int error_number, struct str text, struct error *error)
{
    if (error_number == EADDRINUSE)
        return error_set(error, STATUS_UNAVAILABLE, "address %.*s is in use", STR_ARGS(text));
    return error_set(error, STATUS_UNAVAILABLE, "address %.*s cannot be bound: %s", STR_ARGS(text),
                     strerror(error_number));
}

/* A bound socket, or -1 and errno. */
static int bind_socket(const struct http_socket_address *address, bool shares_port)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    bool is_good = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
    if (shares_port)
        is_good &= setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
    if (address->storage.ss_family == AF_INET6)
        is_good &= setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
    if (is_good && bind(fd, (const struct sockaddr *)&address->storage, address->size) == 0)
        return fd;
    int saved_errno = errno;
    (void)close(fd);
    errno = saved_errno;
    return -1;
}

/* Proves that the address is free, and picks the port if it is 0; returns errno or 0. */
static int claim_port(struct http_socket_address *address)
{
    int fd = bind_socket(address, false);
    if (fd < 0)
        return errno;
    int result = listen(fd, 1) == 0 ? 0 : errno;
    struct http_socket_address bound = {.size = sizeof(bound.storage)};
    if (getsockname(fd, (struct sockaddr *)&bound.storage, &bound.size) == 0)
        http_socket_address_set_port(address, http_socket_address_port(&bound));
    (void)close(fd);
    return result;
}

static enum status accept_on(const struct listening *listening, size_t loop, int fd,
                             struct error *error)
{
    struct http_loop *home = &listening->server->loops[loop];
    struct http_tls_slot *tls =
        listening->credentials ? &listening->credentials->slots[loop] : NULL;
    return http_listener_create(home, listening->door, fd, listening->address.is_unix, tls, error);
}

static enum status listen_on_loops(const struct listening *listening,
                                   const struct http_socket_address *address, struct error *error)
{
    for (size_t i = 0; i < listening->server->loop_count; i++) {
        int fd = bind_socket(address, true);
        if (fd < 0)
            return bind_failed(errno, listening->text, error);
        if (listen(fd, LISTEN_BACKLOG) != 0) {
            int saved_errno = errno;
            (void)close(fd);
            return bind_failed(saved_errno, listening->text, error);
        }
        TRY(accept_on(listening, i, fd, error));
    }
    return STATUS_OK;
}

static bool is_absent_family(int error_number)
{
    return error_number == EADDRNOTAVAIL || error_number == EAFNOSUPPORT;
}

/* Claims one port on all addresses; those of an absent family are dropped. Returns errno or 0. */
static int claim_all(struct http_socket_address *addresses, size_t *count, uint16_t wanted_port)
{
    uint16_t port = wanted_port;
    size_t kept = 0;
    int result = EADDRNOTAVAIL;
    for (size_t i = 0; i < *count; i++) {
        struct http_socket_address address = addresses[i];
        http_socket_address_set_port(&address, port);
        int claimed = claim_port(&address);
        if (claimed == 0) {
            port = http_socket_address_port(&address);
            addresses[kept++] = address;
        } else if (!is_absent_family(claimed)) {
            return claimed;
        }
    }
    if (kept > 0)
        result = 0;
    *count = kept > 0 ? kept : *count;
    return result;
}

static enum status listen_tcp(const struct listening *listening, uint16_t *out_port,
                              struct error *error)
{
    const struct http_address *address = &listening->address;
    struct http_socket_address addresses[HTTP_ADDRESSES_MAX];
    size_t count = 0;
    TRY(http_address_resolve(address, addresses, &count, error));
    int claimed = EADDRINUSE;
    for (unsigned i = 0; i < PORT_TRIES_MAX && claimed == EADDRINUSE; i++) {
        claimed = claim_all(addresses, &count, address->port);
        if (address->port != 0)
            break;
    }
    if (claimed != 0)
        return bind_failed(claimed, listening->text, error);
    for (size_t i = 0; i < count; i++)
        TRY(listen_on_loops(listening, &addresses[i], error));
    *out_port = http_socket_address_port(&addresses[0]);
    return STATUS_OK;
}

/* Removes a socket file that no server listens on any more. */
static enum status remove_stale(const struct http_socket_address *address, const char *path,
                                struct str text, struct error *error)
{
    struct stat file;
    if (lstat(path, &file) != 0)
        return STATUS_OK;
    if (!S_ISSOCK(file.st_mode))
        return error_set(error, STATUS_UNAVAILABLE,
                         "address %.*s cannot be bound: the file exists and is not a socket",
                         STR_ARGS(text));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return bind_failed(errno, text, error);
    bool is_stale = connect(fd, (const struct sockaddr *)&address->storage, address->size) != 0 &&
                    errno == ECONNREFUSED;
    (void)close(fd);
    if (!is_stale)
        return bind_failed(EADDRINUSE, text, error);
    if (unlink(path) != 0 && errno != ENOENT)
        return bind_failed(errno, text, error);
    return STATUS_OK;
}

static void remember_path(struct http_server *server, const char *path)
{
    struct http_unix_path *unix_path = NEW(struct http_unix_path);
    unix_path->path = str_copy(str_of(path));
    list_append(&server->unix_paths, &unix_path->link);
}

static enum status listen_unix(const struct listening *listening, struct error *error)
{
    struct http_server *server = listening->server;
    const char *path = listening->address.path;
    struct http_socket_address unix_address;
    size_t count = 0;
    TRY(http_address_resolve(&listening->address, &unix_address, &count, error));
    TRY(remove_stale(&unix_address, path, listening->text, error));
    int fd = bind_socket(&unix_address, false);
    if (fd < 0)
        return bind_failed(errno, listening->text, error);
    remember_path(server, path);
    if (listen(fd, LISTEN_BACKLOG) != 0) {
        int saved_errno = errno;
        (void)close(fd);
        return bind_failed(saved_errno, listening->text, error);
    }
    for (size_t i = 1; i < server->loop_count; i++) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
            int saved_errno = errno;
            (void)close(fd);
            return bind_failed(saved_errno, listening->text, error);
        }
        enum status status = accept_on(listening, i, copy, error);
        if (status != STATUS_OK) {
            (void)close(fd);
            return status;
        }
    }
    return accept_on(listening, 0, fd, error);
}

static char *bound_text(const struct http_address *address, bool is_tls, uint16_t port)
{
    char text[HTTP_ADDRESS_TEXT_SIZE];
    bool is_v6 = str_find(str_of(address->host), ':') >= 0;
    int length = address->is_unix ? snprintf(text, sizeof(text), "unix:%s", address->path)
                                  : snprintf(text, sizeof(text), is_v6 ? "%s[%s]:%u" : "%s%s:%u",
                                             is_tls ? "tls://" : "", address->host, port);
    return memory_copy_text(text, (size_t)length);
}

enum status http_server_listen(struct http_server *server, struct str address, const char *tag,
                               char **out_bound, struct error *error)
{
    struct str options = address;
    struct listening listening = {.server = server, .text = str_split(&options, '?')};
    TRY(http_address_parse(address, &listening.address, error));
    if (http_address_is_tls(&listening.address, &server->tls))
        TRY(http_credentials_get(&server->credentials, &listening.address, &server->tls,
                                 server->loop_count, server->log, &listening.credentials, error));
    else
        TRY(http_address_check_plain(&listening.address, error));
    listening.door = http_server_door(server, tag);
    uint16_t port = 0;
    if (listening.address.is_unix)
        TRY(listen_unix(&listening, error));
    else
        TRY(listen_tcp(&listening, &port, error));
    *out_bound = bound_text(&listening.address, listening.credentials != NULL, port);
    return STATUS_OK;
}

void http_server_reload_certificates(struct http_server *server)
{
    LIST_FOR_EACH (credentials, &server->credentials, struct http_credentials, link)
        http_credentials_reload(credentials, server->log);
}
