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

static const struct str grpc_type = {.ptr = "application/grpc", .len = 16};

bool content_type_is_grpc(struct str content_type)
{
    if (!str_starts_with_nocase(content_type, grpc_type))
        return false;
    return content_type.len == grpc_type.len || content_type.ptr[grpc_type.len] == '+' ||
           content_type.ptr[grpc_type.len] == ';';
}

bool content_type_is_proto(struct str content_type)
{
    struct str type = str_trim(str_split(&content_type, ';'));
    return str_equal_nocase(type, grpc_type) ||
           str_equal_nocase(type, STR("application/grpc+proto"));
}

struct method_entry *handler_find(const struct grpc_handler *handler, struct str path)
{
    return map_get(&handler->by_path, path);
}

/* --- http_handler --------------------------------------------------------------------------- */

static bool accepts(const struct http_handler *http, const struct http_request *request)
{
    return content_type_is_grpc(http_headers_get(&request->headers, STR("content-type")));
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
    http_respond(request, status, headers, status == 405 ? 2 : 1, false);
    http_write(request, &body);
    http_end(request, NULL, 0);
}

static void on_request(const struct http_handler *http, struct http_request *request)
{
    struct grpc_handler *handler = http->context;
    request->state = NULL;
    if (!accepts(http, request)) {
        refuse(request, 415, STR("expected content-type application/grpc\n"));
        return;
    }
    if (!str_equal(request->method, STR("POST"))) {
        refuse(request, 405, STR("gRPC calls are made with POST\n"));
        return;
    }
    if (request->version != HTTP_2) {
        refuse(request, 505, STR("gRPC calls are made over HTTP/2\n"));
        return;
    }
    struct method_entry *entry = handler_find(handler, request->path);
    call_begin(handler, request, entry ? entry : &handler->unknown);
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    if (request->state)
        call_on_body(request->state, str_make(bytes, size));
    else
        http_consume(request, size);
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
    map_set(&handler->services, str_split(&rest, '/'), handler);
}

static void add_methods(struct grpc_handler *handler, const struct grpc_options *options)
{
    size_t count = health_method_count;
    for (size_t i = 0; i < options->table_count; i++)
        count += options->tables[i].method_count;
    handler->entries = NEW_ARRAY(struct method_entry, count);
    for (size_t i = 0; i < options->table_count; i++) {
        const struct grpc_service_table *table = &options->tables[i];
        for (size_t j = 0; j < table->method_count; j++)
            add_method(handler, &table->methods[j], table->service);
    }
    for (size_t i = 0; i < health_method_count; i++)
        add_method(handler, &health_methods[i], handler);
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
        .on_body_end = on_body_end,
        .on_writable = on_writable,
        .on_close = on_close,
    };
    handler->workers = options->workers;
    handler->receive_message_bytes_max = options->receive_message_bytes_max > 0
                                             ? options->receive_message_bytes_max
                                             : RECEIVE_MESSAGE_BYTES_DEFAULT;
    handler->log = options->log;
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
