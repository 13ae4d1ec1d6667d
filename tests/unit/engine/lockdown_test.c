/*
 * lockdown_test.c — files, settings and functions: what the engine alone lets through is refused here,
 * and what was named can be read.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine_support.h"

static char folder[] = "/tmp/volley-lockdown-XXXXXX";
static struct test_engine
    engine; /* a database file, a spill folder, one file, one allowed folder */

static const char *path_of(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mkdir(path_of("data"), 0700), 0);
    assert_int_equal(mkdir(path_of("spill"), 0700), 0);
    write_file("2 people.csv", "id,name\n1,ann\n2,bob\n");
    write_file("more.ndjson", "{\"x\": 1}\n{\"x\": 2}\n");
    write_file("data/inside.csv", "a\n5\n");
    write_file("secret.csv", "s\n1\n");
    char data[200];
    snprintf(data, sizeof(data), "%s", path_of("data"));
    struct str allowed[] = {str_of(data)};
    char csv[200];
    char ndjson[200];
    char database[200];
    char spill[200];
    snprintf(csv, sizeof(csv), "%s", path_of("2 people.csv"));
    snprintf(ndjson, sizeof(ndjson), "%s", path_of("more.ndjson"));
    snprintf(database, sizeof(database), "%s", path_of("data/sales.duckdb"));
    snprintf(spill, sizeof(spill), "%s", path_of("spill"));
    struct engine_file files[] = {{.path = str_of(csv)},
                                  {.path = str_of(ndjson), .view = STR("lines")}};
    struct engine_options options = test_engine_options();
    options.database = str_of(database);
    options.temp_directory = str_of(spill);
    options.allowed_paths = allowed;
    options.allowed_path_count = 1;
    options.files = files;
    options.file_count = 2;
    test_engine_open(&engine, &options);
    test_execute(&engine, "CREATE TABLE t AS SELECT 42 AS a, 'UTC'::TIME_ZONE AS z");
    write_file("spill/other.txt", "spilled");
    return 0;
}

/* A file that is called like a catalog of the server has its tables under another name. */
static void test_file_called_like_the_server(void **state)
{
    (void)state;
    static const char *const names[] = {"data/Volley.duckdb", "data/volley_shared.db"};
    static const char *const catalogs[] = {"Volley_file", "volley_shared_file"};
    for (size_t i = 0; i < 4; i++) {
        struct engine_options options = test_engine_options();
        options.database = str_of(path_of(names[i / 2]));
        options.read_only = i % 2 == 1;
        struct test_engine own;
        test_engine_open(&own, &options);
        assert_true(str_equal(engine_catalog(own.engine), str_of(catalogs[i / 2])));
        if (!options.read_only)
            test_execute(&own, "CREATE TABLE kept AS SELECT 7 AS a");
        test_rows(&own, "SELECT a FROM main.kept", "7");
        test_rows(&own, "SELECT count(*) FROM duckdb_databases() WHERE database_name = 'volley'",
                  "1");
        test_engine_close(&own);
    }
}

static void test_unknown_rules_are_refused(void **state)
{
    (void)state;
    struct str allowed[] = {STR("pragma"), STR("pragmas")};
    struct engine_options options = test_engine_options();
    options.allow_statements = allowed;
    options.allow_statement_count = 2;
    struct engine *own = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(engine_open(&options, &own, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "'pragmas'"));
    assert_non_null(strstr(error.message, "copy-to, "));
}

static int tear_down(void **state)
{
    static const char *const names[] = {
        "2 people.csv", "more.ndjson",       "data/inside.csv",       "secret.csv",
        "link.csv",     "data/sales.duckdb", "data/sales.duckdb.wal", "spill/other.txt"};
    (void)state;
    test_engine_close(&engine);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        unlink(path_of(names[i]));
    rmdir(path_of("spill"));
    rmdir(path_of("data"));
    rmdir(folder);
    return 0;
}

static void test_named_files(void **state)
{
    (void)state;
    char sql[400];
    test_rows(&engine, "SELECT * FROM _2_people ORDER BY id", "1|ann\n2|bob");
    test_rows(&engine, "SELECT sum(x) FROM lines", "3");
    snprintf(sql, sizeof(sql), "SELECT * FROM read_csv('%s') ORDER BY id", path_of("2 people.csv"));
    test_rows(&engine, sql, "1|ann\n2|bob");
    snprintf(sql, sizeof(sql), "SELECT * FROM '%s'", path_of("data/inside.csv"));
    test_rows(&engine, sql, "5");
    snprintf(sql, sizeof(sql), "FROM read_csv(['%s', '%s'])", path_of("data/inside.csv"),
             path_of("data/inside.csv"));
    test_rows(&engine, sql, "5\n5");
    snprintf(sql, sizeof(sql), "FROM \"%s\"", path_of("data/inside.csv"));
    test_rows(&engine, sql, "5");
    snprintf(sql, sizeof(sql), "CREATE TABLE copied (a INTEGER); COPY copied FROM '%s' (HEADER)",
             path_of("data/inside.csv"));
    assert_int_equal(test_execute(&engine, sql), 1);
    test_execute(&engine, "DROP TABLE copied");
    /* A text that merely looks like one is data. */
    test_rows(&engine, "SELECT 'sales.duckdb', '*', '/etc/*'", "sales.duckdb|*|/etc/*");
}

/* %s is the test's folder. */
static void refused(const char *format, const char *part)
{
    char sql[600];
    snprintf(sql, sizeof(sql), format, folder, folder);
    test_fails(&engine, sql, STATUS_PERMISSION_DENIED, part);
}

static void test_other_files(void **state)
{
    (void)state;
    refused("SELECT * FROM read_csv('%s/secret.csv')", "allowed-paths");
    refused("SELECT * FROM '%s/secret.csv'", "allowed-paths");
    refused("SELECT * FROM \"%s/secret.csv\"", "allowed-paths");
    refused("SELECT * FROM read_csv('%s/data/../secret.csv')", "allowed-paths");
    refused("SELECT * FROM read_text('/etc/passwd')", "allowed-paths");
    refused("SELECT * FROM glob('/etc/*')", "allowed-paths");
    refused("SELECT * FROM sniff_csv('%s/secret.csv')", "allowed-paths");
    refused("CREATE TABLE c (s INTEGER); COPY c FROM '%s/secret.csv'", "allowed-paths");
    assert_int_equal(symlink(path_of("secret.csv"), path_of("link.csv")), 0);
    refused("SELECT * FROM '%s/link.csv'", "allowed-paths");
}

static void test_own_files(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "SELECT * FROM read_blob('%s/data/sales.duckdb')",
        "SELECT * FROM read_blob(['%s/data/inside.csv', '%s/data/sales.duckdb'])",
        "SELECT * FROM read_text('%s/data/sales.duckdb.wal')",
        "SELECT * FROM read_text('%s/data//./sales.duckdb')",
        "SELECT * FROM read_text('file://%s/data/sales.duckdb')",
        "SELECT * FROM read_text(E'%s/data/sales.duckdb')",
        "SELECT * FROM read_text(E'%s/data/sales\\x2educkdb')",
        "SELECT * FROM read_text(U&'%s/data/sales\\002educkdb')",
        "SELECT * FROM E'%s/data/sales\\x2educkdb'",
        "SELECT * FROM read_text(x'2f')",
        "SELECT * FROM read_text($$%s/data/sales.duckdb$$)",
        "SELECT * FROM read_blob('%s/data/*')",
        "SELECT * FROM read_blob('%s/**')",
        "SELECT * FROM read_blob('%s/data/sal?s.*')",
        "SELECT * FROM read_blob('%s/d*/s*')",
        "SELECT * FROM read_text('%s/spill/other.txt')",
        "SELECT * FROM read_text('%s/spill/*')",
        "SELECT * FROM read_text('%s/*/*')",
        "SELECT * FROM \"read_text\"('%s/spill/other.txt')",
        "SELECT * FROM read_csv('%s/data/sales' || '.duckdb')",
        "SELECT * FROM read_csv(('%s/data/sales.duckdb'))",
        "SELECT * FROM read_csv(getvariable('p'))",
        "SELECT * FROM read_csv('%s/data/sales'\n'.duckdb')",
        "SELECT * FROM read_csv(list_value('%s/data/inside.csv'))",
        "SELECT * FROM t, read_csv(t.z)",
        "SELECT * FROM '%s/data/sales.duckdb'",
        "SELECT * FROM t, '%s/data/*.duckdb'",
        "CREATE TABLE c (x VARCHAR); COPY c FROM '%s/data/sales.duckdb' (DELIMITER '|')",
        "CREATE MACRO m(p) AS TABLE SELECT * FROM read_text(p)",
        "COPY t TO '%s/data/sales.duckdb' (USE_TMP_FILE false)",
        "COPY (SELECT 1) TO '%s/spill/x.csv'",
        "COPY (SELECT 1) TO '/dev/null/volley_rows' (FORMAT volley_rows)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '%s/spill/x.csv'",
        "COPY FROM DATABASE sales TO volley",
    };
    for (size_t i = 0; i < ARRAY_COUNT(statements); i++)
        refused(statements[i], "rule '");
    test_rows(&engine, "SELECT a FROM t", "42");
}

/* What the operator switched off is allowed, and nothing else. */
static void test_rules_switched_off(void **state)
{
    (void)state;
    struct test_engine open;
    struct str rules[] = {STR("settings"), STR("attach"), STR("pragma"), STR("call")};
    struct engine_options options = test_engine_options();
    options.allow_statements = rules;
    options.allow_statement_count = ARRAY_COUNT(rules);
    test_engine_open(&open, &options);
    test_execute(&open, "SET GLOBAL default_order = 'desc'");
    test_rows(&open, "SELECT * FROM range(3) t(i) ORDER BY i", "2\n1\n0");
    test_execute(&open, "ATTACH ':memory:' AS other");
    test_execute(&open, "CREATE TABLE other.t AS SELECT 1 AS a");
    test_rows(&open, "FROM other.t", "1");
    test_execute(&open, "PRAGMA database_size");
    test_rows(&open, "CALL range(2)", "0\n1");
    test_fails(&open, "SET enable_external_access = true", STATUS_INVALID_ARGUMENT,
               "external access");
    test_fails(&open, "ATTACH '/etc/passwd' AS p", STATUS_PERMISSION_DENIED, "allowed-paths");
    test_fails(&open, "COPY (SELECT 1) TO '/tmp/x.csv'", STATUS_PERMISSION_DENIED,
               "rule 'copy-to'");
    test_fails(&open, "FROM enable_logging()", STATUS_PERMISSION_DENIED, "rule 'logging'");
    test_engine_close(&open);
}

static void test_server_catalog(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "CREATE TABLE volley.t (a INTEGER)",
        "CREATE OR REPLACE VIEW volley.main.queries AS SELECT 1",
        "CREATE VIEW \"VOLLEY\".main.x AS SELECT 1",
        "CREATE SCHEMA volley.mine",
        "DROP TYPE volley_shared.builtin.TIME_ZONE",
        "DROP TYPE TIME_ZONE",
        "DROP TYPE IF EXISTS \"time_zone\"",
        "DROP SCHEMA volley_shared.builtin CASCADE",
        "ALTER TABLE volley.main.queries RENAME TO x",
        "COMMENT ON VIEW volley.main.queries IS 'x'",
    };
    test_fails(&engine, "ALTER DATABASE sales SET ALIAS TO foo", STATUS_PERMISSION_DENIED,
               "rule 'attach'");
    for (size_t i = 0; i < ARRAY_COUNT(statements); i++)
        test_fails(&engine, statements[i], STATUS_PERMISSION_DENIED, "rule 'server-catalog'");
}

/* The database file opens elsewhere, and holds nothing of the server's. */
static void test_database_file_is_plain(void **state)
{
    (void)state;
    struct test_engine plain;
    struct engine_options options = test_engine_options();
    char database[200];
    snprintf(database, sizeof(database), "%s", path_of("data/other.duckdb"));
    options.database = str_of(database);
    test_engine_open(&plain, &options);
    test_execute(&plain, "CREATE TABLE z AS SELECT 'Europe/Rome'::TIME_ZONE AS z");
    test_engine_close(&plain);
    test_engine_open(&plain, &options);
    assert_true(str_equal(engine_catalog(plain.engine), STR("other")));
    test_rows(&plain, "SELECT z FROM z", "Europe/Rome");
    test_schema(&plain, "SELECT z FROM z",
                "z: dictionary<values=string, indices=int16, ordered=0>");
    test_rows(&plain,
              "SELECT count(*) FROM duckdb_views() WHERE database_name = 'other' AND NOT "
              "internal",
              "0");
    test_rows(&plain,
              "SELECT type_name FROM duckdb_types() WHERE database_name = 'other' AND NOT "
              "internal",
              "");
    test_engine_close(&plain);
    options.read_only = true;
    test_engine_open(&plain, &options);
    test_rows(&plain, "SELECT z FROM z", "Europe/Rome");
    test_fails(&plain, "INSERT INTO z VALUES ('UTC')", STATUS_PERMISSION_DENIED, "read-only");
    test_engine_close(&plain);
    unlink(path_of("data/other.duckdb"));
    unlink(path_of("data/other.duckdb.wal"));
}

static void open_fails(const struct engine_options *options, enum status status, const char *part)
{
    struct engine *unopened = NULL;
    struct error error = ERROR_NONE;
    enum status got = engine_open(options, &unopened, &error);
    if (got != status || !strstr(error.message, part))
        fail_msg("%s: %s", status_name(got), error.message);
    assert_null(unopened);
}

static void test_opening_fails(void **state)
{
    (void)state;
    struct engine_options options = test_engine_options();
    struct engine_file missing = {.path = STR("/nonexistent/x.csv")};
    struct engine_file strange = {.path = STR("/etc/passwd")};
    struct str no_folder = STR("/nonexistent");
    static const char *const setup[] = {"SELEKT", NULL};
    options.files = &missing;
    options.file_count = 1;
    open_fails(&options, STATUS_NOT_FOUND, "/nonexistent/x.csv");
    options.files = &strange;
    open_fails(&options, STATUS_INVALID_ARGUMENT, ".parquet");
    options = test_engine_options();
    options.read_only = true;
    open_fails(&options, STATUS_INVALID_ARGUMENT, "read-only");
    options = test_engine_options();
    options.database = STR("/nonexistent/x.duckdb");
    open_fails(&options, STATUS_NOT_FOUND, "cannot open the database '/nonexistent/x.duckdb'");
    options = test_engine_options();
    options.allowed_paths = &no_folder;
    options.allowed_path_count = 1;
    open_fails(&options, STATUS_NOT_FOUND, "/nonexistent");
    options = test_engine_options();
    options.setup = setup;
    open_fails(&options, STATUS_INVALID_ARGUMENT, "SELEKT");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_files),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_own_files),
        cmocka_unit_test(test_rules_switched_off),
        cmocka_unit_test(test_file_called_like_the_server),
        cmocka_unit_test(test_unknown_rules_are_refused),
        cmocka_unit_test(test_server_catalog),
        cmocka_unit_test(test_database_file_is_plain),
        cmocka_unit_test(test_opening_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
