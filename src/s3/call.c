/*
 * call.c — one operation: its URL, its headers, its signature, and what became of it.
 *
 * A request whose clock the service finds wrong is sent once more with the service's time, which is kept for
 * the following ones. A service that does not answer is remembered for some seconds (s3_seems_down).
 *
 * Runs on: any thread that may block. Owns: nothing beyond the call.
 * Source: Amazon S3 API. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include "base/clock.h"
#include "s3/sign.h"

#include <stdlib.h>
#include <string.h>

#define TOTAL_TIMEOUT_MS 120000
#define DOWN_NS (5 * NANOSECONDS_PER_SECOND)
#define OWN_HEADERS 4
#define SIGNED_BODY_BYTES_MAX ((size_t)64 << 10)

void s3_call_add_parameter(struct s3_call *call, const char *name, struct str value)
{
    call->parameters[call->parameter_count++] =
        (struct fetch_header){.name = str_of(name), .value = value};
}

void s3_call_add_header(struct s3_call *call, const char *name, struct str value)
{
    call->headers[call->header_count++] =
        (struct fetch_header){.name = str_of(name), .value = value};
}

int64_t s3_now_us(const struct s3 *s3)
{
    return clock_wall_us() + atomic_load(&s3->skew_us);
}

void s3_write_path(const struct s3 *s3, struct str key, struct buf *out)
{
    buf_append_text(out, s3->path_prefix);
    if (key.len > 0 || out->len == 0)
        buf_append_byte(out, '/');
    sign_encode(key, true, out);
}

enum status s3_check_key(struct str key, struct error *error)
{
    if (key.len > 0 && key.len <= S3_KEY_BYTES_MAX && str_is_utf8(key) && str_find(key, '\0') < 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "the key of an S3 object is UTF-8 text of 1 to %d bytes", S3_KEY_BYTES_MAX);
}

/* --- the request ---------------------------------------------------------------------------------- */

struct signed_request {
    struct fetch_header headers[S3_HEADERS_MAX + OWN_HEADERS + 1];
    size_t header_count;
    char time[SIGN_TIME_SIZE];
    char payload_hash[SIGN_HASH_SIZE];
    struct buf path;
    struct buf query;
    struct buf url;
    struct buf authorization;
    struct buf secrets;
};

static void signed_request_init(struct signed_request *request)
{
    request->header_count = 0;
    buf_init(&request->path, FETCH_URL_BYTES_MAX);
    buf_init(&request->query, FETCH_URL_BYTES_MAX);
    buf_init(&request->url, FETCH_URL_BYTES_MAX);
    buf_init(&request->authorization, FETCH_HEAD_BYTES_MAX);
    buf_init(&request->secrets, S3_SECRETS_BYTES_MAX);
}

static void signed_request_finish(struct signed_request *request)
{
    buf_finish(&request->path);
    buf_finish(&request->query);
    buf_finish(&request->url);
    buf_finish(&request->authorization);
    if (request->secrets.ptr)
        explicit_bzero(request->secrets.ptr, request->secrets.len);
    buf_finish(&request->secrets);
}
CLEANUP_IN_PLACE(struct signed_request, signed_request_finish)

static void add(struct signed_request *request, const char *name, struct str value)
{
    request->headers[request->header_count++] =
        (struct fetch_header){.name = str_of(name), .value = value};
}

static int compare_names(const void *left, const void *right)
{
    const struct fetch_header *a = left;
    const struct fetch_header *b = right;
    return strcmp(a->name.ptr, b->name.ptr);
}

static struct str host_of(const char *base)
{
    struct str host = str_of(base);
    ptrdiff_t slashes = str_find_str(host, STR("://"));
    return str_slice(host, (size_t)slashes + 3, host.len);
}

static void write_url(const struct s3_call *call, struct signed_request *request)
{
    s3_write_path(call->s3, call->key, &request->path);
    sign_query(call->parameters, call->parameter_count, &request->query);
    buf_append_text(&request->url, call->s3->base);
    buf_append_str(&request->url, buf_str(&request->path));
    if (request->query.len > 0)
        buf_append_byte(&request->url, '?');
    buf_append_str(&request->url, buf_str(&request->query));
}

/* TLS, or a socket within this machine, guards a body as well as its digest, which costs both sides more than
 * sending it. */
static void write_payload_hash(const struct s3_call *call, struct signed_request *request)
{
    bool is_small = !call->source && call->body.len <= SIGNED_BODY_BYTES_MAX;
    if (is_small || call->s3->signs_bodies)
        sign_hash(call->body, request->payload_hash);
    else
        memcpy(request->payload_hash, SIGN_UNSIGNED_PAYLOAD.ptr, SIGN_UNSIGNED_PAYLOAD.len + 1);
}

static enum status sign(const struct s3_call *call, struct signed_request *request,
                        struct error *error)
{
    struct s3_credentials credentials;
    TRY(s3_credentials_find(call->s3, &request->secrets, &credentials, error));
    write_url(call, request);
    TRY(buf_check(&request->query, "the URL of an S3 request", error));
    TRY(buf_check(&request->url, "the URL of an S3 request", error));
    sign_time(s3_now_us(call->s3), request->time);
    write_payload_hash(call, request);
    for (size_t i = 0; i < call->header_count; i++)
        request->headers[request->header_count++] = call->headers[i];
    add(request, "host", host_of(call->s3->base));
    add(request, "x-amz-content-sha256", str_of(request->payload_hash));
    add(request, "x-amz-date", str_of(request->time));
    if (credentials.session_token.len > 0)
        add(request, "x-amz-security-token", credentials.session_token);
    qsort(request->headers, request->header_count, sizeof(request->headers[0]), compare_names);
    struct sign_key key = {.access_key = credentials.access_key,
                           .secret_key = credentials.secret_key,
                           .region = str_of(call->s3->region),
                           .service = STR("s3")};
    struct sign_request text = {.method = call->method,
                                .path = buf_str(&request->path),
                                .query = buf_str(&request->query),
                                .headers = request->headers,
                                .header_count = request->header_count,
                                .payload_hash = str_of(request->payload_hash)};
    sign_authorization(&key, request->time, &text, &request->authorization);
    add(request, "authorization", buf_str(&request->authorization));
    return buf_check(&request->authorization, "the signature of an S3 request", error);
}

static enum status send_once(const struct s3_call *call, struct fetch_response *response,
                             struct error *error)
{
    CLEANUP(signed_request_finish) struct signed_request signed_request;
    signed_request_init(&signed_request);
    TRY(sign(call, &signed_request, error));
    struct fetch_request request = {
        .method = call->method,
        .url = buf_str(&signed_request.url),
        .headers = signed_request.headers,
        .header_count = signed_request.header_count,
        .body = call->body,
        .source = call->source,
        .sink = call->sink,
        .body_bytes_max = S3_ANSWER_BYTES_MAX,
        .is_repeatable = call->is_repeatable,
        .total_timeout_ms = call->total_timeout_ms > 0 ? call->total_timeout_ms : TOTAL_TIMEOUT_MS,
        .attempts_max = call->attempts_max,
        .cancel = call->cancel,
    };
    return fetch_perform(call->s3->fetch, &request, response, error);
}

/* --- what became of it ---------------------------------------------------------------------------- */

static void count(const struct s3_call *call, enum status status)
{
    struct s3 *s3 = call->s3;
    bool is_answer = status != STATUS_UNAVAILABLE && status != STATUS_DEADLINE_EXCEEDED;
    if (status != STATUS_CANCELLED)
        atomic_store(&s3->down_until_ns, is_answer ? 0 : clock_now_ns() + DOWN_NS);
    if (!s3->requests)
        return;
    const char *outcome = status == STATUS_OK          ? "ok"
                          : status == STATUS_CANCELLED ? "cancelled"
                          : status == STATUS_NOT_FOUND ? "missing"
                          : is_answer                  ? "refused"
                                                       : "unavailable";
    metric_add(metric_get(s3->requests, (const char *const[]){call->operation, outcome}), 1);
    if (status == STATUS_OK)
        metric_add(s3->bytes_sent, (double)(call->source ? call->source->size : call->body.len));
}

/* True when the service named its time; what follows is signed with it. */
static bool learn_time(struct s3 *s3, const struct fetch_response *response)
{
    int64_t seconds = 0;
    if (!fetch_parse_date(fetch_response_header(response, STR("date")), &seconds))
        return false;
    atomic_store(&s3->skew_us, seconds * 1000000 - clock_wall_us());
    return true;
}

enum status s3_call_run(struct s3_call *call, struct fetch_response *response, struct error *error)
{
    struct error reason = ERROR_NONE;
    bool is_second = false;
    for (;;) {
        enum status status = send_once(call, response, &reason);
        if (status != STATUS_OK) {
            count(call, status);
            return s3_error_wrap(call, &reason, error);
        }
        if (response->http_status / 100 == 2) {
            count(call, STATUS_OK);
            return STATUS_OK;
        }
        char code[S3_CODE_SIZE];
        status = s3_answer_error(call, response, code, error);
        bool is_again = !is_second && strcmp(code, "RequestTimeTooSkewed") == 0 &&
                        learn_time(call->s3, response);
        if (!is_again) {
            count(call, status);
            return status;
        }
        is_second = true;
    }
}
