/*
 * callbacks.c — where curl gets the bytes of a request from and puts those of a response.
 *
 * Each callback notes that bytes moved, after the source or the sink returned: the time they take is theirs
 * and not the server's. What they refuse is kept in the transfer and ends it.
 *
 * Runs on: the caller's thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "fetch/fetch_private.h"

#include "base/checked.h"
#include "base/clock.h"

#include <string.h>

static size_t refuse(struct fetch_transfer *transfer, size_t answer)
{
    transfer->is_failed = true;
    transfer->is_final = true;
    return answer;
}

/* --- the request's body --------------------------------------------------------------------------- */

static size_t read_bytes(struct fetch_transfer *transfer, char *bytes, size_t size)
{
    struct str body = transfer->request->body;
    size_t take = size_min(size, body.len - (size_t)transfer->body_sent);
    if (take > 0)
        memcpy(bytes, body.ptr + transfer->body_sent, take);
    transfer->body_sent += take;
    return take;
}

/* A source that has less than it said would leave the server waiting. */
static enum status source_read(struct fetch_transfer *transfer, char *bytes, size_t size,
                               size_t *out_size)
{
    const struct fetch_source *source = transfer->request->source;
    TRY(source->read(source->context, (uint8_t *)bytes, size, out_size, transfer->error));
    transfer->body_sent += *out_size;
    if (*out_size == 0 && source->size != FETCH_SIZE_UNKNOWN && transfer->body_sent < source->size)
        return error_set(transfer->error, STATUS_DATA_LOSS,
                         "what is sent ended after %llu of %llu bytes",
                         (unsigned long long)transfer->body_sent, (unsigned long long)source->size);
    return STATUS_OK;
}

static size_t on_read(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch_transfer *transfer = context;
    const struct fetch_source *source = transfer->request->source;
    size_t taken = 0;
    if (!source) {
        taken = read_bytes(transfer, bytes, size * count);
    } else {
        transfer->was_read = true;
        if (source_read(transfer, bytes, size * count, &taken) != STATUS_OK)
            return refuse(transfer, CURL_READFUNC_ABORT);
    }
    transfer->moved_ns = clock_now_ns();
    return taken;
}

/* Curl goes back to the beginning only: where a kept connection turns out to be closed. */
static int on_seek(void *context, curl_off_t offset, int from)
{
    struct fetch_transfer *transfer = context;
    const struct fetch_source *source = transfer->request->source;
    if (offset != 0 || from != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->body_sent = 0;
    if (!source || !transfer->was_read)
        return CURL_SEEKFUNC_OK;
    if (!source->rewind)
        return CURL_SEEKFUNC_CANTSEEK;
    if (source->rewind(source->context, transfer->error) != STATUS_OK)
        return (int)refuse(transfer, CURL_SEEKFUNC_FAIL);
    transfer->was_read = false;
    return CURL_SEEKFUNC_OK;
}

/* --- the response --------------------------------------------------------------------------------- */

/* An informational answer or a proxy's goes before the real one: each status line starts anew. */
static void keep_header(struct fetch_response *response, struct str line)
{
    if (str_starts_with(line, STR("HTTP/"))) {
        buf_clear(&response->head);
        return;
    }
    ptrdiff_t colon = str_find(line, ':');
    if (colon <= 0)
        return;
    buf_append_str(&response->head, str_slice(line, 0, (size_t)colon));
    buf_append_text(&response->head, ": ");
    buf_append_str(&response->head, str_trim(str_slice(line, (size_t)colon + 1, line.len)));
    buf_append_byte(&response->head, '\n');
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch_transfer *transfer = context;
    transfer->moved_ns = clock_now_ns();
    struct str line = str_trim(str_make(bytes, size * count));
    if (line.len == 0 || str_starts_with(line, STR("HTTP/")))
        transfer->has_head = line.len == 0;
    keep_header(transfer->response, line);
    if (buf_check(&transfer->response->head, "the head of the response", transfer->error) !=
        STATUS_OK)
        return refuse(transfer, 0);
    return size * count;
}

static unsigned status_of(const struct fetch_transfer *transfer)
{
    long http_status = 0;
    (void)curl_easy_getinfo(transfer->line->easy, CURLINFO_RESPONSE_CODE, &http_status);
    return (unsigned)http_status;
}

static enum status sink_write(struct fetch_transfer *transfer, struct str bytes)
{
    const struct fetch_sink *sink = transfer->request->sink;
    if (!transfer->has_begun && sink->begin) {
        transfer->response->http_status = status_of(transfer);
        transfer->has_begun = true;
        TRY(sink->begin(sink->context, transfer->response, transfer->error));
    }
    transfer->has_begun = true;
    return sink->write(sink->context, bytes, transfer->error);
}

/* What tells of an error is cut where it is too long; a result is never. */
static enum status keep(struct fetch_transfer *transfer, struct str bytes, bool is_success)
{
    struct buf *body = &transfer->response->body;
    if (!is_success)
        bytes = str_slice(bytes, 0, body->size_max - body->len);
    buf_append_str(body, bytes);
    return buf_check(body, "the response", transfer->error);
}

static size_t on_write(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch_transfer *transfer = context;
    struct str part = str_make(bytes, size * count);
    bool is_success = status_of(transfer) / 100 == 2;
    enum status status = is_success && transfer->request->sink ? sink_write(transfer, part)
                                                               : keep(transfer, part, is_success);
    transfer->moved_ns = clock_now_ns();
    if (status != STATUS_OK)
        return refuse(transfer, CURL_WRITEFUNC_ERROR);
    return part.len;
}

void fetch_transfer_connect(struct fetch_transfer *transfer)
{
    CURL *easy = transfer->line->easy;
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}
