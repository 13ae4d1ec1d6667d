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

#include <stdatomic.h>

#include "arrow/row_writer.h"
#include "compress/format.h"
#include "http/content.h"
#include "store/part_stream.h"
#include "json/members.h"
#include "json/reader.h"
#include "json/writer.h"

/* A request body that is read whole: SQL text (10 MiB) inside JSON, escaped. */
#define REST_BODY_BYTES_MAX ((size_t)21 << 20)
/* A reply that is built whole. */
#define REST_REPLY_BYTES_MAX ((size_t)64 << 20)

enum rest_format {
    REST_ARROW,
    REST_ARROW_FILE,
    REST_JSON,
    REST_NDJSON,
    REST_CSV,
    REST_PARQUET, /* of datasets only */
};
/* Headers of a reply beside those that every one has. */
#define REST_REPLY_HEADERS_MAX 8

struct rest_exchange;
struct rest_object;
struct rest_faults;
struct rest_reply_form;

/* What a handler answers with: text, the result of a query that is streamed, bytes of known size, or
 * nothing more, because it took the response over. */
struct rest_reply {
    unsigned http_status; /* 200 unless set */
    const char *content_type;
    struct http_header headers[REST_REPLY_HEADERS_MAX]; /* see rest_add_header */
    size_t header_count;
    struct buf text;
    struct query *query;      /* one reference: its rows are streamed in `format` */
    struct part_stream *part; /* rows that are there, on the heap: streamed in `format` */
    struct dataset
        *followed; /* one reference: its rows, also those to come, are streamed in `format` */
    struct dataset_part followed_part; /* of it; taken over */
    enum rest_format format;
    /* JSON in which the rows of `part` are a list: what stands before it and after it, in the arena; empty:
     * the format alone. */
    struct str before;
    struct str after;
    /* Takes the response over, on the loop; NULL: it is made of what stands here. */
    void (*take_over)(struct rest_exchange *exchange);
    bool integers_as_text;
    bool keep_result;          /* the result stays after the response */
    struct http_source source; /* bytes of known size; `read` NULL: none */
    unsigned source_status;    /* of a source that is sent as a whole only; 0: ranges can be had */
    const char *range_units;   /* of the source's accept-ranges; NULL: "bytes" */
    struct str etag;           /* of the source or the rows; empty: none */
    int64_t modified_seconds;
    bool compressible; /* the source; text and rows of text always are */
};

struct rest_route {
    const char *method;
    /* "/v1/queries/{id}": one parameter at most, a whole segment; "{path...}" at the end: all segments that
     * follow, as they were sent. */
    const char *pattern;
    bool blocking;
    bool takes_body;
    bool is_websocket; /* also answers the CONNECT of HTTP/2 */
    bool problem_json; /* errors as RFC 9457 (section 5) instead of the seeds' form */
    bool is_exported;  /* also where metrics alone are served */
    bool is_page;      /* for people: no part of the API */
    const char *summary;
    /* What it takes and answers with (fields.h); NULL: nothing, or nothing that is told. */
    const struct rest_object *parameters;
    const struct rest_object *body;
    const char
        *body_types; /* media types, separated by commas; NULL: JSON where there is a `body` */
    const struct rest_reply_form *replies; /* when all goes well; ended by status 0 */
    enum status (*handle)(struct rest_exchange *exchange, struct error *error);
    /* Of a route whose body is not collected but taken while it comes (intake.c): `begin` looks at the
     * head, on the loop; `receive` gets bytes of the body, on a worker, and `handle` is called behind the
     * last. */
    enum status (*begin)(struct rest_exchange *exchange, struct error *error);
    enum status (*receive)(struct rest_exchange *exchange, struct slice bytes, struct error *error);
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
    struct str parameter; /* the value of the pattern's parameter, decoded unless it is a path */
    struct buf body;
    struct json_document *document; /* what the body says, once it was read (fields.h) */
    struct rest_faults *faults;     /* found in the request, in the arena; NULL: none looked for */
    enum status status;             /* the handler's outcome */
    struct error error;
    unsigned error_status; /* of the response to an error; 0: as the table of codes has it */
    /* What of the request is looked at, such as "query" or "query.header", for errors that tell the place of
     * a fault; NULL: the body. A constant. */
    const char *looked_at;
    struct rest_reply reply;
    struct rest_stream *stream;
    struct job *job;        /* that the request is about; one reference, or NULL */
    struct rest_wait *wait; /* for that job, before the answer (wait.h) */
    struct rest_intake *intake;
    struct rest_upload *upload;  /* of a dataset or table */
    struct rest_run *run_of_own; /* a statement of ours that runs before the answer (convert.c): */
    /* On a worker, when it has news. *out_is_done: the reply is made. */
    enum status (*resume)(struct rest_exchange *exchange, bool *out_is_done, struct error *error);
    bool is_resumed;                      /* what it said */
    struct rest_rows *rows_of_own;        /* of that statement (own_rows.h) */
    struct rest_explanation *explanation; /* of a statement (explain.h) */
    struct str validated; /* the statement that it explains, of POST /queries/validate */
    struct rest_export *export;
    struct http_content *content;
    struct work work; /* on a worker: */
    void (*run)(struct work *work);
    struct loop_task worked; /* back on the loop: */
    void (*done)(struct rest_exchange *exchange);
    bool working;           /* the worker has the exchange; on_loop */
    bool goes_far;          /* the handler is to be called again, and then */
    bool is_far;            /* runs where it may wait for S3 */
    struct http_work *left; /* that work, once the request is over */
    bool is_tunnel;         /* a CONNECT: its body begins with the answer */
    int64_t rows;           /* for the log line */
    uint64_t fingerprint;
};

/* An address that the server listens on. */
struct rest_address {
    struct str door;
    struct str text;
};
#define REST_ADDRESSES_MAX 64

struct rest {
    struct rest_options options;
    struct rest_address addresses[REST_ADDRESSES_MAX];
    size_t address_count;
    struct arena arena;   /* their texts */
    atomic_uint watchers; /* of /v1/queries/events */
    atomic_uint job_sockets;
    atomic_uint exports; /* files of Parquet that are written or sent */
    struct http_handler handler;
    struct http_handler exporter; /* the same, but for the routes that are exported alone */
    uint64_t started_ns;
    struct rest_metrics *metrics;
};

/* errors.c: the members that tell where in a statement an error is; none where it has no place. */
void rest_write_error_place(struct json_writer *json, const struct error *error);
/* An error inside of an answer: {"code","detail", its place}, null for NULL. */
void rest_write_error_object(struct json_writer *json, const char *key, const struct error *error);
/* errors.c: answers with an error in the form of the route. */
void rest_respond_error(struct rest_exchange *exchange, const struct error *error);
/* The HTTP status of an error (contracts section 2), and the code it carries. */
unsigned rest_error_status(const struct error *error);
const char *rest_error_code(const struct error *error);

/* routes.c: the route of a method and path; NULL when there is none, then *out_allow lists the methods
 * that the path has ("" : the path is unknown). HEAD finds GET's route. */
const struct rest_route *rest_route_find(struct arena *arena, struct str method, struct str path,
                                         struct str *out_parameter, struct str *out_allow);

/* True when the parameter stands for all segments that follow. */
bool rest_pattern_is_open(struct str pattern);

/* rest.c: adds a header to the reply, also to one that is an error; the texts are constant or in an arena of
 * the exchange. */
void rest_add_header(struct rest_exchange *exchange, struct str name, struct str value);
/* Copies the reply's headers; returns how many. */
size_t rest_put_headers(const struct rest_exchange *exchange, struct http_header *headers);

/* body.c: UNSUPPORTED_MEDIA_TYPE (and the accept-encoding header) for a body in an unknown coding. */
MUST_CHECK enum status rest_body_check(struct rest_exchange *exchange, struct error *error);
/* Whether the body is coded, and how; after rest_body_check. */
bool rest_body_coding(const struct http_request *input, enum compress_format *out_format);
/* Replaces a coded body by what it says; takes its time: on a worker. */
MUST_CHECK enum status rest_body_decode(struct rest_exchange *exchange, struct error *error);

/* intake.c: takes the body of a route with `receive`. */
void rest_intake_begin(struct rest_exchange *exchange);
void rest_intake_add(struct rest_intake *intake, const uint8_t *bytes, size_t size);
void rest_intake_end(struct rest_intake *intake);
/* NULL is allowed. */
void rest_intake_destroy(struct rest_intake *intake);

/* rest.c: true when S3 is needed, and the handler not where it may wait for it: it returns at once, and is
 * called again there. Who waits for S3 so holds none of those that serve everybody. */
bool rest_goes_far(struct rest_exchange *exchange);

/* rest.c: hands the exchange to a worker, which runs `run`; `done` comes back on the loop unless the client
 * left meanwhile. False: the workers take no more, and the exchange was answered with that. */
bool rest_work(struct rest_exchange *exchange, void (*run)(struct work *work),
               void (*done)(struct rest_exchange *exchange));
/* The handler is through: answers. */
void rest_answer(struct rest_exchange *exchange);

/* wait.c, on the loop: the handler has asked for it. */
void rest_wait_begin(struct rest_wait *wait);
/* Nobody waits any more. NULL is allowed, as below. */
void rest_wait_stop(struct rest_wait *wait);
void rest_wait_destroy(struct rest_wait *wait);
/* Whether it is over. */
bool rest_wait_is_over(const struct rest_wait *wait);

/* convert.c, on the loop: has the statement run; the answer follows. */
struct rest_run;
void rest_run_begin(struct rest_run *run);
/* Nobody waits any more; a worker may still have the exchange. */
void rest_run_stop(struct rest_run *run);
/* NULL is allowed. */
void rest_run_destroy(struct rest_run *run);
/* explain.c: NULL is allowed. */
void rest_explanation_destroy(struct rest_explanation *explanation);
/* own_rows.c: NULL is allowed. */
void rest_rows_destroy(struct rest_rows *rows);
/* dataset_export.c: NULL is allowed. */
void rest_export_destroy(struct rest_export *export);
/* upload.c: frees an upload and what it brought, on a worker if that takes a while. NULL is allowed. */
void rest_upload_destroy(struct rest_upload *upload);
/* Of an upload that no worker has at hand: what it keeps in memory until more comes. NULL is allowed. */
size_t rest_upload_waiting_bytes(const struct rest_upload *upload);
/* stream.c: NULL is allowed. */
void rest_part_destroy(struct part_stream *part);

/* parameters.c: refuses query parameters that are not among the names. */
MUST_CHECK enum status rest_check_parameters(const struct http_request *input,
                                             const char *const *names, size_t count,
                                             struct error *error);

/* parameters.c: the text of an option: a query parameter `<name>` or a header `volley-<name>`; empty: not
 * given. */
struct str rest_option(const struct rest_exchange *exchange, const char *name);

/* parameters.c: in what form JSON has 64-bit integers; sets it in the reply. */
MUST_CHECK enum status rest_read_int64(struct rest_exchange *exchange, struct error *error);

/* negotiate.c */
/* `body_format`: the format that the request body names, or empty. */
MUST_CHECK enum status rest_negotiate(const struct rest_exchange *exchange, struct str body_format,
                                      enum rest_format *out, struct error *error);
/* The same for datasets: without a wish they leave as they are kept, and also as Parquet. */
MUST_CHECK enum status rest_negotiate_dataset(const struct rest_exchange *exchange,
                                              enum rest_format *out, struct error *error);
/* The format of a media type or of a name as in `?format=`; false for another one. */
bool rest_format_find(struct str text, enum rest_format *out);
const char *rest_format_media_type(enum rest_format format);
/* As in `?format=`. */
const char *rest_format_name(enum rest_format format);

/* stream.c: answers with the rows of exchange->reply.query, which is started, or of reply.part. */
void rest_stream_begin(struct rest_exchange *exchange);
void rest_stream_writable(struct rest_stream *stream);
/* The client is gone or all was sent: stops the query if it runs, frees the stream. */
void rest_stream_close(struct rest_stream *stream);

/* Nobody reads the result here any more: stops the query if it runs and `over` is false, and drops its
 * result unless it is to be kept. */
void rest_release_result(const struct rest_reply *reply, bool over, const struct error *reason);

/* content.c: answers with exchange->reply.source; and with the conditions of the request on a reply that
 * has an etag: true when they ask for no more than a head. */
void rest_content_begin(struct rest_exchange *exchange);
bool rest_content_settle(struct rest_exchange *exchange);

/* result_source.c: the bytes of the first `count` batches of a dataset as an Arrow stream or file. The
 * reader, which is taken over, stands at its beginning. UNIMPLEMENTED when dictionaries change on the way. */
MUST_CHECK enum status rest_batches_source(struct dataset *dataset, struct dataset_reader *reader,
                                           size_t count, enum rest_format format,
                                           struct http_source *out_source, struct error *error);
/* The bytes of a finished result. NOT_FOUND, code RESULT_EXPIRED, when it is not kept. */
MUST_CHECK enum status rest_result_source(struct query *query, enum rest_format format,
                                          struct http_source *out_source, struct error *error);
/* The same error without the bytes. */
MUST_CHECK enum status rest_result_check(struct query *query, struct error *error);

/* api_pages.c: NOT_FOUND where the operator does not want the API to be shown. */
MUST_CHECK enum status rest_docs_check(const struct rest_exchange *exchange, struct error *error);
/* openapi.c */
void rest_openapi_write(const char *version, struct arena *arena, struct buf *out);

/* queries.c */
void rest_write_query(struct json_writer *json, struct query *query);

/* record.c: the log line and the metrics of a finished exchange. */
struct rest_metrics *rest_metrics_create(struct metrics *metrics);
void rest_metrics_destroy(struct rest_metrics *metrics);
/* Once the route is known (or known to be none). */
void rest_record_begin(const struct rest_exchange *exchange);
void rest_record(struct rest_exchange *exchange, enum http_close why);

/* Adds the CORS headers that the request's origin is entitled to; returns how many. */
#define REST_CORS_HEADERS_MAX HTTP_CORS_HEADERS_MAX
static inline size_t rest_cors_headers(const struct rest_exchange *exchange,
                                       struct http_header *headers)
{
    return http_cors_headers(exchange->rest->options.cors, exchange->request, headers);
}

/* The handlers of routes.c's table. */
enum status rest_favicon(struct rest_exchange *exchange, struct error *error);
enum status rest_root(struct rest_exchange *exchange, struct error *error);
enum status rest_docs(struct rest_exchange *exchange, struct error *error);
enum status rest_docs_file(struct rest_exchange *exchange, struct error *error);
enum status rest_openapi(struct rest_exchange *exchange, struct error *error);
enum status rest_redoc(struct rest_exchange *exchange, struct error *error);
enum status rest_health(struct rest_exchange *exchange, struct error *error);
enum status rest_healthz(struct rest_exchange *exchange, struct error *error);
enum status rest_readyz(struct rest_exchange *exchange, struct error *error);
enum status rest_metrics_text(struct rest_exchange *exchange, struct error *error);
enum status rest_files_list(struct rest_exchange *exchange, struct error *error);
enum status rest_files_count(struct rest_exchange *exchange, struct error *error);
enum status rest_files_types(struct rest_exchange *exchange, struct error *error);
enum status rest_files_scan(struct rest_exchange *exchange, struct error *error);
enum status rest_files_status(struct rest_exchange *exchange, struct error *error);
enum status rest_query(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_list(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_events(struct rest_exchange *exchange, struct error *error);
enum status rest_query_result(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_delete(struct rest_exchange *exchange, struct error *error);
enum status rest_query_submit(struct rest_exchange *exchange, struct error *error);
enum status rest_query_status(struct rest_exchange *exchange, struct error *error);
enum status rest_query_download(struct rest_exchange *exchange, struct error *error);
enum status rest_query_job_schema(struct rest_exchange *exchange, struct error *error);
enum status rest_query_job_rows(struct rest_exchange *exchange, struct error *error);
enum status rest_query_schema(struct rest_exchange *exchange, struct error *error);
enum status rest_query_metadata(struct rest_exchange *exchange, struct error *error);
enum status rest_system_queue(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_submit(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_batch(struct rest_exchange *exchange, struct error *error);
enum status rest_queries_validate(struct rest_exchange *exchange, struct error *error);
enum status rest_job_get(struct rest_exchange *exchange, struct error *error);
enum status rest_job_rows(struct rest_exchange *exchange, struct error *error);
enum status rest_job_cancel(struct rest_exchange *exchange, struct error *error);
enum status rest_job_socket(struct rest_exchange *exchange, struct error *error);
enum status rest_jobs_list(struct rest_exchange *exchange, struct error *error);
enum status rest_history(struct rest_exchange *exchange, struct error *error);
enum status rest_status(struct rest_exchange *exchange, struct error *error);
enum status rest_examples(struct rest_exchange *exchange, struct error *error);
enum status rest_query_explain(struct rest_exchange *exchange, struct error *error);
enum status rest_catalog(struct rest_exchange *exchange, struct error *error);
enum status rest_explorer(struct rest_exchange *exchange, struct error *error);
enum status rest_explorer_dataset(struct rest_exchange *exchange, struct error *error);
enum status rest_system_view(struct rest_exchange *exchange, struct error *error);
enum status rest_local_files(struct rest_exchange *exchange, struct error *error);
enum status rest_v1_jobs_submit(struct rest_exchange *exchange, struct error *error);
enum status rest_v1_jobs_list(struct rest_exchange *exchange, struct error *error);
enum status rest_v1_job_get(struct rest_exchange *exchange, struct error *error);
enum status rest_v1_job_cancel(struct rest_exchange *exchange, struct error *error);
enum status rest_v1_job_result(struct rest_exchange *exchange, struct error *error);
enum status rest_v1_job_events(struct rest_exchange *exchange, struct error *error);
enum status rest_datasets_list(struct rest_exchange *exchange, struct error *error);
enum status rest_dataset_get(struct rest_exchange *exchange, struct error *error);
enum status rest_dataset_delete(struct rest_exchange *exchange, struct error *error);
enum status rest_dataset_change(struct rest_exchange *exchange, struct error *error);
enum status rest_dataset_begin(struct rest_exchange *exchange, struct error *error);
enum status rest_dataset_receive(struct rest_exchange *exchange, struct slice bytes,
                                 struct error *error);
enum status rest_dataset_put(struct rest_exchange *exchange, struct error *error);
enum status rest_table_begin(struct rest_exchange *exchange, struct error *error);
enum status rest_table_data(struct rest_exchange *exchange, struct error *error);
