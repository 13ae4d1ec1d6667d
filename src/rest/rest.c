/*
 * rest.c — the life of an exchange: route, body, handler, reply.
 *
 *      on_request -> (body) -> handler on the loop or a worker -> reply | stream -> on_close
 *
 * An exchange is freed when http is done with its request and no worker has it: on_close takes it from
 * the queue of the workers, or leaves it to worker_done. Runs on the loop of the request, but for
 * run_handler of blocking routes, which works on a copy. Owns: the exchange. Not done here: what a
 * route means (routes.c and the files it names), rows (stream.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/memory.h"
#include "http/coding.h"

#include <assert.h>
#include <string.h>

static void exchange_free(struct rest_exchange *exchange)
{
    http_work_end(exchange->left);
    rest_run_destroy(exchange->run_of_own);
    rest_wait_destroy(exchange->wait);
    job_unref(exchange->job);
    rest_rows_destroy(exchange->rows_of_own);
    rest_explanation_destroy(exchange->explanation);
    rest_intake_destroy(exchange->intake);
    rest_upload_destroy(exchange->upload);
    rest_export_destroy(exchange->export);
    rest_part_destroy(exchange->reply.part);
    dataset_part_finish(&exchange->reply.followed_part);
    dataset_unref_later(exchange->reply.followed);
    query_unref(exchange->reply.query);
    if (exchange->reply.source.release)
        exchange->reply.source.release(exchange->reply.source.context);
    buf_finish(&exchange->reply.text);
    json_document_destroy(exchange->document);
    buf_finish(&exchange->body);
    arena_finish(&exchange->arena);
    free(exchange);
}

void rest_add_header(struct rest_exchange *exchange, struct str name, struct str value)
{
    struct rest_reply *reply = &exchange->reply;
    assert(reply->header_count < REST_REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (struct http_header){name, value};
}

size_t rest_put_headers(const struct rest_exchange *exchange, struct http_header *headers)
{
    const struct rest_reply *reply = &exchange->reply;
    memcpy(headers, reply->headers, reply->header_count * sizeof(*headers));
    return reply->header_count;
}

/* Answers with the text that the handler wrote. */
static void respond_text(struct rest_exchange *exchange)
{
    struct http_request *request = exchange->request;
    struct buf *text = &exchange->reply.text;
    struct http_header headers[2 + REST_REPLY_HEADERS_MAX + REST_CORS_HEADERS_MAX] = {
        {STR("content-type"), str_of(exchange->reply.content_type)},
        {STR("content-length"), arena_number(request->arena, text->len)},
    };
    size_t count = 2 + rest_put_headers(exchange, headers + 2);
    count += rest_cors_headers(exchange, headers + count);
    http_response_compressible(request);
    bool is_head = str_equal(request->method, STR("HEAD"));
    http_respond(request, exchange->reply.http_status, headers, count, is_head || text->len == 0);
    if (is_head || text->len == 0)
        return;
    size_t size = text->len;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    slices_append_copy(&body, text->ptr, size);
    http_write(request, &body);
    http_end(request, NULL, 0);
}

static void fail(struct rest_exchange *exchange)
{
    exchange->status = exchange->error.status;
    rest_respond_error(exchange, &exchange->error);
}

static enum status decode_and_handle(struct rest_exchange *exchange)
{
    if (exchange->route->takes_body)
        TRY(rest_body_decode(exchange, &exchange->error));
    return exchange->route->handle(exchange, &exchange->error);
}

static void run_handler(struct rest_exchange *exchange)
{
    exchange->status = decode_and_handle(exchange);
}

static void worker_run(struct work *work)
{
    run_handler(CONTAINER_OF(work, struct rest_exchange, work));
}

bool rest_goes_far(struct rest_exchange *exchange)
{
    exchange->goes_far = exchange->rest->options.s3_workers && !exchange->is_far;
    return exchange->goes_far;
}

/* As if the request had just come. */
static void go_far(struct rest_exchange *exchange)
{
    exchange->goes_far = false;
    exchange->is_far = true;
    job_unref(STEAL(exchange->job));
    exchange->reply.header_count = 0;
    (void)rest_work(exchange, worker_run, rest_answer);
}

void rest_answer(struct rest_exchange *exchange)
{
    if (exchange->status == STATUS_OK && exchange->goes_far) {
        go_far(exchange);
        return;
    }
    if (exchange->status == STATUS_OK && exchange->run_of_own && !exchange->is_resumed) {
        rest_run_begin(exchange->run_of_own);
        return;
    }
    if (exchange->status == STATUS_OK && exchange->wait && !rest_wait_is_over(exchange->wait)) {
        rest_wait_begin(exchange->wait);
        return;
    }
    struct buf *text = &exchange->reply.text;
    if (exchange->status == STATUS_OK)
        exchange->status = buf_check(text, "the reply", &exchange->error);
    if (exchange->status != STATUS_OK)
        fail(exchange);
    else if (exchange->reply.take_over)
        exchange->reply.take_over(exchange);
    else if (exchange->reply.source.read)
        rest_content_begin(exchange);
    else if ((exchange->reply.query || exchange->reply.part || exchange->reply.followed) &&
             !rest_content_settle(exchange))
        rest_stream_begin(exchange);
    else if (!exchange->request->responded)
        respond_text(exchange);
}

static void run_work(struct work *work)
{
    struct rest_exchange *exchange = CONTAINER_OF(work, struct rest_exchange, work);
    exchange->run(work);
    loop_post(exchange->copy.loop, &exchange->worked);
}

/* The client left while the handler ran: nobody will read what it made. */
static void abandon(struct rest_exchange *exchange)
{
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "the client left before the statement started");
    if (exchange->reply.query)
        rest_release_result(&exchange->reply, false, &reason);
    exchange_free(exchange);
}

static void worker_done(struct loop_task *task)
{
    struct rest_exchange *exchange = CONTAINER_OF(task, struct rest_exchange, worked);
    exchange->working = false;
    exchange->is_far = false;
    if (exchange->request)
        exchange->done(exchange);
    else
        abandon(exchange);
}

static struct http_headers copy_headers(struct arena *arena, const struct http_headers *headers)
{
    if (headers->count == 0)
        return (struct http_headers){0};
    struct http_header *items = ARENA_NEW_ARRAY(arena, struct http_header, headers->count);
    for (size_t i = 0; i < headers->count; i++) {
        items[i].name = arena_copy(arena, headers->items[i].name);
        items[i].value = arena_copy(arena, headers->items[i].value);
    }
    return (struct http_headers){.items = items, .count = headers->count};
}

/* Gives the handler an input that stays when the request goes. */
static void copy_input(struct rest_exchange *exchange)
{
    const struct http_request *request = exchange->request;
    struct arena *arena = &exchange->arena;
    exchange->copy = (struct http_request){
        .method = arena_copy(arena, request->method),
        .scheme = arena_copy(arena, request->scheme),
        .authority = arena_copy(arena, request->authority),
        .path = arena_copy(arena, request->path),
        .query = arena_copy(arena, request->query),
        .headers = copy_headers(arena, &request->headers),
        .version = request->version,
        .id = arena_copy(arena, request->id),
        .peer = arena_copy(arena, request->peer),
        .started_ns = request->started_ns,
        .connection_id = request->connection_id,
        .loop = request->loop,
        .arena = arena,
    };
    exchange->input = &exchange->copy;
}

static void start_handler(struct rest_exchange *exchange)
{
    if (!exchange->route->blocking) {
        run_handler(exchange);
        rest_answer(exchange);
        return;
    }
    copy_input(exchange);
    (void)rest_work(exchange, worker_run, rest_answer);
}

static struct workers *workers_of(const struct rest_exchange *exchange)
{
    const struct rest_options *options = &exchange->rest->options;
    return exchange->is_far ? options->s3_workers : options->workers;
}

bool rest_work(struct rest_exchange *exchange, void (*run)(struct work *work),
               void (*done)(struct rest_exchange *exchange))
{
    assert(!exchange->working);
    exchange->run = run;
    exchange->done = done;
    exchange->working = true;
    if (workers_submit(workers_of(exchange), &exchange->work, &exchange->error) == STATUS_OK)
        return true;
    exchange->working = false;
    fail(exchange);
    return false;
}

/* What the path takes, or the server ("*"). */
static void respond_options(struct rest_exchange *exchange, struct str allow)
{
    struct http_request *request = exchange->request;
    struct str methods = allow.len > 0
                             ? arena_printf(request->arena, "%.*s, OPTIONS", STR_ARGS(allow))
                             : STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    struct http_header headers[1 + REST_CORS_HEADERS_MAX] = {{STR("allow"), methods}};
    size_t count = 1 + rest_cors_headers(exchange, headers + 1);
    http_respond(request, 204, headers, count, true);
}

/* No route: tells whether the path or only the method is wrong. */
static void refuse_route(struct rest_exchange *exchange, struct str allow)
{
    struct http_request *request = exchange->request;
    bool asks_options = str_equal(request->method, STR("OPTIONS"));
    if (http_cors_is_preflight(request)) {
        http_cors_respond_preflight(exchange->rest->options.cors, request);
        return;
    }
    if (asks_options && (allow.len > 0 || str_equal(request->path, STR("*")))) {
        respond_options(exchange, allow);
        return;
    }
    if (allow.len > 0)
        error_set_code(&exchange->error, STATUS_INVALID_ARGUMENT, "METHOD_NOT_ALLOWED",
                       "%.*s does not take %.*s; it takes %.*s", STR_ARGS(request->path),
                       STR_ARGS(request->method), STR_ARGS(allow));
    else
        error_set(&exchange->error, STATUS_NOT_FOUND, "there is nothing at %.*s",
                  STR_ARGS(request->path));
    fail(exchange);
}

static bool rest_accepts(const struct http_handler *handler, const struct http_request *request)
{
    return true;
}

static struct rest_exchange *exchange_create(struct rest *rest, struct http_request *request)
{
    struct rest_exchange *exchange = NEW(struct rest_exchange);
    exchange->rest = rest;
    exchange->request = request;
    exchange->input = request;
    arena_init(&exchange->arena);
    exchange->error = ERROR_NONE;
    exchange->reply.http_status = 200;
    exchange->reply.content_type = "application/json";
    exchange->work.run = run_work;
    exchange->worked = LOOP_TASK_INIT(worker_done);
    buf_init(&exchange->body, REST_BODY_BYTES_MAX);
    buf_init(&exchange->reply.text, REST_REPLY_BYTES_MAX);
    return exchange;
}

/* What can be told from the head alone. */
static enum status check_head(struct rest_exchange *exchange, struct error *error)
{
    const struct http_request *request = exchange->request;
    TRY(http_cors_check(exchange->rest->options.cors, request, error));
    if (http_coding_choose(&request->headers) == HTTP_CODING_NONE)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE",
                              "accept-encoding takes none of the codings there are: zstd, gzip, "
                              "identity");
    if (exchange->route && (exchange->route->takes_body || exchange->route->receive))
        return rest_body_check(exchange, error);
    return STATUS_OK;
}

static enum status take_parameter(struct rest_exchange *exchange, struct str parameter)
{
    if (rest_pattern_is_open(str_of(exchange->route->pattern))) {
        exchange->parameter = arena_copy(&exchange->arena, parameter);
        return STATUS_OK;
    }
    return parameter.len == 0 ? STATUS_OK
                              : http_percent_decode(&exchange->arena, parameter, false,
                                                    &exchange->parameter, &exchange->error);
}

static enum status begin(struct rest_exchange *exchange)
{
    if (!exchange->route->begin)
        return STATUS_OK;
    copy_input(exchange);
    TRY(exchange->route->begin(exchange, &exchange->error));
    rest_intake_begin(exchange);
    return STATUS_OK;
}

/* A WebSocket over HTTP/2 is a CONNECT to what is a GET over HTTP/1.1. */
static const struct rest_route *find_route(struct rest_exchange *exchange,
                                           struct str *out_parameter, struct str *out_allow)
{
    const struct http_request *request = exchange->request;
    const struct rest_route *route =
        rest_route_find(request->arena, request->method, request->path, out_parameter, out_allow);
    if (route || !str_equal(request->method, STR("CONNECT")))
        return route;
    struct str allow;
    route = rest_route_find(request->arena, STR("GET"), request->path, out_parameter, &allow);
    exchange->is_tunnel = route && route->is_websocket;
    return exchange->is_tunnel ? route : NULL;
}

static void rest_on_request(const struct http_handler *handler, struct http_request *request)
{
    struct rest_exchange *exchange = exchange_create(handler->context, request);
    request->state = exchange;
    struct str allow;
    struct str parameter = STR_EMPTY;
    exchange->route = find_route(exchange, &parameter, &allow);
    if (exchange->route && handler == &exchange->rest->exporter && !exchange->route->is_exported) {
        exchange->route = NULL;
        allow = STR_EMPTY;
    }
    rest_record_begin(exchange);
    if (check_head(exchange, &exchange->error) != STATUS_OK) {
        fail(exchange);
        return;
    }
    if (!exchange->route) {
        refuse_route(exchange, allow);
        return;
    }
    if (take_parameter(exchange, parameter) != STATUS_OK || begin(exchange) != STATUS_OK)
        fail(exchange);
    else if (exchange->is_tunnel)
        start_handler(exchange);
}

static void rest_on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    struct rest_exchange *exchange = request->state;
    if (exchange->intake && !request->responded) {
        rest_intake_add(exchange->intake, bytes, size);
        return;
    }
    http_consume(request, size);
    if (request->responded || !exchange->route->takes_body)
        return;
    buf_append(&exchange->body, bytes, size);
    bool is_held = http_hold(request, exchange->body.len);
    if (is_held && !exchange->body.failed)
        return;
    if (exchange->body.failed)
        error_set_code(&exchange->error, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE",
                       "the request body exceeds %zu bytes", exchange->body.size_max);
    else
        error_set(&exchange->error, STATUS_RESOURCE_EXHAUSTED,
                  "the server holds as many bytes of requests as it may; try again later");
    exchange->error.retry_after_ms = is_held ? 0 : 1000;
    buf_finish(&exchange->body);
    http_release(request);
    fail(exchange);
}

static void rest_on_body_end(struct http_request *request)
{
    struct rest_exchange *exchange = request->state;
    if (request->responded || exchange->is_tunnel)
        return;
    if (exchange->intake)
        rest_intake_end(exchange->intake);
    else
        start_handler(exchange);
}

static void rest_on_writable(struct http_request *request)
{
    struct rest_exchange *exchange = request->state;
    if (exchange->stream)
        rest_stream_writable(exchange->stream);
    if (exchange->content)
        http_content_writable(exchange->content);
}

/* True when no worker has started on the exchange. Once the handler's end was posted the workers need
 * not exist any more: while the server is taken down they end first. */
static bool take_back(struct rest_exchange *exchange)
{
    return !atomic_load(&exchange->worked.posted) &&
           workers_cancel(workers_of(exchange), &exchange->work);
}

static void rest_on_close(struct http_request *request, enum http_close why)
{
    struct rest_exchange *exchange = request->state;
    rest_stream_close(STEAL(exchange->stream));
    if (exchange->content && http_content_is_broken(exchange->content, &exchange->error))
        exchange->status = exchange->error.status;
    http_content_destroy(STEAL(exchange->content));
    if (exchange->working && take_back(exchange))
        exchange->working = false;
    if (exchange->run_of_own && !exchange->working)
        rest_run_stop(exchange->run_of_own);
    rest_wait_stop(exchange->wait);
    rest_record(exchange, why);
    exchange->request = NULL;
    if (exchange->working)
        exchange->left = http_work_begin(request);
    else
        exchange_free(exchange);
}

struct rest *rest_create(const struct rest_options *options)
{
    struct rest *rest = NEW(struct rest);
    rest->options = *options;
    arena_init(&rest->arena);
    rest->started_ns = clock_now_ns();
    rest->metrics = rest_metrics_create(options->metrics);
    rest->handler = (struct http_handler){
        .context = rest,
        .accepts = rest_accepts,
        .on_request = rest_on_request,
        .on_body = rest_on_body,
        .on_body_end = rest_on_body_end,
        .on_writable = rest_on_writable,
        .on_close = rest_on_close,
    };
    rest->exporter = rest->handler;
    return rest;
}

void rest_add_address(struct rest *rest, const char *door, const char *address)
{
    if (rest->address_count == REST_ADDRESSES_MAX)
        return;
    rest->addresses[rest->address_count++] = (struct rest_address){
        .door = arena_copy(&rest->arena, str_of(door)),
        .text = arena_copy(&rest->arena, str_of(address)),
    };
}

void rest_destroy(struct rest *rest)
{
    if (!rest)
        return;
    arena_finish(&rest->arena);
    rest_metrics_destroy(rest->metrics);
    free(rest);
}

const struct http_handler *rest_http(struct rest *rest)
{
    return &rest->handler;
}

const struct http_handler *rest_exporter_http(struct rest *rest)
{
    return &rest->exporter;
}
