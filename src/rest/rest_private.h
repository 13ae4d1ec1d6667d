/*
 * rest_private.h — what the files of the HTTP door share: a route, an exchange, a reply.
 *
 * An exchange is one request being answered. Its handler is a straight-line function that reads the
 * input and fills the reply; it runs on the loop, or on a worker when its route is `blocking`. The
 * door does the rest: finding the route, collecting the body, errors, headers, streaming, the log line.
 *
 * A worker may run while http closes and frees the request. So a handler reads exchange->input and
 * allocates from exchange->arena, and only the loop touches exchange->request.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/rest.h"

#include "arrow/row_writer.h"
#include "json/reader.h"
#include "json/writer.h"

/* A request body that is read whole: SQL text (10 MiB) inside JSON, escaped. */
#define REST_BODY_BYTES_MAX ((size_t)21 << 20)
/* A reply that is built whole. */
#define REST_REPLY_BYTES_MAX ((size_t)64 << 20)

enum rest_format { REST_ARROW, REST_JSON, REST_NDJSON, REST_CSV };

struct rest_exchange;

/* What a handler answers with: text, or the result of a query that is streamed. */
struct rest_reply {
    unsigned http_status; /* 200 unless set */
    const char *content_type;
    struct buf text;
    struct query *query; /* one reference: its rows are streamed in `format` */
    enum rest_format format;
    bool integers_as_text;
};

struct rest_route {
    const char *method;
    const char *pattern; /* "/v1/queries/{id}": one parameter at most, a whole segment */
    bool blocking;
    bool takes_body;
    bool problem_json; /* errors as RFC 9457 (section 5) instead of the seeds' form */
    const char *summary;
    enum status (*handle)(struct rest_exchange *exchange, struct error *error);
};
extern const struct rest_route rest_routes[];
extern const size_t rest_route_count;

struct rest_stream;

struct rest_exchange {
    struct rest *rest;
    struct http_request *request;     /* on_loop; NULL after its on_close */
    const struct http_request *input; /* what handlers read: the request, or `copy` */
    struct http_request copy;         /* of a blocking route: outlives the request */
    struct arena arena;               /* the exchange's own: the copy, what handlers allocate */
    const struct rest_route *route;   /* NULL: none matched */
    struct str parameter;             /* the value of the pattern's parameter, decoded */
    struct buf body;
    enum status status; /* the handler's outcome */
    struct error error;
    struct rest_reply reply;
    struct rest_stream *stream;
    struct work work;        /* the handler on a worker */
    struct loop_task worked; /* back on the loop */
    bool working;            /* the worker has the exchange; on_loop */
    int64_t rows;            /* for the log line */
    uint64_t fingerprint;
};

struct rest {
    struct rest_options options;
    struct http_handler handler;
    uint64_t started_ns;
    struct rest_metrics *metrics;
};

/* errors.c: answers with an error in the form of the route. */
void rest_respond_error(struct rest_exchange *exchange, const struct error *error);
/* The HTTP status of an error (contracts section 2), and the code it carries. */
unsigned rest_error_status(const struct error *error);
const char *rest_error_code(const struct error *error);

/* routes.c: the route of a method and path; NULL when there is none, then *out_allow lists the methods
 * that the path has ("" : the path is unknown). HEAD finds GET's route. */
const struct rest_route *rest_route_find(struct arena *arena, struct str method, struct str path,
                                         struct str *out_parameter, struct str *out_allow);

/* negotiate.c */
/* `body_format`: the format that the request body names, or empty. */
MUST_CHECK enum status rest_negotiate(const struct rest_exchange *exchange, struct str body_format,
                                      enum rest_format *out, struct error *error);
const char *rest_format_media_type(enum rest_format format);

/* stream.c: answers with the rows of exchange->reply.query; starts the query. */
void rest_stream_begin(struct rest_exchange *exchange);
void rest_stream_writable(struct rest_stream *stream);
/* The client is gone or all was sent: stops the query if it runs, frees the stream. */
void rest_stream_close(struct rest_stream *stream);

/* record.c: the log line and the metrics of a finished exchange. */
struct rest_metrics *rest_metrics_create(struct metrics *metrics);
void rest_metrics_destroy(struct rest_metrics *metrics);
void rest_record(struct rest_exchange *exchange, enum http_close why);

/* origin.c: PERMISSION_DENIED for a request that a page of a foreign origin made. */
MUST_CHECK enum status rest_check_origin(const struct rest_exchange *exchange, struct error *error);
/* Adds the CORS headers that the request's origin is entitled to; returns how many. */
#define REST_CORS_HEADERS_MAX 4
size_t rest_cors_headers(const struct rest_exchange *exchange, struct http_header *headers);
bool rest_is_preflight(const struct rest_exchange *exchange);
void rest_respond_preflight(struct rest_exchange *exchange);

/* The handlers of routes.c's table. */
enum status rest_root(struct rest_exchange *exchange, struct error *error);
enum status rest_health(struct rest_exchange *exchange, struct error *error);
enum status rest_healthz(struct rest_exchange *exchange, struct error *error);
enum status rest_readyz(struct rest_exchange *exchange, struct error *error);
enum status rest_metrics_text(struct rest_exchange *exchange, struct error *error);
enum status rest_query(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_list(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_delete(struct rest_exchange *exchange, struct error *error);
