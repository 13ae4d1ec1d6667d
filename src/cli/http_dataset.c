/*
 * http_dataset.c — connects, names a dataset in a URL, reads what a refusal says.
 *
 * Runs on: the main thread. Owns: the connection and the request. Source: RFC 9457.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/http_dataset.h"

#include "base/buf.h"
#include "base/memory.h"
#include "http/url.h"

#include <ctype.h>
#include <string.h>

#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define URL_BYTES_MAX ((size_t)64 << 10)

enum status http_exchange_open(struct http_exchange *exchange, const struct server_options *server,
                               struct error *error)
{
    *exchange = (struct http_exchange){0};
    arena_init(&exchange->arena);
    CLEANUP(tls_context_unref) struct tls_context *tls = NULL;
    struct http_url url;
    TRY(options_tls(server, &tls, error));
    TRY(http_url_parse(&exchange->arena, options_server_url(server), &url, error));
    exchange->authorization = arena_copy(&exchange->arena, server->authorization);
    const struct http_client_options options = {.address = url.address, .tls = tls};
    return http_client_connect(&options, &exchange->client, error);
}

void http_exchange_close(struct http_exchange *exchange)
{
    http_client_finish(STEAL(exchange->request));
    http_client_close(STEAL(exchange->client));
    arena_finish(&exchange->arena);
}

static bool is_plain(unsigned char byte)
{
    return isalnum(byte) || (byte != '\0' && strchr("-._~/%", byte));
}

/* The escapes of a name are those of a URL. */
struct str http_exchange_url(struct http_exchange *exchange, struct str name)
{
    CLEANUP(buf_finish) struct buf url;
    buf_init(&url, URL_BYTES_MAX);
    buf_append_text(&url, "/v1/datasets/");
    for (size_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.ptr[i];
        if (is_plain(byte))
            buf_append_byte(&url, byte);
        else
            buf_printf(&url, "%%%02X", byte);
    }
    return arena_copy(&exchange->arena, buf_str(&url));
}

static enum status status_of(unsigned http_status)
{
    static const struct {
        unsigned http_status;
        enum status status;
    } known[] = {
        {400, STATUS_INVALID_ARGUMENT},   {401, STATUS_UNAUTHENTICATED},
        {403, STATUS_PERMISSION_DENIED},  {404, STATUS_NOT_FOUND},
        {409, STATUS_ALREADY_EXISTS},     {412, STATUS_FAILED_PRECONDITION},
        {413, STATUS_RESOURCE_EXHAUSTED}, {415, STATUS_UNIMPLEMENTED},
        {422, STATUS_INVALID_ARGUMENT},   {429, STATUS_RESOURCE_EXHAUSTED},
        {502, STATUS_UNAVAILABLE},        {503, STATUS_UNAVAILABLE},
        {504, STATUS_UNAVAILABLE},        {507, STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (known[i].http_status == http_status)
            return known[i].status;
    }
    return STATUS_UNKNOWN;
}

enum status http_exchange_read(struct http_exchange *exchange, struct json_document **out_document,
                               struct error *error)
{
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    bool end = false;
    while (!end && body.bytes < ANSWER_BYTES_MAX)
        TRY(http_client_read(exchange->request, &body, &end, error));
    CLEANUP(slice_finish) struct slice joined = slices_join(&body);
    return json_parse(slice_str(joined), ANSWER_BYTES_MAX, out_document, error);
}

/* The sentence of a problem document. */
static enum status explain(struct http_exchange *exchange, unsigned http_status,
                           struct error *error)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    struct error ignored = ERROR_NONE;
    struct str detail = STR_EMPTY;
    if (http_exchange_read(exchange, &document, &ignored) == STATUS_OK &&
        json_member_text(json_root(document), "detail", false, &detail, NULL, &ignored) ==
            STATUS_OK &&
        detail.len > 0)
        return error_set(error, status_of(http_status), "%.*s", STR_ARGS(detail));
    return error_set(error, status_of(http_status), "the server answered HTTP %u; is it a Volley?",
                     http_status);
}

enum status http_exchange_check(struct http_exchange *exchange, struct error *error)
{
    unsigned status;
    const struct http_headers *headers;
    TRY(http_client_head(exchange->request, &status, &headers, error));
    return status >= 200 && status < 300 ? STATUS_OK : explain(exchange, status, error);
}

static void stop_client(void *target)
{
    http_client_interrupt((struct http_client *)target);
}

void http_exchange_watch(struct http_exchange *exchange, struct interrupt *interrupt)
{
    interrupt_set_target(interrupt, stop_client, exchange->client);
}
