/*
 * Settings from YAML: flat and nested keys, lists, notices, and every refusal with its line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "base/log.h"

static const struct settings *load_yaml(const char *text, size_t size, struct error *error)
{
    char path[32];
    write_file(path, text, size);
    const struct settings *settings = NULL;
    struct sources sources = {.flags = {"--config", path}};
    enum status status = try_load(sources, &settings, error);
    (void)unlink(path);
    assert_true((status == STATUS_OK) == (settings != NULL));
    return settings;
}

#define LOAD_YAML(text)                                                                            \
    struct error error = ERROR_NONE;                                                               \
    CLEANUP(settings_destroy)                                                                      \
    const struct settings *settings = load_yaml(text, sizeof(text) - 1, &error);                   \
    if (!settings)                                                                                 \
        fail_msg("%s", error.message);

static void refuse_yaml(const char *text, size_t size, const char *part)
{
    struct error error = ERROR_NONE;
    const struct settings *settings = load_yaml(text, size, &error);
    settings_destroy(settings);
    assert_null(settings);
    assert_int_equal(error.status, STATUS_INVALID_ARGUMENT);
    if (!strstr(error.message, part))
        fail_msg("'%s' does not hold '%s'", error.message, part);
}
#define REFUSE_YAML(text, part) refuse_yaml(text, sizeof(text) - 1, part)

static void test_flat_keys(void **state)
{
    LOAD_YAML("# comment\nquery-slots: 4\nquery_queue: '5'\ndemo: yes\nquery-timeout: 1.5m\n"
              "database: \"a b.duckdb\"\nallowed-paths:\n  - /a,b\n  - /c\ncors-origins: []\n"
              "log-level:\n");
    assert_int_equal(settings->query_slots, 4);
    assert_int_equal(settings->query_queue, 5);
    assert_true(settings->demo);
    assert_int_equal(settings->query_timeout_ms, 90000);
    assert_text(settings->database, "a b.duckdb");
    assert_int_equal(settings->allowed_paths.count, 2);
    assert_text(settings->allowed_paths.items[0], "/a,b");
    assert_int_equal(settings->log_level, LOG_INFO);
}

static void test_nested_keys_and_notices(void **state)
{
    LOAD_YAML(
        "flight:\n  address: localhost:8080\nmonitoring: {log_level: error, metrics_port: 2112}\n"
        "data_generation:\n  record_count: 1000000\n  more: [1, {a: b}]\noutput: x\n");
    assert_text(settings->flight_addr.items[0], "localhost:8080");
    assert_int_equal(settings->log_level, LOG_ERROR);
    assert_text(settings->metrics_addr.items[0], "127.0.0.1:2112");
    assert_int_equal(settings->warnings.count, 2);
    assert_non_null(strstr(settings->warnings.items[0].ptr, ":4: section 'data_generation'"));
    assert_non_null(strstr(settings->warnings.items[1].ptr, ":7: section 'output'"));
}

static void test_empty_files(void **state)
{
    {
        LOAD_YAML("");
    }
    {
        LOAD_YAML("# nothing\n");
    }
    {
        LOAD_YAML("---\n~\n");
    }
    {
        LOAD_YAML("flight:\n");
    }
}

static void test_refusals(void **state)
{
    REFUSE_YAML("demo: true\nquery-slot: 4\n",
                ":2: unknown key 'query-slot'; did you mean 'query-slots'?");
    REFUSE_YAML("flight:\n  adress: x\n", ":2: unknown key 'flight.adress'; did you mean "
                                          "'flight.address'?");
    REFUSE_YAML("valkey:\n  address: x\n", ":1: unknown key 'valkey'");
    REFUSE_YAML("config: other.yaml\n", ":1: unknown key 'config'");
    REFUSE_YAML("query-slots: 1\n\nquery_slots: 2\n", ":3: query-slots is given twice, first at");
    REFUSE_YAML("query-slots: 0\n", ":1) is not allowed; must be an integer from 1 to 1024");
    REFUSE_YAML("allowed-paths: [a, [b]]\n", ":1: items of allowed-paths are single values");
    REFUSE_YAML("flight-addr: [localhost:1, 'x']\n", "flight-addr: 'x'");
    REFUSE_YAML("query-slots: [1]\n", ":1: query-slots takes one value");
    REFUSE_YAML("query-slots: {a: 1}\n", ":1: query-slots takes a value, not a section");
    REFUSE_YAML("flight: 5\n", ":1: 'flight' is a section of keys");
    REFUSE_YAML("- a\n- b\n", ":1: expected lines of 'setting: value'");
    REFUSE_YAML("just text", ":1: expected lines of 'setting: value'");
    REFUSE_YAML("output: [1\nb: 2\n", "not valid YAML");
    REFUSE_YAML("query-slots: \t4\n\tdemo: x\n", "not valid YAML");
    REFUSE_YAML("database: &a x\ndata-dir: *a\n", ":2: references to anchors are not supported");
    REFUSE_YAML("? [a, b]\n: 1\n", ":1: keys are names of settings");
    REFUSE_YAML("demo: true\n---\ndemo: false\n", ":2: a second document is not read");
    REFUSE_YAML("database: \"a\\0b\"\n", "database: 'a");
    REFUSE_YAML("\"demo\\0x\": true\n", "unknown key 'demo");
    REFUSE_YAML("\xff\xfe\xff", "not valid YAML");
}

static void test_limits(void **state)
{
    size_t size = (size_t)2 << 20;
    char *text = (char *)malloc(size);
    assert_non_null(text);
    memset(text, '#', size);
    refuse_yaml(text, size, "is larger than 1 MiB");
    memset(text, '[', 1000);
    memcpy(text, "output: ", 8);
    refuse_yaml(text, 1000, "not valid YAML");
    free(text);
    struct sources folder = {.flags = {"--config", "/tmp"}};
    refuse(folder, "config: /tmp is a folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat_keys),   cmocka_unit_test(test_nested_keys_and_notices),
        cmocka_unit_test(test_empty_files), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
