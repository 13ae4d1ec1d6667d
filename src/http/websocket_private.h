/*
 * websocket_private.h — state of one WebSocket. Private to http/websocket*.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <wslay/wslay.h>

#include "base/buf.h"
#include "event/loop.h"
#include "http/budget.h"
#include "http/connection.h"
#include "http/websocket.h"

#define WEBSOCKET_CONTROL_BYTES_MAX 125
#define WEBSOCKET_REASON_BYTES_MAX 123
/* Frames that carry no message forward; clients in use send a PING a second at most. */
#define WEBSOCKET_IDLE_FRAMES_BURST 100

enum websocket_state {
    WEBSOCKET_OPEN,
    WEBSOCKET_CLOSING, /* our Close is out, the peer's is awaited */
    WEBSOCKET_CLOSED,  /* http_end or http_abort was called */
};

struct websocket {
    struct http_request *request;
    const struct http_handler *door; /* whose request it was */
    void *door_state;
    const struct websocket_events *events;
    void *owner;
    struct websocket_options options; /* without `protocols` */
    struct str protocol;
    enum websocket_state state;
    wslay_frame_context_ptr frames;
    struct loop_timer timer;
    uint64_t heard_ns;    /* when the peer last sent something */
    uint64_t ping_due_ns; /* when to see whether a PING is needed */
    uint64_t pinged_ns;   /* when a PING was sent that nothing followed yet; 0: none */
    uint64_t close_deadline_ns;
    /* Receiving. */
    struct str input;       /* bytes that wslay has not taken yet */
    struct buf kept;        /* bytes that wait until something can be sent */
    struct buf message;     /* the message while its fragments arrive */
    size_t message_checked; /* its bytes found to be UTF-8 */
    bool in_message;        /* its last fragment is still to come */
    enum websocket_type message_type;
    bool in_frame;                                /* the frame's payload is not complete */
    uint64_t frame_bytes;                         /* its payload that came */
    uint8_t control[WEBSOCKET_CONTROL_BYTES_MAX]; /* a control frame's payload */
    size_t control_size;
    struct http_budget idle_frames; /* frames that carry no message forward */
    bool is_receiving;              /* websocket_receive is running */
    /* Sending. */
    struct slices output;        /* where wslay's bytes go */
    const struct slice *sending; /* what it is given to send */
    /* How it ended. */
    unsigned close_code;
    uint8_t close_reason[WEBSOCKET_REASON_BYTES_MAX];
    size_t close_reason_size;
};

/* --- websocket.c ------------------------------------------------------------------------------- */

/* Puts itself in the place of the request's handler, which http_upgrade was called for. */
struct websocket *websocket_create(struct http_request *request,
                                   const struct websocket_options *options,
                                   const struct websocket_events *events, void *owner,
                                   struct str protocol);
/* Remembers how it ended; the first call counts. */
void websocket_note_end(struct websocket *websocket, unsigned code, struct str reason);
/* Sends a Close and ends: the peer broke a rule. */
void websocket_fail(struct websocket *websocket, enum websocket_code code, const char *reason);
/* Ends our direction after the last frame. */
void websocket_end(struct websocket *websocket);
/* Sets the timer for what is due next. */
void websocket_arm(struct websocket *websocket);

/* --- websocket_receive.c ----------------------------------------------------------------------- */

/* What wslay calls for input. */
ssize_t websocket_read_input(uint8_t *bytes, size_t size, int flags, void *user_data);
/* Takes bytes of the peer: goes through the frames in them, and keeps what has to wait. */
void websocket_receive(struct websocket *websocket, const uint8_t *bytes, size_t size);
/* Goes on with what was kept. */
void websocket_receive_kept(struct websocket *websocket);

/* --- websocket_send.c -------------------------------------------------------------------------- */

/* What wslay calls with output. */
ssize_t websocket_take_output(const uint8_t *bytes, size_t size, int flags, void *user_data);
/* Sends a PING, PONG or Close frame. */
void websocket_send_control(struct websocket *websocket, enum wslay_opcode opcode,
                            const uint8_t *bytes, size_t size);
/* Sends a Close frame; without a payload for WEBSOCKET_NO_CODE. */
void websocket_send_close(struct websocket *websocket, unsigned code, struct str reason);
