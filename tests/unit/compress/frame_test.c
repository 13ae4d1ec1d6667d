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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_gives_what_it_should),
        cmocka_unit_test(more_or_less_than_a_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
