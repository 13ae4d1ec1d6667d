/*
 * http2_sent.c — what follows from each frame that nghttp2 hands to the output, or cannot.
 *
 * The last frame of a response begins its way out (`finishing`); what is sent earns the client its
 * window updates and PINGs; RST_STREAM that its errors cost are counted.
 *
 * Runs on the connection's loop. Owns nothing. Leaves out: when the bytes have left (http2_server.c).
 * Spec: RFC 9113. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

/* What a response may have before it stands behind those of others that are smaller. */
#define SMALL_ANSWER_BYTES ((uint64_t)64 << 10)

/* DATA is in the output by now; nghttp2 hands the bytes of HEADERS out after this. */
static void note_end_framed(struct http2_server *server, int32_t id, uint8_t type)
{
    struct http_stream *stream = http2_server_stream(server, id);
    if (!stream || stream->body.aborted)
        return;
    stream->end_framed = true;
    stream->end_position = server->http2.output->appended;
    if (type == NGHTTP2_HEADERS)
        server->http2.end_position = &stream->end_position;
    list_append(&server->finishing, &stream->end_link);
    server->finishing_count++;
}

/* A reset that a handler may have asked for. */
static bool may_be_own(uint32_t error_code)
{
    return error_code == NGHTTP2_INTERNAL_ERROR || error_code == NGHTTP2_CANCEL;
}

/* Counts what the client's errors cost; handlers' own resets and refusals are no errors. */
static void note_reset(struct http2_server *server, const nghttp2_frame *frame)
{
    uint32_t error_code = frame->rst_stream.error_code;
    http2_frames_note_reset(server, (uint32_t)frame->hd.stream_id);
    if (error_code == NGHTTP2_FLOW_CONTROL_ERROR)
        http_connection_strike(server->connection, HTTP_STRIKE_WINDOW_OVERFLOW);
    if (error_code == NGHTTP2_NO_ERROR || error_code == NGHTTP2_REFUSED_STREAM)
        return;
    if (may_be_own(error_code) && server->own_resets > 0)
        server->own_resets--;
    else
        http2_budget_spend(server, HTTP2_BUDGET_SERVER_RESETS);
}

static void note_data(struct http2_server *server, const nghttp2_frame *frame)
{
    struct http_stream *stream = http2_server_stream(server, frame->hd.stream_id);
    http2_budgets_earn(server, frame->hd.length, !stream || stream->body.queue.bytes == 0);
    if (!stream)
        return;
    http_stream_framed(stream);
    bool was_small = stream->framed_bytes < SMALL_ANSWER_BYTES;
    stream->framed_bytes += frame->hd.length;
    if (was_small && stream->framed_bytes >= SMALL_ANSWER_BYTES)
        http2_set_urgency(server->http2.session, stream->body.id, HTTP2_URGENCY_LARGE);
}

static void note_goaway(struct http2_server *server, const nghttp2_frame *frame)
{
    if (frame->goaway.error_code == NGHTTP2_FLOW_CONTROL_ERROR)
        http_connection_strike(server->connection, HTTP_STRIKE_WINDOW_OVERFLOW);
    http2_server_drain_noticed(server);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)session;
    struct http2_server *server = CONTAINER_OF(user_data, struct http2_server, http2);
    switch (frame->hd.type) {
    case NGHTTP2_RST_STREAM:
        note_reset(server, frame);
        return 0;
    case NGHTTP2_GOAWAY:
        note_goaway(server, frame);
        return 0;
    case NGHTTP2_DATA:
        note_data(server, frame);
        break;
    case NGHTTP2_HEADERS:
        http2_budgets_earn(server, 0, true);
        break;
    default:
        return 0;
    }
    http2_keepalive_sent(server);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        note_end_framed(server, frame->hd.stream_id, frame->hd.type);
    return 0;
}

/* A response head that cannot be sent (too large) must not leave the client waiting. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int result,
                             void *user_data)
{
    struct http2_server *server = CONTAINER_OF(user_data, struct http2_server, http2);
    if (frame->hd.type == NGHTTP2_RST_STREAM && may_be_own(frame->rst_stream.error_code) &&
        server->own_resets > 0)
        server->own_resets--;
    bool stream_is_gone =
        result == NGHTTP2_ERR_STREAM_CLOSED || result == NGHTTP2_ERR_STREAM_CLOSING;
    if (frame->hd.type != NGHTTP2_HEADERS || stream_is_gone)
        return 0;
    if (nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_INTERNAL_ERROR) == 0)
        server->own_resets++;
    return 0;
}

void http2_sent_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
}
