/*
 * machine.c — measure cores and memory, the control group's limits included.
 *
 * /proc/self/cgroup names the process's group in each hierarchy: `0::/path` is v2, `N:memory:/path` a v1
 * controller. The limit that counts is the smallest of the group and its parents, so every folder from
 * the group up to the mount's root is asked. Inside a container the path may not exist below
 * /sys/fs/cgroup; the climb then ends at the root, which is the container's own group.
 *
 * Runs on: the thread that loads settings. Owns: nothing.
 * Not done here: watching limits change while the process runs.
 * Spec: Linux Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define FILE_SIZE 8192

/* The file's text in `out`; empty when it cannot be read. */
static struct str read_small_file(const char *path, char out[FILE_SIZE])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return STR_EMPTY;
    size_t size = fread(out, 1, FILE_SIZE, file);
    (void)fclose(file);
    return str_make(out, size);
}

/* memory.max of v2 or memory.limit_in_bytes of v1: a number, or "max" for none. */
static uint64_t parse_memory_limit(struct str text)
{
    uint64_t bytes = 0;
    return str_to_u64(str_trim(text), &bytes) && bytes > 0 ? bytes : UINT64_MAX;
}

/* cpu.max of v2: "QUOTA PERIOD" in microseconds, or "max PERIOD"; part of a core counts as one. */
static uint64_t parse_core_limit(struct str text)
{
    struct str rest = str_trim(text);
    uint64_t quota = 0;
    uint64_t period = 0;
    if (!str_to_u64(str_split(&rest, ' '), &quota) || !str_to_u64(str_trim(rest), &period))
        return UINT64_MAX;
    if (quota == 0 || period == 0)
        return UINT64_MAX;
    return quota / period + (quota % period != 0);
}

/* The smallest value of `file` in <mount>/<group> and all folders above it up to the mount. */
static uint64_t smallest_limit(const char *root, const char *mount, struct str group,
                               const char *file, uint64_t (*parse)(struct str text))
{
    uint64_t smallest = UINT64_MAX;
    for (;;) {
        char path[PATH_SIZE];
        char text[FILE_SIZE];
        int length = snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s%.*s/%s", root, mount,
                              STR_ARGS(group), file);
        if (length > 0 && (size_t)length < sizeof(path)) {
            uint64_t limit = parse(read_small_file(path, text));
            smallest = limit < smallest ? limit : smallest;
        }
        while (group.len > 0 && group.ptr[group.len - 1] != '/')
            group.len--;
        if (group.len == 0)
            return smallest;
        group.len--;
    }
}

/* True when the comma-separated `controllers` name `wanted`. */
static bool has_controller(struct str controllers, struct str wanted)
{
    while (controllers.len > 0) {
        if (str_equal(str_split(&controllers, ','), wanted))
            return true;
    }
    return false;
}

static void apply_groups(const char *root, struct machine *machine)
{
    char path[PATH_SIZE];
    char text[FILE_SIZE];
    (void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    struct str lines = read_small_file(path, text);
    uint64_t memory = UINT64_MAX;
    uint64_t cores = UINT64_MAX;
    while (lines.len > 0) {
        struct str group = str_split(&lines, '\n');
        struct str number = str_split(&group, ':');
        struct str controllers = str_split(&group, ':');
        uint64_t limit = UINT64_MAX;
        if (str_equal(number, STR("0")) && controllers.len == 0) {
            limit = smallest_limit(root, "", group, "memory.max", parse_memory_limit);
            cores = smallest_limit(root, "", group, "cpu.max", parse_core_limit);
        } else if (has_controller(controllers, STR("memory"))) {
            limit =
                smallest_limit(root, "/memory", group, "memory.limit_in_bytes", parse_memory_limit);
        }
        memory = limit < memory ? limit : memory;
    }
    if (memory < machine->memory_bytes)
        machine->memory_bytes = memory;
    if (cores < machine->cores)
        machine->cores = cores;
}

static uint64_t installed_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : UINT64_C(1) << 30;
}

static uint64_t usable_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint64_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint64_t)online : 1;
}

static struct str variable(char *const *environment, struct str name)
{
    for (char *const *entry = environment; entry && *entry; entry++) {
        struct str value = str_of(*entry);
        if (str_equal(str_split(&value, '='), name))
            return value;
    }
    return STR_EMPTY;
}

void machine_read(const char *root, char *const *environment, struct machine *out_machine)
{
    *out_machine = (struct machine){
        .cores = usable_cores(),
        .memory_bytes = installed_memory(),
        .state_directory = variable(environment, STR("STATE_DIRECTORY")),
        .state_home = variable(environment, STR("XDG_STATE_HOME")),
        .home = variable(environment, STR("HOME")),
    };
    apply_groups(root, out_machine);
}
