/*
 * faults_test.c — a registry that cannot be written, is locked, full, damaged, newer or somebody else's.
 *
 * A lock is held by a connection of the test's own, which to SQLite is as good as another process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"
#include "meta/schema.h"

static sqlite3 *open_beside(struct fixture *fixture)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
    return database;
}

static void run(sqlite3 *database, const char *sql)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
}

static void refuses_to_open(struct fixture *fixture, enum status status, const char *part)
{
    assert_int_equal(meta_open(&fixture->options, &fixture->meta, &fixture->error), status);
    if (!strstr(fixture->error.message, part) || !strstr(fixture->error.message, fixture->folder))
        fail_msg("%s", fixture->error.message);
}

/* --- locks -------------------------------------------------------------------------------------- */

static void a_locked_registry_refuses_and_recovers(void **state)
{
    struct fixture *fixture = *state;
    struct job_record first = fixture_job(fixture, 1);
    fixture_put(fixture, &first);
    sqlite3 *other = open_beside(fixture);
    run(other, "BEGIN IMMEDIATE");
    struct job_record refused = fixture_job(fixture, 2);
    assert_int_equal(meta_job_put(fixture->meta, &refused, &fixture->error), STATUS_UNAVAILABLE);
    assert_string_equal(fixture->error.code, "REGISTRY_UNAVAILABLE");
    assert_true(fixture->error.retry_after_ms > 0);
    struct meta_facts facts;
    meta_facts(fixture->meta, &facts);
    assert_false(facts.works);
    /* What is not waited for is kept; reading goes on. */
    first.state = JOB_RUNNING;
    meta_job_put_later(fixture->meta, &first);
    struct job_record last = first;
    last.state = JOB_SUCCEEDED;
    meta_job_put_later(fixture->meta, &last);
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_UNAVAILABLE);
    assert_int_equal(fixture_find(fixture, first.id).state, JOB_QUEUED);
    run(other, "COMMIT");
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
    assert_int_equal(fixture_find(fixture, first.id).state, JOB_SUCCEEDED);
    fixture_put(fixture, &refused);
    meta_facts(fixture->meta, &facts);
    assert_true(facts.works);
    assert_int_equal(facts.dropped, 0);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 2);
}

/* Written by itself after the lock is gone, with nobody asking. */
static void what_is_kept_is_written_unasked(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *other = open_beside(fixture);
    run(other, "BEGIN IMMEDIATE");
    struct job_record job = fixture_job(fixture, 1);
    meta_job_put_later(fixture->meta, &job);
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_UNAVAILABLE);
    run(other, "COMMIT");
    struct meta_facts facts = {.queued = 1};
    for (unsigned i = 0; i < 10000 && facts.queued > 0; i++) {
        usleep(1000);
        meta_facts(fixture->meta, &facts);
    }
    assert_int_equal(facts.queued, 0);
    fixture_find(fixture, job.id);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void closing_a_locked_registry_ends(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *other = open_beside(fixture);
    run(other, "BEGIN IMMEDIATE");
    struct job_record job = fixture_job(fixture, 1);
    meta_job_put_later(fixture->meta, &job);
    meta_close(STEAL(fixture->meta));
    run(other, "COMMIT");
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 0);
}

static void a_second_server_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct meta *second = NULL;
    assert_int_equal(meta_open(&fixture->options, &second, &fixture->error), STATUS_UNAVAILABLE);
    char pid[32];
    snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
    assert_non_null(strstr(fixture->error.message, pid));
    assert_null(second);
}

/* --- room --------------------------------------------------------------------------------------- */

static void a_full_registry_refuses_and_recovers(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.size_bytes_max = (size_t)1 << 20;
    fixture_open(fixture);
    struct job_record first = fixture_job(fixture, 0);
    fixture_put(fixture, &first);
    size_t size = (size_t)64 << 10;
    char *sql = memory_new(size);
    memset(sql, ' ', size);
    unsigned stored = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && stored < 100) {
        struct job_record job = fixture_job(fixture, stored + 1);
        job.sql = str_make(sql, size);
        status = meta_job_put(fixture->meta, &job, &fixture->error);
        stored += status == STATUS_OK;
    }
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(fixture->error.code, "STORAGE_FULL");
    assert_in_range(stored, 5, 16);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), stored + 1);
    /* The end of a job that was acknowledged takes no room. */
    first.state = JOB_SUCCEEDED;
    meta_job_put_later(fixture->meta, &first);
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
    meta_close(STEAL(fixture->meta));
    fixture->options.size_bytes_max = 0;
    fixture_open(fixture);
    struct job_record more = fixture_job(fixture, 99);
    more.sql = str_make(sql, size);
    fixture_put(fixture, &more);
    assert_int_equal(fixture_find(fixture, first.id).state, JOB_SUCCEEDED);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), stored + 2);
    free(sql);
}

#define SKIPPED 77

/* In a process of its own: a file system of 1 MiB over the folder, or a limit on the size of files. */
static bool limit_disk(const struct fixture *fixture, bool by_file_system)
{
    if (by_file_system)
        return unshare(CLONE_NEWNS) == 0 &&
               mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
               mount("tmpfs", fixture->folder, "tmpfs", 0, "size=1m") == 0;
    const struct rlimit limit = {1 << 20, 1 << 20};
    return signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static enum status fill_disk(struct fixture *fixture)
{
    size_t size = (size_t)32 << 10;
    char *sql = memory_new(size);
    memset(sql, ' ', size);
    enum status status = STATUS_OK;
    for (unsigned i = 1; i < 200 && status == STATUS_OK; i++) {
        struct job_record job = fixture_job(fixture, i);
        job.sql = str_make(sql, size);
        status = meta_job_put(fixture->meta, &job, &fixture->error);
    }
    free(sql);
    return status;
}

static int child_that_fills_the_disk(struct fixture *fixture, bool by_file_system)
{
    if (!limit_disk(fixture, by_file_system))
        return SKIPPED;
    fixture_open(fixture);
    enum status wanted = by_file_system ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE;
    if (fill_disk(fixture) != wanted || !fixture->error.code) {
        fprintf(stderr, "%s\n", fixture->error.message);
        return 1;
    }
    /* Once more, at once, and what was stored can be read. */
    if (fill_disk(fixture) != wanted ||
        fixture_find(fixture, STR("00000000-0000-4000-8000-000000000001")).sql.len == 0)
        return 2;
    meta_close(STEAL(fixture->meta));
    fixture_open(fixture);
    return fixture_count(fixture, (struct meta_job_filter){0}) > 1 ? 0 : 3;
}

static void fill_in_a_child(struct fixture *fixture, bool by_file_system)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(child_that_fills_the_disk(fixture, by_file_system));
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == SKIPPED)
        skip();
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void a_full_disk_refuses(void **state)
{
    fill_in_a_child(*state, true);
}

static void a_disk_that_takes_no_more_refuses(void **state)
{
    fill_in_a_child(*state, false);
}

/* --- files that are none ------------------------------------------------------------------------ */

static void write_bytes(const char *path, off_t at, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
    close(fd);
}

static void a_file_of_garbage_is_refused(void **state)
{
    struct fixture *fixture = *state;
    write_bytes(fixture->path, 0,
                "This is no database, and it is longer than a header: .........."
                "................................................................");
    refuses_to_open(fixture, STATUS_DATA_LOSS, "is damaged");
}

static void a_damaged_page_is_found_at_start(void **state)
{
    struct fixture *fixture = *state;
    fixture_open(fixture);
    for (unsigned i = 1; i <= 500; i++) {
        struct job_record job = fixture_job(fixture, i);
        meta_job_put_later(fixture->meta, &job);
    }
    meta_close(STEAL(fixture->meta));
    struct stat facts;
    assert_int_equal(stat(fixture->path, &facts), 0);
    static const char garbage[] = "garbage garbage garbage garbage garbage garbage garbage";
    for (off_t at = 8192; at < facts.st_size; at += 4096)
        write_bytes(fixture->path, at, garbage);
    refuses_to_open(fixture, STATUS_DATA_LOSS, "is damaged");
}

static void another_programs_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *other = open_beside(fixture);
    run(other, "CREATE TABLE jobs (job_id TEXT PRIMARY KEY)");
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    refuses_to_open(fixture, STATUS_FAILED_PRECONDITION, "another program");
}

static void a_newer_registry_is_refused(void **state)
{
    struct fixture *fixture = *state;
    fixture_open(fixture);
    meta_close(STEAL(fixture->meta));
    sqlite3 *other = open_beside(fixture);
    run(other, "PRAGMA user_version = 99");
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    refuses_to_open(fixture, STATUS_FAILED_PRECONDITION, "newer version of Volley (format 99");
}

static void an_older_registry_becomes_this_versions(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned version = 0; version < schema_version; version++) {
        struct connection *old;
        assert_int_equal(connection_open(fixture->path, false, 0, &old, &fixture->error),
                         STATUS_OK);
        if (version > 0)
            assert_int_equal(schema_prepare(old, version, &fixture->error), STATUS_OK);
        connection_close(old);
        fixture_open(fixture);
        struct job_record job = fixture_job(fixture, 1);
        fixture_put(fixture, &job);
        assert_int_equal(meta_blob_put(fixture->meta, STR("k"), STR("x"), 0, &fixture->error),
                         STATUS_OK);
        meta_close(STEAL(fixture->meta));
        unlink(fixture->path);
    }
}

static void a_missing_folder_is_named(void **state)
{
    struct fixture *fixture = *state;
    char path[160];
    snprintf(path, sizeof(path), "%s/none/registry.db", fixture->folder);
    fixture->options.path = str_of(path);
    refuses_to_open(fixture, STATUS_NOT_FOUND, "registry-path");
}

static void open_as_nobody(struct fixture *fixture, const char *part)
{
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    enum status status = meta_open(&fixture->options, &fixture->meta, &fixture->error);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, STATUS_PERMISSION_DENIED);
    if (!strstr(fixture->error.message, part))
        fail_msg("%s", fixture->error.message);
}

static void a_folder_without_the_right_to_write_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(chmod(fixture->folder, 0555), 0);
    open_as_nobody(fixture, "registry-path");
    assert_int_equal(chmod(fixture->folder, 0700), 0);
}

static void a_file_without_the_right_to_write_is_refused(void **state)
{
    struct fixture *fixture = *state;
    fixture_open(fixture);
    meta_close(STEAL(fixture->meta));
    char lock[160];
    snprintf(lock, sizeof(lock), "%s-lock", fixture->path);
    assert_int_equal(chmod(lock, 0666), 0);
    assert_int_equal(chmod(fixture->path, 0444), 0);
    assert_int_equal(chmod(fixture->folder, 0777), 0);
    open_as_nobody(fixture, "cannot be written");
    assert_int_equal(chmod(fixture->folder, 0700), 0);
    assert_int_equal(chmod(fixture->path, 0600), 0);
}

static void only_its_owner_may_read_it(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = fixture_job(fixture, 1);
    fixture_put(fixture, &job);
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        char path[160];
        struct stat facts;
        snprintf(path, sizeof(path), "%s%s", fixture->path, endings[i]);
        assert_int_equal(stat(path, &facts), 0);
        assert_int_equal(facts.st_mode & 0077, 0);
    }
}

/* --- the end of the process --------------------------------------------------------------------- */

/* Puts jobs and tells each one that was acknowledged, until it is killed. */
static void child_that_puts(struct fixture *fixture, int pipe)
{
    fixture_open(fixture);
    for (uint32_t i = 1;; i++) {
        struct job_record job = fixture_job(fixture, i);
        if (i % 3 == 0)
            meta_job_put_later(fixture->meta, &job);
        else if (meta_job_put(fixture->meta, &job, &fixture->error) != STATUS_OK)
            _exit(1);
        else if (write(pipe, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

static void killed_once(struct fixture *fixture)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_that_puts(fixture, ends[1]);
    close(ends[1]);
    uint32_t number, last = 0;
    while (last < 200 && read(ends[0], &number, sizeof(number)) == sizeof(number))
        last = number;
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(ends[0], &number, sizeof(number)) == sizeof(number))
        last = number;
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(last >= 200);
    fixture_open(fixture);
    for (uint32_t i = 1; i <= last; i++) {
        struct job_record job = fixture_job(fixture, i);
        fixture_find(fixture, job.id);
    }
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}),
                     fixture_count(fixture, (struct meta_job_filter){.states = 1U << JOB_QUEUED}));
    meta_close(STEAL(fixture->meta));
}

static void what_was_acknowledged_outlives_kill(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 5; i++)
        killed_once(fixture);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
#define CLOSED(test) cmocka_unit_test_setup_teardown(test, fixture_set_up_closed, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(a_locked_registry_refuses_and_recovers),
        OPEN(what_is_kept_is_written_unasked),
        OPEN(closing_a_locked_registry_ends),
        OPEN(a_second_server_is_refused),
        CLOSED(a_full_registry_refuses_and_recovers),
        CLOSED(a_full_disk_refuses),
        CLOSED(a_disk_that_takes_no_more_refuses),
        CLOSED(a_file_of_garbage_is_refused),
        CLOSED(a_damaged_page_is_found_at_start),
        CLOSED(another_programs_database_is_refused),
        CLOSED(a_newer_registry_is_refused),
        CLOSED(an_older_registry_becomes_this_versions),
        CLOSED(a_missing_folder_is_named),
        CLOSED(a_folder_without_the_right_to_write_is_refused),
        CLOSED(a_file_without_the_right_to_write_is_refused),
        OPEN(only_its_owner_may_read_it),
        CLOSED(what_was_acknowledged_outlives_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
