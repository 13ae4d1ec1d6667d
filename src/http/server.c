/*
 * server.c — the server object: limits, doors, counting, draining.
 *
 * Runs on the composition root's thread before and after the loops run; counts and drain from any.
 * Owns: loops' parts, doors, credentials, paths of Unix sockets.
 * Leaves out: binding (listen.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/server.h"

#include "base/memory.h"
#include "http/listener.h"

#include <assert.h>
#include <unistd.h>

/* --- creation ---------------------------------------------------------------------------------- */

static double read_queued_bytes(void *context)
{
    return (double)atomic_load(&((struct http_server *)context)->queued_bytes);
}

static double read_held_bytes(void *context)
{
    return (double)atomic_load(&((struct http_server *)context)->held_bytes);
}

static double read_requests(void *context)
{
    return (double)http_server_requests(context);
}

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
    http_server_create_strikes(server);
    metrics_gauge_function(server->metrics, "volley_response_queue_bytes",
                           "Bytes of responses that wait for their clients, in all connections.",
                           read_queued_bytes, server);
    metrics_gauge_function(server->metrics, "volley_request_held_bytes",
                           "Bytes of requests that are kept in memory, in all connections.",
                           read_held_bytes, server);
    metrics_gauge_function(server->metrics, "volley_streams",
                           "Requests that are not over, in all connections.", read_requests,
                           server);
}

enum status http_server_create(const struct http_server_options *options,
                               struct http_server **out_server, struct error *error)
{
    assert(options->handler_count > 0 && options->loop_count > 0);
    TRY(http_limits_check(&options->limits, error));
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
    server->log = options->log;
    list_init(&server->doors);
    list_init(&server->unix_paths);
    list_init(&server->credentials);
    server->tls = options->tls;
    server->peers = http_peers_create(options->limits.connections_per_address_max);
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
    LIST_FOR_EACH (unix_path, &server->unix_paths, struct http_unix_path, link) {
        (void)unlink(unix_path->path);
        free(unix_path->path);
        free(unix_path);
    }
    LIST_FOR_EACH (credentials, &server->credentials, struct http_credentials, link)
        http_credentials_destroy(credentials);
    http_peers_destroy(server->peers);
    free(server->loops);
    free(server->handlers);
    free(server->name);
    free(server);
}

const struct http_door *http_server_door(struct http_server *server, const char *tag)
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
