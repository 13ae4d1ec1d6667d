/*
 * call.h — one gRPC call on one HTTP request: its state machine and what that needs.
 *
 * Private to src/grpc. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/handler.h"

enum call_state {
    CALL_LIVE,   /* messages pass in either direction */
    CALL_ENDED,  /* the status is decided and given to http; a worker may still run a function */
    CALL_CLOSED, /* the method's close has returned */
};

/* What a blocking method needs on top; made with its call. */
struct call_worker {
    struct call *call;
    struct work work;
    struct loop_task finished; /* posted by the worker as its last act */
    struct slice message;
    bool has_message;   /* receive is to be called */
    bool half_close;    /* then half_close */
    enum status status; /* the result, with its error */
    struct error error;
};

/* All fields belong to the loop, except: while `busy`, `worker`, `arena` and `headers`, `trailers`
 * belong to the worker, and of `public` what method.h says. */
struct call {
    struct grpc_call public;
    struct grpc_handler *handler;
    struct method_entry *entry;
    struct http_request *request; /* NULL once http closed it */
    enum call_state state;
    bool opened;      /* open was called: close will be */
    bool half_closed; /* half_close returned */
    bool busy;        /* a worker runs receive or half_close */
    bool waiting;     /* next said GRPC_WAIT and no wake came since */
    bool expired;     /* the deadline passed while LIVE */
    bool overdue;     /* it passed, and the client has not read everything yet */
    bool end_is_due;  /* the end could not be written because of that */
    bool abandoned;   /* http closed the request before the response was out */
    enum status status;
    char *failure;           /* the message of a failed call, for its log line */
    uint64_t bytes_received; /* as of the end of the request */
    uint64_t bytes_sent;
    size_t queue_capacity_bytes; /* http_writable_bytes of an empty queue */
    struct inbox inbox;
    struct metadata headers;
    struct metadata trailers;
    struct loop_timer timer;
    struct loop_task wake;
    struct call_worker *worker; /* NULL for methods that do not block */
    struct arena arena;         /* of calls with a worker, which may outlive their request */
};

/* The http_handler's functions, for requests that carry a call. */
void call_begin(struct grpc_handler *handler, struct http_request *request,
                struct method_entry *entry);
void call_on_body(struct call *call, struct str bytes);
void call_on_body_end(struct call *call);
void call_on_writable(struct call *call);
void call_on_close(struct call *call, enum http_close why);

/* response.c: writes one message, of which `message` already holds room for the prefix. */
#define RESPONSE_PREFIX_BYTES FRAME_PREFIX_BYTES
void response_begin_message(struct slices *message);
MUST_CHECK enum status response_write_message(struct call *call, struct slices *message,
                                              struct error *error);
/* response.c: writes the end; after the deadline only if the client has read all messages, else
 * `end_is_due`. */
void response_end(struct call *call, enum status status, const struct error *error);
/* response.c: the last that is done for a client that is late: the end, or a broken stream. */
void response_give_up(struct call *call);

/* report.c: the log line and the metrics of a call that is over. */
void call_report_begin(const struct call *call);
void call_report_end(const struct call *call);
