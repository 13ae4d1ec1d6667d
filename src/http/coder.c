/*
 * coder.c — response bodies through an encoder, in steps.
 *
 * Coders with plain bytes stand in line. In each round of the loop those at the front get to compress
 * until the round's allowance is used up; one that has more goes to the back. Bodies that have just
 * begun stand in a line of their own with half of the allowance, so that a small answer does not wait
 * for the bulk of others, nor they for ever for small ones. The allowance is in bytes of zstd, and
 * gzip's bytes count more, so that a round takes about 0.2 ms.
 *
 * The stream's body stays `held` while its last bytes are in the coder: framing then knows that an ended
 * body has not come to its end.
 *
 * Runs on the connection's loop. Owns the encoder and the plain bytes. Leaves out: which coding
 * (coding.c), how to compress (compress). Spec: RFC 9110 sections 8.4, 8.8.3.3, 12.5.5.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/coder.h"

#include "base/checked.h"
#include "base/memory.h"
#include "compress/encoder.h"
#include "http/coding.h"
#include "http/connection.h"
#include "http/listener.h"

#include <assert.h>
#include <string.h>

/* Below this a body of known length is sent as it is. */
#define PLAIN_BYTES_MIN 1024
#define ROUND_ALLOWANCE ((size_t)64 << 10)
/* The last turn of a round is not cut shorter than this. */
#define TURN_ALLOWANCE_MIN ((size_t)8 << 10)
/* What a turn costs on top of its bytes, and a body's first one. */
#define TURN_COST ((size_t)1 << 10)
#define FIRST_TURN_COST ((size_t)8 << 10)

struct coding_row {
    enum compress_format format;
    size_t cost; /* of a byte */
};
static const struct coding_row codings[] = {
    [HTTP_CODING_ZSTD] = {COMPRESS_ZSTD, 1},
    [HTTP_CODING_GZIP] = {COMPRESS_GZIP, 2},
};

struct http_coder {
    struct list link; /* http_coders.fresh or waiting */
    struct http_coders *home;
    struct http_stream *stream;
    struct compress_encoder *encoder;
    struct slices plain;
    size_t cost;
    bool started; /* has had a turn */
};

/* --- the head ---------------------------------------------------------------------------------- */

static bool is_too_small(const struct http_headers *headers)
{
    uint64_t length;
    return str_to_u64(http_headers_get(headers, STR("content-length")), &length) &&
           length < PLAIN_BYTES_MIN;
}

/* Parts of a representation are cut from its plain bytes, and some answers are coded already. */
static bool may_be_coded(unsigned status, const struct http_headers *headers)
{
    return status != 204 && status != 206 &&
           !http_headers_get(headers, STR("content-encoding")).ptr &&
           !http_headers_get(headers, STR("content-range")).ptr;
}

static enum http_coding choose(const struct http_stream *stream, unsigned status,
                               const struct http_headers *headers)
{
    const struct http_headers *wishes = &stream->request.headers;
    if (!may_be_coded(status, headers) ||
        (is_too_small(headers) && http_coding_takes_identity(wishes)))
        return HTTP_CODING_IDENTITY;
    enum http_coding coding = http_coding_choose(wishes);
    return coding == HTTP_CODING_NONE ? HTTP_CODING_IDENTITY : coding;
}

/* Equal bytes before compression need not be equal after it: the tag says only that they mean the same. */
static struct str weak_tag(struct arena *arena, struct str tag)
{
    if (str_starts_with(tag, STR("W/")))
        return tag;
    return arena_printf(arena, "W/%.*s", STR_ARGS(tag));
}

/* What tells of the plain bytes only. */
static bool is_of_plain_bytes(struct str name)
{
    return str_equal(name, STR("content-length")) || str_equal(name, STR("accept-ranges"));
}

/* The headers of a coded body, or of the answer (HEAD, 304) that stands for one. */
static size_t describe_coded(struct http_stream *stream, unsigned status,
                             const struct http_headers *headers, enum http_coding coding,
                             struct http_header *out)
{
    size_t used = 0;
    for (size_t i = 0; i < headers->count; i++) {
        struct http_header header = headers->items[i];
        if (is_of_plain_bytes(header.name))
            continue;
        if (str_equal(header.name, STR("etag")))
            header.value = weak_tag(&stream->arena, header.value);
        out[used++] = header;
    }
    if (status != 304)
        out[used++] = (struct http_header){STR("content-encoding"), http_coding_name(coding)};
    return used;
}

static struct http_coder *coder_create(struct http_stream *stream, enum http_coding coding)
{
    struct http_coder *coder = NEW(struct http_coder);
    coder->home = &stream->connection->home->coders;
    coder->stream = stream;
    coder->encoder = compress_encoder_create(codings[coding].format, 0);
    coder->cost = codings[coding].cost;
    slices_init(&coder->plain);
    return coder;
}

const struct http_header *http_coder_begin(struct http_stream *stream, unsigned status,
                                           const struct http_header *headers, size_t *count,
                                           bool end)
{
    const struct http_headers given = {.items = headers, .count = *count};
    bool stands_for_body = status == 304 || str_equal(stream->request.method, STR("HEAD"));
    enum http_coding coding =
        end && !stands_for_body ? HTTP_CODING_IDENTITY : choose(stream, status, &given);
    struct http_header *rewritten = ARENA_NEW_ARRAY(&stream->arena, struct http_header, *count + 2);
    if (coding != HTTP_CODING_IDENTITY)
        *count = describe_coded(stream, status, &given, coding, rewritten);
    else if (*count > 0)
        memcpy(rewritten, headers, *count * sizeof(*headers));
    rewritten[(*count)++] = (struct http_header){STR("vary"), STR("accept-encoding")};
    if (coding != HTTP_CODING_IDENTITY && !stream->mute)
        stream->coder = coder_create(stream, coding);
    return rewritten;
}

/* --- the body ---------------------------------------------------------------------------------- */

static void stand_in_line(struct http_coder *coder)
{
    struct http_coders *home = coder->home;
    if (!list_is_linked(&coder->link))
        list_append(coder->started ? &home->waiting : &home->fresh, &coder->link);
    loop_post(home->loop, &home->task);
}

void http_coder_write(struct http_coder *coder, struct slices *plain)
{
    slices_move(&coder->plain, plain);
    stand_in_line(coder);
}

void http_coder_end(struct http_coder *coder)
{
    coder->stream->body.held = true;
    stand_in_line(coder);
}

size_t http_coder_bytes(const struct http_coder *coder)
{
    return coder ? coder->plain.bytes : 0;
}

void http_coder_destroy(struct http_coder *coder)
{
    if (!coder)
        return;
    list_remove(&coder->link);
    compress_encoder_destroy(coder->encoder);
    slices_finish(&coder->plain);
    free(coder);
}

/* Compresses `size` of the plain bytes; when they were the last ones there are, all comes out. */
static enum status encode(struct http_coder *coder, size_t size, struct slices *coded,
                          struct error *error)
{
    while (size > 0) {
        const struct slice *first = slices_at(&coder->plain, 0);
        struct str part = str_make((const char *)first->ptr, size_min(first->len, size));
        TRY(compress_encoder_write(coder->encoder, part, COMPRESS_MORE, coded, error));
        slices_consume(&coder->plain, part.len);
        size -= part.len;
    }
    if (coder->plain.bytes > 0)
        return STATUS_OK;
    enum compress_flush flush = coder->stream->body.held ? COMPRESS_END : COMPRESS_FLUSH;
    return compress_encoder_write(coder->encoder, STR_EMPTY, flush, coded, error);
}

/* One turn; returns what it cost. The coder may be gone afterwards. */
static size_t take_turn(struct http_coder *coder, size_t allowance)
{
    struct http_stream *stream = coder->stream;
    size_t overhead = coder->started ? TURN_COST : FIRST_TURN_COST;
    size_t affordable = size_max(allowance, TURN_ALLOWANCE_MIN) / coder->cost;
    size_t size = size_min(coder->plain.bytes, affordable);
    CLEANUP(slices_finish) struct slices coded;
    slices_init(&coded);
    coder->started = true;
    if (encode(coder, size, &coded, NULL) != STATUS_OK) {
        http_abort(&stream->request);
        return overhead;
    }
    slices_move(&stream->body.queue, &coded);
    size_t cost = overhead + size * coder->cost;
    if (coder->plain.bytes > 0) {
        stand_in_line(coder);
    } else if (stream->body.held) {
        stream->body.held = false;
        http_coder_destroy(STEAL(stream->coder));
    }
    stream->connection->protocol->write(stream);
    http_stream_framed(stream);
    http_connection_touch(stream->connection);
    return cost;
}

/* Returns what is left of the allowance. */
static size_t serve_line(struct list *line, size_t allowance)
{
    while (allowance > 0) {
        struct list *link = list_take_first(line);
        if (!link)
            break;
        size_t cost = take_turn(CONTAINER_OF(link, struct http_coder, link), allowance);
        allowance -= size_min(cost, allowance);
    }
    return allowance;
}

static void on_round(struct loop_task *task)
{
    struct http_coders *coders = CONTAINER_OF(task, struct http_coders, task);
    size_t left = serve_line(&coders->fresh, ROUND_ALLOWANCE / 2);
    (void)serve_line(&coders->waiting, ROUND_ALLOWANCE / 2 + left);
    if (!list_is_empty(&coders->fresh) || !list_is_empty(&coders->waiting))
        loop_post(coders->loop, &coders->task);
}

void http_coders_init(struct http_coders *coders, struct loop *loop)
{
    coders->loop = loop;
    list_init(&coders->fresh);
    list_init(&coders->waiting);
    coders->task = LOOP_TASK_INIT(on_round);
}

void http_coders_finish(struct http_coders *coders)
{
    assert(list_is_empty(&coders->fresh) && list_is_empty(&coders->waiting));
    loop_task_cancel(coders->loop, &coders->task);
}
