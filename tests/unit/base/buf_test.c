/*
 * buf_test.c — a buf grows to its maximum and no further, and writes numbers exactly.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"

#include "base/memory.h"
#include "base/random.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void appends(void **state)
{
    CLEANUP(buf_finish) struct buf buf;
    buf_init(&buf, 1000);
    assert_null(buf.ptr);
    buf_append(&buf, NULL, 0);
    buf_append_text(&buf, "ab");
    buf_append_str(&buf, STR("cd"));
    buf_append_byte(&buf, 'e');
    buf_append_zeros(&buf, 2);
    buf_printf(&buf, "%d-%s", 7, "x");
    assert_int_equal(buf.len, 10);
    assert_memory_equal(buf.ptr,
                        "abcde\0\0"
                        "7-x",
                        11);
    assert_int_equal(buf_check(&buf, "it", NULL), STATUS_OK);
}

static void long_printf(void **state)
{
    CLEANUP(buf_finish) struct buf buf;
    buf_init(&buf, 5000);
    buf_append_text(&buf, "x");
    buf_printf(&buf, "%03000d", 5);
    assert_int_equal(buf.len, 3001);
    assert_int_equal(buf.ptr[3000], '5');
    assert_int_equal(buf.ptr[3001], 0);
    buf_printf(&buf, "%03000d", 5);
    assert_true(buf.failed);
    assert_int_equal(buf.len, 3001);
}

static void never_passes_its_maximum(void **state)
{
    CLEANUP(buf_finish) struct buf buf;
    struct error error = ERROR_NONE;
    buf_init(&buf, 4);
    buf_append_text(&buf, "abcd");
    assert_false(buf.failed);
    buf_append_byte(&buf, 'e');
    assert_int_equal(buf_check(&buf, "the header", &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.message, "the header exceeds 4 bytes");
    assert_string_equal((const char *)buf.ptr, "abcd");
    assert_null(buf_extend(&buf, SIZE_MAX));
    buf_clear(&buf);
    assert_false(buf.failed);
    assert_string_equal((const char *)buf.ptr, "");
    buf_append_text(&buf, "abcde");
    assert_int_equal(buf.len, 0);
}

static void a_hole_is_never_filled(void **state)
{
    CLEANUP(buf_finish) struct buf buf;
    buf_init(&buf, 4);
    buf_append_text(&buf, "ab");
    buf_append_text(&buf, "cde");
    buf_append_text(&buf, "f");
    assert_string_equal((const char *)buf.ptr, "ab");
}

static void steal_gives_text(void **state)
{
    struct buf buf;
    buf_init(&buf, 100);
    char *text = buf_steal(&buf);
    assert_string_equal(text, "");
    free(text);
    buf_append_text(&buf, "abc");
    text = buf_steal(&buf);
    assert_string_equal(text, "abc");
    assert_null(buf.ptr);
    assert_int_equal(buf.size_max, 100);
    free(text);
}

static void writes_whole_numbers(void **state)
{
    CLEANUP(buf_finish) struct buf buf;
    buf_init(&buf, 200);
    buf_append_i64(&buf, INT64_MIN);
    buf_append_byte(&buf, ' ');
    buf_append_i64(&buf, 0);
    buf_append_byte(&buf, ' ');
    buf_append_i64(&buf, -7);
    buf_append_byte(&buf, ' ');
    buf_append_u64(&buf, UINT64_MAX);
    assert_string_equal((const char *)buf.ptr, "-9223372036854775808 0 -7 18446744073709551615");
}

static void expect_double(double value, const char *expected)
{
    CLEANUP(buf_finish) struct buf buf;
    buf_init(&buf, 100);
    buf_append_double(&buf, value);
    assert_string_equal((const char *)buf.ptr, expected);
}

static void writes_doubles_short(void **state)
{
    expect_double(0, "0");
    expect_double(-0.0, "-0");
    expect_double(0.1, "0.1");
    expect_double(-12.05, "-12.05");
    expect_double(123456.789, "123456.789");
    expect_double(0.000001, "0.000001");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double(1e300, "1e+300");
    expect_double(5e-324, "4.94065645841247e-324");
    expect_double(9007199254740991.0, "9007199254740991");
}

static void doubles_read_back_the_same(void **state)
{
    CLEANUP(buf_finish) struct buf buf;
    buf_init(&buf, 100);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_u64();
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (i % 2)
            value = (double)(int64_t)(bits % 100000000000) / (i % 4 == 1 ? 100 : 10000000);
        if (!isfinite(value))
            continue;
        buf_clear(&buf);
        buf_append_double(&buf, value);
        assert_true(strtod((const char *)buf.ptr, NULL) == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(long_printf),
        cmocka_unit_test(never_passes_its_maximum),
        cmocka_unit_test(a_hole_is_never_filled),
        cmocka_unit_test(steal_gives_text),
        cmocka_unit_test(writes_whole_numbers),
        cmocka_unit_test(writes_doubles_short),
        cmocka_unit_test(doubles_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
