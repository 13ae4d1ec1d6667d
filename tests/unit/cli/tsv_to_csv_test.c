/*
 * tsv_to_csv_test.c — rows with tabs become CSV, wherever the bytes are cut.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tsv_to_csv.h"

#include "base/checked.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_SIZE 256

static void check(const char *tsv, const char *csv, size_t piece)
{
    struct tsv_to_csv state = {0};
    uint8_t out[TEXT_SIZE] = {0};
    size_t size = 0;
    for (size_t at = 0; at < strlen(tsv); at += piece) {
        size_t count = size_min(piece, strlen(tsv) - at);
        size_t grown = tsv_to_csv_convert(&state, (const uint8_t *)tsv + at, count, out + size);
        size += grown;
    }
    size += tsv_to_csv_end(&state, out + size);
    assert_int_equal(size, strlen(csv));
    assert_memory_equal(out, csv, size);
}

static void test_fields(void **state)
{
    static const struct {
        const char *tsv;
        const char *csv;
    } cases[] = {
        {"", ""},
        {"a\tb\n1\t2\n", "\"a\",\"b\"\n\"1\",\"2\"\n"},
        {"a\tb\n1\t2", "\"a\",\"b\"\n\"1\",\"2\"\n"},
        {"a\r\n1\r\n", "\"a\"\n\"1\"\n"},
        {"1\r2\n", "\"1\r2\"\n"},
        {"\\N\t\t\\N\n", ",\"\",\n"},
        {"\\N", "\n"},
        {"\\Nx\t\\\\N\tx\\N\n", "\"Nx\",\"\\N\",\"xN\"\n"},
        {"x\\ty\\nz\\\\\\r\n", "\"x\ty\nz\\\r\"\n"},
        {"say \"yes\"\t\"\n", "\"say \"\"yes\"\"\",\"\"\"\"\n"},
        {"\\N\"\t\\N\\t\n", "\"N\"\"\",\"N\t\"\n"},
        {"1\t", "\"1\",\"\"\n"},
        {"1\t\\", "\"1\",\"\"\n"},
        {"1\\", "\"1\"\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        for (size_t piece = 1; piece < 8; piece++)
            check(cases[i].tsv, cases[i].csv, piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
