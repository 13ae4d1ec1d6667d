/*
 * fetch.c — a call: checks the request, tries it, tries it again where that is safe.
 *
 * An attempt that did not reach the server may always be followed by another. One that did may be where
 * the method is idempotent, the body can be sent again and the sink has seen nothing. Answers 408, 429, 500,
 * 502, 503 and 504 are tried again under the same condition. Before the n-th further attempt the call sleeps
 * for half to all of retry_delay_ms * 2^(n-1), or for the Retry-After of the answer.
 *
 * Runs on: the caller's thread. Owns: nothing. Leaves out: redirects, cookies, authentication.
 * Source: RFC 9110 sections 9.2.2 and 10.2.3. SPDX-License-Identifier: Apache-2.0
 */
#include "fetch/fetch_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>

#define BODY_BYTES_DEFAULT ((size_t)1 << 20)

/* --- the response --------------------------------------------------------------------------------- */

void fetch_response_init(struct fetch_response *response)
{
    response->http_status = 0;
    response->attempts = 0;
    buf_init(&response->head, FETCH_HEAD_BYTES_MAX);
    buf_init(&response->body, BODY_BYTES_DEFAULT);
}

void fetch_response_finish(struct fetch_response *response)
{
    buf_finish(&response->head);
    buf_finish(&response->body);
}

struct str fetch_response_header(const struct fetch_response *response, struct str name)
{
    struct str rest = buf_str(&response->head);
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        if (str_equal_nocase(str_split(&line, ':'), name))
            return str_trim(line);
    }
    return STR_EMPTY;
}

bool fetch_parse_date(struct str text, int64_t *out_seconds)
{
    char copy[64];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    time_t seconds = curl_getdate(copy, NULL);
    *out_seconds = (int64_t)seconds;
    return seconds != (time_t)-1;
}

/* --- the request ---------------------------------------------------------------------------------- */

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static enum status check_headers(const struct fetch_request *request, struct error *error)
{
    if (request->header_count > FETCH_HEADERS_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a request has at most %d headers",
                         FETCH_HEADERS_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct fetch_header *header = &request->headers[i];
        bool is_bad = header->name.len == 0 || has_control(header->name) ||
                      str_find(header->name, ':') >= 0 || str_find(header->name, ' ') >= 0 ||
                      has_control(header->value) ||
                      header->name.len + header->value.len > FETCH_HEAD_BYTES_MAX - 3;
        if (is_bad)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "the request header '%.*s' cannot be sent",
                             (int)size_min(header->name.len, 64), header->name.ptr);
    }
    return STATUS_OK;
}

/* "https://host:port" of the URL, for messages and to find a line: never the path, which may hold secrets. */
static enum status find_origin(struct str url, char out[FETCH_ORIGIN_SIZE], struct error *error)
{
    struct str rest = url;
    size_t scheme = str_starts_with_nocase(url, STR("https://"))  ? 8
                    : str_starts_with_nocase(url, STR("http://")) ? 7
                                                                  : 0;
    if (scheme == 0 || url.len > FETCH_URL_BYTES_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a URL must begin with http:// or https:// and have at most %zu bytes",
                         FETCH_URL_BYTES_MAX);
    size_t end = scheme;
    while (end < rest.len && !strchr("/?#", rest.ptr[end]))
        end++;
    struct str authority = str_slice(url, scheme, end);
    bool is_bad = authority.len == 0 || end >= FETCH_ORIGIN_SIZE || has_control(url) ||
                  str_find(url, ' ') >= 0 || str_find(url, '#') >= 0 ||
                  str_find(authority, '@') >= 0;
    if (is_bad)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a URL has a host of at most %d bytes, no user name, no fragment and no "
                         "white space",
                         FETCH_ORIGIN_SIZE - 9);
    (void)snprintf(out, FETCH_ORIGIN_SIZE, "%.*s", (int)end, url.ptr);
    return STATUS_OK;
}

/* --- trying again --------------------------------------------------------------------------------- */

static bool is_idempotent(const struct fetch_request *request)
{
    return request->is_repeatable ||
           (strcmp(request->method, "POST") != 0 && strcmp(request->method, "PATCH") != 0);
}

static bool is_transient(unsigned http_status)
{
    return http_status == 408 || http_status == 429 || http_status == 500 || http_status == 502 ||
           http_status == 503 || http_status == 504;
}

/* A body that was begun is sent again from its start. */
static bool can_rewind(const struct fetch_transfer *transfer)
{
    return !transfer->request->source || !transfer->was_read || transfer->request->source->rewind;
}

static bool is_worth_another(const struct fetch_transfer *transfer, enum status status)
{
    const struct fetch_request *request = transfer->request;
    if (transfer->has_begun || transfer->is_final || !can_rewind(transfer))
        return false;
    if (status == STATUS_OK)
        return is_transient(transfer->response->http_status) && is_idempotent(request);
    return status == STATUS_UNAVAILABLE && (!transfer->was_connected || is_idempotent(request));
}

static uint64_t retry_after_ms(const struct fetch_response *response)
{
    uint64_t seconds = 0;
    struct str value = fetch_response_header(response, STR("retry-after"));
    return str_to_u64(value, &seconds) && seconds < 3600 ? seconds * 1000 : 0;
}

static uint64_t delay_ms(const struct fetch_transfer *transfer, enum status status,
                         unsigned attempts)
{
    const struct fetch_pool_options *options = &transfer->fetch->options;
    uint64_t full = options->retry_delay_ms;
    for (unsigned i = 1; i < attempts && full < options->retry_delay_max_ms; i++)
        full *= 2;
    uint64_t jittered = full / 2 + random_u64() % (full / 2 + 1);
    uint64_t asked = status == STATUS_OK ? retry_after_ms(transfer->response) : 0;
    uint64_t longer = asked > jittered ? asked : jittered;
    return longer < options->retry_delay_max_ms ? longer : options->retry_delay_max_ms;
}

static enum status attempt(struct fetch_transfer *transfer, const char *origin, struct error *error)
{
    TRY(fetch_line_take(transfer, origin, error));
    buf_clear(&transfer->response->head);
    buf_clear(&transfer->response->body);
    transfer->response->attempts++;
    enum status status = fetch_transfer_run(transfer, error);
    fetch_line_give(transfer);
    return status;
}

static enum status prepare_again(struct fetch_transfer *transfer, struct error *error)
{
    const struct fetch_source *source = transfer->request->source;
    transfer->body_sent = 0;
    transfer->moved_bytes = 0;
    transfer->was_connected = false;
    if (!source || !transfer->was_read)
        return STATUS_OK;
    transfer->was_read = false;
    return source->rewind(source->context, error);
}

static enum status try_all(struct fetch_transfer *transfer, const char *origin, struct error *error)
{
    struct fetch_response *response = transfer->response;
    unsigned own = transfer->request->attempts_max;
    unsigned attempts_max = own > 0 ? own : transfer->fetch->options.attempts_max;
    for (;;) {
        enum status status = attempt(transfer, origin, error);
        if (response->attempts >= attempts_max || !is_worth_another(transfer, status))
            return status;
        uint64_t until_ns = clock_now_ns() + delay_ms(transfer, status, response->attempts) *
                                                 NANOSECONDS_PER_MILLISECOND;
        if (until_ns >= transfer->deadline_ns)
            return status;
        TRY(fetch_sleep(transfer, until_ns, error));
        TRY(prepare_again(transfer, error));
    }
}

enum status fetch_perform(struct fetch_pool *fetch, const struct fetch_request *request,
                          struct fetch_response *response, struct error *error)
{
    struct error own = ERROR_NONE;
    error = error ? error : &own;
    char origin[FETCH_ORIGIN_SIZE];
    TRY(find_origin(request->url, origin, error));
    TRY(check_headers(request, error));
    response->body.size_max =
        request->body_bytes_max > 0 ? request->body_bytes_max : BODY_BYTES_DEFAULT;
    response->attempts = 0;
    uint64_t total_ns = request->total_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    struct fetch_transfer transfer = {
        .fetch = fetch,
        .request = request,
        .response = response,
        .deadline_ns = total_ns > 0 ? clock_now_ns() + total_ns : CLOCK_NEVER,
    };
    fetch_follow(&transfer);
    enum status status = try_all(&transfer, origin, error);
    fetch_unfollow(&transfer);
    return status;
}
