/*
 * upload.h — rows that come in a request's body, whatever their format, on their way to a dataset or a table.
 *
 *      body --[multipart]--> Arrow: batches, as they come  --------------> put
 *                       \--> other formats: files --(query: convert.c)--/
 *
 * Private to rest. Threads: one at a time, which may block, but for what says "loop".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/dataset.h"

#include "arrow/ipc.h"
#include "http/multipart.h"

/* Of one upload: parts that the engine reads. */
#define UPLOAD_FILES_MAX 64
/* What an Arrow file begins with: the magic text and its padding. */
#define UPLOAD_BEGIN_BYTES 8
#define UPLOAD_END_BYTES 6

/* Enough to see what a JSON text is. */
#define UPLOAD_TEXT_BYTES 12

/* One Arrow stream or file on its way in. */
struct upload_arrow {
    struct ipc_stream_reader *reader; /* NULL until the beginning is there */
    uint8_t begin[UPLOAD_BEGIN_BYTES];
    size_t begin_bytes;
    bool is_file;
    uint8_t end[UPLOAD_END_BYTES]; /* what came last of a file */
    size_t end_bytes;
};

/* A body or a part of it, as a file that the engine reads. */
struct upload_file {
    char *path;
    uint64_t bytes;
    char begin[UPLOAD_TEXT_BYTES]; /* without white space before it */
    size_t begin_bytes;
};

struct rest_upload {
    struct rest_exchange *exchange;
    struct workers *workers;
    struct put_options options;
    struct rest_condition condition;
    struct str table; /* quoted; empty: the rows go to a dataset */
    bool has_format;
    enum rest_format format;          /* of the body or the part at hand */
    struct http_multipart *multipart; /* NULL: the body is the rows */
    struct buf field;                 /* the text of a form field */
    struct str field_name;
    bool in_field;
    size_t parts;
    struct upload_arrow arrow;
    bool in_arrow;
    struct upload_file files[UPLOAD_FILES_MAX];
    size_t file_count;
    int fd;                       /* of the last of them, while it is written; -1: none */
    enum rest_format file_format; /* of all of them */
    struct put *put;              /* NULL before the first batch */
    bool is_committed;
    struct dataset *waiting; /* for a table: dropped in the end */
    int64_t rows;            /* that came as Arrow */
    struct work destroy;
};

/* upload.c, loop: `exchange->upload`, not yet with a target; reads format and type of the body. */
MUST_CHECK enum status rest_upload_begin(struct rest_exchange *exchange, struct error *error);
/* Bytes of the body. */
MUST_CHECK enum status rest_upload_receive(struct rest_upload *upload, struct slice bytes,
                                           struct error *error);
/* The body is over: what has come of it is whole. */
MUST_CHECK enum status rest_upload_end(struct rest_upload *upload, struct error *error);
/* Hands on a batch, which is taken over. */
MUST_CHECK enum status rest_upload_append(struct rest_upload *upload, struct arrow_batch *batch,
                                          struct error *error);
/* Begins the put if nothing has. */
MUST_CHECK enum status rest_upload_begin_put(struct rest_upload *upload,
                                             struct arrow_schema *schema, struct error *error);
/* The faults of a body are its sender's: their code. */
enum status rest_upload_fault(enum status status, struct error *error);

/* upload_arrow.c */
MUST_CHECK enum status rest_upload_arrow_receive(struct rest_upload *upload, struct slice bytes,
                                                 struct error *error);
MUST_CHECK enum status rest_upload_arrow_end(struct rest_upload *upload, struct error *error);
void rest_upload_arrow_finish(struct upload_arrow *arrow);

/* upload_file.c */
MUST_CHECK enum status rest_upload_file_begin(struct rest_upload *upload, struct error *error);
MUST_CHECK enum status rest_upload_file_receive(struct rest_upload *upload, struct slice bytes,
                                                struct error *error);
MUST_CHECK enum status rest_upload_file_end(struct rest_upload *upload, struct error *error);
/* STORAGE_FULL when the disk of the file has no room for so many bytes beside what stays free. */
MUST_CHECK enum status rest_check_room(int fd, uint64_t bytes, struct error *error);
void rest_upload_files_remove(struct rest_upload *upload);
/* Whether CSV begins with names, as the client says it: "true" unless the query string or the type (RFC 4180:
 * header=absent) says otherwise; not checked. */
struct str rest_upload_csv_header(const struct http_request *input);
/* Appends "read_csv([...], ...)" or the like for all files. `as_text`: values of CSV stay texts. */
MUST_CHECK enum status rest_upload_files_reader(struct rest_upload *upload, bool as_text,
                                                struct buf *sql, struct error *error);
/* upload_fit.c: appends the SELECT whose rows have the columns of `present` and their types, by name; of what
 * the files have where that is NULL. */
MUST_CHECK enum status rest_upload_fit(struct rest_upload *upload, struct dataset *present,
                                       struct buf *sql, struct error *error);
/* Has an error of the engine (`status`, in *error) speak of the body instead of our files and statements. */
enum status rest_upload_engine_fault(const struct rest_upload *upload, enum status status,
                                     struct error *error);

/* upload_csv.c: has the error name the first line with another number of fields than the first one, if
 * there is one. */
void rest_upload_explain_csv(const struct rest_upload *upload, char delimiter, struct error *error);

/* convert.c: a statement of the server's own for an exchange. */
struct rest_run;
/* On a worker: prepares it; `shown` stands for it in /v1/queries. Its rows are dropped unless `has_rows`. */
MUST_CHECK enum status rest_run_prepare(struct rest_exchange *exchange, struct str sql,
                                        struct str shown, bool has_rows, struct error *error);
/* The same for a statement that was prepared as a client's, and which is taken over on success. */
MUST_CHECK enum status rest_run_prepare_client(struct rest_exchange *exchange,
                                               struct engine_session *session,
                                               struct engine_statement **statement,
                                               struct str shown, struct error *error);
/* The same for a text that a remote engine runs. */
MUST_CHECK enum status rest_run_prepare_remote(struct rest_exchange *exchange,
                                               struct remote_engine *remote, struct str sql,
                                               const struct remote_parameter *parameters,
                                               size_t parameter_count, struct error *error);
struct query *rest_run_query(struct rest_run *run);
/* On a worker, called again and again as rows come: the next batch, or WAIT, or END. */
MUST_CHECK enum status rest_run_next(struct rest_run *run, enum dataset_step *out_step,
                                     struct arrow_batch **out_batch, struct error *error);
