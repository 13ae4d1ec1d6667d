/*
 * process_metrics.c — memory, processor time and descriptors of the process, by the names that Prometheus'
 * own clients use, and which program this is.
 *
 * Read when they are asked for, on the thread that writes them. Owns nothing.
 * Source: Prometheus client guidelines, "Process metrics". SPDX-License-Identifier: Apache-2.0
 */
#include "server/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* One of the sizes in /proc/self/statm; 0 when it cannot be read. */
static double memory_bytes(int column)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    unsigned long long pages[2] = {0, 0};
    int fields = fscanf(file, "%llu %llu", &pages[0], &pages[1]);
    (void)fclose(file);
    return fields == 2 ? (double)pages[column] * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double read_virtual(void *context)
{
    return memory_bytes(0);
}

static double read_resident(void *context)
{
    return memory_bytes(1);
}

static double read_processor(void *context)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double read_descriptors(void *context)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    /* The folder itself is open, and "." and ".." are none. */
    double count = -3;
    while (readdir(folder))
        count++;
    (void)closedir(folder);
    return count;
}

static double read_descriptors_max(void *context)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : (double)limit.rlim_cur;
}

static void add_constants(struct metrics *metrics, const struct engine *engine)
{
    static const char *const labels[] = {"version", "engine", "engine_version"};
    const char *const values[] = {VOLLEY_VERSION, engine_name(engine), engine_version(engine)};
    metric_set(metric_get(metrics_family(metrics, METRIC_GAUGE, "volley_build_info",
                                         "1, labelled with the versions of program and engine.",
                                         labels, 3, NULL, 0),
                          values),
               1);
    metric_set(metric_get(metrics_family(metrics, METRIC_GAUGE, "process_start_time_seconds",
                                         "When the process began, in seconds since 1970.", NULL, 0,
                                         NULL, 0),
                          NULL),
               (double)clock_wall_us() / 1e6);
}

struct metric *process_metrics_add(struct metrics *metrics, const struct engine *engine)
{
    metrics_gauge_function(metrics, "flight_memory_usage_bytes",
                           "Memory that the process has at hand now.", read_resident, NULL);
    metrics_gauge_function(metrics, "process_resident_memory_bytes",
                           "Memory that the process has at hand now.", read_resident, NULL);
    metrics_gauge_function(metrics, "process_virtual_memory_bytes",
                           "Addresses that the process has taken.", read_virtual, NULL);
    metrics_counter_function(metrics, "process_cpu_seconds_total",
                             "Processor time that the process has used.", read_processor, NULL);
    metrics_gauge_function(metrics, "process_open_fds", "File descriptors that are open.",
                           read_descriptors, NULL);
    metrics_gauge_function(metrics, "process_max_fds", "File descriptors that may be open.",
                           read_descriptors_max, NULL);
    add_constants(metrics, engine);
    struct metric *is_up = metric_get(metrics_family(metrics, METRIC_GAUGE, "volley_engine_up",
                                                     "1 while the engine can work, else 0.",
                                                     (const char *const[]){"engine"}, 1, NULL, 0),
                                      (const char *const[]){engine_name(engine)});
    metric_set(is_up, 1);
    return is_up;
}
