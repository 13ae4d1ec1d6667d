/*
 * http2.c — the sending half of an HTTP/2 session, for server and client.
 *
 * nghttp2 decides which stream may send how much; it then asks for the length (read_body), and after
 * writing the frame's head for the bytes (send_body), which move by reference from the stream's queue
 * into the output. When the output is full, send_body refuses and nghttp2 keeps the frame until the
 * next pump; so a peer that does not read costs one output and the streams' queues.
 *
 * Runs on the connection's loop. Owns nothing: both roles own their sessions.
 * Leaves out: receiving (http2_server.c, http2_client.c). Spec: RFC 9113, RFC 7541.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2.h"

#include "base/checked.h"

#include <assert.h>

#define FRAME_HEAD_BYTES 9
/* What is announced to nghttp2 for a stream without bytes: asked anyway, it then defers or ends. */
#define LENGTH_WITHOUT_BYTES 1

/* Offers no more than what waits: nghttp2 sizes a buffer after the largest offer. */
static ssize_t choose_length(nghttp2_session *session, uint8_t frame_type, int32_t stream_id,
                             int32_t session_window, int32_t stream_window, uint32_t frame_max,
                             void *user_data)
{
    (void)frame_type;
    const struct http2_session *http2 = user_data;
    const struct http_body *body = http2->recent;
    if (!body || body->id != stream_id)
        body = nghttp2_session_get_stream_user_data(session, stream_id);
    size_t length = size_min(frame_max, http2->frame_bytes_max);
    if (session_window > 0)
        length = size_min(length, (size_t)session_window);
    if (stream_window > 0)
        length = size_min(length, (size_t)stream_window);
    size_t waiting = body ? body->queue.bytes : 0;
    return (ssize_t)size_min(length, waiting > 0 ? waiting : LENGTH_WITHOUT_BYTES);
}

static bool submit_trailers(nghttp2_session *session, const struct http_body *body)
{
    nghttp2_nv nvs[32];
    size_t count = size_min(body->trailer_count, sizeof(nvs) / sizeof(nvs[0]));
    for (size_t i = 0; i < count; i++) {
        nvs[i] = http2_nv(body->trailers[i].name, body->trailers[i].value);
        nvs[i].flags |= HTTP2_NV_STAYS;
    }
    return nghttp2_submit_trailer(session, body->id, nvs, count) == 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *buffer,
                         size_t length, uint32_t *flags, nghttp2_data_source *source,
                         void *user_data)
{
    (void)stream_id, (void)buffer, (void)user_data;
    struct http_body *body = source->ptr;
    bool is_complete = body->ended && !body->held;
    if (body->queue.bytes == 0 && (!is_complete || body->aborted)) {
        body->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t size = size_min(length, body->queue.bytes);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == body->queue.bytes && is_complete) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (body->trailer_count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (!submit_trailers(session, body))
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)size;
}

static int send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
                     size_t length, nghttp2_data_source *source, void *user_data)
{
    (void)session;
    struct http2_session *http2 = user_data;
    struct http_body *body = source->ptr;
    assert(frame->data.padlen == 0);
    if (http2->output->bytes >= http2->output_bytes_max)
        return NGHTTP2_ERR_WOULDBLOCK;
    if (body->queue.bytes < length) /* aborted after the frame was promised */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    http_output_copy(http2->output, frame_head, FRAME_HEAD_BYTES);
    http_output_take(http2->output, &body->queue, length);
    return 0;
}

nghttp2_session_callbacks *http2_callbacks_create(void)
{
    nghttp2_session_callbacks *callbacks = NULL;
    int result = nghttp2_session_callbacks_new(&callbacks);
    assert(result == 0);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, choose_length);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
    return callbacks;
}

nghttp2_option *http2_option_create(void)
{
    nghttp2_option *option = NULL;
    int result = nghttp2_option_new(&option);
    assert(result == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    return option;
}

nghttp2_data_provider http2_body_provider(struct http_body *body)
{
    return (nghttp2_data_provider){.source.ptr = body, .read_callback = read_body};
}

void http2_body_resume(struct http2_session *session, struct http_body *body)
{
    if (!body->deferred || session->failed)
        return;
    body->deferred = false;
    (void)nghttp2_session_resume_data(session->session, body->id);
}

bool http2_session_pump(struct http2_session *session)
{
    while (!session->failed) {
        if (session->output->bytes >= session->output_bytes_max)
            return true;
        const uint8_t *bytes = NULL;
        ssize_t size = nghttp2_session_mem_send(session->session, &bytes);
        if (size < 0)
            session->failed = true;
        if (size <= 0)
            return size == 0 && session->output->bytes >= session->output_bytes_max;
        http_output_copy(session->output, bytes, (size_t)size);
        if (session->end_position)
            *session->end_position = session->output->appended;
        session->end_position = NULL;
    }
    return false;
}

/* Values that repeat from message to message are worth a place in the peer's table. Looked at for each
 * field that is sent: by length first. */
static bool is_repeating(struct str name)
{
    static const struct str names[][3] = {
        [2] = {STR("te")},
        [4] = {STR("date"), STR("vary")},
        [6] = {STR("server"), STR("accept")},
        [7] = {STR(":status"), STR(":method"), STR(":scheme")},
        [10] = {STR(":authority"), STR("user-agent")},
        [11] = {STR("grpc-status")},
        [12] = {STR("content-type")},
        [13] = {STR("authorization"), STR("cache-control")},
        [20] = {STR("grpc-accept-encoding")},
    };
    if (name.len >= sizeof(names) / sizeof(names[0]))
        return false;
    for (size_t i = 0; i < sizeof(names[0]) / sizeof(names[0][0]); i++) {
        if (name.len > 0 && str_equal(names[name.len][i], name))
            return true;
    }
    return false;
}

nghttp2_nv http2_nv(struct str name, struct str value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)name.ptr,
        .namelen = name.len,
        .value = (uint8_t *)(value.ptr ? value.ptr : ""),
        .valuelen = value.len,
        .flags = is_repeating(name) ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX,
    };
}
