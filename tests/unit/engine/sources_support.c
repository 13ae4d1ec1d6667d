/*
 * sources_support.c — makes what sources_support.h tells of. SPDX-License-Identifier: Apache-2.0
 */
#include "sources_support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct test_engine engine;

int set_up(void **state)
{
    (void)state;
    test_engine_open(&engine, NULL);
    test_execute(&engine, "CREATE TABLE t AS SELECT 1 AS a, 'x' AS b");
    test_execute(&engine, "CREATE TABLE u AS SELECT 1 AS a");
    test_execute(&engine, "CREATE VIEW v AS SELECT * FROM t");
    test_execute(&engine, "CREATE VIEW w AS SELECT a FROM v UNION ALL SELECT 7");
    test_execute(&engine, "CREATE SCHEMA s; CREATE TABLE s.\"My Table\" AS SELECT 3 AS c");
    test_execute(&engine, "CREATE MACRO m(x) AS (SELECT max(a) + x FROM t)");
    test_execute(&engine, "CREATE MACRO mt(x) AS TABLE SELECT * FROM v WHERE a = x");
    test_execute(&engine, "CREATE MACRO dice() AS random()");
    test_execute(&engine, "CREATE VIEW clocks AS SELECT now() AS n");
    test_execute(&engine, "CREATE TABLE g (a INTEGER, r AS (random()))");
    test_execute(&engine, "CREATE SEQUENCE q");
    test_execute(&engine, "CREATE TABLE keyed (k INTEGER PRIMARY KEY)");
    test_execute(&engine, "CREATE TABLE \"ignore\" (a INTEGER)");
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    test_engine_close(&engine);
    return 0;
}

struct engine_sources *capture(const char *sql)
{
    const char *reason = NULL;
    struct engine_sources *sources =
        engine_sources_capture(engine.engine, str_of(sql), NULL, &reason);
    if (!sources)
        fail_msg("%s: %s", sql, reason);
    return sources;
}

int set_up_settings(void **state)
{
    (void)state;
    static const struct str rules[] = {{"settings", 8}};
    struct engine_options options = test_engine_options();
    options.allow_statements = rules;
    options.allow_statement_count = ARRAY_COUNT(rules);
    test_engine_open(&engine, &options);
    test_execute(&engine, "CREATE TABLE t AS SELECT 1 AS a");
    return 0;
}

char folder[64];

void path_of(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", folder, name);
}

void write_file(const char *name, const char *content, long age_s)
{
    char path[128];
    path_of(path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct timespec times[2] = {{.tv_sec = now.tv_sec - age_s},
                                      {.tv_sec = now.tv_sec - age_s}};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

int set_up_files(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/volley-sources-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("a.csv", "n\n1\n", 100);
    static struct str allowed;
    allowed = str_of(folder);
    char path[128];
    path_of(path, "a.csv");
    const struct engine_file file = {.path = str_of(path)};
    struct engine_options options = test_engine_options();
    options.allowed_paths = &allowed;
    options.allowed_path_count = 1;
    options.files = &file;
    options.file_count = 1;
    test_engine_open(&engine, &options);
    return 0;
}

int tear_down_files(void **state)
{
    char path[128];
    path_of(path, "a.csv");
    (void)unlink(path);
    path_of(path, "b.csv");
    (void)unlink(path);
    (void)rmdir(folder);
    return tear_down(state);
}
