/*
 * task_threads_test.c — threads that help what lasts: they serve, stand back, and end with the engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine_support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TASKS "/proc/self/task"

static void open_with(struct test_engine *test, unsigned threads)
{
    struct engine_options options = test_engine_options();
    options.threads = threads;
    test_engine_open(test, &options);
}

static bool line_number(const char *path, const char *format, long *out_number)
{
    char line[200];
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, format, out_number) == 1;
    if (file)
        fclose(file);
    return found;
}

static bool is_helper(const char *task)
{
    char path[300];
    char name[32] = "";
    snprintf(path, sizeof(path), TASKS "/%s/comm", task);
    FILE *file = fopen(path, "re");
    bool found = file && fgets(name, sizeof(name), file) && strcmp(name, "engine\n") == 0;
    if (file)
        fclose(file);
    return found;
}

/* The threads of that name, and how often they waited so far. */
static size_t count_helpers(long *out_waits)
{
    size_t count = 0;
    *out_waits = 0;
    DIR *tasks = opendir(TASKS);
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[300];
        long waits = 0;
        if (!is_helper(task->d_name))
            continue;
        count++;
        snprintf(path, sizeof(path), TASKS "/%s/status", task->d_name);
        if (line_number(path, "voluntary_ctxt_switches: %ld", &waits))
            *out_waits += waits;
    }
    closedir(tasks);
    return count;
}

/* A thread has its name, and one that was joined is gone, a moment later. */
static void await_helpers(size_t count, long *out_waits)
{
    for (int i = 0; i < 10000 && count_helpers(out_waits) != count; i++)
        usleep(1000);
    assert_int_equal(count_helpers(out_waits), count);
}

static void what_lasts_is_helped(void **state)
{
    struct test_engine test;
    long before;
    long after;
    (void)state;
    open_with(&test, 3);
    test_execute(&test, "CREATE TABLE t AS SELECT i FROM range(500000) r(i)");
    await_helpers(2, &before);
    do { /* of the first ones the threads may not even hear */
        test_rows(&test, "SELECT count(*) FROM t WHERE hash(i * i) % 7 < 7", "500000");
        await_helpers(2, &after);
    } while (after == before);
    for (int i = 0; i < 50; i++)
        test_rows(&test, "SELECT i FROM t WHERE i = 77", "77");
    test_engine_close(&test);
    await_helpers(0, &after);
}

static void run_statements(void *argument)
{
    struct test_engine *test = argument;
    for (int i = 0; i < 20; i++) {
        test_rows(test, "SELECT count(DISTINCT i % 1000) FROM range(100000) r(i)", "1000");
        test_rows(test, "SELECT 1", "1");
    }
}

static void many_want_them_at_once(void **state)
{
    struct test_engine test;
    struct thread *threads[4];
    (void)state;
    open_with(&test, 2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(thread_start("test", 0, run_statements, &test, &threads[i], NULL),
                         STATUS_OK);
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    test_engine_close(&test);
}

static void one_thread_has_no_help(void **state)
{
    struct test_engine test;
    long waits;
    (void)state;
    open_with(&test, 1);
    await_helpers(0, &waits);
    test_rows(&test, "SELECT count(*) FROM range(3000000) r(i) WHERE hash(i) % 7 < 7", "3000000");
    test_engine_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lasts_is_helped),
        cmocka_unit_test(many_want_them_at_once),
        cmocka_unit_test(one_thread_has_no_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
