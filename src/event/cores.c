/*
 * cores.c — how many cores this process may use.
 *
 * The least of the affinity mask and of the CPU quotas of its control group and all groups above it
 * (version 2; version 1 where its usual mount is there). Inside a container the group's own path
 * usually does not exist under the mount, whose root is then the container's group.
 *
 * Runs on: any thread; reads a few small files. Owns: nothing.
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst, "cpu.max".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/thread.h"

#include "base/str.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define FILE_BYTES_MAX 4096

/* The start of a small file; false when it cannot be read. */
static bool read_file(const char *path, char out[FILE_BYTES_MAX], struct str *out_text)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = fread(out, 1, FILE_BYTES_MAX, file);
    fclose(file);
    *out_text = str_trim(str_make(out, size));
    return true;
}

static unsigned quota_cores(uint64_t quota_us, uint64_t period_us)
{
    if (period_us == 0 || quota_us == 0)
        return UINT_MAX;
    uint64_t cores = quota_us / period_us + (quota_us % period_us > 0 ? 1 : 0);
    return cores < UINT_MAX ? (unsigned)cores : UINT_MAX;
}

/* "max 100000" or "150000 100000". */
static unsigned read_cpu_max(const char *path)
{
    char bytes[FILE_BYTES_MAX];
    struct str text;
    uint64_t quota_us;
    uint64_t period_us;
    if (!read_file(path, bytes, &text))
        return UINT_MAX;
    struct str quota = str_split(&text, ' ');
    if (!str_to_u64(quota, &quota_us) || !str_to_u64(text, &period_us))
        return UINT_MAX;
    return quota_cores(quota_us, period_us);
}

static bool read_number(const char *path, uint64_t *out)
{
    char bytes[FILE_BYTES_MAX];
    struct str text;
    return read_file(path, bytes, &text) && str_to_u64(text, out);
}

/* Version 1; without a quota the file holds -1. */
static unsigned version_1_cores(void)
{
    uint64_t quota_us;
    uint64_t period_us;
    if (!read_number(CGROUP_ROOT "/cpu/cpu.cfs_quota_us", &quota_us) ||
        !read_number(CGROUP_ROOT "/cpu/cpu.cfs_period_us", &period_us))
        return UINT_MAX;
    return quota_cores(quota_us, period_us);
}

/* The group's path in version 2, as "0::/a/b" tells it; empty when there is none. */
static struct str group_path(struct str groups)
{
    while (groups.len > 0) {
        struct str line = str_split(&groups, '\n');
        if (str_starts_with(line, STR("0::/")))
            return str_slice(line, 3, line.len);
    }
    return STR_EMPTY;
}

static struct str parent_of(struct str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return str_slice(path, 0, path.len > 0 ? path.len - 1 : 0);
}

static unsigned version_2_cores(void)
{
    char bytes[FILE_BYTES_MAX];
    struct str groups = STR_EMPTY;
    unsigned least = read_cpu_max(CGROUP_ROOT "/cpu.max");
    if (!read_file("/proc/self/cgroup", bytes, &groups))
        return least;
    for (struct str path = group_path(groups); path.len > 1; path = parent_of(path)) {
        char file[FILE_BYTES_MAX];
        int length = snprintf(file, sizeof(file), CGROUP_ROOT "%.*s/cpu.max", STR_ARGS(path));
        if (length < 0 || (size_t)length >= sizeof(file))
            continue;
        unsigned cores = read_cpu_max(file);
        least = cores < least ? cores : least;
    }
    return least;
}

static unsigned affinity_cores(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
        return (unsigned)CPU_COUNT(&cores);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

unsigned thread_core_count(void)
{
    unsigned least = affinity_cores();
    const unsigned quotas[] = {version_2_cores(), version_1_cores()};
    for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++)
        least = quotas[i] < least ? quotas[i] : least;
    return least > 0 ? least : 1;
}
