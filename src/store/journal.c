/*
 * journal.c — writes a dataset's files.
 *
 * The batches' file is written first and the index after it, so that a record never speaks of bytes that
 * are not there; for durability `disk` each is synced before the next, and the folder once the files
 * are new. A sync that failed is final: the journal takes nothing more, since what the system lost
 * cannot be known.
 *
 * Runs on: threads that may block. Owns: both files. Leaves out: reading (journal_recover.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/journal_private.h"

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/checksum.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MODE 0600
#define HEAD_BYTES_MAX ((size_t)64 << 10)

/* --- index ------------------------------------------------------------------------------------- */

uint32_t journal_record_checksum(const struct journal_record *record)
{
    return checksum_crc32c(0, record, offsetof(struct journal_record, record_checksum));
}

static enum status write_index(struct journal *journal, const void *bytes, size_t size,
                               struct error *error)
{
    const uint8_t *from = (const uint8_t *)bytes;
    uint64_t offset = journal->index_bytes;
    while (size > 0) {
        ssize_t written = pwrite(journal->index_fd, from, size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_set_errno(error, written < 0 ? errno : ENOSPC, "cannot write '%s'",
                                   journal->index_path);
        from += written;
        offset += (uint64_t)written;
        size -= (size_t)written;
    }
    journal->index_bytes = offset;
    return STATUS_OK;
}

static enum status write_head(struct journal *journal, const struct journal_head *head,
                              struct error *error)
{
    struct journal_head_record record = {
        .id_bytes = (uint32_t)head->id.len,
        .path_bytes = (uint32_t)head->path.len,
        .owner_bytes = (uint32_t)head->owner.len,
        .durability = (uint32_t)head->durability,
        .ttl_ms = head->ttl_ms,
        .created_us = head->created_us,
    };
    memcpy(record.magic, JOURNAL_MAGIC, sizeof(record.magic));
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, HEAD_BYTES_MAX);
    buf_append(&text, &record, sizeof(record));
    buf_append_str(&text, head->id);
    buf_append_str(&text, head->path);
    buf_append_str(&text, head->owner);
    uint32_t checksum = checksum_crc32c(0, text.ptr, text.len);
    buf_append(&text, &checksum, sizeof(checksum));
    if (text.failed)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a dataset's names are too long to keep");
    return write_index(journal, text.ptr, text.len, error);
}

/* --- opening and closing ----------------------------------------------------------------------- */

static char *file_path(const char *folder, const char *name, const char *suffix)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, HEAD_BYTES_MAX);
    buf_printf(&text, "%s/%s%s", folder, name, suffix);
    return str_copy(buf_str(&text));
}

struct journal *journal_new(const char *folder, const char *name)
{
    struct journal *journal = NEW(struct journal);
    journal->index_fd = -1;
    journal->folder = str_copy(str_of(folder));
    journal->batches_path = file_path(folder, name, JOURNAL_BATCHES_SUFFIX);
    journal->index_path = file_path(folder, name, JOURNAL_INDEX_SUFFIX);
    lock_init(&journal->lock);
    return journal;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    body_file_unref(journal->batches);
    if (journal->index_fd >= 0)
        (void)close(journal->index_fd);
    lock_finish(&journal->lock);
    free(journal->places);
    free(journal->folder);
    free(journal->batches_path);
    free(journal->index_path);
    free(journal);
}

void journal_unlink(struct journal *journal)
{
    if (!journal)
        return;
    /* The index first: batches without an index are deleted at the next start. */
    (void)unlink(journal->index_path);
    (void)unlink(journal->batches_path);
}

/* Makes the files' names durable. */
static enum status sync_folder(const struct journal *journal, struct error *error)
{
    int fd = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    int saved_errno = errno;
    if (fd >= 0)
        (void)close(fd);
    if (result != 0)
        return error_set_errno(error, saved_errno, "cannot bring '%s' to disk", journal->folder);
    return STATUS_OK;
}

static enum status append_schema(struct journal *journal, const struct arrow_schema *schema,
                                 struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    ipc_stream_begin(&message, schema);
    CLEANUP(slice_finish) struct slice bytes = slices_join(&message);
    return body_file_append_bytes(journal->batches, bytes, error);
}

static inline void discard(struct journal **journal)
{
    journal_unlink(*journal);
    journal_close(*journal);
}

enum status journal_create(const char *folder, struct disk_budget *budget,
                           const struct journal_head *head, const struct arrow_schema *schema,
                           struct journal **out_journal, struct error *error)
{
    char name[RANDOM_UUID_SIZE];
    random_uuid(name); /* ids and paths may hold what file names may not */
    __attribute__((cleanup(discard))) struct journal *journal = journal_new(folder, name);
    journal->durability = head->durability;
    TRY(body_file_open(journal->batches_path, true, budget, &journal->batches, error));
    journal->index_fd = open(journal->index_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (journal->index_fd < 0)
        return error_set_errno(error, errno, "cannot make '%s'", journal->index_path);
    TRY(write_head(journal, head, error));
    TRY(append_schema(journal, schema, error));
    *out_journal = STEAL(journal);
    return STATUS_OK;
}

/* --- writing ----------------------------------------------------------------------------------- */

void journal_note_place(struct journal *journal, const struct body_place *place)
{
    if (journal->place_count == journal->place_capacity) {
        journal->place_capacity = size_max(64, journal->place_capacity * 2);
        journal->places =
            memory_resize(journal->places, journal->place_capacity, sizeof(struct body_place));
    }
    journal->places[journal->place_count++] = *place;
}

static enum status append_locked(struct journal *journal, const struct arrow_batch *batch,
                                 struct error *error)
{
    if (journal->is_broken)
        return error_set(error, STATUS_DATA_LOSS,
                         "'%s' could not be brought to disk and takes nothing more",
                         journal->batches_path);
    struct body_place place;
    TRY(body_file_append(journal->batches, batch, &place, error));
    journal_note_place(journal, &place);
    return STATUS_OK;
}

static enum status write_records(struct journal *journal, struct journal_life life,
                                 struct error *error)
{
    size_t first = journal->committed_count;
    size_t count = journal->place_count - first;
    struct journal_record *records = NEW_ARRAY(struct journal_record, count + 1);
    int64_t rows = journal->committed_rows;
    for (size_t i = 0; i < count; i++) {
        const struct body_place *place = &journal->places[first + i];
        records[i] = (struct journal_record){
            .kind = JOURNAL_BATCH,
            .metadata_bytes = place->metadata_bytes,
            .offset = place->offset,
            .body_bytes = place->body_bytes,
            .rows = place->rows,
            .checksum = place->checksum,
        };
        records[i].record_checksum = journal_record_checksum(&records[i]);
        rows += place->rows;
    }
    records[count] = (struct journal_record){
        .kind = JOURNAL_COMMIT,
        .offset = atomic_load(&journal->batches->size),
        .rows = rows,
        .body_bytes = life.ttl_ms,
        .expires_us = life.expires_us,
        .batches = journal->place_count,
    };
    records[count].record_checksum = journal_record_checksum(&records[count]);
    uint64_t before = journal->index_bytes;
    enum status status = write_index(journal, records, (count + 1) * sizeof(*records), error);
    free(records);
    if (status != STATUS_OK) {
        journal->index_bytes = before;
        return status;
    }
    journal->committed_count = journal->place_count;
    journal->committed_rows = rows;
    return STATUS_OK;
}

static enum status sync_index(struct journal *journal, struct error *error)
{
    if (fdatasync(journal->index_fd) != 0)
        return error_set_errno(error, errno, "cannot bring '%s' to disk", journal->index_path);
    if (journal->has_name)
        return STATUS_OK;
    TRY(sync_folder(journal, error));
    journal->has_name = true;
    return STATUS_OK;
}

static enum status commit_locked(struct journal *journal, struct journal_life life,
                                 struct error *error)
{
    bool is_synced = journal->durability == DATASET_ON_DISK;
    enum status status = is_synced ? body_file_sync(journal->batches, error) : STATUS_OK;
    if (status == STATUS_OK)
        TRY(write_records(journal, life, error));
    if (status == STATUS_OK && is_synced)
        status = sync_index(journal, error);
    journal->is_broken |= status != STATUS_OK;
    return status;
}

enum status journal_append(struct journal *journal, const struct arrow_batch *batch,
                           struct error *error)
{
    LOCKED(&journal->lock);
    return append_locked(journal, batch, error);
}

enum status journal_commit(struct journal *journal, struct journal_life life, struct error *error)
{
    LOCKED(&journal->lock);
    return commit_locked(journal, life, error);
}

enum status journal_extend(struct journal *journal, struct arrow_batch *const *batches,
                           size_t count, struct journal_life life, struct error *error)
{
    LOCKED(&journal->lock);
    uint64_t size = atomic_load(&journal->batches->size);
    size_t place_count = journal->place_count;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = append_locked(journal, batches[i], error);
    if (status == STATUS_OK)
        status = commit_locked(journal, life, error);
    if (status != STATUS_OK && journal->committed_count <= place_count) {
        journal->place_count = place_count;
        body_file_cut(journal->batches, size);
    }
    return status;
}

struct arrow_batch *journal_map(struct journal *journal, size_t position,
                                const struct arrow_batch *batch)
{
    LOCKED(&journal->lock);
    if (position >= journal->place_count)
        return NULL;
    return body_file_map(journal->batches, &journal->places[position], batch);
}

size_t journal_bytes(const struct journal *journal)
{
    return (size_t)atomic_load(&journal->batches->size) + (size_t)journal->index_bytes;
}
