/*
 * wishes_test.c — mode, durability and time to live, from text and from JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "flight/wishes.h"

static void reads_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t ttl_ms;
    } good[] = {{"10m", 600000},   {"1h", 3600000}, {"250ms", 250},    {"7", 7000},
                {"1.5", 1500},     {"0.5s", 500},   {"2d", 172800000}, {"0.001", 1},
                {"3600", 3600000}, {"1e3", 1000000}};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        uint64_t ttl_ms = 0;
        if (!put_ttl_parse(str_of(good[i].text), &ttl_ms) || ttl_ms != good[i].ttl_ms)
            fail_msg("'%s' is %llu ms", good[i].text, (unsigned long long)ttl_ms);
    }
    static const char *const bad[] = {"",          "0",    "0s",      "-1",   "-5m", "m",
                                      "ms",        "10x",  "1 h ",    "nan",  "inf", "1e99",
                                      "11000000h", "10mm", "0.0001s", "1h30m"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        uint64_t ttl_ms = 42;
        if (put_ttl_parse(str_of(bad[i]), &ttl_ms) || ttl_ms != 42)
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void reads_words(void **state)
{
    struct put_wishes wishes = {0};
    struct error error = ERROR_NONE;
    assert_int_equal(put_wish_set(&wishes, PUT_WISH_MODE, STR("replace"), &error), STATUS_OK);
    assert_true(wishes.has_mode && wishes.mode == PUT_REPLACE);
    assert_int_equal(put_wish_set(&wishes, PUT_WISH_DURABILITY, STR("disk"), &error), STATUS_OK);
    assert_true(wishes.has_durability && wishes.durability == DATASET_ON_DISK);
    assert_int_equal(put_wish_set(&wishes, PUT_WISH_TTL, STR("1m"), &error), STATUS_OK);
    assert_int_equal(wishes.ttl_ms, 60000);

    assert_int_equal(put_wish_set(&wishes, PUT_WISH_MODE, STR("Create"), &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "option mode takes create, append, replace or upsert (which "
                                       "creates or appends), not 'Create'");
    assert_int_equal(put_wish_set(&wishes, PUT_WISH_DURABILITY, STR("ram"), &error),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(put_wish_set(&wishes, PUT_WISH_TTL, STR("soon"), &error),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(wishes.mode, PUT_REPLACE);
}

static enum status read_json(const char *text, struct put_wishes *wishes, struct error *error)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    TRY(json_parse(str_of(text), 4096, &document, error));
    return put_wishes_read(wishes, json_root(document), error);
}

static void reads_json(void **state)
{
    struct put_wishes wishes = {0};
    struct error error = ERROR_NONE;
    assert_int_equal(
        read_json("{\"mode\":\"append\",\"ttl\":90,\"durability\":\"process\"}", &wishes, &error),
        STATUS_OK);
    assert_int_equal(wishes.mode, PUT_APPEND);
    assert_int_equal(wishes.ttl_ms, 90000);
    assert_int_equal(wishes.durability, DATASET_IN_PROCESS);
    assert_int_equal(read_json("{\"ttl\":\"2h\"}", &wishes, &error), STATUS_OK);
    assert_int_equal(wishes.ttl_ms, 7200000);
    assert_int_equal(read_json("{}", &wishes, &error), STATUS_OK);
    assert_int_equal(wishes.ttl_ms, 7200000);

    static const char *const bad[] = {"{\"mode\":1}", "{\"ttl\":true}",      "{\"ttl\":0}",
                                      "{\"ttl\":-3}", "{\"durability\":[]}", "{\"mode\":\"\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (read_json(bad[i], &wishes, &error) != STATUS_INVALID_ARGUMENT)
            fail_msg("%s was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_times),
        cmocka_unit_test(reads_words),
        cmocka_unit_test(reads_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
