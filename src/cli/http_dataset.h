/*
 * http_dataset.h — one request about a dataset over HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "http/client.h"
#include "json/reader.h"

struct http_exchange {
    struct arena arena;
    struct http_client *client;
    struct http_client_request *request;
    struct str authorization; /* header of the request; empty: none */
};

/* Connects. */
MUST_CHECK enum status http_exchange_open(struct http_exchange *exchange,
                                          const struct server_options *server, struct error *error);
void http_exchange_close(struct http_exchange *exchange);
CLEANUP_IN_PLACE(struct http_exchange, http_exchange_close)
/* /v1/datasets/NAME, in the exchange's arena. */
struct str http_exchange_url(struct http_exchange *exchange, struct str name);
/* Waits for the answer's head. One that is no success becomes an error with the server's sentence. */
MUST_CHECK enum status http_exchange_check(struct http_exchange *exchange, struct error *error);
/* The body of the answer, as JSON. Behind its head. INVALID_ARGUMENT: it is none. */
MUST_CHECK enum status http_exchange_read(struct http_exchange *exchange,
                                          struct json_document **out_document, struct error *error);
/* Has Ctrl-C interrupt what waits. */
void http_exchange_watch(struct http_exchange *exchange, struct interrupt *interrupt);
