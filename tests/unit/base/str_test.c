/*
 * str_test.c — text by pointer and length: compare, cut, convert, UTF-8, hash.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/str.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void compares(void **state)
{
    assert_true(str_equal(STR_EMPTY, STR("")));
    assert_false(str_equal(STR("a"), STR("A")));
    assert_true(str_equal_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_false(str_equal_nocase(STR("[a"), STR("{a")));
    assert_true(str_starts_with(STR("abc"), STR("")));
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_false(str_starts_with(STR("a"), STR("ab")));
    assert_true(str_starts_with_nocase(STR("BEARER x"), STR("Bearer ")));
    assert_true(str_ends_with(STR("x-bin"), STR("-bin")));
    assert_false(str_ends_with(STR("bin"), STR("-bin")));
    assert_true(str_ends_with(STR_EMPTY, STR_EMPTY));
    assert_true(str_compare(STR("a"), STR("b")) < 0);
    assert_true(str_compare(STR("ab"), STR("a")) > 0);
    assert_true(str_compare(STR("\xff"), STR("a")) > 0);
    assert_int_equal(str_compare(STR_EMPTY, STR("")), 0);
}

static void finds(void **state)
{
    assert_int_equal(str_find(STR("abc"), 'c'), 2);
    assert_int_equal(str_find(STR("abc"), 'x'), -1);
    assert_int_equal(str_find(STR_EMPTY, 'x'), -1);
    assert_int_equal(str_find_str(STR("abcabd"), STR("abd")), 3);
    assert_int_equal(str_find_str(STR("ab"), STR("abd")), -1);
    assert_int_equal(str_find_str(STR_EMPTY, STR("")), 0);
}

static void cuts(void **state)
{
    assert_true(str_equal(str_slice(STR("abc"), 1, 2), STR("b")));
    assert_true(str_equal(str_slice(STR("abc"), 2, 99), STR("c")));
    assert_int_equal(str_slice(STR("abc"), 9, 3).len, 0);
    assert_int_equal(str_slice(STR("abc"), 2, 1).len, 0);
    assert_int_equal(str_slice(STR_EMPTY, 0, 5).len, 0);
    assert_true(str_equal(str_trim(STR(" \t\r\na b\v\f ")), STR("a b")));
    assert_int_equal(str_trim(STR("   ")).len, 0);
    struct str text = STR("a,b,,c");
    assert_true(str_equal(str_split(&text, ','), STR("a")));
    assert_true(str_equal(str_split(&text, ','), STR("b")));
    assert_int_equal(str_split(&text, ',').len, 0);
    assert_true(str_equal(str_split(&text, ','), STR("c")));
    assert_int_equal(text.len, 0);
}

static void reads_unsigned_numbers(void **state)
{
    uint64_t value = 42;
    assert_true(str_to_u64(STR("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(str_to_u64(STR("00"), &value));
    assert_int_equal(value, 0);
    const char *const wrong[] = {"", "-1", "+1", " 1", "1 ", "18446744073709551616", "1.0", "0x1"};
    value = 42;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_false(str_to_u64(str_of(wrong[i]), &value));
}

static void reads_signed_numbers(void **state)
{
    int64_t value;
    assert_true(str_to_i64(STR("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    assert_true(str_to_i64(STR("-0"), &value));
    assert_int_equal(value, 0);
    const char *const wrong[] = {"-9223372036854775809", "9223372036854775808", "-", "--1", ""};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_false(str_to_i64(str_of(wrong[i]), &value));
}

static void reads_doubles(void **state)
{
    double value;
    assert_true(str_to_double(STR("-1.25e2"), &value));
    assert_true(value == -125.0);
    assert_true(str_to_double(STR("1e-400"), &value));
    assert_true(value == 0.0);
    const char *const wrong[] = {"",   "inf", "nan",   "0x10", "1e999",
                                 " 1", "1 ",  "1.2.3", "e5",   "1,5"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_false(str_to_double(str_of(wrong[i]), &value));
}

static void knows_utf8(void **state)
{
    static const struct str right[] = {
        STR_EMPTY,
        {"plain ascii, longer than eight", 30},
        {"\0", 1},
        {"\xC2\x80\xDF\xBF", 4},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 12},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
    };
    static const struct str wrong[] = {
        {"\x80", 1},
        {"\xC0\x80", 2},
        {"\xC1\xBF", 2},
        {"\xC2", 1},
        {"\xC2\x41", 2},
        {"\xE0\x9F\xBF", 3},
        {"\xED\xA0\x80", 3},
        {"\xE1\x80", 2},
        {"\xE1\x80\x41", 3},
        {"\xF0\x8F\xBF\xBF", 4},
        {"\xF4\x90\x80\x80", 4},
        {"\xF1\x80\x80", 3},
        {"\xF5\x80\x80", 3},
        {"\xFF", 1},
        {"1234567\xC3", 8},
        {"12345678\xC3", 9},
    };
    for (size_t i = 0; i < ARRAY_COUNT(right); i++)
        assert_true(str_is_utf8(right[i]));
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_false(str_is_utf8(wrong[i]));
}

static void cuts_between_characters(void **state)
{
    assert_int_equal(utf8_cut("ab\xC3\xA9", 3), 2);
    assert_int_equal(utf8_cut("ab\xC3\xA9", 4), 4);
    assert_int_equal(utf8_cut("\xF0\x9F\x98", 3), 0);
    assert_int_equal(utf8_cut("", 0), 0);
    /* Bytes that are no UTF-8 anyway stay. */
    assert_int_equal(utf8_cut("\x80\x80\x80\x80\x80", 5), 5);
}

static void copies(void **state)
{
    char *copy = str_copy(str_make("a\0b", 3));
    assert_memory_equal(copy, "a\0b", 4);
    free(copy);
    copy = str_copy(STR_EMPTY);
    assert_string_equal(copy, "");
    free(copy);
}

static void hashes_differ(void **state)
{
    assert_true(str_hash(STR("a")) == str_hash(STR("a")));
    assert_true(str_hash(STR("a")) != str_hash(STR("b")));
    assert_true(str_hash(str_make("\0", 1)) != str_hash(STR_EMPTY));
    assert_true(str_hash(str_make("\0\0", 2)) != str_hash(str_make("\0", 1)));
    /* The low bits choose the place in a table: they must depend on each byte. */
    unsigned char text[16] = {0};
    unsigned same = 0;
    uint64_t first = str_hash(str_make(text, sizeof(text)));
    for (size_t bit = 0; bit < sizeof(text) * 8; bit++) {
        text[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        same += (str_hash(str_make(text, sizeof(text))) & 0xFFF) == (first & 0xFFF);
        text[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
    assert_true(same <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(finds),
        cmocka_unit_test(cuts),
        cmocka_unit_test(reads_unsigned_numbers),
        cmocka_unit_test(reads_signed_numbers),
        cmocka_unit_test(reads_doubles),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(copies),
        cmocka_unit_test(hashes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
