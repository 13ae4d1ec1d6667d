/*
 * http1_client.c — HTTP/1.1 on the client's side, one request at a time.
 *
 * A request without content-length sends its body in chunks. Reading stops while the caller leaves
 * response bytes waiting. A response that was given up, or that the server ends with the connection,
 * costs the connection; the next request makes a new one.
 *
 * Runs on the client's thread. Owns the parser. Leaves out: connecting (client.c).
 * Spec: RFC 9112. SPDX-License-Identifier: Apache-2.0
 */
#include <llhttp/llhttp.h>

#include "base/buf.h"
#include "base/checked.h"
#include "base/memory.h"
#include "http/client_private.h"

#include <stdio.h>

#define FIELD_BYTES_MAX ((size_t)1 << 20)

struct http1_client {
    struct http_client *client;
    struct http_client_request *current; /* NULL: none is under way */
    llhttp_t parser;
    struct buf name; /* of the header field being received */
    struct buf value;
    bool is_chunked;  /* the request's body */
    bool end_framed;  /* the request is framed to its end */
    bool is_complete; /* the response is */
};

static struct http1_client *state_of(const struct http_client *client)
{
    return (struct http1_client *)client->protocol_state;
}

/* --- llhttp's callbacks ------------------------------------------------------------------------ */

static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    struct http1_client *state = parser->data;
    buf_append(&state->name, at, size);
    return state->name.failed ? -1 : 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct http1_client *state = parser->data;
    buf_append(&state->value, at, size);
    return state->value.failed ? -1 : 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct http1_client *state = parser->data;
    for (size_t i = 0; i < state->name.len; i++) {
        uint8_t byte = state->name.ptr[i];
        if (byte >= 'A' && byte <= 'Z')
            state->name.ptr[i] = (uint8_t)(byte - 'A' + 'a');
    }
    http_client_add_header(state->current, buf_str(&state->name), str_trim(buf_str(&state->value)));
    buf_clear(&state->name);
    buf_clear(&state->value);
    return !state->current || state->current->failed ? -1 : 0;
}

static bool is_interim(const llhttp_t *parser)
{
    return parser->status_code >= 100 && parser->status_code < 200;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http1_client *state = parser->data;
    if (is_interim(parser))
        return 0;
    state->current->status = parser->status_code;
    state->current->head_complete = true;
    return state->current->is_head ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct http1_client *state = parser->data;
    http_client_keep(state->current, (const uint8_t *)at, size);
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http1_client *state = parser->data;
    if (is_interim(parser)) {
        http_client_clear_headers(state->current);
        return 0;
    }
    state->is_complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- connection -------------------------------------------------------------------------------- */

static void http1_client_start(struct http_client *client)
{
    struct http1_client *state = NEW(struct http1_client);
    client->protocol_state = state;
    state->client = client;
    buf_init(&state->name, FIELD_BYTES_MAX);
    buf_init(&state->value, FIELD_BYTES_MAX);
}

static void http1_client_finish(struct http_client *client)
{
    struct http1_client *state = state_of(client);
    buf_finish(&state->name);
    buf_finish(&state->value);
    free(state);
    client->protocol_state = NULL;
}

static void complete_response(struct http1_client *state)
{
    struct http_client_request *request = state->current;
    request->ended = true;
    state->current = NULL;
    http_client_detach(request);
    if (!state->end_framed || !llhttp_should_keep_alive(&state->parser))
        state->client->no_new_requests = true;
}

static void http1_client_receive(struct http_client *client, const uint8_t *bytes, size_t size)
{
    struct http1_client *state = state_of(client);
    if (!state->current) { /* bytes that nobody asked for */
        client->wire.broken = true;
        return;
    }
    const char *text = (const char *)bytes;
    enum llhttp_errno result = llhttp_execute(&state->parser, text, size);
    if (state->is_complete) {
        if (llhttp_get_error_pos(&state->parser) < text + size)
            client->no_new_requests = true;
        complete_response(state);
    } else if (result != HPE_OK) {
        client->wire.broken = true;
        if (state->current)
            http_client_fail(state->current, STATUS_UNAVAILABLE, "%s sent a malformed response: %s",
                             client->address, llhttp_get_error_reason(&state->parser));
    }
}

static void http1_client_receive_end(struct http_client *client)
{
    struct http1_client *state = state_of(client);
    /* Without a goodbye of TLS a body that lasts until the end may have been cut by anybody. */
    if (!state->current || client->wire.truncated)
        return;
    (void)llhttp_finish(&state->parser);
    if (state->is_complete)
        complete_response(state);
}

static void frame_body(struct http1_client *state, struct http_body *body)
{
    struct http_output *output = &state->client->wire.output;
    size_t size = size_min(body->queue.bytes, HTTP_OUTPUT_BYTES_MAX);
    char head[24];
    int length = snprintf(head, sizeof(head), "%zx\r\n", size);
    if (state->is_chunked)
        http_output_copy(output, head, (size_t)length);
    http_output_take(output, &body->queue, size);
    if (state->is_chunked)
        http_output_copy_str(output, STR("\r\n"));
}

static bool http1_client_produce(struct http_client *client)
{
    struct http1_client *state = state_of(client);
    struct http_client_request *request = state->current;
    client->wire.reading = !request || request->inbound.bytes < HTTP_CLIENT_QUEUE_BYTES_MAX;
    if (!request)
        return false;
    while (request->body.queue.bytes > 0) {
        if (client->wire.output.bytes >= HTTP_OUTPUT_BYTES_MAX)
            return true;
        frame_body(state, &request->body);
    }
    if (request->body.ended && !state->end_framed) {
        state->end_framed = true;
        if (state->is_chunked)
            http_output_copy_str(&client->wire.output, STR("0\r\n\r\n"));
    }
    return false;
}

/* --- requests ---------------------------------------------------------------------------------- */

static void put_field(struct http_output *output, struct str name, struct str value)
{
    http_output_copy_str(output, name);
    http_output_copy_str(output, STR(": "));
    http_output_copy_str(output, value);
    http_output_copy_str(output, STR("\r\n"));
}

static enum status http1_client_send_head(struct http_client_request *request, struct str method,
                                          struct str path, const struct http_header *headers,
                                          size_t count, bool end, struct error *error)
{
    struct http_client *client = request->client;
    struct http1_client *state = state_of(client);
    struct http_output *output = &client->wire.output;
    if (state->current)
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "an HTTP/1.1 connection takes one request at a time");
    http_output_copy_str(output, method);
    http_output_copy_str(output, STR(" "));
    http_output_copy_str(output, path);
    http_output_copy_str(output, STR(" HTTP/1.1\r\n"));
    put_field(output, STR("host"), str_of(client->authority));
    for (size_t i = 0; i < count; i++)
        put_field(output, headers[i].name, headers[i].value);
    const struct http_headers all = {.items = headers, .count = count};
    bool has_length = http_headers_get(&all, STR("content-length")).ptr != NULL;
    state->is_chunked = !end && !has_length;
    if (state->is_chunked)
        put_field(output, STR("transfer-encoding"), STR("chunked"));
    else if (!has_length && !str_equal(method, STR("GET")) && !request->is_head)
        put_field(output, STR("content-length"), STR("0"));
    http_output_copy_str(output, STR("\r\n"));
    llhttp_init(&state->parser, HTTP_RESPONSE, &parser_settings);
    state->parser.data = state;
    state->current = request;
    state->end_framed = end;
    state->is_complete = false;
    request->attached = true;
    return STATUS_OK;
}

static void http1_client_write(struct http_client_request *request)
{
    (void)request;
}

static void http1_client_consume(struct http_client_request *request, size_t size)
{
    (void)request, (void)size;
}

static void http1_client_reset(struct http_client_request *request)
{
    state_of(request->client)->current = NULL;
    request->client->wire.broken = true;
    http_client_detach(request);
}

const struct http_client_protocol http1_client_protocol = {
    .start = http1_client_start,
    .receive = http1_client_receive,
    .receive_end = http1_client_receive_end,
    .produce = http1_client_produce,
    .send_head = http1_client_send_head,
    .write = http1_client_write,
    .consume = http1_client_consume,
    .reset = http1_client_reset,
    .finish = http1_client_finish,
};
