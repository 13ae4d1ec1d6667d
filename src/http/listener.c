/*
 * listener.c — a server's part on one loop: accepting, draining, the date.
 *
 * Accepting takes what is there, a bounded number per round. When descriptors run out, a reserved one
 * serves to take a waiting client and to close its connection, so that it knows; where even that
 * fails, all listeners of the loop stop watching for a moment, for a level-triggered event that cannot
 * be served would spin.
 *
 * Runs on its loop, except init and finish (composition root). Owns listening sockets and the list of
 * connections. Leaves out: binding (listen.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/listener.h"

#include "base/memory.h"
#include "http/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTS_PER_ROUND 64
#define ACCEPT_PAUSE_NS (UINT64_C(100) * NANOSECONDS_PER_MILLISECOND)
#define SHED_LOG_INTERVAL_NS (UINT64_C(10) * NANOSECONDS_PER_SECOND)
/* Keeps bytes in flight within the cache; on real links the kernel's own tuning is better. */
#define LOOPBACK_SEND_BUFFER_BYTES (256 << 10)
/* Pacing and probing cost time where nothing is ever lost. */
#define LOOPBACK_CONGESTION "reno"
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

/* Makes what is missing of the reserve, as far as there are descriptors. */
static void fill_reserve(struct http_reserve *reserve)
{
    if (reserve->source < 0)
        reserve->source = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (reserve->source >= 0 && reserve->count < HTTP_RESERVE_MAX) {
        int fd = fcntl(reserve->source, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return;
        reserve->fds[reserve->count++] = fd;
    }
}

static void close_reserve(struct http_reserve *reserve)
{
    while (reserve->count > 0)
        (void)close(reserve->fds[--reserve->count]);
    if (reserve->source >= 0)
        (void)close(reserve->source);
}

static void on_accept_again(struct loop_timer *timer)
{
    struct http_loop *home = CONTAINER_OF(timer, struct http_loop, accept_timer);
    fill_reserve(&home->reserve);
    watch_listeners(home, LOOP_READ);
}

/* Counts a client that is turned away; the log tells now and then, for they may be many. */
static void note_shed(struct http_loop *home, enum http_strike strike, const char *reason)
{
    uint64_t now_ns = loop_now_ns(home->loop);
    http_server_strike(home->server, strike);
    if (home->shed_logged_ns > 0 && now_ns - home->shed_logged_ns < SHED_LOG_INTERVAL_NS)
        return;
    home->shed_logged_ns = now_ns;
    LOG(home->server->log, LOG_WARNING, "connections refused", LOG_STR("reason", str_of(reason)),
        LOG_INTEGER("connections", http_server_connections(home->server)));
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_congestion(int fd)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, LOOPBACK_CONGESTION,
                     sizeof(LOOPBACK_CONGESTION) - 1);
}

/* Of the listening socket, whose connections inherit it: one that once was paced stays so. */
static void set_listener_options(int fd)
{
    struct http_socket_address address = {.size = sizeof(address.storage)};
    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.size) == 0 &&
        address.storage.ss_family != AF_UNIX && http_socket_address_is_loopback(&address))
        set_congestion(fd);
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
    if (!http_socket_address_is_loopback(peer))
        return;
    set_option(fd, SOL_SOCKET, SO_SNDBUF, LOOPBACK_SEND_BUFFER_BYTES);
    set_congestion(fd);
}

static enum status secure(struct http_listener *listener, struct http_connection *connection)
{
    struct http_loop *home = listener->home;
    if (!listener->tls)
        return STATUS_OK;
    if (!home->tls_buffers)
        home->tls_buffers = tls_buffers_create();
    struct tls_session *session = NULL;
    TRY(tls_session_create_server(http_tls_slot_context(listener->tls), home->tls_buffers, &session,
                                  NULL));
    http_connection_secure(connection, session);
    return STATUS_OK;
}

/* Takes over `fd` and `counted` unless it fails. */
static enum status begin(struct http_listener *listener, int fd,
                         const struct http_socket_address *peer, struct http_peer *counted)
{
    char text[HTTP_ADDRESS_TEXT_SIZE];
    http_socket_address_text(peer, text);
    set_socket_options(fd, peer);
    struct http_connection *connection = NULL;
    TRY(http_connection_create(listener->home, listener->door, fd, listener->is_local, text,
                               &connection, NULL));
    connection->counted = counted;
    if (secure(listener, connection) != STATUS_OK)
        http_connection_destroy(connection);
    return STATUS_OK;
}

static void admit(struct http_listener *listener, int fd, const struct http_socket_address *peer)
{
    struct http_loop *home = listener->home;
    struct http_server *server = home->server;
    struct http_peer *counted = NULL;
    if (!http_server_take_connection(server)) {
        note_shed(home, HTTP_STRIKE_CONNECTIONS, "max-connections");
        (void)close(fd);
        return;
    }
    bool is_taken = http_peers_take(server->peers, peer, &counted);
    if (!is_taken)
        note_shed(home, HTTP_STRIKE_CONNECTIONS_PER_ADDRESS, "max-connections-per-address");
    if (!is_taken || begin(listener, fd, peer, counted) != STATUS_OK) {
        http_peers_give(server->peers, counted);
        http_server_give_connection(server);
        (void)close(fd);
    }
}

static bool is_shortage(int error_number)
{
    return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS ||
           error_number == ENOMEM;
}

enum shed { SHED_ONE, SHED_NOBODY, SHED_FAILED };

/* Answers one waiting client by closing its connection, with a descriptor kept for that. It is closed by
 * putting the reserve in its place, so that nobody else gets the descriptor; only while the reserve is
 * given up another thread may be faster. */
static enum shed shed_one(struct http_reserve *reserve, int listening_fd)
{
    fill_reserve(reserve);
    if (reserve->count == 0)
        return SHED_FAILED;
    (void)close(reserve->fds[--reserve->count]);
    int fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        (void)dup3(reserve->source, fd, O_CLOEXEC);
        reserve->fds[reserve->count++] = fd;
        return SHED_ONE;
    }
    bool is_nobody = errno == EAGAIN || errno == EWOULDBLOCK;
    fill_reserve(reserve);
    return is_nobody ? SHED_NOBODY : SHED_FAILED;
}

static void pause_accepting(struct http_loop *home)
{
    watch_listeners(home, 0);
    loop_timer_set(home->loop, &home->accept_timer, loop_now_ns(home->loop) + ACCEPT_PAUSE_NS);
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
        if (fd < 0 && is_shortage(errno)) {
            enum shed shed = shed_one(&home->reserve, watch->fd);
            if (shed == SHED_FAILED)
                pause_accepting(home);
            if (shed != SHED_ONE)
                return;
            note_shed(home, HTTP_STRIKE_DESCRIPTORS, "no file descriptor is free");
            continue;
        }
        if (fd < 0)
            return;
        if (listener->is_local)
            peer.storage.ss_family = AF_UNIX;
        admit(listener, fd, &peer);
    }
}

enum status http_listener_create(struct http_loop *home, const struct http_door *door, int fd,
                                 bool is_local, struct http_tls_slot *tls, struct error *error)
{
    struct http_listener *listener = NEW(struct http_listener);
    listener->home = home;
    listener->door = door;
    listener->is_local = is_local;
    listener->tls = tls;
    listener->watch = (struct loop_watch){.fd = fd, .on_ready = on_acceptable};
    set_listener_options(fd);
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
        .line_flush = {.run = http_loop_serve_line},
        .room_timer = LOOP_TIMER_INIT(http_loop_on_room_timer),
        .reserve.source = -1,
        .date_second = UINT64_MAX,
    };
    list_init(&home->listeners);
    list_init(&home->connections);
    list_init(&home->line);
    list_init(&home->short_of_room);
    http_coders_init(&home->coders, loop);
    http_pieces_init(&home->pieces, loop);
    fill_reserve(&home->reserve);
}

void http_loop_finish(struct http_loop *home)
{
    loop_task_cancel(home->loop, &home->drain_task);
    destroy_listeners(home);
    LIST_FOR_EACH (connection, &home->connections, struct http_connection, link)
        http_connection_destroy(connection);
    loop_timer_unset(home->loop, &home->room_timer);
    loop_flush_cancel(&home->line_flush);
    http_coders_finish(&home->coders);
    http_pieces_finish(&home->pieces);
    tls_buffers_destroy(home->tls_buffers);
    free(home->read_buffer);
    http_scratches_finish(&home->scratches);
    http_pool_finish(&home->pool);
    close_reserve(&home->reserve);
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
