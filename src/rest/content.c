/*
 * content.c — answers that have an entity tag: bytes of known size, and rows that need not be sent.
 *
 * Runs on the request's loop. Leaves out: conditions and ranges (http/content.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

static void refuse(struct http_request *request, unsigned status, const struct http_header *headers,
                   size_t count)
{
    struct rest_exchange *exchange = request->state;
    for (size_t i = 0; i < count; i++)
        rest_add_header(exchange, headers[i].name, headers[i].value);
    if (status == 416)
        error_set_code(&exchange->error, STATUS_OUT_OF_RANGE, "RANGE_NOT_SATISFIABLE",
                       "the range '%.*s' lies beyond the end",
                       STR_ARGS(http_headers_get(&request->headers, STR("range"))));
    else
        error_set_code(&exchange->error, STATUS_FAILED_PRECONDITION, "PRECONDITION_FAILED",
                       "what there is now is not what the request's conditions ask for");
    exchange->status = exchange->error.status;
    rest_respond_error(exchange, &exchange->error);
}

static struct http_content_head content_head(const struct rest_exchange *exchange)
{
    const struct rest_reply *reply = &exchange->reply;
    return (struct http_content_head){
        .etag = reply->etag,
        .modified_seconds = reply->modified_seconds,
        .compressible = reply->compressible,
        .range_units = reply->range_units,
        .status = reply->source_status,
        .refuse = refuse,
    };
}

void rest_content_begin(struct rest_exchange *exchange)
{
    struct rest_reply *reply = &exchange->reply;
    struct http_header headers[1 + REST_REPLY_HEADERS_MAX + REST_CORS_HEADERS_MAX] = {
        {STR("content-type"), str_of(reply->content_type)},
    };
    size_t count = 1 + rest_put_headers(exchange, headers + 1);
    count += rest_cors_headers(exchange, headers + count);
    struct http_content_head head = content_head(exchange);
    head.headers = headers;
    head.header_count = count;
    struct http_source source = reply->source;
    reply->source = (struct http_source){0};
    reply->header_count = 0;
    exchange->content = http_content_begin(exchange->request, &source, &head);
}

/* The tag of rows goes into the head that stream.c makes. */
bool rest_content_settle(struct rest_exchange *exchange)
{
    struct http_request *request = exchange->request;
    struct rest_reply *reply = &exchange->reply;
    if (reply->etag.len == 0)
        return false;
    struct str tag = arena_printf(request->arena, "\"%.*s\"", STR_ARGS(reply->etag));
    const struct http_content_head head = content_head(exchange);
    unsigned status = http_content_check(request, &head);
    rest_add_header(exchange, STR("etag"), tag);
    if (status == 200)
        return false;
    if (status == 412) {
        refuse(request, status, NULL, 0);
        return true;
    }
    struct http_header headers[REST_REPLY_HEADERS_MAX + REST_CORS_HEADERS_MAX];
    size_t count = rest_put_headers(exchange, headers);
    count += rest_cors_headers(exchange, headers + count);
    http_response_compressible(request);
    http_respond(request, status, headers, count, true);
    return true;
}
