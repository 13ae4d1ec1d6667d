/*
 * The types of settings: units, bounds, and that what is written reads back the same.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "settings/value.h"

static bool parse(const struct setting *setting, const char *text, uint64_t *out)
{
    struct setting_value value = {0};
    if (!setting_parse(setting, str_of(text), &test_machine, &value))
        return false;
    *out = value.number;
    return true;
}

struct number_case {
    const char *text;
    bool valid;
    uint64_t number;
};

static void check_numbers(const struct setting *setting, const struct number_case *cases,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number = 0;
        bool valid = parse(setting, cases[i].text, &number);
        if (valid != cases[i].valid || number != cases[i].number)
            fail_msg("'%s': %d %llu", cases[i].text, valid, (unsigned long long)number);
    }
}

static void test_durations(void **state)
{
    static const struct setting setting = {.type = SETTING_DURATION, .max = 10 * 86400000ULL};
    static const struct number_case cases[] = {
        {"250ms", true, 250},
        {"5s", true, 5000},
        {"10m", true, 600000},
        {"1h", true, 3600000},
        {"2d", true, 172800000},
        {"5", true, 5000},
        {" 5 s ", true, 5000},
        {"1.5h", true, 5400000},
        {"0.001", true, 1},
        {"300.0", true, 300000},
        {"0", true, 0},
        {"0.5ms", false, 0},
        {"1.0005s", false, 0},
        {"11d", false, 0},
        {"", false, 0},
        {"s", false, 0},
        {".5s", false, 0},
        {"1..5s", false, 0},
        {"-1s", false, 0},
        {"+1s", false, 0},
        {"1e3", false, 0},
        {"5 parsecs", false, 0},
        {"18446744073709551616ms", false, 0},
        {"18446744073709551615h", false, 0},
        {"0.00000000000000000000000001s", false, 0},
    };
    check_numbers(&setting, cases, ARRAY_COUNT(cases));
}

static uint64_t memory(const struct machine *machine)
{
    return machine->memory_bytes;
}

static void test_sizes(void **state)
{
    static const struct setting setting = {
        .type = SETTING_SIZE, .min = 1024, .max = UINT64_C(1) << 40, .whole = memory};
    static const struct number_case cases[] = {
        {"64KiB", true, 65536},
        {"2GiB", true, UINT64_C(2) << 30},
        {"1MB", true, 1000000},
        {"2kB", true, 2000},
        {"2KB", true, 2000},
        {"1.5 MiB", true, 1572864},
        {"4096", true, 4096},
        {"4096B", true, 4096},
        {"1TiB", true, UINT64_C(1) << 40},
        {"50%", true, UINT64_C(4) << 30},
        {"12.5%", true, UINT64_C(1) << 30},
        {"100%", true, UINT64_C(8) << 30},
        {"0.0000001%", true, 1024},
        {"100.1%", false, 0},
        {"1023", false, 0},
        {"2TiB", false, 0},
        {"16M", false, 0},
        {"%", false, 0},
        {"5%%", false, 0},
        {"18446744073709551615TiB", false, 0},
    };
    check_numbers(&setting, cases, ARRAY_COUNT(cases));
    struct setting plain = setting;
    plain.whole = NULL;
    uint64_t number;
    assert_false(parse(&plain, "50%", &number));
}

static void test_booleans_and_integers(void **state)
{
    static const struct setting boolean = {.type = SETTING_BOOLEAN};
    static const struct number_case booleans[] = {
        {"true", true, 1}, {"YES", true, 1}, {"on", true, 1}, {"1", true, 1},  {"False", true, 0},
        {"no", true, 0},   {"off", true, 0}, {"0", true, 0},  {"2", false, 0}, {"", false, 0},
    };
    check_numbers(&boolean, booleans, ARRAY_COUNT(booleans));
    static const struct setting integer = {.type = SETTING_INTEGER, .min = 1, .max = 9};
    static const struct number_case integers[] = {
        {"1", true, 1},   {"9", true, 9},    {"0", false, 0},
        {"10", false, 0}, {"1.0", false, 0}, {"0x1", false, 0},
    };
    check_numbers(&integer, integers, ARRAY_COUNT(integers));
}

/* Every row: its default, if it is a constant, is allowed and reads back as it is written. */
static void test_defaults_round_trip(void **state)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (!setting->default_text || setting->list)
            continue;
        struct settings first = {0};
        struct settings second = {0};
        struct setting_value value = {0};
        assert_true(setting_parse(setting, str_of(setting->default_text), &test_machine, &value));
        setting_store(setting, &first, value);
        CLEANUP(buf_finish) struct buf text;
        buf_init(&text, 1000);
        setting_write(setting, &first, &text);
        assert_true(setting_parse(setting, buf_str(&text), &test_machine, &value));
        setting_store(setting, &second, value);
        CLEANUP(buf_finish) struct buf again;
        buf_init(&again, 1000);
        setting_write(setting, &second, &again);
        assert_true(str_equal(buf_str(&text), buf_str(&again)));
    }
}

static void check_written(const struct setting *setting, uint64_t number, const char *expected)
{
    struct settings settings = {0};
    setting_store(setting, &settings, (struct setting_value){.number = number});
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 1000);
    setting_write(setting, &settings, &text);
    assert_string_equal((const char *)text.ptr, expected);
}

static void test_written_form(void **state)
{
    static const struct setting duration = {.type = SETTING_DURATION,
                                            .offset = offsetof(struct settings, query_timeout_ms)};
    check_written(&duration, 0, "0s");
    check_written(&duration, 250, "250ms");
    check_written(&duration, 300000, "300s");
    check_written(&duration, 3600000, "1h");
    check_written(&duration, 5400000, "90m");
    check_written(&duration, 30 * 86400000ULL, "30d");
    static const struct setting size = {.type = SETTING_SIZE,
                                        .offset = offsetof(struct settings, query_memory_bytes)};
    check_written(&size, 0, "0");
    check_written(&size, 1000, "1000");
    check_written(&size, 65536, "64KiB");
    check_written(&size, UINT64_C(3) << 30, "3GiB");
}

/* Names are unique over all rows, or a value would depend on the table's order. */
static void test_names_are_unique(void **state)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        assert_ptr_equal(setting_find(str_of(settings_table[i].name)), &settings_table[i]);
        const struct setting_alias *alias = settings_table[i].aliases;
        size_t count = 0;
        for (; alias[count].name; count++) {
            for (size_t j = 0; j < i; j++) {
                for (const struct setting_alias *other = settings_table[j].aliases; other->name;
                     other++)
                    assert_string_not_equal(alias[count].name, other->name);
            }
        }
        assert_true(count < SETTING_ALIASES_MAX);
        assert_true(settings_table[i].min <= settings_table[i].max);
    }
    for (size_t i = 0; i < settings_yaml_key_count; i++)
        assert_non_null(setting_find(str_of(settings_yaml_keys[i].setting)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_booleans_and_integers),
        cmocka_unit_test(test_defaults_round_trip),
        cmocka_unit_test(test_written_form),
        cmocka_unit_test(test_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
