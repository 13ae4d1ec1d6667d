/*
 * server.c — the server object: limits, doors, binding, counting, draining.
 *
 * A TCP address is bound once per loop with SO_REUSEPORT, and the kernel spreads connections over
 * them. Before that a plain bind proves that nobody else listens there: with SO_REUSEPORT a second
 * server of the same user would succeed and take half of the connections. A Unix socket is one
 * listening descriptor that all loops watch.
 *
 * Runs on the composition root's thread before and after the loops run; counts and drain from any.
 * Owns: loops' parts, doors, paths of Unix sockets. SPDX-License-Identifier: Apache-2.0
 */
#include "http/server.h"

#include "base/memory.h"
#include "http/address.h"
#include "http/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
/* Port 0 on two address families needs a port that is free in both. */
#define PORT_TRIES_MAX 16

const struct http_limits http_limits_default = {
    .header_bytes_max = (size_t)64 << 10,
    .header_count_max = 256,
    .streams_max = 256,
    .stream_window_bytes = (size_t)4 << 20,
    .connection_window_bytes = (size_t)32 << 20,
    .frame_bytes_max = (size_t)1 << 20,
    .write_queue_bytes = (size_t)4 << 20,
    .connection_count_max = 10000,
    .header_timeout_ms = 10000,
    .write_stall_timeout_ms = 60000,
    .idle_timeout_ms = 0,
};

struct unix_path {
    struct list link; /* http_server.unix_paths */
    char *path;
};

/* --- creation ---------------------------------------------------------------------------------- */

static void create_metrics(struct http_server *server)
{
    static const char *const kind_label[] = {"kind"};
    static const char *const connection_kind[] = {"connection"};
    if (!server->metrics)
        return;
    struct metric_family *connections =
        metrics_family(server->metrics, METRIC_GAUGE, "volley_connections", "Connections open now.",
                       NULL, 0, NULL, 0);
    struct metric_family *live =
        metrics_family(server->metrics, METRIC_GAUGE, "volley_live_objects",
                       "Objects of the server that exist now, by kind.", kind_label, 1, NULL, 0);
    server->connections_gauge = metric_get(connections, NULL);
    server->live_gauge = metric_get(live, connection_kind);
}

static enum status check_limits(const struct http_limits *limits, struct error *error)
{
    if (limits->frame_bytes_max < 16384 || limits->frame_bytes_max > 16777215)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the largest frame must have 16384 to 16777215 bytes, not %zu",
                         limits->frame_bytes_max);
    if (limits->stream_window_bytes < 1 || limits->stream_window_bytes > INT32_MAX ||
        limits->connection_window_bytes < 65535 || limits->connection_window_bytes > INT32_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "windows must have at most %d bytes, and a connection's at least 65535",
                         INT32_MAX);
    if (limits->write_queue_bytes == 0 || limits->streams_max == 0 ||
        limits->header_bytes_max == 0 || limits->header_bytes_max > UINT32_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "limits of streams, headers and queued bytes must not be 0");
    return STATUS_OK;
}

enum status http_server_create(const struct http_server_options *options,
                               struct http_server **out_server, struct error *error)
{
    assert(options->handler_count > 0 && options->loop_count > 0);
    TRY(check_limits(&options->limits, error));
    struct http_server *server = NEW(struct http_server);
    server->limits = options->limits;
    server->handlers = NEW_ARRAY(const struct http_handler *, options->handler_count);
    memcpy(server->handlers, options->handlers,
           options->handler_count * sizeof(*options->handlers));
    server->handler_count = options->handler_count;
    server->name = str_copy(options->server_name);
    server->server_name = str_make(server->name, options->server_name.len);
    server->on_connection_close = options->on_connection_close;
    server->on_connection_close_context = options->on_connection_close_context;
    server->metrics = options->metrics;
    list_init(&server->doors);
    list_init(&server->unix_paths);
    server->loops = NEW_ARRAY(struct http_loop, options->loop_count);
    server->loop_count = options->loop_count;
    atomic_init(&server->loops_to_drain, options->loop_count);
    for (size_t i = 0; i < options->loop_count; i++)
        http_loop_init(&server->loops[i], server, options->loops[i]);
    create_metrics(server);
    *out_server = server;
    return STATUS_OK;
}

void http_server_destroy(struct http_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->loop_count; i++)
        http_loop_finish(&server->loops[i]);
    LIST_FOR_EACH (door, &server->doors, struct http_door, link) {
        free(door->tag);
        free(door);
    }
    LIST_FOR_EACH (unix_path, &server->unix_paths, struct unix_path, link) {
        (void)unlink(unix_path->path);
        free(unix_path->path);
        free(unix_path);
    }
    free(server->loops);
    free(server->handlers);
    free(server->name);
    free(server);
}

static const struct http_door *get_door(struct http_server *server, const char *tag)
{
    static const char *const labels[] = {"door"};
    LIST_FOR_EACH (door, &server->doors, struct http_door, link) {
        if (strcmp(door->tag, tag) == 0)
            return door;
    }
    struct http_door *made = NEW(struct http_door);
    made->tag = str_copy(str_of(tag));
    list_append(&server->doors, &made->link);
    if (server->metrics) {
        const char *const values[] = {made->tag};
        made->bytes_sent =
            metric_get(metrics_family(server->metrics, METRIC_COUNTER, "volley_bytes_sent_total",
                                      "Bytes written to sockets, by door.", labels, 1, NULL, 0),
                       values);
        made->bytes_received = metric_get(
            metrics_family(server->metrics, METRIC_COUNTER, "volley_bytes_received_total",
                           "Bytes read from sockets, by door.", labels, 1, NULL, 0),
            values);
    }
    return made;
}

/* --- binding ----------------------------------------------------------------------------------- */

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

static enum status listen_on_loops(struct http_server *server, const struct http_door *door,
                                   const struct http_socket_address *address, struct str text,
                                   struct error *error)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        int fd = bind_socket(address, true);
        if (fd < 0)
            return bind_failed(errno, text, error);
        if (listen(fd, LISTEN_BACKLOG) != 0) {
            int saved_errno = errno;
            (void)close(fd);
            return bind_failed(saved_errno, text, error);
        }
        TRY(http_listener_create(&server->loops[i], door, fd, false, error));
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

static enum status listen_tcp(struct http_server *server, const struct http_door *door,
                              const struct http_address *address, struct str text,
                              uint16_t *out_port, struct error *error)
{
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
        return bind_failed(claimed, text, error);
    for (size_t i = 0; i < count; i++)
        TRY(listen_on_loops(server, door, &addresses[i], text, error));
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
    struct unix_path *unix_path = NEW(struct unix_path);
    unix_path->path = str_copy(str_of(path));
    list_append(&server->unix_paths, &unix_path->link);
}

static enum status listen_unix(struct http_server *server, const struct http_door *door,
                               const struct http_address *address, struct str text,
                               struct error *error)
{
    struct http_socket_address unix_address;
    size_t count = 0;
    TRY(http_address_resolve(address, &unix_address, &count, error));
    TRY(remove_stale(&unix_address, address->path, text, error));
    int fd = bind_socket(&unix_address, false);
    if (fd < 0)
        return bind_failed(errno, text, error);
    remember_path(server, address->path);
    if (listen(fd, LISTEN_BACKLOG) != 0) {
        int saved_errno = errno;
        (void)close(fd);
        return bind_failed(saved_errno, text, error);
    }
    for (size_t i = 1; i < server->loop_count; i++) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
            int saved_errno = errno;
            (void)close(fd);
            return bind_failed(saved_errno, text, error);
        }
        enum status status = http_listener_create(&server->loops[i], door, copy, true, error);
        if (status != STATUS_OK) {
            (void)close(fd);
            return status;
        }
    }
    return http_listener_create(&server->loops[0], door, fd, true, error);
}

static char *bound_text(const struct http_address *address, uint16_t port)
{
    char text[HTTP_ADDRESS_TEXT_SIZE];
    bool is_v6 = str_find(str_of(address->host), ':') >= 0;
    int length = address->is_unix ? snprintf(text, sizeof(text), "unix:%s", address->path)
                                  : snprintf(text, sizeof(text), is_v6 ? "[%s]:%u" : "%s:%u",
                                             address->host, port);
    return memory_copy_text(text, (size_t)length);
}

enum status http_server_listen(struct http_server *server, struct str address, const char *tag,
                               char **out_bound, struct error *error)
{
    struct http_address parsed;
    TRY(http_address_parse(address, &parsed, error));
    const struct http_door *door = get_door(server, tag);
    uint16_t port = 0;
    if (parsed.is_unix)
        TRY(listen_unix(server, door, &parsed, address, error));
    else
        TRY(listen_tcp(server, door, &parsed, address, &port, error));
    *out_bound = bound_text(&parsed, port);
    return STATUS_OK;
}

/* --- counting and draining --------------------------------------------------------------------- */

bool http_server_take_connection(struct http_server *server)
{
    size_t count = atomic_fetch_add(&server->connection_count, 1);
    if (count >= server->limits.connection_count_max) {
        atomic_fetch_sub(&server->connection_count, 1);
        return false;
    }
    if (server->metrics) {
        metric_add(server->connections_gauge, 1);
        metric_add(server->live_gauge, 1);
    }
    return true;
}

static void check_drained(struct http_server *server)
{
    if (atomic_load(&server->loops_to_drain) > 0 || atomic_load(&server->connection_count) > 0)
        return;
    if (!atomic_exchange(&server->drained, true) && server->on_drained)
        loop_post(server->on_drained_loop, server->on_drained);
}

void http_server_give_connection(struct http_server *server)
{
    if (server->metrics) {
        metric_add(server->connections_gauge, -1);
        metric_add(server->live_gauge, -1);
    }
    atomic_fetch_sub(&server->connection_count, 1);
    check_drained(server);
}

void http_server_loop_drains(struct http_server *server)
{
    atomic_fetch_sub(&server->loops_to_drain, 1);
    check_drained(server);
}

void http_server_drain(struct http_server *server, struct loop_task *on_drained,
                       struct loop *on_drained_loop)
{
    if (atomic_exchange(&server->drain_started, true))
        return;
    server->on_drained = on_drained;
    server->on_drained_loop = on_drained_loop;
    for (size_t i = 0; i < server->loop_count; i++)
        loop_post(server->loops[i].loop, &server->loops[i].drain_task);
}

size_t http_server_connections(const struct http_server *server)
{
    return atomic_load(&server->connection_count);
}

size_t http_server_requests(const struct http_server *server)
{
    return atomic_load(&server->request_count);
}
