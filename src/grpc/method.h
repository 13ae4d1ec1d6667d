/*
 * method.h — what a gRPC service gives to grpc: a table of methods, one set of functions per method.
 *
 * One shape serves all four kinds of method. A call is opened, receives its request messages one by
 * one, is told that there are no more, and is asked for its response messages, one by one, whenever the
 * client's window has room. A unary call is one that receives one message and produces one.
 *
 *      open -> receive* -> half_close -> next* -> close        (receive and next may interleave)
 *
 * Threads: open, next, cancel and close run on the call's loop and never block. receive and half_close
 * run on the loop too, or on a worker when the method is `blocking`; they are then never run at the
 * same time as each other, as next or as close. When next has nothing yet it answers GRPC_WAIT, and
 * grpc_call_wake, from any thread, has it asked again.
 *
 * The end of a call is one path: the client's cancel, its disconnect, the deadline, a failed function
 * and GRPC_END all lead to `cancel` (if next had not ended) and then, exactly once, to `close`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "event/loop.h"
#include "http/request.h"

enum grpc_shape {
    GRPC_UNARY,    /* one request, one response */
    GRPC_DOWNLOAD, /* one request, many responses */
    GRPC_UPLOAD,   /* many requests, one response */
    GRPC_EXCHANGE, /* many, many (Flight's DoPut is one) */
};

enum grpc_step {
    GRPC_MESSAGE, /* `out` is one response message (possibly of 0 bytes) */
    GRPC_WAIT,    /* nothing yet; grpc_call_wake will follow */
    GRPC_END,     /* no more; the call succeeded */
};

struct grpc_call {
    const struct grpc_method *method;
    void *service; /* the service's context, as registered */
    void *state;   /* the method's own, set by open */
    struct loop *loop;
    struct arena *arena; /* freed after close; used by whichever of open, receive,
                                    half_close, next and close runs, never by cancel */
    struct http_headers
        metadata;        /* the request's headers, without pseudo-headers; "-bin" values as sent */
    struct str id;       /* x-request-id */
    struct str trace_id; /* of the caller's traceparent; empty: none */
    struct str span_id;
    struct str peer;
    uint64_t connection_id;
    uint64_t started_ns;
    uint64_t deadline_ns; /* clock_now_ns() scale; CLOCK_NEVER: none */
    /* Where in a request message the bytes begin that the method wants aligned to 64 bytes: messages that
     * come after it was set have them so. Any thread that runs receive. */
    atomic_size_t aligned_offset;
    /* Whether messages from now on stay in memory for long: begins as the method says. The same threads. */
    atomic_bool keeps_messages;
    /* For the log line and the metrics; the method may set them at any time before close, from
     * whichever thread runs it. */
    uint64_t rows;
    uint64_t fingerprint;    /* of the statement; 0: none */
    struct str statement_id; /* in the arena, or constant */
};

struct grpc_method {
    const char *path; /* "/arrow.flight.protocol.FlightService/DoGet" */
    enum grpc_shape shape;
    /* For long, unless the call says otherwise: memory for many large ones is taken in large blocks. */
    bool keeps_messages;
    bool blocking; /* receive and half_close run on a worker */
    /* Of a blocking method, may be NULL: whether receive would be done with this message in a moment
     * and without waiting. It then runs on the loop, which saves two switches of threads. */
    bool (*is_quick)(struct grpc_call *call, struct slice message);
    /* The same of the half-close. */
    bool (*end_is_quick)(struct grpc_call *call);
    /* May be NULL: whether the method takes the message that came; else it is asked again when the call is
     * woken, and the client waits. Loop, never beside receive. */
    bool (*has_room)(struct grpc_call *call);
    /* Fails the call when no complete request message has come by then; 0: it may take for ever. For
     * methods whose first message tells what is wanted: without it a client that only reads would wait for an
     * answer that cannot come. */
    uint32_t first_message_ms;
    /* Of an EXCHANGE that answers: the next request message is received only when next has nothing to
     * send, so that a client that does not read its answers cannot ask for more of them. */
    bool in_turn;
    /* May be NULL. When it fails, close is called all the same (and cancel before it). */
    enum status (*open)(struct grpc_call *call, struct error *error);
    /* One request message; contiguous, in a buffer of its own aligned to 64 bytes (or see
     * aligned_offset). The method may
     * keep it (slice_ref). While it has not returned, the client can send one message and one
     * stream window more. Methods with one request message are given it once the client half-closed. */
    enum status (*receive)(struct grpc_call *call, struct slice message, struct error *error);
    enum status (*half_close)(struct grpc_call *call, struct error *error); /* may be NULL */
    /* Appends a message to `out`, which already holds the room for its prefix. After the one response
     * message of a UNARY or UPLOAD method the call ends without a further next. */
    enum status (*next)(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                        struct error *error);
    void (*cancel)(
        struct grpc_call *call); /* may be NULL; interrupts what runs; may be called while
                                               receive runs on a worker */
    /* The connection is to close when its calls are over: what has no end of its own ends soon. Loop,
     * also while receive runs on a worker; may be NULL. */
    void (*drain)(struct grpc_call *call);
    void (*close)(struct grpc_call *call); /* may be NULL */
};

/* Has next asked again, soon. Any thread, any number of times, until close. */
void grpc_call_wake(struct grpc_call *call);

/* Adds response metadata: before the first message (later: ignored). Copies. Loop, or the worker that
 * runs receive. Values of "-bin" names are raw bytes and are encoded. */
void grpc_call_add_header(struct grpc_call *call, struct str name, struct str value);
void grpc_call_add_trailer(struct grpc_call *call, struct str name, struct str value);
/* A request metadata value; "-bin" values decoded into the arena. False when absent or malformed. */
bool grpc_call_metadata(struct grpc_call *call, struct str name, struct str *out_value);
