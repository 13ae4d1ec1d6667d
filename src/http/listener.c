/*
 * listener.c — a server's part on one loop: accepting, draining, the date.
 *
 * Accepting takes what is there, a bounded number per round. When descriptors run out, all listeners
 * of the loop stop watching for a moment: the waiting client stays in the kernel's queue, and a
 * level-triggered event that cannot be served would otherwise spin.
 *
 * Runs on its loop, except init and finish (composition root). Owns listening sockets and the list of
 * connections. Leaves out: binding (server.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/listener.h"

#include "base/memory.h"
#include "http/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTS_PER_ROUND 64
#define ACCEPT_PAUSE_NS (UINT64_C(100) * NANOSECONDS_PER_MILLISECOND)
/* Keeps bytes in flight within the cache; on real links the kernel's own tuning is better. */
#define LOOPBACK_SEND_BUFFER_BYTES (512 << 10)
/* A peer that vanished without a word is noticed by the kernel: 60 s of silence, 3 probes. */
#define KEEPALIVE_IDLE_SECONDS 60
#define KEEPALIVE_INTERVAL_SECONDS 10
#define KEEPALIVE_PROBES 3

/* --- accepting --------------------------------------------------------------------------------- */

static void watch_listeners(struct http_loop *home, unsigned events)
{
    LIST_FOR_EACH (listener, &home->listeners, struct http_listener, link)
        loop_watch_change(home->loop, &listener->watch, events);
}

static void on_accept_again(struct loop_timer *timer)
{
    watch_listeners(CONTAINER_OF(timer, struct http_loop, accept_timer), LOOP_READ);
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_socket_options(int fd, const struct http_socket_address *peer)
{
    if (peer->storage.ss_family != AF_UNIX) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    }
    if (http_socket_address_is_loopback(peer))
        set_option(fd, SOL_SOCKET, SO_SNDBUF, LOOPBACK_SEND_BUFFER_BYTES);
}

static void admit(struct http_listener *listener, int fd, const struct http_socket_address *peer)
{
    struct http_server *server = listener->home->server;
    char text[HTTP_ADDRESS_TEXT_SIZE];
    http_socket_address_text(peer, text);
    set_socket_options(fd, peer);
    struct http_connection *connection = NULL;
    if (!http_server_take_connection(server)) {
        (void)close(fd);
        return;
    }
    if (http_connection_create(listener->home, listener->door, fd, listener->is_local, text,
                               &connection, NULL) != STATUS_OK) {
        (void)close(fd);
        http_server_give_connection(server);
    }
}

static bool is_shortage(int error_number)
{
    return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS ||
           error_number == ENOMEM;
}

static void on_acceptable(struct loop_watch *watch, unsigned ready)
{
    (void)ready;
    struct http_listener *listener = CONTAINER_OF(watch, struct http_listener, watch);
    struct http_loop *home = listener->home;
    for (unsigned i = 0; i < ACCEPTS_PER_ROUND; i++) {
        struct http_socket_address peer = {.size = sizeof(peer.storage)};
        int fd = accept4(watch->fd, (struct sockaddr *)&peer.storage, &peer.size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == ECONNABORTED)
            continue;
        if (fd < 0) {
            if (is_shortage(errno)) {
                watch_listeners(home, 0);
                loop_timer_set(home->loop, &home->accept_timer,
                               loop_now_ns(home->loop) + ACCEPT_PAUSE_NS);
            }
            return;
        }
        if (listener->is_local)
            peer.storage.ss_family = AF_UNIX;
        admit(listener, fd, &peer);
    }
}

enum status http_listener_create(struct http_loop *home, const struct http_door *door, int fd,
                                 bool is_local, struct error *error)
{
    struct http_listener *listener = NEW(struct http_listener);
    listener->home = home;
    listener->door = door;
    listener->is_local = is_local;
    listener->watch = (struct loop_watch){.fd = fd, .on_ready = on_acceptable};
    enum status status = loop_watch_add(home->loop, &listener->watch, LOOP_READ, error);
    if (status != STATUS_OK) {
        (void)close(fd);
        free(listener);
        return status;
    }
    list_append(&home->listeners, &listener->link);
    return STATUS_OK;
}

void http_listener_destroy(struct http_listener *listener)
{
    if (!listener)
        return;
    loop_watch_remove(listener->home->loop, &listener->watch);
    (void)close(listener->watch.fd);
    list_remove(&listener->link);
    free(listener);
}

/* --- the loop's part of the server --------------------------------------------------------------- */

static void destroy_listeners(struct http_loop *home)
{
    loop_timer_unset(home->loop, &home->accept_timer);
    LIST_FOR_EACH (listener, &home->listeners, struct http_listener, link)
        http_listener_destroy(listener);
}

static void on_drain(struct loop_task *task)
{
    struct http_loop *home = CONTAINER_OF(task, struct http_loop, drain_task);
    destroy_listeners(home);
    LIST_FOR_EACH (connection, &home->connections, struct http_connection, link)
        http_connection_drain(connection);
    http_server_loop_drains(home->server);
}

void http_loop_init(struct http_loop *home, struct http_server *server, struct loop *loop)
{
    *home = (struct http_loop){
        .server = server,
        .loop = loop,
        .accept_timer = LOOP_TIMER_INIT(on_accept_again),
        .drain_task = LOOP_TASK_INIT(on_drain),
        .date_second = UINT64_MAX,
    };
    list_init(&home->listeners);
    list_init(&home->connections);
}

void http_loop_finish(struct http_loop *home)
{
    loop_task_cancel(home->loop, &home->drain_task);
    destroy_listeners(home);
    LIST_FOR_EACH (connection, &home->connections, struct http_connection, link)
        http_connection_destroy(connection);
    free(home->read_buffer);
}

static void format_date(char *out, size_t size)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(clock_wall_us() / 1000000);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(out, size, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + 3 * (tm.tm_wday % 7), tm.tm_mday % 100, months + 3 * (tm.tm_mon % 12),
                   (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
}

struct str http_loop_date(struct http_loop *home)
{
    uint64_t second = loop_now_ns(home->loop) / NANOSECONDS_PER_SECOND;
    if (home->date_second != second) {
        home->date_second = second;
        format_date(home->date, sizeof(home->date));
    }
    return str_make(home->date, HTTP_DATE_LENGTH);
}
