/*
 * client_private.h — the client's connection and requests, as its versions share them.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "http/body.h"
#include "http/client.h"
#include "http/wire.h"

/* Request body bytes that may wait for the server's window, and response bytes that may wait for the
 * caller, each per request. */
#define HTTP_CLIENT_QUEUE_BYTES_MAX ((size_t)4 << 20)

/* What differs between versions. */
struct http_client_protocol {
    void (*start)(struct http_client *client);
    void (*receive)(struct http_client *client, const uint8_t *bytes, size_t size);
    /* The server will send nothing more. */
    void (*receive_end)(struct http_client *client);
    /* Frames into the output; true when there is more. */
    bool (*produce)(struct http_client *client);
    MUST_CHECK enum status (*send_head)(struct http_client_request *request, struct str method,
                                        struct str path, const struct http_header *headers,
                                        size_t count, bool end, struct error *error);
    /* Bytes were added to the body, or its end was. */
    void (*write)(struct http_client_request *request);
    /* The caller took response bytes. */
    void (*consume)(struct http_client_request *request, size_t size);
    /* Nobody wants the rest of the response of an attached request. */
    void (*reset)(struct http_client_request *request);
    void (*finish)(struct http_client *client);
};

extern const struct http_client_protocol http1_client_protocol;
extern const struct http_client_protocol http2_client_protocol;

struct http_client {
    struct loop *loop;
    struct http_wire wire;  /* loop NULL while not connected */
    uint64_t connections;   /* made so far */
    struct loop_watch wake; /* an eventfd: http_client_interrupt writes it */
    atomic_bool interrupted;
    const struct http_client_protocol *protocol;
    void *protocol_state;      /* NULL while not connected */
    struct list requests;      /* http_client_request.link */
    struct list abandoned;     /* the same: finished by the caller, still attached */
    struct buffer *read_block; /* where the wire reads to */
    char *address;             /* as given */
    char *host;                /* of it: whom a TLS server has to prove to be */
    struct tls_context *tls;   /* NULL: none */
    struct tls_buffers *tls_buffers;
    char *authority; /* what requests name as their host */
    uint64_t connect_timeout_ms;
    bool no_new_requests; /* the server said so */
};

/* Headers as they are received. */
struct http_header_list {
    struct http_header *items;
    size_t count;
    size_t capacity;
    struct http_headers view; /* what callers see */
};

struct http_client_request {
    struct http_client *client;
    struct list link;
    struct arena arena;
    struct http_body body; /* the request's */
    uint64_t deadline_ns;
    unsigned status;
    struct http_header_list headers;
    struct http_header_list trailers;
    size_t header_bytes;   /* of both, names + values + 32 each */
    struct slices inbound; /* response bytes nobody took yet */
    bool attached;         /* the version refers to it: it must not be freed */
    bool is_abandoned;     /* finished by the caller; freed with the version's last reference */
    bool is_head;          /* the method is HEAD: no body follows */
    bool head_complete;
    bool ended;       /* the response is complete */
    bool failed;      /* it broke off; `error` tells why */
    bool was_refused; /* and the server had not begun to work on it */
    struct error error;
};

/* Adds a copy to headers or, after the head, trailers; fails the request when there are too many. */
void http_client_add_header(struct http_client_request *request, struct str name, struct str value);
/* Forgets the headers of an interim response. */
void http_client_clear_headers(struct http_client_request *request);
/* Breaks the request off, unless it is over. */
void http_client_fail(struct http_client_request *request, enum status status, const char *format,
                      ...) PRINTF_LIKE(3, 4);
/* Keeps response bytes: large ones by reference to the read block. */
void http_client_keep(struct http_client_request *request, const uint8_t *bytes, size_t size);
/* The version does not refer to the request any more. */
void http_client_detach(struct http_client_request *request);
/* Has the output framed and sent when the thread next waits. */
void http_client_touch(struct http_client *client);

/* One round of the loop: STATUS_OK, DEADLINE_EXCEEDED or, after http_client_interrupt, CANCELLED. */
MUST_CHECK enum status http_client_run_round(struct http_client *client, uint64_t deadline_ns,
                                             struct error *error);
/* client_connect.c: a connected socket. UNAVAILABLE naming the address and the reason. */
MUST_CHECK enum status http_client_open_socket(struct http_client *client, int *out_fd,
                                               struct error *error);
/* client_connect.c: has the connection's bytes go through TLS and waits for the handshake. UNAVAILABLE
 * telling why the server is not trusted. */
MUST_CHECK enum status http_client_secure(struct http_client *client, struct error *error);
