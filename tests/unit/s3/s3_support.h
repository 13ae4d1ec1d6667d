/*
 * s3_support.h — a bucket on a server that answers by a script.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/memory.h"
#include "s3/s3.h"
#include "s3/s3_private.h"
#include "script_server.h"

#define CLOSE_HEAD(status) "HTTP/1.1 " status "\r\nconnection: close\r\n"
#define CLOSE(status, body) CLOSE_HEAD(status) "\r\n" body
#define LIST(body)                                                                                 \
    CLOSE("200 OK", "<?xml version=\"1.0\"?>\n<ListBucketResult>" body "</ListBucketResult>")
#define FAULT(status, code)                                                                        \
    CLOSE(status, "<Error><Code>" code "</Code><Message>why</Message></Error>")
#define ETAG CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 0\r\n\r\n"
#define BEGUN                                                                                      \
    CLOSE("200 OK", "<InitiateMultipartUploadResult><UploadId>up&amp;1</UploadId></"               \
                    "InitiateMultipartUploadResult>")

struct fixture {
    struct script_server server;
    struct fetch_pool *fetch;
    struct s3 *s3;
    struct error error;
};

struct words {
    struct str rest;
};

void begin(struct fixture *fixture, const struct script_step *steps, size_t count);
void end(struct fixture *fixture);
enum status create(struct s3_options options, struct s3 **out);
