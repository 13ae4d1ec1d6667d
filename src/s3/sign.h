/*
 * sign.h — AWS Signature Version 4 of a request, in its headers or in its URL.
 *
 * Private to s3. Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "fetch/fetch.h"

#define SIGN_TIME_SIZE 17 /* "20130524T000000Z" */
#define SIGN_HASH_SIZE 65 /* lower-case hexadecimal */
#define SIGN_UNSIGNED_PAYLOAD STR("UNSIGNED-PAYLOAD")

struct sign_key {
    struct str access_key;
    struct str secret_key;
    struct str region;
    struct str service;
};

/* What is signed. */
struct sign_request {
    const char *method;
    struct str path;                    /* encoded */
    struct str query;                   /* sign_query's */
    const struct fetch_header *headers; /* names in lower case and in order; all are signed */
    size_t header_count;
    struct str payload_hash; /* hexadecimal, or SIGN_UNSIGNED_PAYLOAD */
};

void sign_time(int64_t wall_us, char out[SIGN_TIME_SIZE]);
void sign_hash(struct str bytes, char out[SIGN_HASH_SIZE]);
/* RFC 3986: all but unreserved characters as %XX; '/' stays where `is_path`. */
void sign_encode(struct str text, bool is_path, struct buf *out);
/* Encodes and sorts the parameters: "a=1&b=". */
void sign_query(const struct fetch_header *parameters, size_t count, struct buf *out);
/* "a;b;c" */
void sign_header_names(const struct fetch_header *headers, size_t count, struct buf *out);
/* "20130524/us-east-1/s3/aws4_request" */
void sign_scope(const struct sign_key *key, const char *time, struct buf *out);
void sign_canonical(const struct sign_request *request, struct buf *out);
void sign_signature(const struct sign_key *key, const char *time,
                    const struct sign_request *request, char out[SIGN_HASH_SIZE]);
/* The value of the header `authorization`. */
void sign_authorization(const struct sign_key *key, const char *time,
                        const struct sign_request *request, struct buf *out);
