/*
 * Flags of the client commands: kinds, bounds, refusals.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/options.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct values {
    bool json;
    struct str server;
    uint64_t number;
    uint64_t duration_ms;
    unsigned format;
    const char *words[2];
    size_t word_count;
};

static enum status read_words(struct values *values, const char *const *words, struct error *error)
{
    static const char *const formats[] = {"table", "csv", NULL};
    const struct option options[] = {
        {.name = "json", .kind = OPTION_SWITCH, .target = &values->json},
        {.name = "server", .letter = "s", .kind = OPTION_TEXT, .target = &values->server},
        {.name = "number", .kind = OPTION_NUMBER, .target = &values->number, .min = 1, .max = 9},
        {.name = "duration",
         .kind = OPTION_DURATION,
         .target = &values->duration_ms,
         .min = 1,
         .max = 60000},
        {.name = "format", .kind = OPTION_CHOICE, .target = &values->format, .choices = formats},
    };
    size_t count = 0;
    while (words[count])
        count++;
    struct positionals positionals = {.items = values->words, .capacity = 2};
    enum status status = options_read(options, ARRAY_COUNT(options), (char *const *)words, count,
                                      &positionals, error);
    values->word_count = positionals.count;
    return status;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_kinds(void **state)
{
    struct values values = {0};
    struct error error = ERROR_NONE;
    assert_int_equal(read_words(&values,
                                WORDS("--json", "a", "-s", "x", "--number=9", "--duration", "1.5s",
                                      "--format", "CSV", "--", "--b"),
                                &error),
                     STATUS_OK);
    assert_true(values.json);
    assert_true(str_equal(values.server, STR("x")));
    assert_int_equal(values.number, 9);
    assert_int_equal(values.duration_ms, 1500);
    assert_int_equal(values.format, 1);
    assert_int_equal(values.word_count, 2);
    assert_string_equal(values.words[0], "a");
    assert_string_equal(values.words[1], "--b");
}

static void refuse(const char *const *words, const char *message)
{
    struct values values = {0};
    struct error error = ERROR_NONE;
    assert_int_equal(read_words(&values, words, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
}

static void test_refusals(void **state)
{
    refuse(WORDS("--jsn"), "unknown flag --jsn; did you mean --json?");
    refuse(WORDS("--hepl"), "unknown flag --hepl; did you mean --help?");
    refuse(WORDS("--xyzzy"), "unknown flag --xyzzy; --help lists all");
    refuse(WORDS("--json=1"), "--json takes no value");
    refuse(WORDS("--server"), "flag --server needs a value");
    refuse(WORDS("--number", "10"),
           "--number: '10' is not allowed; must be an integer from 1 to 9");
    refuse(WORDS("--duration=2h"),
           "--duration: '2h' is not allowed; must be a duration from 1ms to "
           "60s, such as 250ms, 5s, 10m or 1h (a bare number is seconds)");
    refuse(WORDS("--format", "xml"), "--format: 'xml' is not allowed; must be one of table, csv");
    refuse(WORDS("a", "b", "c"), "unexpected argument 'c'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
