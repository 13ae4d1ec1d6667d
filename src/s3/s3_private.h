/*
 * s3_private.h — what the files of s3 share: the bucket, one call to the service.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "s3/s3.h"

#include <stdatomic.h>

#define S3_PARAMETERS_MAX 8
#define S3_HEADERS_MAX 6
#define S3_ANSWER_BYTES_MAX ((size_t)16 << 20) /* of a page of a list */
#define S3_SECRETS_BYTES_MAX ((size_t)16 << 10)

struct s3 {
    struct fetch_pool *fetch;
    char *bucket;
    char *region;
    char *endpoint;              /* "https://host:port" as it was chosen */
    char *base;                  /* the same with the bucket, if that is part of the host */
    char *path_prefix;           /* "/bucket" or "" */
    bool signs_bodies;           /* nothing else protects them on their way */
    struct s3_credentials given; /* copies; empty: looked up for each call */
    size_t part_bytes;
    struct metric_family *requests; /* may be NULL */
    struct metric *bytes_sent, *bytes_received;
    _Atomic int64_t skew_us; /* the service's clock less ours */
    _Atomic uint64_t down_until_ns;
};

/* One operation of the API. */
struct s3_call {
    struct s3 *s3;
    const char *operation; /* for messages and metrics: "put", "list" */
    const char *method;
    struct str key; /* empty: the bucket */
    struct fetch_header parameters[S3_PARAMETERS_MAX];
    size_t parameter_count;
    struct fetch_header headers[S3_HEADERS_MAX]; /* names in lower case */
    size_t header_count;
    struct str body;
    const struct fetch_source *source; /* NULL: `body`. Not where bodies are signed */
    const struct fetch_sink *sink;     /* may be NULL */
    bool is_repeatable;
    uint64_t total_timeout_ms;   /* 0: two minutes */
    unsigned attempts_max;       /* 0: the pool's */
    struct fetch_cancel *cancel; /* may be NULL */
};

void s3_call_add_parameter(struct s3_call *call, const char *name, struct str value);
void s3_call_add_header(struct s3_call *call, const char *name, struct str value);

/* call.c: signs, sends, and makes an error of an answer that is none of 2xx. */
MUST_CHECK enum status s3_call_run(struct s3_call *call, struct fetch_response *response,
                                   struct error *error);
/* The path of an object: "/bucket/key", encoded. */
void s3_write_path(const struct s3 *s3, struct str key, struct buf *out);
MUST_CHECK enum status s3_check_key(struct str key, struct error *error);
/* The wall clock as the service has it. */
int64_t s3_now_us(const struct s3 *s3);

/* answer.c: what the service said against a call, as an error. `code` gets S3's own, or "". */
#define S3_CODE_SIZE 64
enum status s3_answer_error(const struct s3_call *call, const struct fetch_response *response,
                            char code[S3_CODE_SIZE], struct error *error);
/* Puts before a message what the call was about. */
enum status s3_error_wrap(const struct s3_call *call, const struct error *reason,
                          struct error *error);
/* Size, time and ETag of a response's head. */
void s3_answer_object(const struct fetch_response *response, struct s3_object *object);

/* credentials.c: those to sign with; the texts live in `secrets`. */
MUST_CHECK enum status s3_credentials_find(const struct s3 *s3, struct buf *secrets,
                                           struct s3_credentials *out, struct error *error);

/* time.c: "2026-11-21T17:00:00.000Z"; false for anything else. */
bool s3_parse_time(struct str text, int64_t *out_us);
