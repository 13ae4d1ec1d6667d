/*
 * journal_recover.c — reads the folder of datasets at start, and clears away what does not count.
 *
 * Of each dataset the index is read (journal_index.c) and then its batches (journal_batches.c): everything
 * once. What follows the last commit is cut off, in both files; what is damaged is set aside.
 *
 * Runs on: the thread that starts the server. Owns: nothing that outlives a call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/journal_reading.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES_MAX 256

struct recovery {
    const char *folder;
    struct disk_budget *budget;
    struct log *log;
    void *context;
    void (*receive)(void *context, struct journal_found *found);
};

static void reading_finish(struct reading *reading)
{
    for (size_t i = 0; i < reading->found.batch_count; i++)
        arrow_batch_unref(reading->found.batches[i]);
    free(reading->found.batches);
    arrow_schema_unref(reading->found.schema);
    journal_close(reading->journal);
    free(reading->places);
    free(reading->index);
}
CLEANUP_IN_PLACE(struct reading, reading_finish)

/* --- one dataset ------------------------------------------------------------------------------- */

static enum status open_index(struct recovery *recovery, const char *name, struct reading *reading,
                              struct error *error)
{
    struct journal *journal = journal_new(recovery->folder, name);
    reading->journal = journal;
    journal->has_name = true;
    journal->index_fd = open(journal->index_path, O_RDWR | O_CLOEXEC);
    if (journal->index_fd < 0)
        return error_set_errno(error, errno, "cannot open its index");
    return journal_read_whole(journal->index_fd, &reading->index, &reading->index_size, error);
}

static enum status open_batches(struct recovery *recovery, struct reading *reading,
                                struct error *error)
{
    struct journal *journal = reading->journal;
    TRY(body_file_open(journal->batches_path, false, recovery->budget, &journal->batches, error));
    if (reading->file_bytes > atomic_load(&journal->batches->size))
        return journal_damaged(error, "its file is shorter than its index says");
    /* Where there is no room the files stay, and nothing is added to them. */
    if (body_file_charge(journal->batches, (size_t)journal->index_bytes, NULL) != STATUS_OK)
        LOG(recovery->log, LOG_WARNING, "datasets found take more than spill-disk allows");
    return STATUS_OK;
}

static void cut_tails(struct recovery *recovery, struct reading *reading)
{
    struct journal *journal = reading->journal;
    uint64_t size = atomic_load(&journal->batches->size);
    uint64_t torn = size - reading->file_bytes + reading->index_size - journal->index_bytes;
    if (torn == 0)
        return;
    LOG(recovery->log, LOG_WARNING, "torn tail of a dataset cut",
        LOG_STR("file", str_of(journal->batches_path)), LOG_INTEGER("bytes", torn));
    body_file_cut(journal->batches, reading->file_bytes);
    int result = ftruncate(journal->index_fd, (off_t)journal->index_bytes);
    (void)result; /* records behind the last commit are written over */
}

/* What is wrong in itself is set aside; what the system refuses now may be there at the next start. */
static void give_up(struct recovery *recovery, const struct journal *journal,
                    const struct error *error)
{
    char path[NAME_BYTES_MAX + 4096];
    const char *const paths[] = {journal->index_path, journal->batches_path};
    bool is_damaged = error->status == STATUS_DATA_LOSS ||
                      error->status == STATUS_INVALID_ARGUMENT || error->status == STATUS_NOT_FOUND;
    for (size_t i = 0; i < ARRAY_COUNT(paths) && is_damaged; i++) {
        int length = snprintf(path, sizeof(path), "%s" JOURNAL_DAMAGED_SUFFIX, paths[i]);
        if (length > 0 && (size_t)length < sizeof(path))
            (void)rename(paths[i], path);
    }
    LOG(recovery->log, LOG_ERROR,
        is_damaged ? "damaged dataset set aside" : "dataset cannot be read now",
        LOG_STR("file", str_of(journal->batches_path)), LOG_STR("error", str_of(error->message)));
}

static enum status read_dataset(struct recovery *recovery, struct reading *reading,
                                struct error *error)
{
    TRY(open_batches(recovery, reading, error));
    cut_tails(recovery, reading);
    TRY(journal_read_batches(reading, error));
    journal_rest(reading->journal);
    return STATUS_OK;
}

static void recover_one(struct recovery *recovery, const char *name)
{
    CLEANUP(reading_finish) struct reading reading = {0};
    struct error error = ERROR_NONE;
    enum status status = open_index(recovery, name, &reading, &error);
    if (status == STATUS_OK)
        status = journal_read_index(&reading, &error);
    if (status == STATUS_OK && reading.file_bytes == 0) { /* it never committed */
        journal_unlink(reading.journal);
        return;
    }
    if (status == STATUS_OK)
        status = read_dataset(recovery, &reading, &error);
    if (status != STATUS_OK) {
        give_up(recovery, reading.journal, &error);
        return;
    }
    reading.found.journal = STEAL(reading.journal);
    recovery->receive(recovery->context, &reading.found);
    free(reading.found.batches);
    reading.found.batches = NULL;
    reading.found.batch_count = 0;
    reading.found.schema = NULL;
}

/* --- the folder -------------------------------------------------------------------------------- */

/* The name without the suffix; false when it ends otherwise. */
static bool strip_suffix(const char *file, const char *suffix, char out[NAME_BYTES_MAX])
{
    size_t len = strlen(file);
    size_t suffix_len = strlen(suffix);
    if (len <= suffix_len || len - suffix_len >= NAME_BYTES_MAX ||
        strcmp(file + len - suffix_len, suffix) != 0)
        return false;
    memcpy(out, file, len - suffix_len);
    out[len - suffix_len] = '\0';
    return true;
}

/* Batches that lost their index, which is deleted first and made last. */
static void delete_orphan(const struct recovery *recovery, const char *name)
{
    CLEANUP(journal_close) struct journal *journal = journal_new(recovery->folder, name);
    if (access(journal->index_path, F_OK) != 0)
        (void)unlink(journal->batches_path);
}

enum status journal_recover(const char *folder, struct disk_budget *budget, struct log *log,
                            void *context,
                            void (*receive)(void *context, struct journal_found *found),
                            struct error *error)
{
    struct recovery recovery = {folder, budget, log, context, receive};
    DIR *directory = opendir(folder);
    if (!directory && errno == ENOENT)
        return STATUS_OK;
    if (!directory)
        return error_set_errno(error, errno, "cannot read '%s'", folder);
    struct dirent *entry;
    char name[NAME_BYTES_MAX];
    while ((entry = readdir(directory))) {
        if (strip_suffix(entry->d_name, JOURNAL_INDEX_SUFFIX, name))
            recover_one(&recovery, name);
        else if (strip_suffix(entry->d_name, JOURNAL_BATCHES_SUFFIX, name))
            delete_orphan(&recovery, name);
    }
    (void)closedir(directory);
    return STATUS_OK;
}
