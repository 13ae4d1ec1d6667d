/*
 * utf8_test.c — the fast check says what the plain one says.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arrow/utf8.h"
#include "base/memory.h"
#include "base/str.h"

/* In memory of exactly that size, so that reading beyond is seen. */
static enum utf8_kind check(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum utf8_kind kind = utf8_check(copy, size);
    bool ascii = true;
    for (size_t i = 0; i < size; i++)
        ascii = ascii && copy[i] < 0x80;
    assert_int_equal(kind != UTF8_INVALID, str_is_utf8(str_make(copy, size)));
    assert_int_equal(kind == UTF8_ASCII, ascii);
    free(copy);
    return kind;
}

/* Each sequence at each place of texts of several lengths, in ASCII and among other characters. */
static void check_everywhere(const char *sequence, size_t size, bool valid)
{
    static const char *const fillers[] = {"a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    uint8_t text[200];
    for (size_t i = 0; i < ARRAY_COUNT(fillers); i++) {
        size_t step = strlen(fillers[i]);
        for (size_t before = 0; before < 80; before += step) {
            size_t at = 0;
            while (at < before + step - 1)
                at += (memcpy(text + at, fillers[i], step), step);
            memcpy(text + at, sequence, size);
            at += size;
            /* At the end, and with more behind it. */
            assert_int_equal(check(text, at) != UTF8_INVALID, valid);
            for (size_t more = 0; more < 40; more += step)
                at += (memcpy(text + at, fillers[i], step), step);
            assert_int_equal(check(text, at) != UTF8_INVALID, valid);
        }
    }
}

#define EVERYWHERE(text, valid) check_everywhere((text), sizeof(text) - 1, (valid))

static void characters_of_all_lengths(void **state)
{
    EVERYWHERE("", true);
    EVERYWHERE("\x7F", true);
    EVERYWHERE("\xC2\x80", true);
    EVERYWHERE("\xDF\xBF", true);
    EVERYWHERE("\xE0\xA0\x80", true);
    EVERYWHERE("\xED\x9F\xBF", true);
    EVERYWHERE("\xEE\x80\x80", true);
    EVERYWHERE("\xEF\xBF\xBF", true);
    EVERYWHERE("\xF0\x90\x80\x80", true);
    EVERYWHERE("\xF4\x8F\xBF\xBF", true);
}

static void everything_else(void **state)
{
    EVERYWHERE("\x80", false); /* alone */
    EVERYWHERE("\xBF\xBF", false);
    EVERYWHERE("\xC0\x80", false); /* overlong */
    EVERYWHERE("\xC1\xBF", false);
    EVERYWHERE("\xE0\x80\x80", false);
    EVERYWHERE("\xE0\x9F\xBF", false);
    EVERYWHERE("\xF0\x80\x80\x80", false);
    EVERYWHERE("\xF0\x8F\xBF\xBF", false);
    EVERYWHERE("\xED\xA0\x80", false); /* surrogates */
    EVERYWHERE("\xED\xBF\xBF", false);
    EVERYWHERE("\xF4\x90\x80\x80", false); /* too large */
    EVERYWHERE("\xF5\x80\x80\x80", false);
    EVERYWHERE("\xFE", false);
    EVERYWHERE("\xFF", false);
    EVERYWHERE("\xC3", false); /* cut off */
    EVERYWHERE("\xE2\x82", false);
    EVERYWHERE("\xE2", false);
    EVERYWHERE("\xF0\x9F\x98", false);
    EVERYWHERE("\xF0\x9F", false);
    EVERYWHERE("\xC3\xA4\xA4", false); /* too long */
    EVERYWHERE("\xF0\x9F\x98\x80\x80", false);
    EVERYWHERE("\xC3\xC3\xA4", false);
    EVERYWHERE("\xE2\x28\xA1", false);
}

/* All pairs and many triples of bytes, where the rules meet. */
static void all_pairs_of_bytes(void **state)
{
    uint8_t text[40];
    for (unsigned pair = 0; pair < 65536; pair++) {
        for (size_t at = 30; at < 34; at++) {
            memset(text, 'x', sizeof(text));
            text[0] = 0xC3; /* so that the fast way is taken at once */
            text[1] = 0xA4;
            text[at] = (uint8_t)(pair >> 8);
            text[at + 1] = (uint8_t)pair;
            enum utf8_kind kind = utf8_check(text, sizeof(text));
            if ((kind != UTF8_INVALID) != str_is_utf8(str_make(text, sizeof(text))))
                fail_msg("%02x %02x at %zu", pair >> 8, pair & 255, at);
        }
    }
}

static void random_bytes(void **state)
{
    static const uint8_t likely[] = {0x00, 0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                     0xBF, 0xC1, 0xC2, 0xC3, 0xDF, 0xE0, 0xE2, 0xED,
                                     0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
    uint64_t random = 1;
    uint8_t text[100];
    for (size_t round = 0; round < 200000; round++) {
        size_t size = round % sizeof(text);
        for (size_t i = 0; i < size; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            text[i] = likely[(random >> 33) % sizeof(likely)];
        }
        enum utf8_kind kind = utf8_check(text, size);
        assert_int_equal(kind != UTF8_INVALID, str_is_utf8(str_make(text, size)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_of_all_lengths),
        cmocka_unit_test(everything_else),
        cmocka_unit_test(all_pairs_of_bytes),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
