/*
 * call.h — one gRPC call on one HTTP request: its state machine and what that needs.
 *
 * Private to src/grpc. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/handler.h"
#include "grpc/packer.h"
#include "grpc/wire_format.h"

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
    struct http_request *request;              /* NULL once http closed it */
    const struct wire_format *format;          /* of the request */
    const struct wire_format *response_format; /* another one only where a browser asked for it */
    struct str content_type;                   /* of the request */
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
    char *failure;           /* what the log line tells of a failed call */
    uint64_t bytes_received; /* as of the end of the request */
    uint64_t bytes_sent;
    struct inbox inbox;
    size_t window_bytes; /* came and were not given back yet */
    size_t worker_bytes; /* of the message that a worker has */
    struct packer packer;
    bool may_compress; /* response messages, as the client compresses its own: */
    enum compress_format response_encoding;
    struct metadata headers;
    struct metadata trailers;
    struct loop_timer timer;
    struct loop_timer first_message; /* runs out when nothing was received by then */
    struct loop_task wake;
    struct loop_task turn;      /* the inbox or the packer goes on */
    struct call_worker *worker; /* NULL for methods that do not block */
    struct http_work *work;     /* the worker goes on after the request */
    struct arena arena;         /* of calls with a worker, which may outlive their request */
};

/* call_begin.c */
void call_begin(struct grpc_handler *handler, struct http_request *request,
                struct method_entry *entry, const struct wire_format *format);
/* call.c: the http_handler's functions, for requests that carry a call. */
void call_on_body(struct call *call, struct str bytes);
size_t call_body_place(struct call *call, uint8_t **out_place);
void call_on_body_end(struct call *call);
void call_on_writable(struct call *call);
void call_on_drain(struct call *call);
void call_on_close(struct call *call, enum http_close why);

/* call.c, for the beginning: */
void call_set_callbacks(struct call *call);
/* Does whatever can be done now. */
void call_advance(struct call *call);

/* --- call_input.c ------------------------------------------------------------------------------ */

bool call_has_one_request(const struct call *call);
/* Tells what the call keeps of its request; false when that is too much. */
bool call_hold(struct call *call);
/* Has the client send as much as the call has given on. */
void call_return_window(struct call *call);
/* For the call's worker: runs receive and half_close, and takes back what came of them. */
void call_run_on_worker(struct work *work);
void call_on_worker_finished(struct loop_task *task);
/* Has messages lie so that their bodies are aligned, where the method keeps them. */
void call_align_messages(struct call *call);
/* Whether call_step_input would do something: give a message to the method, or the end. */
bool call_has_input(struct call *call);
MUST_CHECK enum status call_step_input(struct call *call, bool *out_moved, struct error *error);

/* --- call_end.c -------------------------------------------------------------------------------- */

/* Takes work back that no worker has begun. */
void call_stop_worker(struct call *call);
/* ENDED -> CLOSED. */
void call_close(struct call *call);
/* When it is CLOSED and http has closed its request. */
void call_free(struct call *call);
void call_on_deadline(struct loop_timer *timer);
void call_on_first_message_missing(struct loop_timer *timer);
/* The one way out of LIVE. `error` goes with a status other than STATUS_OK. */
void call_end(struct call *call, enum status status, const struct error *error);

/* response.c: takes one message out of `message`, which begins with room for the prefix, and writes it.
 * Where that takes a while *out_written is false and response_continue goes on, once per turn. */
MUST_CHECK enum status response_write_message(struct call *call, struct slices *message,
                                              bool *out_written, struct error *error);
MUST_CHECK enum status response_continue(struct call *call, bool *out_written, struct error *error);
/* response.c: writes the end; after the deadline only if the client has read all messages, else
 * `end_is_due`. */
void response_end(struct call *call, enum status status, const struct error *error);
/* response.c: the last that is done for a client that is late: the end, or a broken stream. */
void response_give_up(struct call *call);

/* report.c: the log line and the metrics of a call that is over. */
void call_report_begin(const struct call *call);
void call_report_end(const struct call *call);
