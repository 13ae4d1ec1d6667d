/*
 * s3.h — objects of one bucket of an S3 service: put, get, head, list, delete, presigned URLs.
 *
 * All calls but s3_presign block for as long as the service takes, within the pool's time-outs: they run on
 * workers or threads of their own, never on a loop. What is interrupted is tried again (an object that is
 * being read, from where it broke off). Errors name the bucket, the key, the endpoint and what the service
 * said: NOT_FOUND (object or bucket), PERMISSION_DENIED, UNAUTHENTICATED (no or wrong keys),
 * FAILED_PRECONDITION (a condition did not hold), OUT_OF_RANGE, UNAVAILABLE (unreachable, or it says so),
 * INTERNAL otherwise.
 *
 * Threads: any, several at once. The pool lives longer.
 * Source: Amazon S3 API 2006-03-01, AWS Signature Version 4. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/metric.h"
#include "fetch/fetch.h"

#define S3_KEY_BYTES_MAX 1024
#define S3_ETAG_SIZE 160
#define S3_SIZE_UNKNOWN UINT64_MAX
#define S3_PRESIGN_SECONDS_MAX 604800

struct s3;

/* Whether the bucket's name is part of the host or of the path. S3_AUTO: of the host where there is no
 * endpoint of one's own, of the path elsewhere. */
enum s3_addressing { S3_AUTO, S3_PATH, S3_VIRTUAL_HOST };

/* Texts; empty: absent. */
struct s3_credentials {
    struct str access_key;
    struct str secret_key;
    struct str session_token;
};

struct s3_options {
    struct fetch_pool *fetch;
    struct str bucket;
    struct str region;
    struct str endpoint; /* "http://host:port"; empty: Amazon's of the region */
    enum s3_addressing addressing;
    /* Empty: those of the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), else of
     * the shared file (AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, profile AWS_PROFILE or
     * `default`), which is read again when the service says that they have expired. */
    struct s3_credentials credentials;
    size_t part_bytes;       /* of a multipart upload, kept in memory; 0: 16 MiB */
    struct metrics *metrics; /* may be NULL */
};

/* INVALID_ARGUMENT for a bucket, region or endpoint that cannot be one; UNAUTHENTICATED when there are no
 * credentials. Talks to nobody. */
MUST_CHECK enum status s3_create(const struct s3_options *options, struct s3 **out_s3,
                                 struct error *error);
void s3_destroy(struct s3 *s3);
CLEANUP_FUNCTION(struct s3 *, s3_destroy)
struct str s3_bucket(const struct s3 *s3);
struct str s3_endpoint(const struct s3 *s3); /* "http://host:port" */
/* True for some seconds after a call that the service did not answer: who can do without it should. */
bool s3_seems_down(const struct s3 *s3);

struct s3_object {
    uint64_t size_bytes;
    int64_t modified_us;     /* since 1970 UTC; 0: not told */
    char etag[S3_ETAG_SIZE]; /* with its quotes; "" : not told */
};

/* OK when the bucket is there and may be used. */
MUST_CHECK enum status s3_check_bucket(struct s3 *s3, struct fetch_cancel *cancel,
                                       struct error *error);

struct s3_put_options {
    struct str content_type;     /* empty: application/octet-stream */
    struct str content_encoding; /* empty: none */
    bool must_be_new;            /* FAILED_PRECONDITION when there is one of that key */
    struct fetch_cancel *cancel; /* may be NULL */
};

/* Puts what `source` gives: in one request what fits a part, or has a known size of up to 256 MiB and can be
 * rewound; else as a multipart upload, which is undone when it fails. `options` and `out_object` may be
 * NULL. */
MUST_CHECK enum status s3_put(struct s3 *s3, struct str key, const struct fetch_source *source,
                              const struct s3_put_options *options, struct s3_object *out_object,
                              struct error *error);
MUST_CHECK enum status s3_put_bytes(struct s3 *s3, struct str key, struct str bytes,
                                    const struct s3_put_options *options,
                                    struct s3_object *out_object, struct error *error);
/* Takes it from the descriptor, from its beginning on (pread). */
MUST_CHECK enum status s3_put_file(struct s3 *s3, struct str key, int fd,
                                   const struct s3_put_options *options,
                                   struct s3_object *out_object, struct error *error);

struct s3_get_options {
    uint64_t offset;
    uint64_t size;   /* 0: to the end */
    struct str etag; /* FAILED_PRECONDITION when the object has another one; empty: any */
    struct fetch_cancel *cancel; /* may be NULL */
};

/* Where an object goes. */
struct s3_sink {
    /* What it is, before the first byte; its size is that of the whole object. May be NULL. */
    enum status (*begin)(void *context, const struct s3_object *object, struct error *error);
    enum status (*write)(void *context, struct str bytes, struct error *error);
    void *context;
};

/* `options` and `out_object` may be NULL. */
MUST_CHECK enum status s3_get(struct s3 *s3, struct str key, const struct s3_get_options *options,
                              const struct s3_sink *sink, struct s3_object *out_object,
                              struct error *error);
/* Into a buf, whose maximum it must not exceed (RESOURCE_EXHAUSTED). */
MUST_CHECK enum status s3_get_bytes(struct s3 *s3, struct str key,
                                    const struct s3_get_options *options, struct buf *out,
                                    struct s3_object *out_object, struct error *error);
/* Into a file, from its offset 0 on (pwrite). */
MUST_CHECK enum status s3_get_file(struct s3 *s3, struct str key,
                                   const struct s3_get_options *options, int fd,
                                   struct s3_object *out_object, struct error *error);

MUST_CHECK enum status s3_head(struct s3 *s3, struct str key, struct fetch_cancel *cancel,
                               struct s3_object *out_object, struct error *error);
/* OK also when there is none. */
MUST_CHECK enum status s3_delete(struct s3 *s3, struct str key, struct fetch_cancel *cancel,
                                 struct error *error);

struct s3_list_options {
    struct str prefix;
    unsigned page_size;          /* 0: 1,000, which is also the most */
    uint64_t count_max;          /* 0: none; the list ends there */
    uint64_t pages_max;          /* 0: 100,000; more are an error */
    struct fetch_cancel *cancel; /* may be NULL */
};

/* Calls `visit` for each object, in order of the keys; an error of its ends the list. The service may hand
 * out a page at a time: what changes meanwhile may or may not be seen. */
MUST_CHECK enum status s3_list(struct s3 *s3, const struct s3_list_options *options,
                               enum status (*visit)(void *context, struct str key,
                                                    const struct s3_object *object,
                                                    struct error *error),
                               void *context, struct error *error);

/* Appends a URL with which anyone may GET or PUT the object for so many seconds (1..S3_PRESIGN_SECONDS_MAX).
 * `file_name`: what a browser names the download; empty: nothing is said. */
MUST_CHECK enum status s3_presign(struct s3 *s3, const char *method, struct str key,
                                  uint32_t seconds, struct str file_name, struct buf *out_url,
                                  struct error *error);
