/*
 * listeners.c — binds the addresses of the doors and of the metrics exporter.
 *
 * One HTTP server carries Flight and HTTP on every port; the exporter is a server of its own on the same
 * I/O loops. Runs on the calling thread; connections are accepted when the I/O threads start.
 *
 * Owns: nothing; the server owns what is opened. SPDX-License-Identifier: Apache-2.0
 */
#include "server/server_private.h"

#include <ctype.h>
#include <stdio.h>

#include "server/transport_limits.h"

/* `make run` takes no flags: the environment's name of the setting is told, too. */
static enum status refuse_address(const char *setting, const struct error *reason,
                                  struct error *error)
{
    char variable[32];
    (void)snprintf(variable, sizeof(variable), "VOLLEY_%s", setting);
    for (char *letter = variable; *letter; letter++)
        *letter = *letter == '-' ? '_' : (char)toupper((unsigned char)*letter);
    return error_set(error, reason->status,
                     reason->status == STATUS_UNAVAILABLE
                         ? "%s; choose another with --%s or, in the environment, %s"
                         : "%s (--%s, %s)",
                     reason->message, setting, variable);
}

static enum status listen_on(struct server *server, struct http_server *http,
                             const struct settings_list *addresses, const char *door,
                             const char *setting, struct error *error)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (server->address_count == ADDRESSES_MAX)
            return error_set(error, STATUS_INVALID_ARGUMENT, "more than %d addresses to listen on",
                             ADDRESSES_MAX);
        struct bound_address *address = &server->addresses[server->address_count];
        struct error reason = ERROR_NONE;
        if (http_server_listen(http, addresses->items[i], door, &address->text, &reason) !=
            STATUS_OK)
            return refuse_address(setting, &reason, error);
        address->door = door;
        server->address_count++;
    }
    return STATUS_OK;
}

static void on_connection_close(void *context, uint64_t connection_id)
{
    sessions_disconnect(((struct server *)context)->sessions, connection_id);
}

static void measure_loops(struct server *server)
{
    struct metric_family *family = metrics_family(
        server->metrics, METRIC_HISTOGRAM, "volley_event_loop_lag_seconds",
        "From a wake-up of an I/O loop until all that was ready was served.",
        (const char *const[]){"loop"}, 1, metric_duration_buckets, metric_duration_bucket_count);
    for (size_t i = 0; i < io_threads_count(server->io); i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "%zu", i);
        loop_measure(io_threads_loops(server->io)[i],
                     metric_get(family, (const char *const[]){name}));
    }
}

/* A server of its own: its clients reach no other handler, and count for no limit of the others. */
static enum status open_exporter(struct server *server, const struct http_server_options *options,
                                 struct error *error)
{
    const struct http_handler *const handlers[] = {rest_exporter_http(server->rest)};
    struct http_server_options own = *options;
    own.handlers = handlers;
    own.handler_count = ARRAY_COUNT(handlers);
    own.metrics = NULL;
    own.on_connection_close = NULL;
    TRY(http_server_create(&own, &server->exporter, error));
    return listen_on(server, server->exporter, &server->settings->metrics_addr, "metrics",
                     "metrics-addr", error);
}

enum status server_open_listeners(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    TRY(io_threads_create((size_t)settings->io_threads, &server->io, error));
    measure_loops(server);
    server->handlers[0] = grpc_handler_http(server->grpc);
    server->handlers[1] = rest_http(server->rest);
    struct http_server_options options = {
        .limits = http_limits_default,
        .handlers = server->handlers,
        .handler_count = ARRAY_COUNT(server->handlers),
        .loops = io_threads_loops(server->io),
        .loop_count = io_threads_count(server->io),
        .server_name = STR("volley/" VOLLEY_VERSION),
        .metrics = server->metrics,
        .log = server->log,
        .on_connection_close = on_connection_close,
        .on_connection_close_context = server,
    };
    transport_limits_set(&settings->limits, &options.limits);
    transport_set_options(settings, server->log, &options, &server->tls_pairs);
    TRY(http_server_create(&options, &server->http, error));
    TRY(listen_on(server, server->http, &settings->flight_addr, "flight", "flight-addr", error));
    TRY(listen_on(server, server->http, &settings->http_addr, "http", "http-addr", error));
    return settings->metrics_addr.count > 0 ? open_exporter(server, &options, error) : STATUS_OK;
}

void server_log_listening(const struct server *server)
{
    for (size_t i = 0; i < server->address_count; i++)
        LOG(server->log, LOG_INFO, "listening", LOG_STR("door", str_of(server->addresses[i].door)),
            LOG_STR("address", str_of(server->addresses[i].text)),
            LOG_STR("version", STR(VOLLEY_VERSION)),
            LOG_STR("engine", str_of(engine_version(server->engine))));
}
