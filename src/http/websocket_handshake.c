/*
 * websocket_handshake.c — the opening handshake: which requests become WebSockets.
 *
 * Over HTTP/1.1 the client proves with a key that it means a WebSocket and not any upgrade; over HTTP/2
 * the CONNECT with its :protocol is proof enough and there is no key.
 *
 * Runs on the request's loop. Leaves out: Origin, extensions (none is agreed on).
 * Spec: RFC 6455 sections 4.2, 4.4; RFC 8441 section 5. SPDX-License-Identifier: Apache-2.0
 */
#include "http/websocket_private.h"

#include "base/memory.h"
#include "crypto/crypto.h"

#include <assert.h>
#include <stdio.h>

#define KEY_BYTES 16
#define KEY_TEXT_BYTES 24
#define VERSION "13"

static unsigned count_headers(const struct http_request *request, struct str name)
{
    unsigned count = 0;
    for (size_t i = 0; i < request->headers.count; i++)
        count += str_equal(request->headers.items[i].name, name);
    return count;
}

static bool is_key(struct str text)
{
    CLEANUP(buf_finish) struct buf bytes;
    buf_init(&bytes, KEY_TEXT_BYTES);
    return text.len == KEY_TEXT_BYTES && crypto_base64_decode(text, &bytes) &&
           bytes.len == KEY_BYTES;
}

static enum status refuse(unsigned *out_http_status, unsigned http_status, const char *text,
                          struct error *error)
{
    *out_http_status = http_status;
    enum status status = http_status == 503 ? STATUS_UNAVAILABLE : STATUS_INVALID_ARGUMENT;
    return error_set(error, status, "%s", text);
}

enum status websocket_check(const struct http_request *request, unsigned *out_http_status,
                            struct error *error)
{
    struct str version = http_headers_get(&request->headers, STR("sec-websocket-version"));
    struct str key = http_headers_get(&request->headers, STR("sec-websocket-key"));
    if (!str_equal(request->protocol, STR("websocket")))
        return refuse(
            out_http_status, 426,
            "this is a WebSocket: ask for it with Upgrade: websocket, Connection: Upgrade "
            "and Sec-WebSocket-Version: " VERSION,
            error);
    if (count_headers(request, STR("sec-websocket-version")) != 1 ||
        !str_equal(version, STR(VERSION)))
        return refuse(out_http_status, 426, "Sec-WebSocket-Version must be " VERSION, error);
    if (request->version != HTTP_2 &&
        (count_headers(request, STR("sec-websocket-key")) != 1 || !is_key(key)))
        return refuse(out_http_status, 400,
                      "Sec-WebSocket-Key must be there once, with 16 bytes in base64", error);
    if (http_is_draining(request))
        return refuse(out_http_status, 503, "the server is going away", error);
    return STATUS_OK;
}

size_t websocket_refusal_headers(const struct http_request *request, unsigned http_status,
                                 struct http_header *headers)
{
    size_t count = 0;
    if (http_status != 426)
        return 0;
    headers[count++] = (struct http_header){STR("sec-websocket-version"), STR(VERSION)};
    if (request->version != HTTP_2)
        headers[count++] = (struct http_header){STR("upgrade"), STR("websocket")};
    return count;
}

void websocket_refuse(struct http_request *request, unsigned http_status, struct str text)
{
    struct http_header headers[2 + WEBSOCKET_REFUSAL_HEADERS_MAX] = {
        {STR("content-type"), STR("text/plain; charset=utf-8")},
        {STR("content-length"), arena_printf(request->arena, "%zu", text.len)},
    };
    size_t count = 2 + websocket_refusal_headers(request, http_status, headers + 2);
    http_respond(request, http_status, headers, count, false);
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    slices_append_copy(&body, text.ptr, text.len);
    http_write(request, &body);
    http_end(request, NULL, 0);
}

static bool offers(const struct http_request *request, struct str protocol)
{
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct http_header *header = &request->headers.items[i];
        struct str rest = header->value;
        if (!str_equal(header->name, STR("sec-websocket-protocol")))
            continue;
        while (rest.len > 0) {
            if (str_equal(str_trim(str_split(&rest, ',')), protocol))
                return true;
        }
    }
    return false;
}

static struct str choose_protocol(const struct http_request *request,
                                  const struct websocket_options *options)
{
    for (size_t i = 0; i < options->protocol_count; i++) {
        if (offers(request, options->protocols[i]))
            return arena_copy(request->arena, options->protocols[i]);
    }
    return STR_EMPTY;
}

/* Proof that this server understood the key, which stands before a fixed text (RFC 6455 section 1.3). */
static struct str accept_of(const struct http_request *request)
{
    struct str key = http_headers_get(&request->headers, STR("sec-websocket-key"));
    struct str text =
        arena_printf(request->arena, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", STR_ARGS(key));
    uint8_t digest[CRYPTO_SHA1_SIZE];
    crypto_sha1(text, digest);
    CLEANUP(buf_finish) struct buf accept;
    buf_init(&accept, 64);
    crypto_base64_encode(str_make(digest, sizeof(digest)), true, &accept);
    return arena_copy(request->arena, buf_str(&accept));
}

struct websocket *websocket_accept(struct http_request *request,
                                   const struct websocket_options *options,
                                   const struct websocket_events *events, void *owner,
                                   const struct http_header *headers, size_t count)
{
    unsigned http_status = 0;
    enum status status = websocket_check(request, &http_status, NULL);
    assert(status == STATUS_OK && options->frame_bytes_max > 0);
    struct http_header *all = ARENA_NEW_ARRAY(request->arena, struct http_header, count + 2);
    size_t all_count = 0;
    if (request->version != HTTP_2)
        all[all_count++] = (struct http_header){STR("sec-websocket-accept"), accept_of(request)};
    struct str protocol = choose_protocol(request, options);
    if (protocol.len > 0)
        all[all_count++] = (struct http_header){STR("sec-websocket-protocol"), protocol};
    if (count > 0)
        memcpy(all + all_count, headers, count * sizeof(*headers));
    http_upgrade(request, all, all_count + count);
    return websocket_create(request, options, events, owner, protocol);
}
