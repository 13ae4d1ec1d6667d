/*
 * Loading settings: precedence, defaults, lists, parts of addresses, every form of error.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "base/log.h"

#define LOAD(...)                                                                                  \
    CLEANUP(settings_destroy) const struct settings *settings = load((struct sources){__VA_ARGS__})
#define FLAGS(...) .flags = {__VA_ARGS__}
#define VARIABLES(...) .environment = {__VA_ARGS__}
#define REFUSE(part, ...) refuse((struct sources){__VA_ARGS__}, part)

static void test_defaults(void **state)
{
    LOAD(.dotenv = NULL);
    assert_int_equal(settings->flight_addr.count, 1);
    assert_text(settings->flight_addr.items[0], "127.0.0.1:50052");
    assert_text(settings->http_addr.items[0], "127.0.0.1:8000");
    assert_text(settings->database, ":memory:");
    assert_text(settings->data_dir, "/home/ada/.local/state/volley");
    assert_int_equal(settings->allowed_paths.count, 0);
    assert_int_equal(settings->query_slots, 8);
    assert_int_equal(settings->query_queue, 100);
    assert_int_equal(settings->query_timeout_ms, 300000);
    assert_int_equal(settings->dataset_ttl_ms, 600000);
    assert_int_equal(settings->batch_rows, 0);
    assert_int_equal(settings->engine_threads, 6);
    assert_int_equal(settings->io_threads, 6);
    assert_int_equal(settings->worker_threads, 12);
    assert_int_equal(settings->query_memory_bytes, UINT64_C(4) << 30);
    assert_int_equal(settings->dataset_memory_bytes, UINT64_C(2) << 30);
    assert_int_equal(settings->max_message_bytes, 2 << 20);
    assert_int_equal(settings->max_receive_message_bytes, 64 << 20);
    assert_int_equal(settings->limits.header_timeout_ms, 10000);
    assert_int_equal(settings->drain_timeout_ms, 10000);
    assert_int_equal(settings->log_level, LOG_INFO);
    assert_int_equal(settings->log_format, SETTINGS_LOG_AUTO);
    assert_int_equal(settings->cors_origins.count, 2);
    assert_true(settings->connection_sessions);
    assert_false(settings->read_only);
    assert_false(settings->demo);
    assert_int_equal(settings->warnings.count, 0);
    assert_entry(settings, "query-slots", "8", "default");
    assert_entry(settings, "query-memory", "4GiB", "default");
    assert_entry(settings, "batch-rows", "", "default");
}

static void test_precedence(void **state)
{
    char path[32];
    static const char yaml[] = "query-slots: 5\nquery-queue: 6\nio-threads: 7\nworker_threads: 9\n";
    write_file(path, yaml, sizeof(yaml) - 1);
    LOAD(FLAGS("--config", path, "--query-slots", "1"),
         VARIABLES("VOLLEY_QUERY_SLOTS=2", "VOLLEY_QUERY_QUEUE=3"),
         .dotenv = "VOLLEY_QUERY_SLOTS=11\nVOLLEY_QUERY_QUEUE=12\nVOLLEY_IO_THREADS=4\n");
    (void)unlink(path);
    assert_entry(settings, "query-slots", "1", "flag --query-slots");
    assert_entry(settings, "query-queue", "3", "environment VOLLEY_QUERY_QUEUE");
    assert_entry(settings, "io-threads", "4", ".env line 3, VOLLEY_IO_THREADS");
    char origin[64];
    (void)snprintf(origin, sizeof(origin), "%s:4", path);
    assert_entry(settings, "worker-threads", "9", origin);
    assert_entry(settings, "engine-threads", "6", "default");
}

static void test_flag_forms(void **state)
{
    LOAD(FLAGS("--query-slots=3", "-query-queue", "4", "-io-threads=5", "--demo", "--read-only=no",
               "--no-connection-sessions", "a.parquet", "--query-slots", "7", "--", "--b.csv"));
    assert_int_equal(settings->query_slots, 7);
    assert_int_equal(settings->query_queue, 4);
    assert_int_equal(settings->io_threads, 5);
    assert_true(settings->demo);
    assert_false(settings->read_only);
    assert_false(settings->connection_sessions);
    assert_int_equal(settings->files.count, 2);
    assert_text(settings->files.items[0], "a.parquet");
    assert_text(settings->files.items[1], "--b.csv");
}

static void test_aliases(void **state)
{
    LOAD(FLAGS("--db", "x.duckdb"),
         VARIABLES("MAX_SLOTS=3", "FLIGHT_BATCH_SIZE=1000", "QUERY_TIMEOUT_SECONDS=90",
                   "ENVIRONMENT=production", "LOG_LEVEL=WARNING", "FLIGHT_LOG_FORMAT=json",
                   "DATA_DIR=none", "FLIGHT_CORS_ORIGINS=*"));
    assert_text(settings->database, "x.duckdb");
    assert_int_equal(settings->query_slots, 3);
    assert_int_equal(settings->batch_rows, 1000);
    assert_int_equal(settings->query_timeout_ms, 90000);
    assert_text(settings->environment, "production");
    assert_int_equal(settings->log_level, LOG_WARNING);
    assert_int_equal(settings->log_format, SETTINGS_LOG_JSON);
    assert_int_equal(settings->data_dir.len, 0);
    assert_text(settings->cors_origins.items[0], "*");
    assert_entry(settings, "data-dir", "none", "environment DATA_DIR");
}

static void test_native_name_before_aliases(void **state)
{
    LOAD(VARIABLES("MAX_SLOTS=3", "VOLLEY_QUERY_SLOTS=4", "QUERY_TIMEOUT_SECONDS=5",
                   "DEFAULT_QUERY_TIMEOUT=6"));
    assert_int_equal(settings->query_slots, 4);
    assert_int_equal(settings->query_timeout_ms, 6000);
}

static void test_empty_variable_is_not_set(void **state)
{
    LOAD(VARIABLES("VOLLEY_QUERY_SLOTS=", "MAX_SLOTS=3", "PORT="));
    assert_int_equal(settings->query_slots, 3);
    assert_text(settings->http_addr.items[0], "127.0.0.1:8000");
}

static void test_address_parts(void **state)
{
    {
        LOAD(VARIABLES("HOST=localhost", "PORT=9000", "ARROW_FLIGHT_PORT=9001"));
        assert_entry(settings, "http-addr", "localhost:9000",
                     "environment HOST and environment PORT");
        assert_entry(settings, "flight-addr", "127.0.0.1:9001", "environment ARROW_FLIGHT_PORT");
    }
    {
        LOAD(FLAGS("--http-port", "7"), VARIABLES("VOLLEY_HTTP_ADDR=localhost:1,127.0.0.1:2"));
        assert_entry(settings, "http-addr", "localhost:7", "flag --http-port");
    }
    {
        LOAD(VARIABLES("VOLLEY_HTTP_ADDR=localhost:1", "PORT=9000"));
        assert_entry(settings, "http-addr", "localhost:1", "environment VOLLEY_HTTP_ADDR");
    }
    {
        LOAD(VARIABLES("API_HOST=::1", "FLIGHT_APP_PORT=9"),
             .dotenv = "VOLLEY_HTTP_ADDR=localhost:4");
        assert_text(settings->http_addr.items[0], "[::1]:9");
    }
    {
        LOAD(FLAGS("--http-addr", "localhost:4"), VARIABLES("HOST=0.0.0.0", "PORT=x"));
        assert_text(settings->http_addr.items[0], "localhost:4");
    }
    REFUSE("http-addr: 'x' (environment PORT) is not allowed; must be a port from 0 to 65535",
           VARIABLES("PORT=x"));
    REFUSE("flight-addr: '65536' (flag --flight-port)", FLAGS("--flight-port", "65536"));
    REFUSE("a host name", VARIABLES("HOST=a b"));
    REFUSE("http-addr: give either flag --http-addr or flag --http-port",
           FLAGS("--http-port", "7", "--http-addr", "localhost:1"));
}

static void test_lists(void **state)
{
    LOAD(FLAGS("--flight-addr", "localhost:1,unix:/tmp/a", "--flight-addr", "tcp://[::1]:0",
               "--allowed-paths", "/a", "--allowed-paths=b c"));
    assert_int_equal(settings->flight_addr.count, 3);
    assert_text(settings->flight_addr.items[1], "unix:/tmp/a");
    assert_text(settings->flight_addr.items[2], "tcp://[::1]:0");
    assert_entry(settings, "allowed-paths", "/a,b c", "flag --allowed-paths");
    assert_int_equal(settings->flight_addr.items[0].ptr[settings->flight_addr.items[0].len], 0);
}

static void test_none_empties_a_list(void **state)
{
    LOAD(FLAGS("--cors-origins", "none"));
    assert_int_equal(settings->cors_origins.count, 0);
    assert_entry(settings, "cors-origins", "none", "flag --cors-origins");
}

static void test_wrong_values(void **state)
{
    REFUSE(
        "query-slots: '0' (flag --query-slots) is not allowed; must be an integer from 1 to 1024",
        FLAGS("--query-slots", "0"));
    REFUSE("query-slots: 'many' (environment MAX_SLOTS)", VARIABLES("MAX_SLOTS=many"));
    REFUSE("query-slots: '-1' (.env line 2, VOLLEY_QUERY_SLOTS)",
           .dotenv = "\nVOLLEY_QUERY_SLOTS=-1\n");
    REFUSE(
        "drain-timeout: '2h' (flag --drain-timeout) is not allowed; must be a duration from 0s to "
        "1h, such as",
        FLAGS("--drain-timeout", "2h"));
    REFUSE(
        "max-message-bytes: '1KiB' (flag -max-message-bytes) is not allowed; must be a size from "
        "64KiB to 64MiB",
        FLAGS("-max-message-bytes", "1KiB"));
    REFUSE("or a percentage such as 50%", FLAGS("--query-memory", "101%"));
    REFUSE("demo: 'maybe' (flag --demo) is not allowed; must be true or false",
           FLAGS("--demo=maybe"));
    REFUSE("log-level: 'loud' (environment LOG_LEVEL) is not allowed; must be one of debug, info",
           VARIABLES("LOG_LEVEL=loud"));
    REFUSE("http-addr: ':8000' (flag --http-addr) is not allowed; must be HOST:PORT",
           FLAGS("--http-addr", ":8000"));
    REFUSE("http-addr: '' (flag --http-addr)", FLAGS("--http-addr="));
    REFUSE("database: '' (flag --database)", FLAGS("--database", ""));
    REFUSE("advertise: 'host:1'", FLAGS("--advertise", "host:1"));
    REFUSE("allow-statements: 'Attach!'", FLAGS("--allow-statements", "call,Attach!"));
    REFUSE("cors-origins: 'x'", FLAGS("--cors-origins", "x"));
}

static void test_wrong_flags(void **state)
{
    REFUSE("unknown flag --query-slot; did you mean --query-slots?", FLAGS("--query-slot", "1"));
    REFUSE("unknown flag --http-prot; did you mean --http-port?", FLAGS("--http-prot", "1"));
    REFUSE("unknown flag --verison; did you mean --version?", FLAGS("--verison"));
    REFUSE("unknown flag --orign; did you mean --origin?", FLAGS("--orign"));
    REFUSE("unknown flag --origin; volley serve --help lists all", FLAGS("--origin"));
    REFUSE("unknown flag --xyzzy; volley serve --help lists all", FLAGS("--xyzzy"));
    REFUSE("flag --query-slots needs a value", FLAGS("--query-slots"));
    REFUSE("flag --no-demo takes no value", FLAGS("--no-demo=true"));
    REFUSE("unknown flag --no-query-slots", FLAGS("--no-query-slots"));
    REFUSE("config: /nonexistent/v.yaml: No such file or directory (flag --config)",
           FLAGS("--config", "/nonexistent/v.yaml"));
}

static void test_public_addresses_are_refused(void **state)
{
    REFUSE("http-addr: '0.0.0.0:8000' (environment HOST) can be reached from other machines",
           VARIABLES("HOST=0.0.0.0"));
    REFUSE("flight-addr: 'db.example.org:1'",
           FLAGS("--flight-addr", "localhost:1,db.example.org:1"));
    REFUSE("flight-addr: '[::]:1'", FLAGS("--flight-addr", "[::]:1"));
    REFUSE("or say --allow-anonymous", FLAGS("--flight-addr", "[::]:1"));
    REFUSE("flight-addr: 'tls://0.0.0.0:1'",
           FLAGS("--flight-addr", "tls://0.0.0.0:1", "--tls-client-auth", "request"));
    REFUSE("flight-addr: 'tcp://0.0.0.0:1'",
           FLAGS("--flight-addr", "tcp://0.0.0.0:1", "--tls-client-auth", "require"));
    REFUSE("flight-addr: '0.0.0.0:1'",
           FLAGS("--flight-addr", "0.0.0.0:1", "--tls-client-auth", "require"));
    REFUSE(
        "flight-addr: 'tls://0.0.0.0:1?client-auth=none'",
        FLAGS("--flight-addr", "tls://0.0.0.0:1?client-auth=none", "--tls-client-auth", "require"));
}

static void test_public_addresses_with_authentication(void **state)
{
    static const struct sources good[] = {
        {FLAGS("--flight-addr", "tls://0.0.0.0:1", "--tls-client-auth", "require")},
        {FLAGS("--flight-addr", "tls://0.0.0.0:1?client-auth=require")},
        {FLAGS("--flight-addr", "0.0.0.0:1", "--tls-client-auth=require", "--tls-cert", "a",
               "--tls-key", "b")},
        {FLAGS("--flight-addr", "0.0.0.0:1", "--allow-anonymous")},
    };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        settings_destroy(load(good[i]));
}

static void test_tls(void **state)
{
    LOAD(VARIABLES("GRPC_TLS_CERT_PATH=a.pem,b.pem", "GRPC_TLS_KEY_PATH=a.key,b.key",
                   "GRPC_TLS_CA_PATH=ca.pem", "GRPC_TLS_CLIENT_AUTH=true"));
    assert_int_equal(settings->tls_cert.count, 2);
    assert_text(settings->tls_cert.items[1], "b.pem");
    assert_text(settings->tls_key.items[0], "a.key");
    assert_text(settings->tls_ca, "ca.pem");
    assert_int_equal(settings->tls_client_auth, SETTINGS_CLIENT_AUTH_REQUIRE);
    REFUSE("tls-key: each certificate of tls-cert needs its key",
           FLAGS("--tls-cert", "a", "--tls-cert", "b", "--tls-key", "c"));
    REFUSE("tls-client-auth: 'always'", FLAGS("--tls-client-auth", "always"));
}

static void test_unknown_variables_warn(void **state)
{
    LOAD(VARIABLES("VOLLEY_QUERY_SLOT=1", "VOLLEY_SERVER=grpc://x", "OTHER=1", "VOLLEY_ZZZZZZ=1"));
    assert_int_equal(settings->warnings.count, 2);
    assert_text(settings->warnings.items[0],
                "environment: unknown variable VOLLEY_QUERY_SLOT is ignored; did you mean "
                "VOLLEY_QUERY_SLOTS?");
    assert_text(settings->warnings.items[1],
                "environment: unknown variable VOLLEY_ZZZZZZ is ignored");
}

static void test_nothing_leaks_into_out_on_failure(void **state)
{
    const struct settings *settings = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(try_load((struct sources){FLAGS("--demo=x")}, &settings, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_null(settings);
    settings_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_flag_forms),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_native_name_before_aliases),
        cmocka_unit_test(test_empty_variable_is_not_set),
        cmocka_unit_test(test_address_parts),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_none_empties_a_list),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_wrong_flags),
        cmocka_unit_test(test_public_addresses_are_refused),
        cmocka_unit_test(test_public_addresses_with_authentication),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_unknown_variables_warn),
        cmocka_unit_test(test_nothing_leaks_into_out_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
