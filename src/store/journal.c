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
#include "base/clock.h"
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

void journal_rest(struct journal *journal)
{
    if (journal->index_fd >= 0)
        (void)close(journal->index_fd);
    journal->index_fd = -1;
    if (journal->batches)
        body_file_rest(journal->batches);
}

static enum status wake(struct journal *journal, struct error *error)
{
    if (journal->is_broken)
        return error_set(error, STATUS_DATA_LOSS,
                         "'%s' could not be brought to disk and takes nothing more",
                         journal->batches_path);
    if (journal->index_fd < 0)
        journal->index_fd = open(journal->index_path, O_RDWR | O_CLOEXEC);
    if (journal->index_fd < 0)
        return error_set_errno(error, errno, "cannot open '%s'", journal->index_path);
    return body_file_wake(journal->batches, journal->batches_path, error);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    journal_rest(journal);
    body_file_unref(journal->batches);
    arrow_schema_unref(journal->sent);
    lock_finish(&journal->lock);
    free(journal->pending);
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

void journal_sync_names(const struct journal *journal)
{
    if (journal && journal->durability == DATASET_ON_DISK)
        (void)sync_folder(journal, NULL);
}

static enum status append_schema(struct journal *journal, const struct arrow_schema *schema,
                                 struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    ipc_stream_begin(&message, schema);
    return body_file_append_messages(journal->batches, &message, error);
}

static inline void discard(struct journal **journal)
{
    journal_unlink(*journal);
    journal_close(*journal);
}

enum status journal_create(const char *folder, struct disk_budget *budget,
                           const struct journal_head *head, struct arrow_schema *schema,
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
    journal->sent = arrow_schema_ref(schema);
    *out_journal = STEAL(journal);
    return STATUS_OK;
}

/* --- writing ----------------------------------------------------------------------------------- */

static void note_pending(struct journal *journal, const struct body_place *place)
{
    if (journal->pending_count == journal->pending_capacity) {
        journal->pending_capacity = size_max(16, journal->pending_capacity * 2);
        journal->pending =
            memory_resize(journal->pending, journal->pending_capacity, sizeof(struct body_place));
    }
    journal->pending[journal->pending_count++] = *place;
}

static void forget_pending(struct journal *journal)
{
    free(journal->pending);
    journal->pending = NULL;
    journal->pending_count = 0;
    journal->pending_capacity = 0;
}

/* The values that the batch refers to, where the file has others. */
static enum status append_dictionaries(struct journal *journal, const struct arrow_batch *batch,
                                       struct error *error)
{
    CLEANUP(slices_finish) struct slices messages;
    slices_init(&messages);
    ipc_stream_dictionaries(&messages, batch->schema, journal->sent);
    if (messages.bytes == 0)
        return STATUS_OK;
    return body_file_append_messages(journal->batches, &messages, error);
}

static enum status append_batch(struct journal *journal, const struct arrow_batch *batch,
                                struct body_place *out_place, struct error *error)
{
    TRY(body_file_charge(journal->batches, sizeof(struct journal_record), error));
    TRY(append_dictionaries(journal, batch, error));
    return body_file_append(journal->batches, batch, out_place, error);
}

static void note_sent(struct journal *journal, struct arrow_schema *schema)
{
    arrow_schema_ref(schema);
    arrow_schema_unref(journal->sent);
    journal->sent = schema;
}

static enum status append_locked(struct journal *journal, const struct arrow_batch *batch,
                                 struct arrow_batch **out_mapped, struct error *error)
{
    struct body_place place;
    const struct body_mark mark = body_file_mark(journal->batches);
    enum status status = append_batch(journal, batch, &place, error);
    if (status != STATUS_OK) {
        body_file_restore(journal->batches, &mark);
        return status;
    }
    note_sent(journal, batch->schema);
    note_pending(journal, &place);
    *out_mapped = batch->body_bytes >= BODY_FILE_MAPPED_BYTES_MIN
                      ? body_file_map(journal->batches, &place, batch)
                      : NULL;
    return STATUS_OK;
}

static struct journal_record record_of(const struct body_place *place)
{
    struct journal_record record = {
        .kind = JOURNAL_BATCH,
        .metadata_bytes = place->metadata_bytes,
        .offset = place->offset,
        .body_bytes = place->body_bytes,
        .rows = place->rows,
        .checksum = place->checksum,
    };
    record.record_checksum = journal_record_checksum(&record);
    return record;
}

/* The wall time, but later than that of the commit before: clocks may be set back. */
static int64_t next_time_us(const struct journal *journal)
{
    int64_t now_us = clock_wall_us();
    if (now_us > journal->last_us)
        return now_us;
    return journal->last_us < INT64_MAX ? journal->last_us + 1 : INT64_MAX;
}

static struct journal_record commit_record(const struct journal *journal, struct journal_life life,
                                           int64_t rows)
{
    struct journal_record record = {
        .kind = JOURNAL_COMMIT,
        .metadata_bytes = life.replaces ? 1 : 0,
        .offset = atomic_load(&journal->batches->size),
        .rows = rows,
        .body_bytes = life.ttl_ms,
        .expires_us = life.expires_us,
        .batches = journal->committed_count + journal->pending_count,
        .at_us = next_time_us(journal),
    };
    record.record_checksum = journal_record_checksum(&record);
    return record;
}

/* Where a commit without batches goes: over the one before the last such. */
static enum status write_renewal(struct journal *journal, const struct journal_record *record,
                                 struct error *error)
{
    uint64_t end = journal->index_bytes;
    if (journal->renewal_count < JOURNAL_RENEWAL_PLACES)
        TRY(body_file_charge(journal->batches, sizeof(*record), error));
    else
        journal->index_bytes -=
            (JOURNAL_RENEWAL_PLACES - journal->renewal_count % JOURNAL_RENEWAL_PLACES) *
            sizeof(*record);
    enum status status = write_index(journal, record, sizeof(*record), error);
    if (status != STATUS_OK || journal->renewal_count >= JOURNAL_RENEWAL_PLACES)
        journal->index_bytes = end;
    if (status == STATUS_OK)
        journal->renewal_count++;
    return status;
}

static enum status write_batches(struct journal *journal, const struct journal_record *commit,
                                 struct error *error)
{
    size_t count = journal->pending_count;
    uint64_t before = journal->index_bytes;
    TRY(body_file_charge(journal->batches, sizeof(*commit), error));
    struct journal_record *records = NEW_ARRAY(struct journal_record, count + 1);
    for (size_t i = 0; i < count; i++)
        records[i] = record_of(&journal->pending[i]);
    records[count] = *commit;
    enum status status = write_index(journal, records, (count + 1) * sizeof(*records), error);
    free(records);
    if (status != STATUS_OK)
        journal->index_bytes = before;
    else
        journal->renewal_count = 0;
    return status;
}

static enum status write_records(struct journal *journal, struct journal_life life,
                                 struct error *error)
{
    int64_t rows = journal->committed_rows;
    for (size_t i = 0; i < journal->pending_count; i++)
        rows += journal->pending[i].rows;
    const struct journal_record commit = commit_record(journal, life, rows);
    bool is_renewal = journal->pending_count == 0 && journal->published_us > 0;
    TRY(is_renewal ? write_renewal(journal, &commit, error)
                   : write_batches(journal, &commit, error));
    journal->committed_count = commit.batches;
    journal->committed_rows = rows;
    journal->last_us = commit.at_us;
    if (journal->published_us == 0) {
        journal->published_us = commit.at_us;
        journal->replaces = life.replaces;
    }
    forget_pending(journal);
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
                           struct arrow_batch **out_mapped, struct error *error)
{
    LOCKED(&journal->lock);
    TRY(wake(journal, error));
    return append_locked(journal, batch, out_mapped, error);
}

enum status journal_commit(struct journal *journal, struct journal_life life, struct error *error)
{
    LOCKED(&journal->lock);
    TRY(wake(journal, error));
    const struct body_mark mark = body_file_mark(journal->batches);
    enum status status = commit_locked(journal, life, error);
    if (status != STATUS_OK)
        body_file_restore(journal->batches, &mark);
    journal_rest(journal);
    return status;
}

static enum status extend_locked(struct journal *journal, struct arrow_batch **batches,
                                 size_t count, struct journal_life life, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct arrow_batch *mapped = NULL;
        TRY(append_locked(journal, batches[i], &mapped, error));
        if (!mapped)
            continue;
        arrow_batch_unref(batches[i]);
        batches[i] = mapped;
    }
    return commit_locked(journal, life, error);
}

enum status journal_extend(struct journal *journal, struct arrow_batch **batches, size_t count,
                           struct journal_life life, struct error *error)
{
    LOCKED(&journal->lock);
    TRY(wake(journal, error));
    const struct body_mark mark = body_file_mark(journal->batches);
    size_t committed_count = journal->committed_count;
    CLEANUP(arrow_schema_unref) struct arrow_schema *sent = arrow_schema_ref(journal->sent);
    enum status status = extend_locked(journal, batches, count, life, error);
    /* What the index says already stays, even where it could not be synced. */
    if (status != STATUS_OK && journal->committed_count == committed_count) {
        forget_pending(journal);
        note_sent(journal, sent);
        body_file_restore(journal->batches, &mark);
    }
    journal_rest(journal);
    return status;
}

bool journal_prevails(const struct journal *journal, const struct journal *other)
{
    bool is_later = journal->published_us > other->published_us;
    return (is_later ? journal : other)->replaces == is_later;
}

size_t journal_bytes(const struct journal *journal)
{
    return atomic_load(&journal->batches->charged);
}
