/*
 * origin.c — which web pages may use the door.
 *
 * A browser sends requests of any page to any server, this machine's own included; some without asking
 * first (text/plain needs no preflight). So a request with an effect must come from no page, from the
 * server's own or from one that the setting cors-origins lists. A page whose name was turned towards
 * this machine (DNS rebinding) is the server's own to the browser: over loopback, the host that was
 * asked must be a name of loopback or the host of a listed origin.
 *
 * Runs on the loop. Left out: who the caller is, once it is no page. Source: WHATWG Fetch (CORS),
 * RFC 6454 section 7. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/memory.h"

static bool is_listed(const struct rest_exchange *exchange, struct str origin)
{
    const struct rest_options *options = &exchange->rest->options;
    for (size_t i = 0; i < options->cors_origin_count; i++) {
        struct str candidate = options->cors_origins[i];
        if (str_equal(candidate, STR("*")) || str_equal_nocase(candidate, origin))
            return true;
    }
    return false;
}

/* The request's origin when the setting lists it, else empty. */
static struct str allowed_origin(const struct rest_exchange *exchange)
{
    struct str origin = http_headers_get(&exchange->request->headers, STR("origin"));
    return origin.len > 0 && is_listed(exchange, origin) ? origin : STR_EMPTY;
}

size_t rest_cors_headers(const struct rest_exchange *exchange, struct http_header *headers)
{
    struct str origin = allowed_origin(exchange);
    if (origin.len == 0)
        return 0;
    headers[0] = (struct http_header){STR("access-control-allow-origin"), origin};
    headers[1] = (struct http_header){STR("access-control-allow-credentials"), STR("true")};
    headers[2] = (struct http_header){STR("access-control-expose-headers"),
                                      STR("x-request-id, grpc-status, grpc-message")};
    headers[3] = (struct http_header){STR("vary"), STR("origin")};
    return 4;
}

bool rest_is_preflight(const struct rest_exchange *exchange)
{
    const struct http_headers *headers = &exchange->request->headers;
    return str_equal(exchange->request->method, STR("OPTIONS")) &&
           http_headers_get(headers, STR("access-control-request-method")).len > 0;
}

void rest_respond_preflight(struct rest_exchange *exchange)
{
    struct http_header headers[REST_CORS_HEADERS_MAX + 4];
    size_t count = rest_cors_headers(exchange, headers);
    if (count > 0) {
        headers[count++] = (struct http_header){STR("access-control-allow-methods"),
                                                STR("GET, HEAD, POST, DELETE, OPTIONS")};
        struct str asked =
            http_headers_get(&exchange->request->headers, STR("access-control-request-headers"));
        if (asked.len > 0)
            headers[count++] = (struct http_header){STR("access-control-allow-headers"), asked};
        headers[count++] = (struct http_header){STR("access-control-max-age"), STR("600")};
    }
    http_respond(exchange->request, 204, headers, count, true);
}

static bool is_safe_method(struct str method)
{
    return str_equal(method, STR("GET")) || str_equal(method, STR("HEAD")) ||
           str_equal(method, STR("OPTIONS"));
}

static struct str origin_of(struct arena *arena, struct str scheme, struct str authority)
{
    return arena_printf(arena, "%.*s://%.*s", STR_ARGS(scheme), STR_ARGS(authority));
}

static enum status check_page(const struct rest_exchange *exchange, struct error *error)
{
    const struct http_request *request = exchange->request;
    struct str origin = http_headers_get(&request->headers, STR("origin"));
    if (is_safe_method(request->method) || !origin.ptr || is_listed(exchange, origin))
        return STATUS_OK;
    struct str own = origin_of(request->arena, request->scheme, request->authority);
    if (request->authority.len > 0 && str_equal_nocase(origin, own))
        return STATUS_OK;
    return error_set(error, STATUS_PERMISSION_DENIED,
                     "pages of the origin '%.*s' may not use this server; the setting cors-origins "
                     "lists those that may",
                     STR_ARGS(origin));
}

static bool has_only(struct str text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!memchr(bytes, text.ptr[i], strlen(bytes)))
            return false;
    }
    return true;
}

/* The authority without its port; empty when what follows the host is no port. */
static struct str host_of(struct str authority)
{
    ptrdiff_t end = str_starts_with(authority, STR("[")) ? str_find(authority, ']') + 1
                                                         : str_find(authority, ':');
    if (end <= 0)
        return authority;
    struct str port = str_slice(authority, (size_t)end, authority.len);
    bool is_port = port.len == 0 || (port.ptr[0] == ':' && has_only(port, ":0123456789"));
    return is_port ? str_slice(authority, 0, (size_t)end) : STR_EMPTY;
}

/* An address 127.x.y.z: digits and dots only, for 127.example.org is a name like any other. */
static bool is_loopback_v4(struct str host)
{
    return str_starts_with(host, STR("127.")) && has_only(host, ".0123456789");
}

static bool is_loopback_host(struct str host)
{
    return str_equal_nocase(host, STR("localhost")) || str_equal(host, STR("[::1]")) ||
           is_loopback_v4(host);
}

/* The peer's address is loopback only where the address it connected to is this machine's own. */
static bool is_loopback_peer(struct str peer)
{
    return str_starts_with(peer, STR("127.")) || str_starts_with(peer, STR("[::1]")) ||
           str_starts_with(peer, STR("[::ffff:127."));
}

static enum status check_host(const struct rest_exchange *exchange, struct error *error)
{
    const struct http_request *request = exchange->request;
    struct str authority = request->authority;
    if (authority.len == 0 || !is_loopback_peer(request->peer) ||
        is_loopback_host(host_of(authority)) ||
        is_listed(exchange, origin_of(request->arena, STR("http"), authority)) ||
        is_listed(exchange, origin_of(request->arena, STR("https"), authority)))
        return STATUS_OK;
    return error_set(error, STATUS_PERMISSION_DENIED,
                     "the host '%.*s' is no name of this server on a loopback address; ask for "
                     "localhost, 127.0.0.1 or [::1], or list http://%.*s in the setting "
                     "cors-origins",
                     STR_ARGS(authority), STR_ARGS(authority));
}

enum status rest_check_origin(const struct rest_exchange *exchange, struct error *error)
{
    TRY(check_host(exchange, error));
    return check_page(exchange, error);
}
