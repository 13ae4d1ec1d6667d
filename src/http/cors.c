/*
 * cors.c — which web pages may use the server, and what browsers are told about it.
 *
 * A browser sends requests of any page to any server, this machine's own included; some without asking
 * first (text/plain needs no preflight). So a request with an effect must come from no page, from the
 * server's own or from one that the setting cors-origins lists. A page whose name was turned towards
 * this machine (DNS rebinding) is the server's own to the browser: over loopback, the host that was
 * asked must be a name of loopback or the host of a listed origin.
 *
 * An origin that is listed by name may send credentials and its name is given back; one that only "*"
 * lets in gets "*", with which browsers send none.
 *
 * Runs on the requests' loops and owns nothing. Left out: who the caller is, once it is no page.
 * Source: WHATWG Fetch, section 3.2 (CORS); RFC 6454 section 7; W3C Private Network Access.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/cors.h"

#include <string.h>

/* What scripts may read of an answer besides the safelisted headers. */
#define EXPOSED_HEADERS                                                                            \
    "x-request-id, grpc-status, grpc-message, grpc-status-details-bin, grpc-encoding, "            \
    "grpc-retry-pushback-ms, volley-error-code, volley-sqlstate, volley-query-id, "                \
    "content-disposition, content-encoding, content-range, accept-ranges, etag, location, "        \
    "retry-after, link, preference-applied, volley-job-id, volley-dataset-id, volley-rows"
#define ALLOWED_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
/* For a preflight that names no headers; else those that it names are allowed. */
#define ALLOWED_HEADERS                                                                            \
    "content-type, authorization, x-grpc-web, x-user-agent, grpc-timeout, x-request-id, "          \
    "traceparent, prefer, range"
#define PREFLIGHT_SECONDS "600"
#define REQUESTED_HEADERS_BYTES_MAX 4096

enum listing { LISTED_NOT, LISTED_BY_STAR, LISTED_BY_NAME };

static enum listing listing_of(const struct http_cors *cors, struct str origin)
{
    enum listing found = LISTED_NOT;
    for (size_t i = 0; cors && i < cors->origin_count && found != LISTED_BY_NAME; i++) {
        if (str_equal(cors->origins[i], STR("*")))
            found = LISTED_BY_STAR;
        else if (str_equal_nocase(cors->origins[i], origin))
            found = LISTED_BY_NAME;
    }
    return found;
}

static bool is_listed(const struct http_cors *cors, struct str origin)
{
    return listing_of(cors, origin) != LISTED_NOT;
}

/* --- what browsers are told --------------------------------------------------------------------- */

static struct str origin_header(const struct http_request *request)
{
    return http_headers_get(&request->headers, STR("origin"));
}

size_t http_cors_headers(const struct http_cors *cors, const struct http_request *request,
                         struct http_header *headers)
{
    if (!cors || cors->origin_count == 0)
        return 0;
    size_t count = 0;
    /* Also where the origin is absent or foreign: a cache must not give that answer to a listed page. */
    headers[count++] = (struct http_header){STR("vary"), STR("origin")};
    struct str origin = origin_header(request);
    enum listing listing = origin.len > 0 ? listing_of(cors, origin) : LISTED_NOT;
    if (listing == LISTED_NOT)
        return count;
    bool by_name = listing == LISTED_BY_NAME;
    headers[count++] =
        (struct http_header){STR("access-control-allow-origin"), by_name ? origin : STR("*")};
    headers[count++] =
        (struct http_header){STR("access-control-expose-headers"), STR(EXPOSED_HEADERS)};
    if (by_name)
        headers[count++] =
            (struct http_header){STR("access-control-allow-credentials"), STR("true")};
    return count;
}

bool http_cors_is_preflight(const struct http_request *request)
{
    return str_equal(request->method, STR("OPTIONS")) &&
           http_headers_get(&request->headers, STR("access-control-request-method")).len > 0;
}

static struct str allowed_headers(const struct http_request *request)
{
    struct str asked = http_headers_get(&request->headers, STR("access-control-request-headers"));
    if (asked.len == 0 || asked.len > REQUESTED_HEADERS_BYTES_MAX)
        return STR(ALLOWED_HEADERS);
    return asked;
}

static bool asks_for_private_network(const struct http_request *request)
{
    struct str name = STR("access-control-request-private-network");
    return str_equal_nocase(http_headers_get(&request->headers, name), STR("true"));
}

size_t http_cors_preflight_headers(const struct http_cors *cors, const struct http_request *request,
                                   struct http_header *headers)
{
    size_t count = http_cors_headers(cors, request, headers);
    struct str origin = origin_header(request);
    if (origin.len == 0 || !is_listed(cors, origin))
        return count;
    headers[count++] =
        (struct http_header){STR("access-control-allow-methods"), STR(ALLOWED_METHODS)};
    headers[count++] =
        (struct http_header){STR("access-control-allow-headers"), allowed_headers(request)};
    headers[count++] = (struct http_header){STR("access-control-max-age"), STR(PREFLIGHT_SECONDS)};
    if (asks_for_private_network(request))
        headers[count++] =
            (struct http_header){STR("access-control-allow-private-network"), STR("true")};
    return count;
}

void http_cors_respond_preflight(const struct http_cors *cors, struct http_request *request)
{
    struct http_header headers[HTTP_CORS_PREFLIGHT_HEADERS_MAX];
    size_t count = http_cors_preflight_headers(cors, request, headers);
    http_respond(request, 204, headers, count, true);
}

/* --- who may have an effect ----------------------------------------------------------------------- */

static bool is_safe_method(struct str method)
{
    return str_equal(method, STR("GET")) || str_equal(method, STR("HEAD")) ||
           str_equal(method, STR("OPTIONS"));
}

static struct str origin_of(struct arena *arena, struct str scheme, struct str authority)
{
    return arena_printf(arena, "%.*s://%.*s", STR_ARGS(scheme), STR_ARGS(authority));
}

/* A page of another site, in browsers that leave the origin out. */
static bool is_from_another_site(const struct http_request *request)
{
    return str_equal(http_headers_get(&request->headers, STR("sec-fetch-site")), STR("cross-site"));
}

static bool is_own_page(const struct http_request *request, struct str origin)
{
    if (request->authority.len == 0)
        return false;
    struct str own = origin_of(request->arena, request->scheme, request->authority);
    return str_equal_nocase(origin, own);
}

static enum status check_page(const struct http_cors *cors, const struct http_request *request,
                              struct error *error)
{
    struct str origin = origin_header(request);
    /* A WebSocket opens with a GET, and browsers ask nobody before they let a page read what comes. */
    bool is_harmless = is_safe_method(request->method) && request->protocol.len == 0;
    if (is_harmless || (!origin.ptr && !is_from_another_site(request)))
        return STATUS_OK;
    if (is_listed(cors, origin) || is_own_page(request, origin))
        return STATUS_OK;
    return error_set(error, STATUS_PERMISSION_DENIED,
                     "pages of the origin '%.*s' may not use this server; the setting cors-origins "
                     "lists those that may",
                     STR_ARGS(origin));
}

static bool has_only_digits_and(struct str text, char mark)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (!(byte >= '0' && byte <= '9') && byte != mark)
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
    bool is_port = port.len == 0 || (port.ptr[0] == ':' && has_only_digits_and(port, ':'));
    return is_port ? str_slice(authority, 0, (size_t)end) : STR_EMPTY;
}

/* An address 127.x.y.z: digits and dots only, for 127.example.org is a name like any other. */
static bool is_loopback_v4(struct str host)
{
    return str_starts_with(host, STR("127.")) && has_only_digits_and(host, '.');
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

static enum status check_host(const struct http_cors *cors, const struct http_request *request,
                              struct error *error)
{
    struct str authority = request->authority;
    if (authority.len == 0 || !is_loopback_peer(request->peer) ||
        is_loopback_host(host_of(authority)) ||
        is_listed(cors, origin_of(request->arena, STR("http"), authority)) ||
        is_listed(cors, origin_of(request->arena, STR("https"), authority)))
        return STATUS_OK;
    return error_set(error, STATUS_PERMISSION_DENIED,
                     "the host '%.*s' is no name of this server on a loopback address; ask for "
                     "localhost, 127.0.0.1 or [::1], or list http://%.*s in the setting "
                     "cors-origins",
                     STR_ARGS(authority), STR_ARGS(authority));
}

enum status http_cors_check(const struct http_cors *cors, const struct http_request *request,
                            struct error *error)
{
    TRY(check_host(cors, request, error));
    return check_page(cors, request, error);
}
