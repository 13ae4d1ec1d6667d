/*
 * request.c — a statement as an HTTP request: the text is the body, all else stands in URL and headers.
 *
 * Settings go only to a server that has them and lets the user change them; so one URL serves all versions.
 * What reads is sent as such (readonly=2), so that a text which was taken for a read changes nothing, and so
 * that the server stops it when the connection closes. Nothing that reached the server is sent twice.
 *
 * Runs on: the caller's thread. Owns: nothing. Source: ClickHouse documentation, "HTTP Interface".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "clickhouse/clickhouse_private.h"

#include "base/clock.h"
#include "base/memory.h"

#define URL_BYTES_MAX ((size_t)16 << 10)
#define ATTEMPTS_MAX 3
/* Of a statement: the server's own limit comes first. */
#define TIMEOUT_GRACE_MS UINT64_C(10000)
/* A statement may compute for long before its first byte. */
#define STALL_MS_MAX UINT32_C(86400000)

const char *const clickhouse_setting_names[CLICKHOUSE_SETTING_COUNT] = {
    [CLICKHOUSE_READONLY] = "readonly",
    [CLICKHOUSE_CANCEL_ON_CLOSE] = "cancel_http_readonly_queries_on_client_close",
    [CLICKHOUSE_MAX_EXECUTION_TIME] = "max_execution_time",
    [CLICKHOUSE_LIMIT] = "limit",
    [CLICKHOUSE_MAX_RESULT_ROWS] = "max_result_rows",
    [CLICKHOUSE_RESULT_OVERFLOW_MODE] = "result_overflow_mode",
    [CLICKHOUSE_STRING_AS_STRING] = "output_format_arrow_string_as_string",
    [CLICKHOUSE_UNSUPPORTED_TYPES] = "output_format_arrow_unsupported_types",
};

/* --- the URL ------------------------------------------------------------------------------------ */

static bool is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

static void append_escaped(struct buf *url, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.ptr[i]))
            buf_append_byte(url, (uint8_t)text.ptr[i]);
        else
            buf_printf(url, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
    }
}

static void append_pair(struct buf *url, const char *prefix, struct str name, struct str value)
{
    bool is_first = url->ptr[url->len - 1] == '/';
    buf_append_byte(url, is_first ? '?' : '&');
    buf_append_text(url, prefix);
    append_escaped(url, name);
    buf_append_byte(url, '=');
    append_escaped(url, value);
}

static void append_setting(struct buf *url, const struct clickhouse_request *request,
                           enum clickhouse_setting setting, struct str value)
{
    if (request->server && request->server->has[setting])
        append_pair(url, "", str_of(clickhouse_setting_names[setting]), value);
}

static void append_number(struct buf *url, const struct clickhouse_request *request,
                          enum clickhouse_setting setting, uint64_t value)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 32);
    buf_append_u64(&text, value);
    append_setting(url, request, setting, buf_str(&text));
}

/* Rows beyond the limit are cut here as well: an older server sends whole blocks. */
static void append_row_limit(struct buf *url, const struct clickhouse_request *request)
{
    if (request->server && request->server->has[CLICKHOUSE_LIMIT]) {
        append_number(url, request, CLICKHOUSE_LIMIT, request->row_limit);
        return;
    }
    append_number(url, request, CLICKHOUSE_MAX_RESULT_ROWS, request->row_limit);
    append_setting(url, request, CLICKHOUSE_RESULT_OVERFLOW_MODE, STR("break"));
}

static void append_settings(struct buf *url, const struct clickhouse_request *request)
{
    append_setting(url, request, CLICKHOUSE_STRING_AS_STRING, STR("1"));
    append_setting(url, request, CLICKHOUSE_UNSUPPORTED_TYPES, STR("text"));
    if (request->timeout_ms > 0)
        append_number(url, request, CLICKHOUSE_MAX_EXECUTION_TIME,
                      (request->timeout_ms + 999) / 1000);
    if (request->is_read) {
        append_setting(url, request, CLICKHOUSE_READONLY, STR("2"));
        append_setting(url, request, CLICKHOUSE_CANCEL_ON_CLOSE, STR("1"));
    } else {
        /* Then its end, and how many rows it wrote, are known before it answers. */
        append_pair(url, "", STR("wait_end_of_query"), STR("1"));
    }
    if (request->row_limit > 0 && request->is_read)
        append_row_limit(url, request);
}

static enum status write_url(const struct clickhouse *clickhouse,
                             const struct clickhouse_request *request, struct buf *url,
                             struct error *error)
{
    buf_append_str(url, clickhouse->url);
    append_pair(url, "", STR("default_format"), str_of(request->format));
    if (clickhouse->database.len > 0)
        append_pair(url, "", STR("database"), clickhouse->database);
    if (request->query_id.len > 0)
        append_pair(url, "", STR("query_id"), request->query_id);
    append_settings(url, request);
    for (size_t i = 0; i < request->parameter_count; i++)
        append_pair(url, "param_", request->parameters[i].name, request->parameters[i].value);
    return buf_check(url, "the URL of the statement", error);
}

/* --- the call ----------------------------------------------------------------------------------- */

static uint64_t total_ms(const struct clickhouse_request *request)
{
    uint64_t grace_ms = request->sink ? TIMEOUT_GRACE_MS : 0;
    return request->timeout_ms > 0 ? request->timeout_ms + grace_ms : 0;
}

static uint32_t stall_ms(const struct clickhouse_request *request)
{
    uint64_t total = total_ms(request);
    return total == 0 || total > STALL_MS_MAX ? STALL_MS_MAX : (uint32_t)total;
}

static enum status perform(struct clickhouse *clickhouse, const struct clickhouse_request *request,
                           struct str url, struct fetch_response *response, struct error *error)
{
    const struct fetch_header headers[] = {
        {STR("X-ClickHouse-User"), clickhouse->user},
        {STR("X-ClickHouse-Key"), clickhouse->password},
        {STR("Content-Type"), STR("text/plain; charset=utf-8")},
        {STR("User-Agent"), STR("volley")},
    };
    const struct fetch_request call = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .header_count = ARRAY_COUNT(headers),
        .body = request->sql,
        .sink = request->sink,
        .total_timeout_ms = total_ms(request),
        .stall_timeout_ms = stall_ms(request),
        .attempts_max = ATTEMPTS_MAX,
        .cancel = request->cancel,
    };
    return fetch_perform(clickhouse->fetch, &call, response, error);
}

enum status clickhouse_send(struct clickhouse *clickhouse, const struct clickhouse_request *request,
                            struct fetch_response *response, struct error *error)
{
    CLEANUP(buf_finish) struct buf url;
    struct error failure = ERROR_NONE;
    buf_init(&url, URL_BYTES_MAX);
    TRY(write_url(clickhouse, request, &url, error));
    enum status status = perform(clickhouse, request, buf_str(&url), response, &failure);
    if (status == STATUS_OK && response->http_status / 100 == 2)
        return STATUS_OK;
    if (status == STATUS_OK)
        return clickhouse_refusal(clickhouse, response, error);
    if (status != STATUS_UNAVAILABLE || response->http_status != 0)
        return error_copy(error, &failure);
    return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                          "ClickHouse cannot be used: %s (settings clickhouse-host, "
                          "clickhouse-port)",
                          failure.message);
}
