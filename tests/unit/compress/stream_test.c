/*
 * stream_test.c — what is compressed in any pieces comes back, in any pieces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/memory.h"
#include "compress/decoder.h"
#include "compress/encoder.h"

static const enum compress_format encoded_formats[] = {COMPRESS_GZIP, COMPRESS_DEFLATE,
                                                       COMPRESS_ZSTD};

#define PLAIN_BYTES 300000

/* Text that compresses, with stretches that do not. */
static uint8_t *create_plain(void)
{
    uint8_t *plain = memory_resize(NULL, PLAIN_BYTES, 1);
    uint32_t seed = 1;
    for (size_t i = 0; i < PLAIN_BYTES; i++) {
        seed = seed * 1664525 + 1013904223;
        plain[i] = i / 5000 % 4 == 0 ? (uint8_t)(seed >> 24) : (uint8_t)("volley, "[i % 8]);
    }
    return plain;
}

static void encode_pieces(enum compress_format format, const uint8_t *plain, size_t size,
                          size_t piece, enum compress_flush between, struct slices *out)
{
    CLEANUP(compress_encoder_destroy)
    struct compress_encoder *encoder = compress_encoder_create(format, 0);
    for (size_t at = 0; at < size; at += piece) {
        struct str text = str_make((const char *)plain + at, size_min(piece, size - at));
        assert_int_equal(compress_encoder_write(encoder, text, between, out, NULL), STATUS_OK);
    }
    assert_int_equal(compress_encoder_write(encoder, STR_EMPTY, COMPRESS_END, out, NULL),
                     STATUS_OK);
}

/* Decodes `coded` given in pieces of `piece` bytes into room of `room` bytes; returns the size. */
static size_t decode_pieces(enum compress_format format, struct str coded, size_t piece,
                            size_t room, uint8_t *out)
{
    struct compress_limits limits = compress_limits_of(PLAIN_BYTES);
    CLEANUP(compress_decoder_destroy)
    struct compress_decoder *decoder = compress_decoder_create(format, &limits);
    size_t total = 0;
    for (size_t at = 0; at < coded.len; at += piece) {
        struct str in = str_slice(coded, at, at + size_min(piece, coded.len - at));
        size_t size = room;
        while (size == room) {
            uint8_t block[1000];
            assert_int_equal(compress_decoder_read(decoder, &in, block, room, &size, NULL),
                             STATUS_OK);
            memcpy(out + total, block, size);
            total += size;
        }
        assert_int_equal(in.len, 0);
    }
    assert_int_equal(compress_decoder_end(decoder, NULL), STATUS_OK);
    return total;
}

static void check_round_trip(enum compress_format format, size_t piece, enum compress_flush between,
                             size_t coded_piece, size_t room)
{
    uint8_t *plain = create_plain();
    uint8_t *back = memory_resize(NULL, PLAIN_BYTES, 1);
    CLEANUP(slices_finish) struct slices coded;
    slices_init(&coded);
    encode_pieces(format, plain, PLAIN_BYTES, piece, between, &coded);
    assert_true(coded.bytes < PLAIN_BYTES / 2);
    CLEANUP(slice_finish) struct slice joined = slices_join(&coded);
    assert_int_equal(decode_pieces(format, slice_str(joined), coded_piece, room, back),
                     PLAIN_BYTES);
    assert_memory_equal(back, plain, PLAIN_BYTES);
    free(back);
    free(plain);
}

static void pieces_make_no_difference(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(encoded_formats); i++) {
        enum compress_format format = encoded_formats[i];
        check_round_trip(format, PLAIN_BYTES, COMPRESS_MORE, PLAIN_BYTES, 1000);
        check_round_trip(format, 1777, COMPRESS_MORE, 1, 1000);
        check_round_trip(format, 1777, COMPRESS_FLUSH, 333, 7);
        check_round_trip(format, 64 << 10, COMPRESS_FLUSH, 1, 1);
    }
}

static void a_flush_lets_everything_through(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(encoded_formats); i++) {
        CLEANUP(compress_encoder_destroy)
        struct compress_encoder *encoder = compress_encoder_create(encoded_formats[i], 0);
        struct compress_limits limits = compress_limits_of(1000);
        CLEANUP(compress_decoder_destroy)
        struct compress_decoder *decoder = compress_decoder_create(encoded_formats[i], &limits);
        for (int line = 0; line < 5; line++) {
            CLEANUP(slices_finish) struct slices coded;
            slices_init(&coded);
            assert_int_equal(
                compress_encoder_write(encoder, STR("{\"a\":1}\n"), COMPRESS_FLUSH, &coded, NULL),
                STATUS_OK);
            CLEANUP(slice_finish) struct slice joined = slices_join(&coded);
            struct str in = slice_str(joined);
            uint8_t text[100];
            size_t size;
            assert_int_equal(compress_decoder_read(decoder, &in, text, sizeof(text), &size, NULL),
                             STATUS_OK);
            assert_int_equal(size, 8);
            assert_memory_equal(text, "{\"a\":1}\n", 8);
            assert_int_equal(compress_decoder_end(decoder, NULL), STATUS_INVALID_ARGUMENT);
        }
    }
}

static void nothing_is_a_stream_too(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(encoded_formats); i++) {
        CLEANUP(slices_finish) struct slices none;
        slices_init(&none);
        CLEANUP(slices_finish) struct slices coded;
        slices_init(&coded);
        CLEANUP(slices_finish) struct slices back;
        slices_init(&back);
        assert_int_equal(compress_encode(encoded_formats[i], 0, &none, &coded, NULL), STATUS_OK);
        assert_true(coded.bytes > 0);
        struct compress_limits limits = compress_limits_of(0);
        assert_int_equal(compress_decode(encoded_formats[i], &limits, &coded, &back, NULL),
                         STATUS_OK);
        assert_int_equal(back.bytes, 0);
        assert_int_equal(compress_decode(encoded_formats[i], &limits, &none, &back, NULL),
                         STATUS_INVALID_ARGUMENT);
    }
}

static void levels_are_the_formats_own(void **state)
{
    uint8_t *plain = create_plain();
    CLEANUP(slices_finish) struct slices in;
    slices_init(&in);
    slices_append_copy(&in, plain, PLAIN_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(encoded_formats); i++) {
        CLEANUP(slices_finish) struct slices fast;
        slices_init(&fast);
        CLEANUP(slices_finish) struct slices small;
        slices_init(&small);
        assert_int_equal(compress_encode(encoded_formats[i], 0, &in, &fast, NULL), STATUS_OK);
        assert_int_equal(compress_encode(encoded_formats[i], 9, &in, &small, NULL), STATUS_OK);
        assert_true(small.bytes <= fast.bytes);
    }
    free(plain);
}

static void members_that_follow_make_one_stream(void **state)
{
    static const enum compress_format formats[] = {COMPRESS_GZIP, COMPRESS_ZSTD};
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slices_finish) struct slices coded;
        slices_init(&coded);
        encode_pieces(formats[i], (const uint8_t *)"one, ", 5, 5, COMPRESS_MORE, &coded);
        encode_pieces(formats[i], (const uint8_t *)"", 0, 1, COMPRESS_MORE, &coded);
        encode_pieces(formats[i], (const uint8_t *)"two", 3, 3, COMPRESS_MORE, &coded);
        CLEANUP(slice_finish) struct slice joined = slices_join(&coded);
        for (size_t piece = 1; piece <= joined.len; piece++) {
            uint8_t back[100];
            assert_int_equal(decode_pieces(formats[i], slice_str(joined), piece, 3, back), 8);
            assert_memory_equal(back, "one, two", 8);
        }
    }
}

static void names_are_those_of_http(void **state)
{
    static const struct {
        const char *name;
        enum compress_format format;
    } rows[] = {{"gzip", COMPRESS_GZIP},
                {"GZip", COMPRESS_GZIP},
                {"deflate", COMPRESS_DEFLATE},
                {"zstd", COMPRESS_ZSTD},
                {"lz4", COMPRESS_LZ4}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        enum compress_format format;
        assert_true(compress_format_find(str_of(rows[i].name), &format));
        assert_int_equal(format, rows[i].format);
    }
    enum compress_format format;
    assert_false(compress_format_find(STR("br"), &format));
    assert_false(compress_format_find(STR(""), &format));
    assert_string_equal(compress_format_name(COMPRESS_ZSTD), "zstd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_no_difference),
        cmocka_unit_test(a_flush_lets_everything_through),
        cmocka_unit_test(nothing_is_a_stream_too),
        cmocka_unit_test(levels_are_the_formats_own),
        cmocka_unit_test(members_that_follow_make_one_stream),
        cmocka_unit_test(names_are_those_of_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
