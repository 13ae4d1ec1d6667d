/*
 * Memory and cores of a control group, in made-up /proc and /sys.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <sys/stat.h>

/* Writes <root>/<path>, making its folders. */
static void put(const char *root, const char *path, const char *text)
{
    char name[512];
    (void)snprintf(name, sizeof(name), "%s/%s", root, path);
    for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(name, 0700);
        *slash = '/';
    }
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_root(char root[32])
{
    (void)snprintf(root, 32, "/tmp/machine-XXXXXX");
    assert_non_null(mkdtemp(root));
}

static void remove_root(const char *root)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void test_no_group(void **state)
{
    char root[32];
    make_root(root);
    struct machine machine;
    machine_read(root, NULL, &machine);
    assert_true(machine.cores >= 1);
    assert_true(machine.memory_bytes > 1 << 20);
    assert_int_equal(machine.home.len, 0);
    remove_root(root);
}

static void test_v2_takes_the_smallest_of_all_parents(void **state)
{
    char root[32];
    make_root(root);
    put(root, "proc/self/cgroup", "0::/a/b\n");
    put(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    put(root, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put(root, "sys/fs/cgroup/a/memory.max", "3000000\n");
    put(root, "sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    put(root, "sys/fs/cgroup/memory.max", "4000000\n");
    struct machine machine;
    machine_read(root, NULL, &machine);
    assert_int_equal(machine.memory_bytes, 3000000);
    assert_int_equal(machine.cores, 1);
    remove_root(root);
}

static void test_v2_in_a_container(void **state)
{
    char root[32];
    make_root(root);
    put(root, "proc/self/cgroup", "0::/../other\n");
    put(root, "sys/fs/cgroup/memory.max", "5000000\n");
    struct machine machine;
    machine_read(root, NULL, &machine);
    assert_int_equal(machine.memory_bytes, 5000000);
    remove_root(root);
}

static void test_v1(void **state)
{
    char root[32];
    make_root(root);
    put(root, "proc/self/cgroup", "5:cpu,cpuacct:/x\n4:name=memory:/\n3:hugetlb,memory:/x\n0::/\n");
    put(root, "sys/fs/cgroup/memory/x/memory.limit_in_bytes", "6000000\n");
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    struct machine machine;
    machine_read(root, NULL, &machine);
    assert_int_equal(machine.memory_bytes, 6000000);
    remove_root(root);
}

static void test_malformed(void **state)
{
    char root[32];
    make_root(root);
    put(root, "proc/self/cgroup", "\n:\n::\n0:\n0::/a\n");
    put(root, "sys/fs/cgroup/a/memory.max", "lots");
    put(root, "sys/fs/cgroup/a/cpu.max", "0 0");
    struct machine machine;
    machine_read(root, NULL, &machine);
    assert_true(machine.memory_bytes > 1 << 20);
    assert_true(machine.cores >= 1);
    remove_root(root);
}

static void test_folders_of_the_user(void **state)
{
    const char *environment[] = {"HOMER=x", "HOME=/h", "XDG_STATE_HOME=/s", NULL};
    struct machine machine;
    machine_read("", (char *const *)environment, &machine);
    assert_text(machine.home, "/h");
    assert_text(machine.state_home, "/s");
    assert_int_equal(machine.state_directory.len, 0);
    struct settings_input input = {.machine = &machine};
    struct error error = ERROR_NONE;
    const struct settings *settings = NULL;
    assert_int_equal(settings_load(&input, &settings, &error), STATUS_OK);
    assert_text(settings->data_dir, "/s/volley");
    settings_destroy(settings);
    machine.state_directory = STR("/var/lib/volley:/other");
    assert_int_equal(settings_load(&input, &settings, &error), STATUS_OK);
    assert_text(settings->data_dir, "/var/lib/volley");
    settings_destroy(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_group),
        cmocka_unit_test(test_v2_takes_the_smallest_of_all_parents),
        cmocka_unit_test(test_v2_in_a_container),
        cmocka_unit_test(test_v1),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_folders_of_the_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
