/*
 * fetch_private.h — what the files of fetch share: the pool, a line, a transfer.
 *
 * A line is what one transfer at a time runs on: curl's multi handle, which keeps the connection, with one
 * easy handle. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "fetch/fetch.h"

#include <curl/curl.h>
#include <stdatomic.h>

#include "base/list.h"
#include "event/lock.h"

#define FETCH_ORIGIN_SIZE 320

struct fetch_line {
    struct list link; /* of the pool's idle or busy */
    CURLM *multi;
    CURL *easy;
    char origin[FETCH_ORIGIN_SIZE]; /* "https://host:port": whom it was connected to last */
};

struct fetch_pool {
    struct fetch_pool_options options; /* with defaults filled in; texts are copies */
    atomic_bool is_closed;
    struct {
        struct lock lock;
        struct condition changed; /* a line came back, a call was cancelled, the pool closes */
        struct list idle;         /* fetch_line.link, the one used last first */
        struct list busy;         /* fetch_line.link */
        size_t line_count;
    } locked;
};

/* A call that a cancel stops; guarded by the cancel's lock. */
struct fetch_follower {
    struct list link; /* of the cancel's followers */
    struct fetch_pool *fetch;
    struct fetch_line *line; /* that it runs on; NULL: it waits on the pool's condition */
};

struct fetch_cancel {
    atomic_bool is_fired;
    struct {
        struct lock lock;      /* before the pool's */
        struct list followers; /* fetch_follower.link */
    } locked;
};

/* One attempt. */
struct fetch_transfer {
    struct fetch_pool *fetch;
    struct fetch_line *line;
    const struct fetch_request *request;
    struct fetch_response *response;
    struct fetch_follower follower; /* of the request's cancel */
    struct error *error;            /* of a source, a sink or a limit */
    uint64_t deadline_ns;           /* of the call */
    uint64_t moved_ns;              /* when a byte was last seen to move */
    curl_off_t moved_bytes;         /* how many had by then */
    uint64_t body_sent;             /* of request->body, or of a source of known size */
    bool is_failed;                 /* `error` has been set by a callback */
    bool has_head;                  /* all of it */
    bool has_begun;                 /* the sink has been given the head */
    bool was_read;                  /* the source is not at its beginning */
    bool is_final;                  /* another attempt would end in the same way */
    bool was_connected;             /* so the server may have acted on the request */
    char curl_text[CURL_ERROR_SIZE];
};

/* pool.c */
/* The call can be cancelled from here on; and no more. */
void fetch_follow(struct fetch_transfer *transfer);
void fetch_unfollow(struct fetch_transfer *transfer);
/* Gives the transfer a line, best one with a connection to the origin; waits for one if need be. */
MUST_CHECK enum status fetch_line_take(struct fetch_transfer *transfer, const char *origin,
                                       struct error *error);
void fetch_line_give(struct fetch_transfer *transfer);
/* Sleeps until `until_ns`; an error when the call is to end before. */
MUST_CHECK enum status fetch_sleep(struct fetch_transfer *transfer, uint64_t until_ns,
                                   struct error *error);
/* Whether the call is to end: cancelled, the pool closed. */
MUST_CHECK enum status fetch_check(const struct fetch_transfer *transfer, struct error *error);

/* transfer.c: runs one attempt. */
MUST_CHECK enum status fetch_transfer_run(struct fetch_transfer *transfer, struct error *error);

/* callbacks.c: tells curl where the bytes of a transfer come from and go to. */
void fetch_transfer_connect(struct fetch_transfer *transfer);
