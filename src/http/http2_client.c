/*
 * http2_client.c — HTTP/2 with prior knowledge on the client's side.
 *
 * Response bytes are kept per request; the connection's window is given back at once and the stream's
 * when the caller took the bytes, so that a request nobody reads holds up no other.
 *
 * Runs on the client's thread. Owns the nghttp2 session. Leaves out: framing bodies (http2.c).
 * Spec: RFC 9113 sections 3.3, 8. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "http/client_private.h"
#include "http/http2.h"

#include <assert.h>
#include <string.h>

#define STREAM_WINDOW_BYTES (4 << 20)
#define CONNECTION_WINDOW_BYTES (32 << 20)
#define FRAME_BYTES_MAX (1 << 20)

struct http2_client {
    struct http2_session http2;
    struct http_client *client;
};

static struct http2_client *state_of(const struct http_client *client)
{
    return (struct http2_client *)client->protocol_state;
}

static struct http_client_request *request_of(nghttp2_session *session, int32_t id)
{
    struct http_body *body = nghttp2_session_get_stream_user_data(session, id);
    return body ? CONTAINER_OF(body, struct http_client_request, body) : NULL;
}

/* --- what arrives ------------------------------------------------------------------------------ */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    (void)flags, (void)user_data;
    struct http_client_request *request = request_of(session, frame->hd.stream_id);
    if (!request)
        return 0;
    struct str text = str_make(value, value_len);
    if (name_len == 0 || name[0] != ':') {
        http_client_add_header(request, str_make(name, name_len), text);
        return 0;
    }
    uint64_t status = 0;
    if (str_equal(str_make(name, name_len), STR(":status")) && str_to_u64(text, &status))
        request->status = (unsigned)status;
    return 0;
}

static void end_response(struct http_client_request *request)
{
    if (!request->failed)
        request->ended = true;
}

static void receive_headers(struct http_client_request *request, bool ends)
{
    if (request->status < 200 && !request->head_complete)
        http_client_clear_headers(request);
    else
        request->head_complete = true;
    if (ends)
        end_response(request);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http2_client *state = CONTAINER_OF(user_data, struct http2_client, http2);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        state->client->no_new_requests = true;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct http_client_request *request = request_of(session, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (request && frame->hd.type == NGHTTP2_HEADERS)
        receive_headers(request, ends);
    else if (request && ends)
        end_response(request);
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *bytes, size_t size, void *user_data)
{
    (void)flags, (void)user_data;
    (void)nghttp2_session_consume_connection(session, size);
    struct http_client_request *request = request_of(session, stream_id);
    if (request && !request->failed && !request->body.aborted)
        http_client_keep(request, bytes, size);
    return 0;
}

static enum status status_of_reset(uint32_t error_code)
{
    if (error_code == NGHTTP2_CANCEL)
        return STATUS_CANCELLED;
    if (error_code == NGHTTP2_ENHANCE_YOUR_CALM)
        return STATUS_RESOURCE_EXHAUSTED;
    return STATUS_UNAVAILABLE;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    (void)user_data;
    struct http_client_request *request = request_of(session, stream_id);
    if (!request)
        return 0;
    request->was_refused = error_code == NGHTTP2_REFUSED_STREAM && !request->head_complete;
    http_client_fail(request, status_of_reset(error_code), "the server broke the response off (%s)",
                     nghttp2_http2_strerror(error_code));
    http_client_detach(request);
    return 0;
}

/* --- connection -------------------------------------------------------------------------------- */

static void submit_settings(nghttp2_session *session)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES_MAX},
    };
    int result = nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries, ARRAY_COUNT(entries));
    assert(result == 0);
    result = nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                   CONNECTION_WINDOW_BYTES);
    assert(result == 0);
}

static void http2_client_start(struct http_client *client)
{
    struct http2_client *state = NEW(struct http2_client);
    client->protocol_state = state;
    state->client = client;
    state->http2.output = &client->wire.output;
    state->http2.frame_bytes_max = FRAME_BYTES_MAX;
    state->http2.output_bytes_max = HTTP_OUTPUT_BYTES_MAX;
    nghttp2_session_callbacks *callbacks = http2_callbacks_create();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option *option = http2_option_create();
    int result =
        nghttp2_session_client_new2(&state->http2.session, callbacks, &state->http2, option);
    assert(result == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    submit_settings(state->http2.session);
}

static void http2_client_finish(struct http_client *client)
{
    struct http2_client *state = state_of(client);
    nghttp2_session_del(state->http2.session);
    free(state);
    client->protocol_state = NULL;
}

static void http2_client_receive(struct http_client *client, const uint8_t *bytes, size_t size)
{
    struct http2_client *state = state_of(client);
    if (state->http2.failed || !nghttp2_session_want_read(state->http2.session))
        return;
    if (nghttp2_session_mem_recv(state->http2.session, bytes, size) < 0)
        state->http2.failed = true;
}

static void http2_client_receive_end(struct http_client *client)
{
    (void)client;
}

static bool http2_client_produce(struct http_client *client)
{
    struct http2_client *state = state_of(client);
    bool more = http2_session_pump(&state->http2);
    nghttp2_session *session = state->http2.session;
    if (state->http2.failed ||
        (!nghttp2_session_want_read(session) && !nghttp2_session_want_write(session)))
        client->wire.broken = true;
    return more;
}

/* --- requests ---------------------------------------------------------------------------------- */

static enum status http2_client_send_head(struct http_client_request *request, struct str method,
                                          struct str path, const struct http_header *headers,
                                          size_t count, bool end, struct error *error)
{
    struct http_client *client = request->client;
    struct http2_client *state = state_of(client);
    nghttp2_nv *nvs = ARENA_NEW_ARRAY(&request->arena, nghttp2_nv, count + 4);
    nvs[0] = http2_nv(STR(":method"), method);
    nvs[1] = http2_nv(STR(":scheme"), client->tls ? STR("https") : STR("http"));
    nvs[2] = http2_nv(STR(":path"), path);
    nvs[3] = http2_nv(STR(":authority"), str_of(client->authority));
    for (size_t i = 0; i < count; i++)
        nvs[4 + i] = http2_nv(headers[i].name, headers[i].value);
    nghttp2_data_provider provider = http2_body_provider(&request->body);
    int32_t id = nghttp2_submit_request(state->http2.session, NULL, nvs, count + 4,
                                        end ? NULL : &provider, &request->body);
    if (id < 0)
        return error_set(error, STATUS_UNAVAILABLE, "cannot send a request to %s: %s",
                         client->address, nghttp2_strerror(id));
    request->body.id = id;
    request->attached = true;
    return STATUS_OK;
}

static void http2_client_write(struct http_client_request *request)
{
    http2_body_resume(&state_of(request->client)->http2, &request->body);
}

static void http2_client_consume(struct http_client_request *request, size_t size)
{
    struct http2_client *state = state_of(request->client);
    if (!state->http2.failed)
        (void)nghttp2_session_consume_stream(state->http2.session, request->body.id, size);
}

static void http2_client_reset(struct http_client_request *request)
{
    struct http2_client *state = state_of(request->client);
    if (state->http2.failed)
        return;
    slices_finish(&request->body.queue);
    request->body.aborted = true;
    uint32_t error_code = request->ended ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL;
    (void)nghttp2_submit_rst_stream(state->http2.session, NGHTTP2_FLAG_NONE, request->body.id,
                                    error_code);
}

const struct http_client_protocol http2_client_protocol = {
    .start = http2_client_start,
    .receive = http2_client_receive,
    .receive_end = http2_client_receive_end,
    .produce = http2_client_produce,
    .send_head = http2_client_send_head,
    .write = http2_client_write,
    .consume = http2_client_consume,
    .reset = http2_client_reset,
    .finish = http2_client_finish,
};
