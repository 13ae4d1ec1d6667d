/*
 * client.c — gRPC calls from the client's side, blocking, on one http_client.
 *
 * A call is an HTTP request whose body goes out message by message and whose response is cut into
 * messages by the same frame reader that the server uses. The status is looked for in the trailers,
 * then in the headers (trailers-only), then made up from what HTTP says.
 *
 * Runs on the client's one thread, grpc_client_interrupt on any. Owns the connection, the headers that
 * go with every call, and of each call the messages in the making.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, http-grpc-status-mapping.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/client.h"

#include "base/checked.h"
#include "base/memory.h"
#include "grpc/deadline.h"
#include "grpc/frame.h"
#include "grpc/metadata.h"
#include "grpc/status.h"
#include "http/url.h"

#define RECEIVE_MESSAGE_BYTES_DEFAULT ((size_t)1 << 30)
#define CLIENT_HEADERS_MAX 32
/* The headers that every call has, before the client's own. */
#define CALL_HEADERS 4

struct client_header {
    char *name;
    char *value;
    size_t value_len;
};

struct grpc_client {
    struct http_client *http;
    char *user_agent;
    size_t receive_message_bytes_max;
    struct grpc_retry retry;
    struct client_header headers[CLIENT_HEADERS_MAX];
    size_t header_count;
};

struct grpc_client_call {
    struct http_client_request *request;
    struct frame_reader reader;
    struct slices incoming;             /* body bytes not yet cut into messages */
    const struct http_headers *headers; /* NULL until the response's head came */
    bool ended;                         /* the response is over */
};

/* --- the connection ------------------------------------------------------------------------- */

static enum status reach(struct grpc_client *client, struct error *error)
{
    struct error failure = ERROR_NONE;
    for (unsigned tries = 1;; tries++) {
        enum status status = http_client_reach(client->http, &failure);
        uint64_t delay_ms;
        if (status == STATUS_OK)
            return STATUS_OK;
        if (!grpc_retry_next(&client->retry, tries, GRPC_NOT_BEGUN, &failure, &delay_ms))
            return error_copy(error, &failure);
        TRY(http_client_pause(client->http, delay_ms, error));
    }
}

enum status grpc_client_connect(const struct grpc_client_options *options,
                                struct grpc_client **out_client, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct http_url url;
    TRY(http_url_parse(&arena, options->server, &url, error));
    static const struct tls_client_options no_options = {0};
    CLEANUP(tls_context_unref)
    struct tls_context *tls = url.is_tls && options->tls ? tls_context_ref(options->tls) : NULL;
    if (url.is_tls && !tls)
        TRY(tls_context_create_client(&no_options, &tls, error));
    const struct http_client_options http_options = {.address = url.address, .tls = tls};
    CLEANUP(grpc_client_close) struct grpc_client *client = NEW(struct grpc_client);
    TRY(http_client_create(&http_options, &client->http, error));
    client->retry = options->retry ? *options->retry : grpc_retry_default;
    client->user_agent =
        str_copy(options->user_agent.len > 0 ? options->user_agent : STR("volley"));
    client->receive_message_bytes_max = options->receive_message_bytes_max > 0
                                            ? options->receive_message_bytes_max
                                            : RECEIVE_MESSAGE_BYTES_DEFAULT;
    if (options->authorization.len > 0)
        grpc_client_set_header(client, STR("authorization"), options->authorization);
    TRY(reach(client, error));
    *out_client = STEAL(client);
    return STATUS_OK;
}

void grpc_client_close(struct grpc_client *client)
{
    if (!client)
        return;
    http_client_close(client->http);
    for (size_t i = 0; i < client->header_count; i++) {
        free(client->headers[i].name);
        free(client->headers[i].value);
    }
    free(client->user_agent);
    free(client);
}

bool grpc_client_is_connected(struct grpc_client *client)
{
    return http_client_is_connected(client->http);
}

uint64_t grpc_client_connections(const struct grpc_client *client)
{
    return http_client_connections(client->http);
}

void grpc_client_interrupt(struct grpc_client *client)
{
    http_client_interrupt(client->http);
}

void grpc_client_resume(struct grpc_client *client)
{
    http_client_resume(client->http);
}

void grpc_client_set_header(struct grpc_client *client, struct str name, struct str value)
{
    struct client_header *header = NULL;
    for (size_t i = 0; i < client->header_count && !header; i++) {
        if (str_equal(str_of(client->headers[i].name), name))
            header = &client->headers[i];
    }
    if (!header) {
        if (client->header_count == CLIENT_HEADERS_MAX)
            return;
        header = &client->headers[client->header_count++];
        header->name = str_copy(name);
    }
    free(header->value);
    header->value = str_copy(value);
    header->value_len = value.len;
}

/* --- a call --------------------------------------------------------------------------------- */

enum status grpc_client_start(struct grpc_client *client, struct str path, uint64_t timeout_ms,
                              struct grpc_client_call **out_call, struct error *error)
{
    struct http_header headers[CALL_HEADERS + CLIENT_HEADERS_MAX] = {
        {.name = STR("content-type"), .value = STR("application/grpc")},
        {.name = STR("te"), .value = STR("trailers")},
        {.name = STR("user-agent"), .value = str_of(client->user_agent)},
    };
    size_t count = CALL_HEADERS - 1;
    char timeout_text[DEADLINE_TEXT_SIZE];
    uint64_t deadline_ns = CLOCK_NEVER;
    if (timeout_ms > 0) {
        size_t len = deadline_format(timeout_ms, timeout_text);
        headers[count++] =
            (struct http_header){.name = STR("grpc-timeout"), .value = str_make(timeout_text, len)};
        uint64_t timeout_ns;
        if (!checked_mul(timeout_ms, NANOSECONDS_PER_MILLISECOND, &timeout_ns))
            timeout_ns = UINT64_MAX;
        deadline_ns = deadline_after(clock_now_ns(), timeout_ns);
    }
    for (size_t i = 0; i < client->header_count; i++) {
        const struct client_header *header = &client->headers[i];
        headers[count++] = (struct http_header){
            .name = str_of(header->name), .value = str_make(header->value, header->value_len)};
    }
    struct http_client_request *request;
    TRY(http_client_start(client->http, STR("POST"), path, headers, count, false, deadline_ns,
                          &request, error));
    struct grpc_client_call *call = NEW(struct grpc_client_call);
    call->request = request;
    frame_reader_init(&call->reader, client->receive_message_bytes_max, STR_EMPTY);
    slices_init(&call->incoming);
    *out_call = call;
    return STATUS_OK;
}

enum status grpc_client_send(struct grpc_client_call *call, struct slices *message,
                             struct error *error)
{
    if (message->bytes > UINT32_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "a message of %zu bytes is larger than gRPC can send", message->bytes);
    uint8_t prefix[FRAME_PREFIX_BYTES];
    frame_write_prefix(prefix, message->bytes);
    CLEANUP(slices_finish) struct slices framed;
    slices_init(&framed);
    slices_append_copy(&framed, prefix, sizeof(prefix));
    slices_move(&framed, message);
    return http_client_write(call->request, &framed, error);
}

bool grpc_client_is_over(const struct grpc_client_call *call)
{
    return http_client_is_over(call->request);
}

enum status grpc_client_half_close(struct grpc_client_call *call, struct error *error)
{
    return http_client_end(call->request, error);
}

struct str grpc_client_metadata(const struct grpc_client_call *call, struct str name)
{
    if (call->ended) {
        struct str value = http_headers_get(http_client_trailers(call->request), name);
        if (value.ptr)
            return value;
    }
    return call->headers ? http_headers_get(call->headers, name) : STR_EMPTY;
}

/* What a response that is not gRPC's stands for. */
static enum status status_of_http(unsigned http_status)
{
    static const struct {
        unsigned http_status;
        enum status status;
    } known[] = {
        {400, STATUS_INTERNAL},      {401, STATUS_UNAUTHENTICATED}, {403, STATUS_PERMISSION_DENIED},
        {404, STATUS_UNIMPLEMENTED}, {429, STATUS_UNAVAILABLE},     {502, STATUS_UNAVAILABLE},
        {503, STATUS_UNAVAILABLE},   {504, STATUS_UNAVAILABLE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (known[i].http_status == http_status)
            return known[i].status;
    }
    return STATUS_UNKNOWN;
}

static enum status read_head(struct grpc_client_call *call, struct error *error)
{
    unsigned http_status;
    TRY(http_client_head(call->request, &http_status, &call->headers, error));
    if (http_headers_get(call->headers, STR("grpc-status")).ptr)
        return STATUS_OK;
    struct str content_type = http_headers_get(call->headers, STR("content-type"));
    if (http_status != 200 || !str_starts_with_nocase(content_type, STR("application/grpc")))
        return error_set(
            error, status_of_http(http_status),
            "the server answered HTTP %u with content-type \"%.*s\"; it does not speak "
            "gRPC here",
            http_status, STR_ARGS(str_slice(content_type, 0, 64)));
    call->reader.encoding = http_headers_get(call->headers, STR("grpc-encoding"));
    return STATUS_OK;
}

static const struct http_headers *headers_with_status(const struct grpc_client_call *call)
{
    const struct http_headers *trailers = http_client_trailers(call->request);
    return http_headers_get(trailers, STR("grpc-status")).ptr ? trailers : call->headers;
}

/* The call's status, once its response is over. */
static enum status read_status(struct grpc_client_call *call, struct error *error)
{
    if (frame_reader_is_midway(&call->reader))
        return error_set(error, STATUS_INTERNAL,
                         "the server ended the call in the middle of a message");
    const struct http_headers *headers = headers_with_status(call);
    struct str code_text = http_headers_get(headers, STR("grpc-status"));
    uint64_t code;
    if (!str_to_u64(code_text, &code))
        return error_set(error, STATUS_INTERNAL, "the server ended the call without a grpc-status");
    if (code == STATUS_OK)
        return STATUS_OK;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str message =
        status_decode_message(&arena, http_headers_get(headers, STR("grpc-message")));
    enum status status = code < STATUS_COUNT ? (enum status)code : STATUS_UNKNOWN;
    error_set(error, status, "%.*s", STR_ARGS(message));
    uint64_t retry_after_ms;
    struct str retry = http_headers_get(headers, STR("grpc-retry-pushback-ms"));
    if (error && str_to_u64(retry, &retry_after_ms) && retry_after_ms <= UINT32_MAX)
        error->retry_after_ms = (uint32_t)retry_after_ms;
    return status;
}

/* Cuts the next message out of what has come. */
static enum status next_message(struct grpc_client_call *call, struct slice *out_message,
                                bool *out_complete, struct error *error)
{
    *out_complete = false;
    while (call->incoming.bytes > 0 && !*out_complete) {
        struct str bytes = slice_str(*slices_at(&call->incoming, 0));
        size_t offered_bytes = bytes.len;
        TRY(frame_reader_read(&call->reader, &bytes, out_message, out_complete, error));
        slices_consume(&call->incoming, offered_bytes - bytes.len);
    }
    return STATUS_OK;
}

enum status grpc_client_receive(struct grpc_client_call *call, struct slice *out_message,
                                bool *out_end, struct error *error)
{
    *out_message = SLICE_EMPTY;
    *out_end = false;
    if (!call->headers)
        TRY(read_head(call, error));
    for (;;) {
        bool complete;
        TRY(next_message(call, out_message, &complete, error));
        if (complete)
            return STATUS_OK;
        if (call->ended) {
            TRY(read_status(call, error));
            *out_end = true;
            return STATUS_OK;
        }
        TRY(http_client_read(call->request, &call->incoming, &call->ended, error));
    }
}

void grpc_client_finish(struct grpc_client_call *call)
{
    if (!call)
        return;
    http_client_finish(call->request);
    frame_reader_finish(&call->reader);
    slices_finish(&call->incoming);
    free(call);
}

static enum status receive_one(struct grpc_client_call *call, struct slice *out_message,
                               struct error *error)
{
    bool end;
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    TRY(grpc_client_receive(call, &message, &end, error));
    if (end)
        return error_set(error, STATUS_UNIMPLEMENTED, "the server sent no response message");
    CLEANUP(slice_finish) struct slice extra = SLICE_EMPTY;
    TRY(grpc_client_receive(call, &extra, &end, error));
    if (!end)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "the server sent more than one response message");
    *out_message = message;
    message = SLICE_EMPTY;
    return STATUS_OK;
}

/* One try; *out_progress tells how far it got. */
static enum status try_unary(struct grpc_client *client, struct str path, uint64_t timeout_ms,
                             const struct slices *request, struct slice *out_response,
                             enum grpc_progress *out_progress, struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    for (size_t i = 0; i < request->count; i++)
        slices_append(&message, slice_ref(request->items[request->first + i]));
    CLEANUP(grpc_client_finish) struct grpc_client_call *call = NULL;
    enum grpc_progress begun = *out_progress;
    *out_progress = GRPC_NOT_BEGUN;
    TRY(grpc_client_start(client, path, timeout_ms, &call, error));
    *out_progress = begun;
    enum status status = grpc_client_send(call, &message, error);
    if (status == STATUS_OK)
        status = grpc_client_half_close(call, error);
    if (status == STATUS_OK)
        status = receive_one(call, out_response, error);
    if (http_client_was_refused(call->request))
        *out_progress = GRPC_NOT_BEGUN;
    return status;
}

/* Milliseconds left of `timeout_ms` since `start_ns`; false when there are none. */
static bool time_left(uint64_t timeout_ms, uint64_t start_ns, uint64_t *out_left_ms)
{
    uint64_t spent_ms = (clock_now_ns() - start_ns) / NANOSECONDS_PER_MILLISECOND;
    *out_left_ms = timeout_ms > spent_ms ? timeout_ms - spent_ms : 0;
    return timeout_ms == 0 || *out_left_ms > 0;
}

enum status grpc_client_unary(struct grpc_client *client, struct str path, uint64_t timeout_ms,
                              bool idempotent, struct slices *request, struct slice *out_response,
                              struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    slices_move(&message, request);
    struct error failure = ERROR_NONE;
    uint64_t start_ns = clock_now_ns();
    uint64_t left_ms = timeout_ms;
    for (unsigned tries = 1;; tries++) {
        enum grpc_progress progress = idempotent ? GRPC_IDEMPOTENT : GRPC_EFFECTIVE;
        enum status status =
            try_unary(client, path, left_ms, &message, out_response, &progress, &failure);
        uint64_t delay_ms;
        if (status == STATUS_OK)
            return STATUS_OK;
        if (!grpc_retry_next(&client->retry, tries, progress, &failure, &delay_ms) ||
            !time_left(timeout_ms, start_ns, &left_ms) || (timeout_ms > 0 && left_ms <= delay_ms))
            return error_copy(error, &failure);
        TRY(http_client_pause(client->http, delay_ms, error));
        (void)time_left(timeout_ms, start_ns, &left_ms);
    }
}
