/*
 * http2.h — what both ends of an HTTP/2 connection have in common: one nghttp2 session that frames
 * bodies by reference into an output queue.
 *
 * Private to http; included only where nghttp2 is used. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/error.h"
#include "http/body.h"
#include "http/output.h"

struct http2_session {
    nghttp2_session *session;
    struct http_output *output;
    size_t frame_bytes_max;  /* largest DATA frame we send */
    size_t output_bytes_max; /* framing stops when the output holds so much */
    bool failed;             /* nghttp2 gave up; only freeing is left */
    /* Of a stream that nghttp2 knows and that was looked at last, where the role keeps track of that;
     * NULL: none. */
    struct http_body *recent;
    /* Where the position goes at which the bytes end that nghttp2 is about to hand out; NULL: nobody
     * asked. */
    uint64_t *end_position;
};

/* For fields whose bytes stay where they are until the frame is packed or its stream closed. */
#define HTTP2_NV_STAYS (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

/* Callbacks with the sending half filled in; the caller adds its own and frees them. The stream's
 * user data is its struct http_body; the session's is the struct http2_session. */
nghttp2_session_callbacks *http2_callbacks_create(void);
/* Options common to both roles; the caller frees them. */
nghttp2_option *http2_option_create(void);
/* Provides a body's bytes to nghttp2_submit_request and _response. */
nghttp2_data_provider http2_body_provider(struct http_body *body);
/* Has nghttp2 ask the body again if it had nothing to send. */
void http2_body_resume(struct http2_session *session, struct http_body *body);
/* Frames into the output up to output_bytes_max; true when there may be more. */
bool http2_session_pump(struct http2_session *session);
/* A header for nghttp2, which copies it unless HTTP2_NV_STAYS is added; the name is in lower case. */
nghttp2_nv http2_nv(struct str name, struct str value);
