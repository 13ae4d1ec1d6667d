/*
 * The part and its lock: one run at a time, no links followed, FILE whole whoever else tries.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/target_file.h"

#include "base/memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY 7
#define PART "target.0000000000000007.part"
#define ROUNDS 300

static int enter_folder(void **state)
{
    static char folder[64];
    (void)snprintf(folder, sizeof(folder), "%s", "/tmp/volley-target-XXXXXX");
    *state = folder;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)unlink("target");
    (void)unlink("elsewhere");
    (void)unlink(PART);
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static enum status open_target(struct target_file *file, bool resume)
{
    return target_file_open(file, STR("target"), KEY, resume, NULL);
}

static off_t size_of(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 ? facts.st_size : -1;
}

static void test_a_part_is_taken_up_or_emptied(void **state)
{
    struct target_file file;
    assert_int_equal(open_target(&file, true), STATUS_OK);
    assert_int_equal(write(file.fd, "abc", 3), 3);
    target_file_close(&file, true);
    assert_int_equal(size_of(PART), 3);
    assert_int_equal(open_target(&file, true), STATUS_OK);
    assert_int_equal(size_of(PART), 3);
    target_file_close(&file, true);
    assert_int_equal(open_target(&file, false), STATUS_OK);
    assert_int_equal(size_of(PART), 0);
    assert_int_equal(write(file.fd, "de", 2), 2);
    assert_int_equal(target_file_commit(&file, NULL), STATUS_OK);
    assert_int_equal(size_of("target"), 2);
    assert_int_equal(size_of(PART), -1);
}

static void test_one_run_at_a_time(void **state)
{
    struct target_file file;
    struct target_file other;
    assert_int_equal(open_target(&file, false), STATUS_OK);
    assert_int_equal(write(file.fd, "abc", 3), 3);
    assert_int_equal(open_target(&other, false), STATUS_FAILED_PRECONDITION);
    assert_int_equal(target_file_commit(&file, NULL), STATUS_OK);
    assert_int_equal(size_of("target"), 3);
}

static void test_a_link_in_place_of_the_part_is_not_followed(void **state)
{
    struct target_file file;
    int fd = open("elsewhere", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "kept", 4), 4);
    assert_int_equal(close(fd), 0);
    assert_int_equal(symlink("elsewhere", PART), 0);
    assert_int_not_equal(open_target(&file, false), STATUS_OK);
    assert_int_equal(size_of("elsewhere"), 4);
    assert_int_equal(unlink(PART), 0);
}

static atomic_bool is_over;

/* Another run, again and again, that gives up as soon as it has the part. */
static void *keep_opening(void *context)
{
    while (!atomic_load(&is_over)) {
        struct target_file file;
        if (open_target(&file, false) == STATUS_OK)
            target_file_close(&file, true);
    }
    return NULL;
}

static void test_a_file_is_whole_while_others_try(void **state)
{
    pthread_t other;
    atomic_store(&is_over, false);
    assert_int_equal(pthread_create(&other, NULL, keep_opening, NULL), 0);
    size_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct target_file file;
        if (open_target(&file, false) != STATUS_OK)
            continue;
        bool is_good = write(file.fd, "abc", 3) == 3 &&
                       target_file_commit(&file, NULL) == STATUS_OK && size_of("target") == 3;
        wrong += is_good ? 0 : 1;
    }
    atomic_store(&is_over, true);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_part_is_taken_up_or_emptied, enter_folder,
                                        leave_folder),
        cmocka_unit_test_setup_teardown(test_one_run_at_a_time, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_a_link_in_place_of_the_part_is_not_followed,
                                        enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_a_file_is_whole_while_others_try, enter_folder,
                                        leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
