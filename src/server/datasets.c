/*
 * datasets.c — where datasets live: how much memory and disk, which folders.
 *
 * Durable datasets are in `datasets/` of the data folder; what memory has no room for goes to `spill/`
 * there, or to the setting spill-dir. Without a data folder nothing is durable. Unless a setting says how
 * much of the disk they may take it is half of what they and nobody else have now.
 *
 * Threads: the composition root's, at start. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "server/datasets.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DATASETS_MAX 100000

struct folders {
    char *kept; /* NULL: none */
    char *spill;
};

static void folders_finish(struct folders *folders)
{
    free(folders->kept);
    free(folders->spill);
}
CLEANUP_IN_PLACE(struct folders, folders_finish)

static enum status open_spill_dir(struct str path, char **out_path, struct error *error)
{
    char *copy = str_copy(path);
    bool is_good = (mkdir(copy, 0700) == 0 || errno == EEXIST) && access(copy, W_OK | X_OK) == 0;
    int saved_errno = errno;
    *out_path = copy;
    return is_good ? STATUS_OK
                   : error_set_errno(error, saved_errno, "cannot write to %s (setting spill-dir)",
                                     copy);
}

static enum status open_folders(const struct settings *settings, const struct data_folder *folder,
                                struct folders *folders, struct error *error)
{
    TRY(data_folder_make(folder, "datasets", &folders->kept, error));
    if (settings->spill_dir.len > 0)
        return open_spill_dir(settings->spill_dir, &folders->spill, error);
    return data_folder_make(folder, "spill", &folders->spill, error);
}

/* The sizes of a folder's files. */
static uint64_t bytes_in(const char *path)
{
    uint64_t bytes = 0;
    DIR *entries = path ? opendir(path) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        struct stat facts;
        if (fstatat(dirfd(entries), entry->d_name, &facts, 0) == 0 && S_ISREG(facts.st_mode))
            bytes += (uint64_t)facts.st_size;
    }
    if (entries)
        closedir(entries);
    return bytes;
}

static uint64_t disk_bytes_max(const struct settings *settings, const struct folders *folders)
{
    struct statvfs disk;
    const char *folder = folders->spill ? folders->spill : folders->kept;
    if (settings->spill_disk_bytes > 0)
        return settings->spill_disk_bytes;
    if (!folder || statvfs(folder, &disk) != 0)
        return 0;
    return ((uint64_t)disk.f_bavail * disk.f_frsize + bytes_in(folders->kept)) / 2;
}

enum status datasets_open(const struct settings *settings, const struct data_folder *folder,
                          struct log *log, struct metrics *metrics, struct store **out_store,
                          struct error *error)
{
    CLEANUP(folders_finish) struct folders folders = {0};
    TRY(open_folders(settings, folder, &folders, error));
    *out_store = store_create(&(struct store_options){
        .memory_bytes_max = (size_t)settings->dataset_memory_bytes,
        .dataset_bytes_max = (size_t)settings->result_memory_bytes,
        .read_bytes_max = (size_t)settings->result_memory_bytes,
        .dataset_count_max = DATASETS_MAX,
        .kept_bytes_max = (size_t)settings->dataset_bytes_max,
        .owner_bytes_max = (size_t)settings->owner_dataset_bytes_max,
        .disk_bytes_max = (size_t)disk_bytes_max(settings, &folders),
        .spill_folder = folders.spill,
        .kept_folder = folders.kept,
        .log = log,
        .metrics = metrics,
    });
    return store_recover(*out_store, error);
}
