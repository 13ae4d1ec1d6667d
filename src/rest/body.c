/*
 * body.c — request bodies that were compressed by the client.
 *
 * The head tells the coding, so an unknown one is refused before the body comes. What came is collected
 * as it is and decompressed on the worker that handles the request: a small body may hold a great deal.
 * Spec: RFC 9110 section 8.4. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "compress/decoder.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define CODINGS "zstd, gzip, deflate"

/* False when the body is not coded; *out_known tells whether the coding is one of ours. */
static bool read_coding(const struct http_request *input, enum compress_format *out_format,
                        bool *out_known)
{
    struct str coding = str_trim(http_headers_get(&input->headers, STR("content-encoding")));
    if (coding.len == 0 || str_equal_nocase(coding, STR("identity")))
        return false;
    if (str_equal_nocase(coding, STR("x-gzip")))
        coding = STR("gzip");
    *out_known = compress_format_find(coding, out_format) && *out_format != COMPRESS_LZ4;
    return true;
}

bool rest_body_coding(const struct http_request *input, enum compress_format *out_format)
{
    bool is_known;
    return read_coding(input, out_format, &is_known) && is_known;
}

enum status rest_body_check(struct rest_exchange *exchange, struct error *error)
{
    enum compress_format format;
    bool is_known;
    if (!read_coding(exchange->input, &format, &is_known) || is_known)
        return STATUS_OK;
    struct str coding = http_headers_get(&exchange->input->headers, STR("content-encoding"));
    rest_add_header(exchange, STR("accept-encoding"), STR(CODINGS));
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE",
                          "content-encoding '%.*s' is not taken; the codings are " CODINGS,
                          STR_ARGS(coding));
}

/* Appends all that `coded` holds to `plain`. */
static enum status decode(struct compress_decoder *decoder, struct str coded, struct buf *plain,
                          struct error *error)
{
    size_t size = PIECE_BYTES;
    while (size == PIECE_BYTES) {
        uint8_t piece[PIECE_BYTES];
        TRY(compress_decoder_read(decoder, &coded, piece, PIECE_BYTES, &size, error));
        buf_append(plain, piece, size);
    }
    return compress_decoder_end(decoder, error);
}

enum status rest_body_decode(struct rest_exchange *exchange, struct error *error)
{
    enum compress_format format;
    bool is_known;
    if (!read_coding(exchange->input, &format, &is_known))
        return STATUS_OK;
    const struct compress_limits limits = compress_limits_of(REST_BODY_BYTES_MAX);
    CLEANUP(compress_decoder_destroy)
    struct compress_decoder *decoder = compress_decoder_create(format, &limits);
    CLEANUP(buf_finish) struct buf coded = exchange->body;
    buf_init(&exchange->body, REST_BODY_BYTES_MAX);
    enum status status = decode(decoder, buf_str(&coded), &exchange->body, error);
    if (status != STATUS_OK)
        error->code =
            status == STATUS_RESOURCE_EXHAUSTED ? "PAYLOAD_TOO_LARGE" : "VALIDATION_ERROR";
    return status;
}
