/*
 * multipart.c — the scanner: boundaries in a stream of bytes that comes in any pieces.
 *
 *      preamble --boundary--> header --empty line--> bytes --boundary--> header ... --boundary-- --> epilogue
 *
 * A boundary is CR LF "--" and the boundary's text; the body's beginning counts as an end of line. How
 * many of its bytes have matched is all that is kept between two pieces: CR stands at its beginning and
 * nowhere else, so when the next byte does not match, what had matched is content and only that byte is
 * looked at again. A line that begins with the boundary and goes on otherwise is refused, because readers
 * differ about what it is.
 *
 * Runs on any thread. Owns the header of the part at hand. Leaves out: what headers mean
 * (multipart_header.c). Spec: RFC 2046 section 5.1.1, RFC 7578. SPDX-License-Identifier: Apache-2.0
 */
#include "http/multipart.h"

#include "base/buf.h"
#include "base/memory.h"
#include "http/multipart_header.h"

#include <assert.h>
#include <string.h>

/* Spaces that may stand between a boundary and the end of its line. */
#define PADDING_MAX 64

const struct http_multipart_limits http_multipart_limits_default = {
    .parts_max = 128,
    .header_bytes_max = (size_t)8 << 10,
    .outside_bytes_max = (size_t)4 << 10,
};

enum state {
    STATE_PREAMBLE,
    STATE_BOUNDARY,    /* behind a boundary's text */
    STATE_LAST_DASH,   /* behind its first dash */
    STATE_PADDING,     /* spaces behind it */
    STATE_BOUNDARY_LF, /* behind the CR that ends its line */
    STATE_HEADER,
    STATE_BYTES,
    STATE_EPILOGUE,
};

struct http_multipart {
    struct http_multipart_handler handler;
    struct http_multipart_limits limits;
    enum state state;
    char boundary[4 + MULTIPART_BOUNDARY_MAX]; /* CR LF -- text */
    size_t boundary_len;
    size_t matched; /* bytes of the boundary that the latest bytes were */
    size_t assumed; /* of them, the first ones that were not content: the line end came before */
    size_t parts;
    size_t outside_bytes;
    size_t padding;
    struct buf header;
    bool failed;
};

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "multipart: %s", what);
}

enum status http_multipart_create(struct str content_type,
                                  const struct http_multipart_handler *handler,
                                  const struct http_multipart_limits *limits,
                                  struct http_multipart **out_parser, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str boundary;
    TRY(multipart_boundary(&arena, content_type, &boundary, error));
    struct http_multipart *parser = NEW(struct http_multipart);
    parser->handler = *handler;
    parser->limits = *limits;
    memcpy(parser->boundary, "\r\n--", 4);
    memcpy(parser->boundary + 4, boundary.ptr, boundary.len);
    parser->boundary_len = 4 + boundary.len;
    parser->matched = 2;
    parser->assumed = 2;
    buf_init(&parser->header, limits->header_bytes_max);
    *out_parser = parser;
    return STATUS_OK;
}

void http_multipart_destroy(struct http_multipart *parser)
{
    if (!parser)
        return;
    buf_finish(&parser->header);
    free(parser);
}

/* --- content ----------------------------------------------------------------------------------- */

static enum status count_outside(struct http_multipart *parser, size_t size, struct error *error)
{
    parser->outside_bytes += size;
    if (parser->outside_bytes <= parser->limits.outside_bytes_max)
        return STATUS_OK;
    return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                     "multipart: more than %zu bytes before the first boundary or after the last",
                     parser->limits.outside_bytes_max);
}

/* Bytes that are no boundary: the part's, or the preamble's. */
static enum status give(struct http_multipart *parser, const void *bytes, size_t size,
                        struct error *error)
{
    if (size == 0)
        return STATUS_OK;
    if (parser->state == STATE_PREAMBLE)
        return count_outside(parser, size, error);
    return parser->handler.on_bytes(parser->handler.context, bytes, size, error);
}

/* What seemed to become a boundary is content. */
static enum status give_back(struct http_multipart *parser, struct error *error)
{
    size_t matched = parser->matched;
    size_t assumed = parser->assumed;
    parser->matched = 0;
    parser->assumed = 0;
    return give(parser, parser->boundary + assumed, matched - assumed, error);
}

static enum status meet_boundary(struct http_multipart *parser, struct error *error)
{
    bool was_part = parser->state == STATE_BYTES;
    parser->matched = 0;
    parser->assumed = 0;
    parser->padding = 0;
    parser->state = STATE_BOUNDARY;
    return was_part ? parser->handler.on_part_end(parser->handler.context, error) : STATUS_OK;
}

/* Content up to and with the next boundary, or all there is; advances *at. */
static enum status scan_content(struct http_multipart *parser, const uint8_t *bytes, size_t size,
                                size_t *at, struct error *error)
{
    if (parser->matched == 0) {
        const uint8_t *cr = memchr(bytes + *at, '\r', size - *at);
        size_t end = cr ? (size_t)(cr - bytes) : size;
        TRY(give(parser, bytes + *at, end - *at, error));
        *at = end;
    }
    while (*at < size && bytes[*at] == (uint8_t)parser->boundary[parser->matched]) {
        (*at)++;
        if (++parser->matched == parser->boundary_len)
            return meet_boundary(parser, error);
    }
    return *at < size ? give_back(parser, error) : STATUS_OK;
}

/* --- boundary lines ---------------------------------------------------------------------------- */

static enum status begin_header(struct http_multipart *parser, struct error *error)
{
    parser->state = STATE_HEADER;
    buf_clear(&parser->header);
    if (parser->parts++ < parser->limits.parts_max)
        return STATUS_OK;
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, "multipart: more than %zu parts",
                     parser->limits.parts_max);
}

static enum status step_boundary(struct http_multipart *parser, uint8_t byte, struct error *error)
{
    enum state state = parser->state;
    if (state == STATE_BOUNDARY && byte == '-')
        parser->state = STATE_LAST_DASH;
    else if (state == STATE_LAST_DASH && byte == '-')
        parser->state = STATE_EPILOGUE;
    else if (state == STATE_BOUNDARY_LF && byte == '\n')
        return begin_header(parser, error);
    else if ((state == STATE_BOUNDARY || state == STATE_PADDING) && byte == '\r')
        parser->state = STATE_BOUNDARY_LF;
    else if ((state == STATE_BOUNDARY || state == STATE_PADDING) && (byte == ' ' || byte == '\t') &&
             parser->padding++ < PADDING_MAX)
        parser->state = STATE_PADDING;
    else
        return fault(error, "a line begins with the boundary and does not end with it");
    return STATUS_OK;
}

/* --- headers ----------------------------------------------------------------------------------- */

static enum status begin_part(struct http_multipart *parser, struct str lines, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct http_part part;
    TRY(multipart_read_header(&arena, lines, &part, error));
    parser->state = STATE_BYTES;
    /* The line end before the boundary of an empty part may be the header's own. */
    parser->matched = 2;
    parser->assumed = 2;
    return parser->handler.on_part(parser->handler.context, &part, error);
}

static enum status step_header(struct http_multipart *parser, uint8_t byte, struct error *error)
{
    struct buf *header = &parser->header;
    bool after_cr = header->len > 0 && header->ptr[header->len - 1] == '\r';
    if (byte == '\n' ? !after_cr : after_cr)
        return fault(error, "a header line must end with CR LF");
    buf_append_byte(header, byte);
    if (header->failed)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "multipart: the header of a part has more than %zu bytes",
                         header->size_max);
    struct str text = buf_str(header);
    if (str_equal(text, STR("\r\n")))
        return begin_part(parser, STR_EMPTY, error);
    if (str_ends_with(text, STR("\r\n\r\n")))
        return begin_part(parser, str_slice(text, 0, text.len - 4), error);
    return STATUS_OK;
}

/* --- the whole --------------------------------------------------------------------------------- */

static enum status write_some(struct http_multipart *parser, const uint8_t *bytes, size_t size,
                              size_t *at, struct error *error)
{
    switch (parser->state) {
    case STATE_PREAMBLE:
    case STATE_BYTES:
        return scan_content(parser, bytes, size, at, error);
    case STATE_HEADER:
        return step_header(parser, bytes[(*at)++], error);
    case STATE_EPILOGUE: {
        size_t left = size - *at;
        *at = size;
        return count_outside(parser, left, error);
    }
    default:
        return step_boundary(parser, bytes[(*at)++], error);
    }
}

enum status http_multipart_write(struct http_multipart *parser, const uint8_t *bytes, size_t size,
                                 struct error *error)
{
    assert(!parser->failed);
    size_t at = 0;
    while (at < size) {
        enum status status = write_some(parser, bytes, size, &at, error);
        parser->failed = status != STATUS_OK;
        TRY(status);
    }
    return STATUS_OK;
}

enum status http_multipart_end(struct http_multipart *parser, struct error *error)
{
    assert(!parser->failed);
    if (parser->state == STATE_EPILOGUE)
        return STATUS_OK;
    if (parser->state == STATE_PREAMBLE)
        return fault(error, "the body has no boundary of the kind that its content-type names");
    return fault(error, "the body ends before the last boundary");
}
