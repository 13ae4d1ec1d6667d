/*
 * option_table_test.c — which names and values options have, and the sets that sessions hold.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "flight/option_set.h"
#include "flight/option_table.h"

static size_t found(const char *name)
{
    size_t option = SIZE_MAX;
    assert_true(option_find(str_of(name), &option));
    return option;
}

static void every_name_is_found_and_none_comes_twice(void **state)
{
    assert_true(option_count() <= OPTIONS_MAX);
    for (size_t i = 0; i < option_count(); i++)
        assert_int_equal(found(option_name(i)), i);
    assert_null(option_name(option_count()));
}

static void names_are_taken_as_clients_spell_them(void **state)
{
    assert_int_equal(found("catalog"), SESSION_CATALOG);
    assert_int_equal(found("db_schema"), SESSION_SCHEMA);
    assert_int_equal(found("TimeZone"), SESSION_TIME_ZONE);
    assert_int_equal(found("TIME_ZONE"), SESSION_TIME_ZONE);
    assert_int_equal(found("Max_Message-Bytes"), found("max-message-bytes"));
    static const char *const unknown[] = {"",           "-",           "cataloG ", "volley-catalog",
                                          "engines",    "slot",        "no-such",  "result-cache",
                                          "compressio", "compressionn"};
    size_t option;
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++)
        assert_false(option_find(str_of(unknown[i]), &option));
}

static void values_are_checked_by_the_option(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        bool is_taken;
    } cases[] = {
        {"compression", "lz4", true},
        {"compression", "ZSTD", true},
        {"compression", "none", true},
        {"compression", "gzip", false},
        {"parallel-endpoints", "1", true},
        {"parallel-endpoints", "0", false},
        {"parallel-endpoints", "-1", false},
        {"parallel-endpoints", "99999999999999999999", false},
        {"timeout-ms", "1", true},
        {"timeout-ms", "0", false},
        {"timeout-ms", "1s", false},
        {"max-message-bytes", "1048576", true},
        {"max-message-bytes", "1 MiB", false},
        {"timestamp-unit", "ms", true},
        {"timestamp-unit", "minute", false},
        {"durability", "disk", true},
        {"durability", "forever", false},
        {"ttl", "10m", true},
        {"ttl", "soon", false},
        {"mode", "append", true},
        {"mode", "prepend", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct error error = ERROR_NONE;
        enum status status = option_check(found(cases[i].name), str_of(cases[i].value), &error);
        assert_int_equal(status, cases[i].is_taken ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        assert_true(cases[i].is_taken ||
                    str_find_str(str_of(error.message), str_of(cases[i].value)) >= 0);
    }
}

static void assert_value(const struct option_set *set, const char *name, const char *value)
{
    assert_true(str_equal(option_set_value(set, found(name)), str_of(value)));
}

static void a_set_is_replaced_and_never_changed(void **state)
{
    struct option_set *one = option_set_with(NULL, found("compression"), STR("lz4"));
    struct option_set *two = option_set_with(one, found("timeout-ms"), STR("500"));
    struct option_set *other = option_set_with(two, found("compression"), STR("zstd"));
    struct option_set *rest = option_set_with(other, found("compression"), STR_EMPTY);
    assert_value(one, "compression", "lz4");
    assert_value(one, "timeout-ms", "");
    assert_value(two, "compression", "lz4");
    assert_value(two, "timeout-ms", "500");
    assert_value(other, "compression", "zstd");
    assert_value(rest, "compression", "");
    assert_value(rest, "timeout-ms", "500");
    assert_null(option_set_with(rest, found("timeout-ms"), STR_EMPTY));
    assert_null(option_set_with(NULL, found("compression"), STR_EMPTY));
    assert_value(NULL, "compression", "");
    struct option_set *kept = option_set_ref(one);
    option_set_unref(one);
    assert_value(kept, "compression", "lz4");
    option_set_unref(kept);
    option_set_unref(two);
    option_set_unref(other);
    option_set_unref(rest);
    option_set_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_and_none_comes_twice),
        cmocka_unit_test(names_are_taken_as_clients_spell_them),
        cmocka_unit_test(values_are_checked_by_the_option),
        cmocka_unit_test(a_set_is_replaced_and_never_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
