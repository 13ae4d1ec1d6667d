/*
 * transfer.c — one attempt of a request, driven by curl's multi interface on the caller's thread.
 *
 * The multi interface has one transfer here; it is taken for curl_multi_wakeup, which is how another thread
 * stops the wait. Time-outs for connecting are curl's; those for standing still and for the whole call are
 * measured here, without the time that sources and sinks take.
 *
 * Runs on: the caller's thread. Owns: nothing beyond the attempt. Leaves out: trying again (fetch.c).
 * Source: libcurl-multi(3). SPDX-License-Identifier: Apache-2.0
 */
#include "fetch/fetch_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <string.h>

#define WAIT_MAX_MS 1000
#define UPLOAD_BUFFER_BYTES 262144L
#define DOWNLOAD_BUFFER_BYTES 131072L

static bool has_body(const struct fetch_request *request)
{
    return request->source || request->body.len > 0 || strcmp(request->method, "PUT") == 0 ||
           strcmp(request->method, "POST") == 0;
}

static void set_method(struct fetch_transfer *transfer)
{
    CURL *easy = transfer->line->easy;
    const struct fetch_request *request = transfer->request;
    if (strcmp(request->method, "HEAD") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (!has_body(request))
        return;
    uint64_t size = request->source ? request->source->size : request->body.len;
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                           size == FETCH_SIZE_UNKNOWN ? (curl_off_t)-1 : (curl_off_t)size);
}

static void set_options(struct fetch_transfer *transfer, const char *url,
                        struct curl_slist *headers)
{
    CURL *easy = transfer->line->easy;
    const struct fetch_pool_options *options = &transfer->fetch->options;
    curl_easy_reset(easy);
    transfer->curl_text[0] = '\0';
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_text);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, DOWNLOAD_BUFFER_BYTES);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (options->proxy)
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, options->proxy);
    if (options->ca_file)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
    set_method(transfer);
    fetch_transfer_connect(transfer);
}

/* --- how it ended --------------------------------------------------------------------------------- */

/* Trying again does not help where a certificate, a name of a file or the request itself is wrong. */
static bool is_final(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
           code == CURLE_OUT_OF_MEMORY;
}

static bool is_before_connect(CURLcode code)
{
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
           code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
}

static enum status finish(struct fetch_transfer *transfer, CURLcode code, struct error *error)
{
    if (transfer->is_failed)
        return transfer->error->status;
    transfer->is_final = is_final(code);
    transfer->was_connected = !is_before_connect(code);
    /* Curl takes a head that was cut for a short one. */
    if (code == CURLE_OK && !transfer->has_head)
        return error_set(error, STATUS_UNAVAILABLE, "%s broke off before it had answered",
                         transfer->line->origin);
    if (code == CURLE_OK)
        return STATUS_OK;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        transfer->was_connected = false;
        return error_set(error, STATUS_UNAVAILABLE, "%s could not be connected within %u ms",
                         transfer->line->origin, transfer->fetch->options.connect_timeout_ms);
    }
    const char *text =
        transfer->curl_text[0] != '\0' ? transfer->curl_text : curl_easy_strerror(code);
    return error_set(error, STATUS_UNAVAILABLE, "%s could not be reached: %s",
                     transfer->line->origin, text);
}

static CURLcode result_of(CURLM *multi)
{
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(multi, &left);
    return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

/* --- the wait ------------------------------------------------------------------------------------- */

static uint64_t stall_ns(const struct fetch_transfer *transfer)
{
    uint32_t own = transfer->request->stall_timeout_ms;
    uint64_t stall_ms = own > 0 ? own : transfer->fetch->options.stall_timeout_ms;
    return stall_ms * NANOSECONDS_PER_MILLISECOND;
}

/* What left curl's own buffer has moved too. */
static void look_at_bytes(struct fetch_transfer *transfer)
{
    curl_off_t sent = 0;
    curl_off_t received = 0;
    (void)curl_easy_getinfo(transfer->line->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    (void)curl_easy_getinfo(transfer->line->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    if (sent + received == transfer->moved_bytes)
        return;
    transfer->moved_bytes = sent + received;
    transfer->moved_ns = clock_now_ns();
}

static enum status check_time(struct fetch_transfer *transfer, uint64_t now_ns, struct error *error)
{
    transfer->was_connected = true;
    if (now_ns >= transfer->deadline_ns)
        return error_set(error, STATUS_DEADLINE_EXCEEDED, "%s did not answer in time",
                         transfer->line->origin);
    if (now_ns >= transfer->moved_ns + stall_ns(transfer))
        return error_set(error, STATUS_UNAVAILABLE, "%s stood still for %u ms",
                         transfer->line->origin,
                         (unsigned)(stall_ns(transfer) / NANOSECONDS_PER_MILLISECOND));
    return STATUS_OK;
}

static int wait_ms(const struct fetch_transfer *transfer, uint64_t now_ns)
{
    uint64_t stalled_ns = transfer->moved_ns + stall_ns(transfer);
    uint64_t end_ns = stalled_ns < transfer->deadline_ns ? stalled_ns : transfer->deadline_ns;
    uint64_t left_ms = end_ns > now_ns ? (end_ns - now_ns) / NANOSECONDS_PER_MILLISECOND + 1 : 0;
    return left_ms < WAIT_MAX_MS ? (int)left_ms : WAIT_MAX_MS;
}

static enum status drive(struct fetch_transfer *transfer, struct error *error)
{
    CURLM *multi = transfer->line->multi;
    for (;;) {
        int running = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return error_set(error, STATUS_INTERNAL, "libcurl cannot go on");
        if (running == 0)
            return finish(transfer, result_of(multi), error);
        look_at_bytes(transfer);
        TRY(fetch_check(transfer, error));
        uint64_t now_ns = clock_now_ns();
        TRY(check_time(transfer, now_ns, error));
        if (curl_multi_poll(multi, NULL, 0, wait_ms(transfer, now_ns), NULL) != CURLM_OK)
            return error_set(error, STATUS_INTERNAL, "libcurl cannot wait");
    }
}

static struct curl_slist *make_headers(const struct fetch_request *request)
{
    struct curl_slist *list = NULL;
    CLEANUP(buf_finish) struct buf line;
    buf_init(&line, FETCH_HEAD_BYTES_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct fetch_header *header = &request->headers[i];
        buf_clear(&line);
        buf_append_str(&line, header->name);
        buf_append_text(&line, header->value.len > 0 ? ": " : ";");
        buf_append_str(&line, header->value);
        list = curl_slist_append(list, (const char *)line.ptr);
    }
    return list;
}

static enum status run(struct fetch_transfer *transfer, const char *url, struct error *error)
{
    struct fetch_line *line = transfer->line;
    struct curl_slist *headers = make_headers(transfer->request);
    set_options(transfer, url, headers);
    transfer->error = error;
    transfer->has_head = false;
    transfer->moved_ns = clock_now_ns();
    enum status status = STATUS_OK;
    if (curl_multi_add_handle(line->multi, line->easy) != CURLM_OK)
        status = error_set(error, STATUS_INTERNAL, "libcurl cannot begin");
    if (status == STATUS_OK)
        status = drive(transfer, error);
    long http_status = 0;
    (void)curl_easy_getinfo(line->easy, CURLINFO_RESPONSE_CODE, &http_status);
    transfer->response->http_status = (unsigned)http_status;
    (void)curl_multi_remove_handle(line->multi, line->easy);
    curl_easy_reset(line->easy);
    curl_slist_free_all(headers);
    return status;
}

enum status fetch_transfer_run(struct fetch_transfer *transfer, struct error *error)
{
    char *url = str_copy(transfer->request->url);
    enum status status = run(transfer, url, error);
    free(url);
    const struct fetch_sink *sink = transfer->request->sink;
    bool is_empty = status == STATUS_OK && sink && sink->begin && !transfer->has_begun &&
                    transfer->response->http_status / 100 == 2;
    transfer->has_begun = transfer->has_begun || is_empty;
    return is_empty ? sink->begin(sink->context, transfer->response, error) : status;
}
