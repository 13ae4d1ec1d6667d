/*
 * source_files.c — files that a statement reads, by size and time.
 *
 * A file that was written to a moment ago may be written to again without its time showing it: such a one is
 * not told of. A name that is no file is remembered too, for a file may come to have it.
 *
 * Any thread; owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "engine/duckdb/source_list.h"

/* File systems tell the time of a change in steps of up to so long; those that tell fractions of a second, by
 * the kernel's ticks. */
#define SETTLE_NS INT64_C(2000000000)
#define TICK_NS INT64_C(50000000)

static int64_t time_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static void look_at(const char *path, struct source_file *file, bool *out_is_regular)
{
    struct stat facts;
    *file = (struct source_file){.path = path};
    *out_is_regular = true;
    if (stat(path, &facts) != 0)
        return;
    *out_is_regular = S_ISREG(facts.st_mode);
    file->exists = true;
    file->device = facts.st_dev;
    file->inode = facts.st_ino;
    file->size = facts.st_size;
    file->changed_ns = time_ns(&facts.st_mtim);
    file->touched_ns = time_ns(&facts.st_ctim);
}

/* Whoever writes may set the one time back; the other is the kernel's own, and in whole seconds only where
 * the file system keeps no finer ones. */
static bool is_settled(const struct source_file *file)
{
    int64_t now_ns = clock_wall_us() * 1000;
    bool is_coarse = file->touched_ns % 1000000000 == 0;
    return file->changed_ns <= now_ns - SETTLE_NS &&
           file->touched_ns <= now_ns - (is_coarse ? SETTLE_NS : TICK_NS);
}

bool source_has_pattern(struct str path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == '*' || path.ptr[i] == '?' || path.ptr[i] == '[')
            return true;
    return false;
}

bool source_is_file_name(struct str name)
{
    static const char *const endings[] = {".parquet", ".csv", ".tsv", ".json", ".jsonl",  ".ndjson",
                                          ".gz",      ".zst", ".txt", ".db",   ".duckdb", NULL};
    for (const char *const *ending = endings; *ending; ending++) {
        size_t len = strlen(*ending);
        if (name.len >= len &&
            str_equal_nocase(str_slice(name, name.len - len, name.len), str_of(*ending)))
            return true;
    }
    return false;
}

const char *source_add_file(struct engine_sources *sources, struct str path)
{
    bool is_regular;
    if (source_has_pattern(path))
        return "files by a pattern are read";
    if (path.len == 0 || path.ptr[0] == '~' || str_find_str(path, STR(":")) >= 0 ||
        memchr(path.ptr, '\0', path.len))
        return "a path that only the engine can tell is read";
    if (sources->file_count == SOURCE_FILES_MAX)
        return "many files are read";
    struct source_file *file = &sources->files[sources->file_count];
    look_at(arena_copy(&sources->arena, path).ptr, file, &is_regular);
    if (!is_regular)
        return "what is read is no file";
    if (file->exists && !is_settled(file))
        return "a file was written just now";
    sources->file_count++;
    return NULL;
}

bool source_file_is_current(const struct source_file *file)
{
    struct source_file now;
    bool is_regular;
    look_at(file->path, &now, &is_regular);
    return is_regular && now.exists == file->exists && now.device == file->device &&
           now.inode == file->inode && now.size == file->size &&
           now.changed_ns == file->changed_ns && now.touched_ns == file->touched_ns;
}
