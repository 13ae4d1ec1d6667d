/*
 * cors.h — which web pages may use the server, and what browsers are told about it.
 *
 * One http_cors is shared by all doors. A door asks http_cors_check before it acts on a request, adds
 * http_cors_headers to every answer, and answers preflights with http_cors_respond_preflight.
 *
 * Threads: any; nothing here changes after it was made. Source: WHATWG Fetch, section 3.2 (CORS);
 * RFC 6454 section 7. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/error.h"
#include "http/request.h"

struct http_cors {
    const struct str *origins; /* "https://example.org:8443"; "*": any page, without credentials */
    size_t origin_count;
};

/* PERMISSION_DENIED for a request with an effect that a page of a foreign origin made, and for any
 * request over loopback whose host is no name of loopback. A `cors` of NULL lists nothing. */
MUST_CHECK enum status http_cors_check(const struct http_cors *cors,
                                       const struct http_request *request, struct error *error);

#define HTTP_CORS_HEADERS_MAX 4
/* What lets the request's page read the answer; returns how many. */
size_t http_cors_headers(const struct http_cors *cors, const struct http_request *request,
                         struct http_header *headers);

/* Whether a browser asks what a page may send. */
bool http_cors_is_preflight(const struct http_request *request);
#define HTTP_CORS_PREFLIGHT_HEADERS_MAX (HTTP_CORS_HEADERS_MAX + 4)
/* The headers of the answer: permissions if the page's origin is listed; returns how many. */
size_t http_cors_preflight_headers(const struct http_cors *cors, const struct http_request *request,
                                   struct http_header *headers);
/* 204 with those. */
void http_cors_respond_preflight(const struct http_cors *cors, struct http_request *request);
