/*
 * clickhouse_private.h — what the files of this module share: the engine, a request, an answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "clickhouse/clickhouse.h"

#include "base/arena.h"
#include "event/lock.h"
#include "event/thread.h"
#include "fetch/fetch.h"

#define CLICKHOUSE_VERSION_SIZE 48
/* Of a text that tells of an error. */
#define CLICKHOUSE_ERROR_BYTES_MAX ((size_t)16 << 10)

/* Settings that a request may carry; a server gets only those that it has. */
enum clickhouse_setting {
    CLICKHOUSE_READONLY,
    CLICKHOUSE_CANCEL_ON_CLOSE,
    CLICKHOUSE_MAX_EXECUTION_TIME,
    CLICKHOUSE_LIMIT,
    CLICKHOUSE_MAX_RESULT_ROWS,
    CLICKHOUSE_RESULT_OVERFLOW_MODE,
    CLICKHOUSE_STRING_AS_STRING,
    CLICKHOUSE_UNSUPPORTED_TYPES,
};
#define CLICKHOUSE_SETTING_COUNT (CLICKHOUSE_UNSUPPORTED_TYPES + 1)

/* What a server told of itself. */
struct clickhouse_server {
    char version[CLICKHOUSE_VERSION_SIZE];
    bool has[CLICKHOUSE_SETTING_COUNT]; /* it may be set, too */
};

struct clickhouse {
    struct remote_engine engine;
    struct arena texts;
    struct str url; /* "http://host:port/" */
    struct str user;
    struct str password;
    struct str database;
    bool read_only;
    size_t batch_bytes_max;
    struct fetch_pool *fetch;
    struct fetch_cancel *cancel; /* of the thread's requests */
    struct thread *thread;
    struct log *log;
    struct metric *up; /* NULL without metrics */
    struct {
        struct lock lock;
        struct condition changed;
        bool is_stopping;
        bool is_asked;
        enum clickhouse_state { CLICKHOUSE_UNKNOWN, CLICKHOUSE_UP, CLICKHOUSE_DOWN } state;
        struct clickhouse_server server; /* of CLICKHOUSE_UP */
        struct error failure;            /* of CLICKHOUSE_DOWN */
        uint64_t failed_ns;              /* when it was found */
    } locked;
};

/* --- health.c: whether the server answers ------------------------------------------------------- */

/* The thread; its argument is the engine. */
void clickhouse_watch(void *argument);
/* STATUS_OK while it is not known to be down. */
MUST_CHECK enum status clickhouse_check(struct clickhouse *clickhouse, struct error *error);
/* What the server has, asking it now unless that is known. Blocks. */
MUST_CHECK enum status clickhouse_know(struct clickhouse *clickhouse, struct fetch_cancel *cancel,
                                       struct clickhouse_server *out_server, struct error *error);
/* A request did not reach it. */
void clickhouse_note_failure(struct clickhouse *clickhouse, const struct error *error);

/* --- request.c ---------------------------------------------------------------------------------- */

struct clickhouse_request {
    struct str sql;
    const char *format;                     /* "ArrowStream" */
    struct str query_id;                    /* empty: the server's own */
    const struct clickhouse_server *server; /* NULL: without settings */
    bool is_read;
    uint64_t timeout_ms; /* 0: none */
    uint64_t row_limit;  /* 0: none */
    const struct remote_parameter *parameters;
    size_t parameter_count;
    const struct fetch_sink *sink;
    struct fetch_cancel *cancel;
};
extern const char *const clickhouse_setting_names[CLICKHOUSE_SETTING_COUNT];
/* As fetch_perform, with the status of the answer turned into an error. Blocks. */
MUST_CHECK enum status clickhouse_send(struct clickhouse *clickhouse,
                                       const struct clickhouse_request *request,
                                       struct fetch_response *response, struct error *error);

/* --- answer.c ----------------------------------------------------------------------------------- */

/* Sets the error that the text of an exception tells of; false: it tells of none. */
bool clickhouse_read_exception(const struct clickhouse *clickhouse, struct str text,
                               struct error *error);
/* The error of an answer that is none of success. */
enum status clickhouse_refusal(const struct clickhouse *clickhouse,
                               const struct fetch_response *response, struct error *error);

/* --- intake.c: an Arrow stream into a dataset ---------------------------------------------------- */

struct clickhouse_intake;
struct clickhouse_intake *clickhouse_intake_create(const struct clickhouse *clickhouse,
                                                   const struct remote_sink *sink,
                                                   uint64_t row_limit, size_t batch_bytes_max);
void clickhouse_intake_destroy(struct clickhouse_intake *intake);
CLEANUP_FUNCTION(struct clickhouse_intake *, clickhouse_intake_destroy)
struct fetch_sink clickhouse_intake_sink(struct clickhouse_intake *intake);
/* How the answer ended, where its transfer ended with `status` and `failure`. */
MUST_CHECK enum status clickhouse_intake_end(struct clickhouse_intake *intake, enum status status,
                                             const struct error *failure, int64_t *out_rows,
                                             struct error *error);
/* True when the rest of the answer was not wanted. */
bool clickhouse_intake_is_full(const struct clickhouse_intake *intake);

/* --- statement.c -------------------------------------------------------------------------------- */

extern const struct remote_engine_methods clickhouse_methods;
