/*
 * job_socket.c — WebSocket /ws/jobs/{id}: the job object, at once and again each time it has changed.
 *
 * The socket ends by itself behind the last state. A client that does not read gets the newest object when it
 * does; what it sends is passed over.
 *
 *      worker: the job is found -> loop: accepted -> told of changes -> over: closed
 *
 * Runs on the request's loop, but for the handler. Owns a reference to the job, what was sent last.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/job_view.h"

#include "base/memory.h"
#include "http/websocket.h"
#include "jobs/view.h"

#define SOCKETS_MAX 1000
#define MESSAGE_BYTES_MAX ((size_t)64 << 10) /* of what a client sends */

struct job_socket {
    struct rest *rest;
    struct loop *loop;
    struct websocket *websocket;
    struct job *job;
    struct job_watch watch;
    struct loop_task changed;
    struct buf sent; /* the object that the client has */
    bool is_over;
};

static void tell(struct job_socket *socket)
{
    if (socket->is_over || websocket_writable_bytes(socket->websocket) == 0)
        return;
    struct job_facts facts;
    struct json_writer json;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, REST_REPLY_BYTES_MAX);
    job_facts(socket->job, &facts);
    facts.sql = job_sql_beginning(facts.sql);
    json_writer_init(&json, &text);
    rest_write_job(&json, &facts);
    socket->is_over = job_state_is_over(facts.state);
    if (!text.failed && !str_equal(buf_str(&text), buf_str(&socket->sent)))
        websocket_send_text(socket->websocket, buf_str(&text));
    buf_clear(&socket->sent);
    buf_append(&socket->sent, text.ptr, text.len);
    if (socket->is_over)
        websocket_close(socket->websocket, WEBSOCKET_NORMAL,
                        str_of(rest_job_state_name(facts.state)));
}

static void on_changed(struct loop_task *task)
{
    tell(CONTAINER_OF(task, struct job_socket, changed));
}

static void on_message(struct websocket *websocket, enum websocket_type type, struct str message)
{
}

static void on_writable(struct websocket *websocket)
{
    tell(websocket_owner(websocket));
}

static void on_close(struct websocket *websocket, unsigned code, struct str reason)
{
    struct job_socket *socket = websocket_owner(websocket);
    job_unwatch(socket->job, &socket->watch);
    loop_task_cancel(socket->loop, &socket->changed);
    atomic_fetch_sub(&socket->rest->job_sockets, 1);
    job_unref(socket->job);
    buf_finish(&socket->sent);
    free(socket);
}

static const struct websocket_events socket_events = {
    .on_message = on_message, .on_writable = on_writable, .on_close = on_close};

static void open_socket(struct rest_exchange *exchange)
{
    struct http_request *request = exchange->request;
    struct websocket_options options = websocket_options_default;
    struct job_socket *socket = NEW(struct job_socket);
    struct http_header headers[REST_CORS_HEADERS_MAX];
    size_t count = rest_cors_headers(exchange, headers);
    options.message_bytes_max = MESSAGE_BYTES_MAX;
    socket->rest = exchange->rest;
    socket->loop = request->loop;
    socket->job = STEAL(exchange->job);
    socket->changed = LOOP_TASK_INIT(on_changed);
    buf_init(&socket->sent, REST_REPLY_BYTES_MAX);
    socket->websocket = websocket_accept(request, &options, &socket_events, socket, headers, count);
    job_watch(socket->job, &socket->watch, socket->loop, &socket->changed);
    tell(socket);
}

/* In the form that errors have on this route. */
static void refuse(struct rest_exchange *exchange, unsigned http_status, const struct error *reason)
{
    struct http_header headers[WEBSOCKET_REFUSAL_HEADERS_MAX];
    size_t count = websocket_refusal_headers(exchange->request, http_status, headers);
    for (size_t i = 0; i < count; i++)
        rest_add_header(exchange, headers[i].name, headers[i].value);
    const char *code = http_status == 503 ? "SHUTTING_DOWN" : "VALIDATION_ERROR";
    exchange->status =
        error_set_code(&exchange->error, reason->status, code, "%s", reason->message);
    exchange->error_status = http_status;
    rest_respond_error(exchange, &exchange->error);
}

static void take_over(struct rest_exchange *exchange)
{
    unsigned http_status;
    struct error reason = ERROR_NONE;
    if (websocket_check(exchange->request, &http_status, &reason) != STATUS_OK) {
        refuse(exchange, http_status, &reason);
        return;
    }
    if (atomic_fetch_add(&exchange->rest->job_sockets, 1) < SOCKETS_MAX) {
        open_socket(exchange);
        return;
    }
    atomic_fetch_sub(&exchange->rest->job_sockets, 1);
    error_set(&exchange->error, STATUS_RESOURCE_EXHAUSTED,
              "%d clients watch jobs already; ask GET /jobs/{id} now and then", SOCKETS_MAX);
    exchange->status = exchange->error.status;
    rest_respond_error(exchange, &exchange->error);
}

enum status rest_job_socket(struct rest_exchange *exchange, struct error *error)
{
    TRY(rest_job_find(exchange, error));
    exchange->reply.take_over = take_over;
    return STATUS_OK;
}
