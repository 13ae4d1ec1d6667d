/*
 * frames.h — HTTP/2 frames as bytes, written and read by hand, so that broken ones can be made.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "peer.h"

enum frame_type {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_PRIORITY = 2,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8,
    FRAME_CONTINUATION = 9,
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

/* Frames to be sent, or what was received. */
struct frames {
    struct buf bytes;
};

void frames_init(struct frames *frames);
void frames_finish(struct frames *frames);
void frames_add(struct frames *frames, enum frame_type type, unsigned flags, uint32_t stream,
                const void *payload, size_t size);
/* "PRI * ..." and an empty SETTINGS. */
void frames_add_preface(struct frames *frames);
/* One HEADERS frame of a request; `extra` is "name: value\n..." or NULL. */
void frames_add_request(struct frames *frames, uint32_t stream, const char *method,
                        const char *path, const char *extra, bool end);
void frames_add_u32(struct frames *frames, enum frame_type type, uint32_t stream, uint32_t value);
/* Appends one field as HPACK literal without indexing. */
void frames_put_field(struct buf *block, const char *name, const char *value);
/* Sends all frames and empties the list. */
void frames_send(struct frames *frames, struct peer *peer);

/* One received frame. */
struct frame {
    enum frame_type type;
    unsigned flags;
    uint32_t stream;
    const uint8_t *payload;
    size_t size;
};
/* The next frame of what the peer sent, from `*offset` on; false at the end. */
bool frame_next(const struct peer *peer, size_t *offset, struct frame *out_frame);
/* What the peer sent since the last call as text: "SETTINGS; HEADERS 1 200 end; DATA 1 5 end". SETTINGS
 * and WINDOW_UPDATE of stream 0 are left out, as the order of their coming does not matter. */
#define FRAMES_EXPECT(peer, text) frames_expect((peer), (text), __FILE__, __LINE__)
void frames_expect(struct peer *peer, const char *text, const char *file, int line);
