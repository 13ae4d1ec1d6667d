/*
 * service.c — gRPC as a handler on http: finds the method, makes the call, passes events on.
 *
 * A request that is not gRPC at all (another content-type, another verb) is answered in HTTP's own
 * terms; everything else becomes a call, unknown methods too, so that each has a status, a log line and
 * metrics.
 *
 * create and destroy run on the composition root's thread, the rest on the requests' loops; the tables
 * do not change in between. Owns: the method map.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/service.h"

#include <assert.h>

#include "base/memory.h"
#include "grpc/call.h"

#define RECEIVE_MESSAGE_BYTES_DEFAULT ((size_t)64 << 20)

struct method_entry *handler_find(const struct grpc_handler *handler, struct str path)
{
    return map_get(&handler->by_path, path);
}

/* --- http_handler --------------------------------------------------------------------------- */

static const struct wire_format *format_of(const struct http_request *request)
{
    return wire_format_find(http_headers_get(&request->headers, STR("content-type")));
}

/* Before a page's first call its browser asks whether the page may make it. */
static bool is_preflight(const struct grpc_handler *handler, const struct http_request *request)
{
    return http_cors_is_preflight(request) && handler_find(handler, request->path);
}

static bool accepts(const struct http_handler *http, const struct http_request *request)
{
    return format_of(request) || is_preflight(http->context, request);
}

static void refuse(struct http_request *request, unsigned status, struct str text)
{
    struct http_header headers[] = {
        {.name = STR("content-type"), .value = STR("text/plain; charset=utf-8")},
        {.name = STR("allow"), .value = STR("POST")},
    };
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    slices_append(&body, slice_of_str(text));
    http_note_refusal(request, status);
    http_respond(request, status, headers, status == 405 ? 2 : 1, false);
    http_write(request, &body);
    http_end(request, NULL, 0);
}

/* Pages are told apart by the origin that browsers name; of other clients gRPC-Web's are checked too,
 * for what they send could be a page's whose name was turned to this machine. */
static enum status check_page(const struct grpc_handler *handler,
                              const struct http_request *request, const struct wire_format *format,
                              struct error *error)
{
    bool has_page = http_headers_get(&request->headers, STR("origin")).ptr != NULL;
    if (!format->is_web && !has_page)
        return STATUS_OK;
    return http_cors_check(handler->cors, request, error);
}

/* Answers what is none; then false. */
static bool is_call(const struct grpc_handler *handler, struct http_request *request,
                    const struct wire_format *format)
{
    struct error error;
    error_clear(&error);
    if (!format)
        refuse(request, 415, STR("expected content-type application/grpc\n"));
    else if (!str_equal(request->method, STR("POST")))
        refuse(request, 405, STR("gRPC calls are made with POST\n"));
    else if (!format->is_web && request->version != HTTP_2)
        refuse(request, 505, STR("gRPC calls are made over HTTP/2, gRPC-Web's over any version\n"));
    else if (check_page(handler, request, format, &error) != STATUS_OK)
        refuse(request, 403, arena_printf(request->arena, "%s\n", error.message));
    else
        return true;
    return false;
}

static void on_request(const struct http_handler *http, struct http_request *request)
{
    struct grpc_handler *handler = http->context;
    request->state = NULL;
    if (is_preflight(handler, request)) {
        http_cors_respond_preflight(handler->cors, request);
        return;
    }
    const struct wire_format *format = format_of(request);
    if (!is_call(handler, request, format))
        return;
    struct method_entry *entry = handler_find(handler, request->path);
    call_begin(handler, request, entry ? entry : &handler->unknown, format);
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    if (request->state)
        call_on_body(request->state, str_make(bytes, size));
    else
        http_consume(request, size);
}

static size_t body_place(struct http_request *request, uint8_t **out_place)
{
    return request->state ? call_body_place(request->state, out_place) : 0;
}

static void on_body_end(struct http_request *request)
{
    if (request->state)
        call_on_body_end(request->state);
}

static void on_writable(struct http_request *request)
{
    if (request->state)
        call_on_writable(request->state);
}

static void on_drain(struct http_request *request)
{
    if (request->state)
        call_on_drain(request->state);
}

static void on_close(struct http_request *request, enum http_close why)
{
    if (request->state)
        call_on_close(request->state, why);
}

/* --- the handler ---------------------------------------------------------------------------- */

static void add_method(struct grpc_handler *handler, const struct grpc_method *method,
                       void *service)
{
    assert(method->path[0] == '/' && method->receive && method->next);
    assert(!method->blocking || handler->workers);
    struct method_entry *entry = &handler->entries[handler->entry_count++];
    *entry = (struct method_entry){
        .method = method,
        .service = service,
        .label = method->path + 1,
    };
    struct str path = str_of(method->path);
    void *previous = map_set(&handler->by_path, path, entry);
    assert(!previous);
    struct str rest = str_of(entry->label);
    struct str name = str_split(&rest, '/');
    if (!map_set(&handler->services, name, handler))
        handler->service_names[handler->service_count++] = name;
}

static void add_table(struct grpc_handler *handler, const struct grpc_service_table *table)
{
    for (size_t i = 0; i < table->method_count; i++)
        add_method(handler, &table->methods[i], table->service);
}

static void add_methods(struct grpc_handler *handler, const struct grpc_options *options)
{
    const struct grpc_service_table own[] = {
        {health_methods, health_method_count, handler},
        {reflection_methods, reflection_method_count, handler},
    };
    size_t count = health_method_count + reflection_method_count;
    for (size_t i = 0; i < options->table_count; i++)
        count += options->tables[i].method_count;
    handler->entries = NEW_ARRAY(struct method_entry, count);
    handler->service_names = NEW_ARRAY(struct str, count);
    for (size_t i = 0; i < options->table_count; i++)
        add_table(handler, &options->tables[i]);
    for (size_t i = 0; i < ARRAY_COUNT(own); i++)
        add_table(handler, &own[i]);
}

static void make_metrics(struct grpc_handler *handler, struct metrics *metrics)
{
    handler->calls_family = metrics_family(metrics, METRIC_COUNTER, "volley_calls_total",
                                           "gRPC calls by method and status code.",
                                           (const char *const[]){"method", "code"}, 2, NULL, 0);
    handler->duration_family =
        metrics_family(metrics, METRIC_HISTOGRAM, "volley_call_duration_seconds",
                       "Duration of gRPC calls in seconds.", (const char *const[]){"method"}, 1,
                       metric_duration_buckets, metric_duration_bucket_count);
    static const char *const by_method[] = {"method"};
    handler->in_flight_family =
        metrics_family(metrics, METRIC_GAUGE, "volley_calls_in_flight",
                       "gRPC calls that are not over, by method.", by_method, 1, NULL, 0);
    handler->bytes_received_family =
        metrics_family(metrics, METRIC_COUNTER, "volley_call_received_bytes_total",
                       "Bytes of the requests of gRPC calls.", by_method, 1, NULL, 0);
    handler->bytes_sent_family =
        metrics_family(metrics, METRIC_COUNTER, "volley_call_sent_bytes_total",
                       "Bytes of the responses of gRPC calls.", by_method, 1, NULL, 0);
    struct metric_family *live =
        metrics_family(metrics, METRIC_GAUGE, "volley_live_objects", "Objects alive now, by kind.",
                       (const char *const[]){"kind"}, 1, NULL, 0);
    handler->live_calls = metric_get(live, (const char *const[]){"call"});
}

/* What calls to unknown methods are made of; none of its functions is ever called. */
static const struct grpc_method unknown_method = {.path = "/", .shape = GRPC_EXCHANGE};

struct grpc_handler *grpc_handler_create(const struct grpc_options *options)
{
    struct grpc_handler *handler = NEW(struct grpc_handler);
    handler->http = (struct http_handler){
        .context = handler,
        .accepts = accepts,
        .on_request = on_request,
        .on_body = on_body,
        .body_place = body_place,
        .on_body_end = on_body_end,
        .on_writable = on_writable,
        .on_drain = on_drain,
        .on_close = on_close,
    };
    handler->workers = options->workers;
    handler->receive_message_bytes_max = options->receive_message_bytes_max > 0
                                             ? options->receive_message_bytes_max
                                             : RECEIVE_MESSAGE_BYTES_DEFAULT;
    handler->log = options->log;
    handler->cors = options->cors;
    handler->is_serving = options->is_serving;
    handler->is_serving_context = options->is_serving_context;
    handler->unknown = (struct method_entry){.method = &unknown_method, .label = "other"};
    map_init(&handler->by_path);
    map_init(&handler->services);
    add_methods(handler, options);
    if (options->metrics)
        make_metrics(handler, options->metrics);
    return handler;
}

void grpc_handler_destroy(struct grpc_handler *handler)
{
    if (!handler)
        return;
    assert(grpc_handler_calls(handler) == 0);
    map_finish(&handler->by_path);
    map_finish(&handler->services);
    free(handler->service_names);
    free(handler->entries);
    free(handler);
}

const struct http_handler *grpc_handler_http(struct grpc_handler *handler)
{
    return &handler->http;
}

size_t grpc_handler_calls(const struct grpc_handler *handler)
{
    return atomic_load_explicit(&handler->call_count, memory_order_relaxed);
}
