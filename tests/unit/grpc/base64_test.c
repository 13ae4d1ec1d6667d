/*
 * Base64 in pieces: every split, padding inside, faults.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/memory.h"

static void test_encode_in_pieces(void **state)
{
    uint8_t bytes[50];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37);
    char whole[BASE64_SIZE(sizeof(bytes))];
    struct base64_encoder encoder = {.held_len = 0};
    size_t whole_len = base64_encode(&encoder, str_make(bytes, sizeof(bytes)), whole);
    whole_len += base64_encode_end(&encoder, true, whole + whole_len);
    assert_int_equal(whole_len, sizeof(whole));
    for (size_t piece = 1; piece < 8; piece++) {
        char text[BASE64_SIZE(sizeof(bytes))];
        size_t len = 0;
        for (size_t at = 0; at < sizeof(bytes); at += piece) {
            struct str part = str_slice(str_make(bytes, sizeof(bytes)), at, at + piece);
            len += base64_encode(&encoder, part, text + len);
        }
        len += base64_encode_end(&encoder, true, text + len);
        assert_int_equal(len, whole_len);
        assert_memory_equal(text, whole, len);
    }
}

static void test_ends(void **state)
{
    static const struct {
        const char *bytes;
        const char *padded;
        const char *unpadded;
    } cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (int padded = 0; padded < 2; padded++) {
            struct base64_encoder encoder = {.held_len = 0};
            char text[16];
            size_t len = base64_encode(&encoder, str_of(cases[i].bytes), text);
            len += base64_encode_end(&encoder, padded, text + len);
            struct str expected = str_of(padded ? cases[i].padded : cases[i].unpadded);
            assert_true(str_equal(str_make(text, len), expected));
        }
    }
}

/* Decodes in pieces of `piece` characters; false at a fault. */
static bool decode(const char *text, size_t piece, char *out, size_t *out_len, bool *out_midway)
{
    struct base64_decoder decoder = {.held = 0};
    *out_len = 0;
    for (struct str left = str_of(text); left.len > 0;) {
        struct str part = str_slice(left, 0, piece);
        size_t offered = part.len;
        size_t len;
        if (!base64_decode(&decoder, &part, (uint8_t *)out + *out_len, 100 - *out_len, &len))
            return false;
        assert_int_equal(part.len, 0);
        *out_len += len;
        left = str_slice(left, offered, left.len);
    }
    *out_midway = base64_is_midway(&decoder);
    return true;
}

static void test_decode_in_pieces(void **state)
{
    static const struct {
        const char *text;
        const char *expected; /* NULL: a fault */
        bool midway;
    } cases[] = {
        {"", "", false},
        {"Zm9v", "foo", false},
        {"Zm9vYmFy", "foobar", false},
        {"Zg==", "f", false},
        {"Zm8=", "fo", false},
        /* Each piece padded by itself. */
        {"Zg==Zm8=Zm9v", "ffofoo", false},
        {"Zm9vZg", "foo", true},
        {"Zm9v=", NULL, false},
        {"=", NULL, false},
        {"Z===", NULL, false},
        {"Zg=v", NULL, false},
        {"Zm9v Zm9v", NULL, false},
        {"Zm9v\n", NULL, false},
        {"Zm-_", NULL, false},
        {"Zm\xc3\xa4", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t piece = 1; piece < 6; piece++) {
            char out[100];
            size_t len;
            bool midway;
            bool good = decode(cases[i].text, piece, out, &len, &midway);
            if (good != (cases[i].expected != NULL))
                fail_msg("\"%s\" in pieces of %zu: %d", cases[i].text, piece, good);
            if (!good)
                continue;
            assert_true(str_equal(str_make(out, len), str_of(cases[i].expected)));
            assert_int_equal(midway, cases[i].midway);
        }
    }
}

static void test_decode_stops_where_room_ends(void **state)
{
    struct base64_decoder decoder = {.held = 0};
    struct str text = STR("Zm9vYmFyZm9v");
    uint8_t out[8];
    size_t len;
    assert_true(base64_decode(&decoder, &text, out, 2, &len));
    assert_int_equal(len, 0);
    assert_int_equal(text.len, 12);
    assert_true(base64_decode(&decoder, &text, out, 8, &len));
    assert_int_equal(len, 6);
    assert_true(str_equal(text, STR("Zm9v")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_in_pieces),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_decode_in_pieces),
        cmocka_unit_test(test_decode_stops_where_room_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
