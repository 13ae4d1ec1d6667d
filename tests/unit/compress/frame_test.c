/*
 * frame_test.c — frames of a size known beforehand: exactly that, or refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <zstd.h>

#include "base/memory.h"
#include "compress/frame.h"

static const enum compress_format formats[] = {COMPRESS_ZSTD, COMPRESS_LZ4};

static const char plain[] = "as many bytes as it says, as many bytes as it says, no more, no less";

static size_t encode(enum compress_format format, uint8_t *out, size_t capacity)
{
    if (format == COMPRESS_LZ4)
        return LZ4F_compressFrame(out, capacity, plain, sizeof(plain), NULL);
    return ZSTD_compress(out, capacity, plain, sizeof(plain), 1);
}

static void a_frame_gives_what_it_should(void **state)
{
    CLEANUP(compress_frame_decoder_destroy)
    struct compress_frame_decoder *decoder = compress_frame_decoder_create();
    uint8_t frame[1000];
    uint8_t back[sizeof(plain) + 1];
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
            struct str text = str_make((char *)frame, encode(formats[i], frame, sizeof(frame)));
            assert_int_equal(
                compress_frame_decode(decoder, formats[i], text, back, sizeof(plain), NULL),
                STATUS_OK);
            assert_memory_equal(back, plain, sizeof(plain));
            struct error error = ERROR_NONE;
            assert_int_equal(
                compress_frame_decode(decoder, formats[i], text, back, sizeof(plain) - 1, &error),
                STATUS_INVALID_ARGUMENT);
            assert_int_equal(
                compress_frame_decode(decoder, formats[i], text, back, sizeof(plain) + 1, &error),
                STATUS_INVALID_ARGUMENT);
            assert_string_equal(error.message, "does not have the length it claims");
        }
    }
}

static void more_or_less_than_a_frame_is_refused(void **state)
{
    CLEANUP(compress_frame_decoder_destroy)
    struct compress_frame_decoder *decoder = compress_frame_decoder_create();
    uint8_t frame[1000] = {0};
    uint8_t back[sizeof(plain)];
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        size_t size = encode(formats[i], frame, sizeof(frame));
        for (size_t len = 0; len <= size + 3; len++) {
            enum status status = compress_frame_decode(
                decoder, formats[i], str_make((char *)frame, len), back, sizeof(back), NULL);
            assert_int_equal(status, len == size ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        }
    }
}

/* --- larger than what is decoded in one step ---------------------------------------------------- */

#define LARGE_BYTES ((size_t)700001)

/* Repeats from far away and near, and bytes that do not repeat. */
static void fill(uint8_t *bytes, size_t size)
{
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = state >> 31 && i > 60000 ? bytes[i - 60000] : (uint8_t)(state >> 24);
    }
    memset(bytes + size / 2, 7, size / 4);
}

/* In pieces that do not end where blocks do. */
static size_t write_lz4(uint8_t *out, size_t capacity, const uint8_t *bytes, size_t size,
                        const LZ4F_preferences_t *preferences)
{
    LZ4F_cctx *encoder;
    assert_false(LZ4F_isError(LZ4F_createCompressionContext(&encoder, LZ4F_VERSION)));
    size_t written = LZ4F_compressBegin(encoder, out, capacity, preferences);
    for (size_t at = 0; at < size; at += 100003) {
        size_t piece = size - at < 100003 ? size - at : 100003;
        written += LZ4F_compressUpdate(encoder, out + written, capacity - written, bytes + at,
                                       piece, NULL);
        written += LZ4F_flush(encoder, out + written, capacity - written, NULL);
    }
    written += LZ4F_compressEnd(encoder, out + written, capacity - written, NULL);
    LZ4F_freeCompressionContext(encoder);
    return written;
}

static void assert_large_frame(struct compress_frame_decoder *decoder, const uint8_t *bytes,
                               const LZ4F_preferences_t *preferences)
{
    size_t capacity = 2 * LARGE_BYTES + LZ4F_compressFrameBound(LARGE_BYTES, preferences);
    uint8_t *frame = memory_resize(NULL, capacity, 1);
    uint8_t *back = memory_resize(NULL, LARGE_BYTES + 1, 1);
    struct str text =
        str_make((char *)frame, write_lz4(frame, capacity, bytes, LARGE_BYTES, preferences));
    assert_int_equal(compress_frame_decode(decoder, COMPRESS_LZ4, text, back, LARGE_BYTES, NULL),
                     STATUS_OK);
    assert_memory_equal(back, bytes, LARGE_BYTES);
    for (size_t wrong = LARGE_BYTES - 1; wrong <= LARGE_BYTES + 1; wrong += 2)
        assert_int_equal(compress_frame_decode(decoder, COMPRESS_LZ4, text, back, wrong, NULL),
                         STATUS_INVALID_ARGUMENT);
    text.len -= text.len / 3;
    assert_int_equal(compress_frame_decode(decoder, COMPRESS_LZ4, text, back, LARGE_BYTES, NULL),
                     STATUS_INVALID_ARGUMENT);
    free(frame);
    free(back);
}

static void blocks_of_any_size_are_put_together(void **state)
{
    CLEANUP(compress_frame_decoder_destroy)
    struct compress_frame_decoder *decoder = compress_frame_decoder_create();
    static const LZ4F_blockSizeID_t sizes[] = {LZ4F_default, LZ4F_max64KB, LZ4F_max256KB,
                                               LZ4F_max1MB, LZ4F_max4MB};
    uint8_t *bytes = memory_resize(NULL, LARGE_BYTES, 1);
    fill(bytes, LARGE_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (int mode = LZ4F_blockLinked; mode <= LZ4F_blockIndependent; mode++) {
            const LZ4F_preferences_t preferences = {
                .frameInfo = {.blockSizeID = sizes[i],
                              .blockMode = (LZ4F_blockMode_t)mode,
                              .contentChecksumFlag = LZ4F_contentChecksumEnabled}};
            assert_large_frame(decoder, bytes, &preferences);
        }
    }
    free(bytes);
}

static void a_frame_that_breaks_off_spoils_no_other(void **state)
{
    CLEANUP(compress_frame_decoder_destroy)
    struct compress_frame_decoder *decoder = compress_frame_decoder_create();
    const LZ4F_preferences_t sized = {.frameInfo = {.contentSize = sizeof(plain)}};
    uint8_t frame[1000];
    uint8_t back[sizeof(plain)];
    size_t size = LZ4F_compressFrame(frame, sizeof(frame), plain, sizeof(plain), &sized);
    for (size_t cut = 0; cut <= size; cut++) {
        uint8_t other[1000];
        size_t other_size = encode(COMPRESS_LZ4, other, sizeof(other));
        assert_int_equal(compress_frame_decode(decoder, COMPRESS_LZ4, str_make(frame, cut), back,
                                               sizeof(back), NULL),
                         cut == size ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        assert_int_equal(compress_frame_decode(decoder, COMPRESS_LZ4, str_make(other, other_size),
                                               back, sizeof(back), NULL),
                         STATUS_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_that_breaks_off_spoils_no_other),
        cmocka_unit_test(a_frame_gives_what_it_should),
        cmocka_unit_test(more_or_less_than_a_frame_is_refused),
        cmocka_unit_test(blocks_of_any_size_are_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
