/*
 * client_connect.c — the client's socket: each address of a host is tried until one answers.
 *
 * Runs on the client's thread, which runs the loop while it waits; so an interrupt ends the wait. Owns
 * nothing that outlives a call. Leaves out: what is spoken on the connection (client.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/address.h"
#include "http/client_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

struct connecting {
    struct loop_watch watch;
    bool is_done;
};

static void on_connected(struct loop_watch *watch, unsigned ready)
{
    (void)ready;
    CONTAINER_OF(watch, struct connecting, watch)->is_done = true;
}

/* Waits for a connect under way; `*out_errno` is its result. */
static enum status await_connect(struct http_client *client, int fd, uint64_t deadline_ns,
                                 int *out_errno, struct error *error)
{
    struct connecting connecting = {.watch = {.fd = fd, .on_ready = on_connected}};
    TRY(loop_watch_add(client->loop, &connecting.watch, LOOP_WRITE, error));
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !connecting.is_done)
        status = http_client_run_round(client, deadline_ns, error);
    loop_watch_remove(client->loop, &connecting.watch);
    if (status == STATUS_DEADLINE_EXCEEDED) {
        *out_errno = ETIMEDOUT;
        return STATUS_OK;
    }
    TRY(status);
    socklen_t size = sizeof(*out_errno);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, out_errno, &size) != 0)
        *out_errno = errno;
    return STATUS_OK;
}

static void close_descriptor(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* A peer that vanished without a word is given up after about half a minute. */
static void notice_silence(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, 15},
                   {IPPROTO_TCP, TCP_KEEPINTVL, 5},
                   {IPPROTO_TCP, TCP_KEEPCNT, 3}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

/* `*out_fd` is the socket, or -1 and `*out_errno` tells why not. */
static enum status try_address(struct http_client *client,
                               const struct http_socket_address *address, uint64_t deadline_ns,
                               int *out_fd, int *out_errno, struct error *error)
{
    __attribute__((cleanup(close_descriptor))) int fd =
        socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *out_fd = -1;
    *out_errno = 0;
    if (fd < 0) {
        *out_errno = errno;
        return STATUS_OK;
    }
    int on = 1;
    if (address->storage.ss_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        notice_silence(fd);
    }
    if (connect(fd, (const struct sockaddr *)&address->storage, address->size) != 0) {
        *out_errno = errno;
        if (errno == EINPROGRESS)
            TRY(await_connect(client, fd, deadline_ns, out_errno, error));
    }
    if (*out_errno == 0) {
        *out_fd = fd;
        fd = -1;
    }
    return STATUS_OK;
}

enum status http_client_open_socket(struct http_client *client, int *out_fd, struct error *error)
{
    struct http_address address;
    struct http_socket_address addresses[HTTP_ADDRESSES_MAX];
    size_t count = 0;
    TRY(http_address_parse(str_of(client->address), &address, error));
    TRY(http_address_resolve(&address, addresses, &count, error));
    uint64_t deadline_ns =
        clock_now_ns() + client->connect_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    int first_errno = 0;
    for (size_t i = 0; i < count; i++) {
        int fd = -1;
        int failure = 0;
        TRY(try_address(client, &addresses[i], deadline_ns, &fd, &failure, error));
        if (fd >= 0) {
            *out_fd = fd;
            return STATUS_OK;
        }
        first_errno = first_errno ? first_errno : failure;
    }
    return error_set(error, STATUS_UNAVAILABLE, "cannot connect to %s: %s", client->address,
                     strerror(first_errno));
}

static enum status untrusted(struct http_client *client, const char *reason, struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, "no TLS with %s: %s", client->address, reason);
}

static const char *handshake_failure(const struct http_client *client)
{
    const struct http_wire *wire = &client->wire;
    if (tls_session_failure(wire->tls) != TLS_FAILURE_NONE)
        return tls_session_failure_text(wire->tls);
    return wire->ended || wire->broken ? "the server closed the connection" : NULL;
}

enum status http_client_secure(struct http_client *client, struct error *error)
{
    bool is_http1 = client->protocol == &http1_client_protocol;
    enum tls_protocol wanted = is_http1 ? TLS_PROTOCOL_HTTP1 : TLS_PROTOCOL_HTTP2;
    struct tls_session *session = NULL;
    TRY(tls_session_create_client(client->tls, client->tls_buffers, client->host, wanted, &session,
                                  error));
    http_wire_secure(&client->wire, session, client->tls_buffers);
    http_wire_touch(&client->wire);
    uint64_t deadline_ns =
        clock_now_ns() + client->connect_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    while (!tls_session_is_open(session)) {
        const char *failure = handshake_failure(client);
        if (failure)
            return untrusted(client, failure, error);
        TRY(http_client_run_round(client, deadline_ns, error));
    }
    if (wanted == TLS_PROTOCOL_HTTP2 && tls_session_protocol(session) != TLS_PROTOCOL_HTTP2)
        return untrusted(client, "the server does not speak HTTP/2 there", error);
    return STATUS_OK;
}
