/*
 * journal_recover.c — reads the folder of datasets at start.
 *
 * An index is read record by record until one is torn or wrong; what follows the last commit before it
 * is cut off, in both files. The batches are then read through one mapping of their file: each message
 * must have the checksum that its record says, and is decoded and validated like one from the network, so
 * that a damaged disk can cost a dataset but not the process. This reads everything once.
 *
 * Runs on: the thread that starts the server. Owns: nothing that outlives a call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/journal_private.h"

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "store/checksum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_BYTES_MAX ((size_t)1 << 30)
#define NAME_BYTES_MAX 256
/* Continuation marker and length of an encapsulated message. */
#define PREFIX_BYTES 8

struct recovery {
    const char *folder;
    struct disk_budget *budget;
    struct log *log;
    void *context;
    void (*receive)(void *context, struct journal_found *found);
};

/* One dataset while it is read. */
struct reading {
    struct journal *journal;
    uint8_t *index;
    size_t index_size;
    size_t at;           /* in the index */
    uint64_t file_bytes; /* of the .arrows file, that the last commit covers */
    struct journal_found found;
};

static void reading_finish(struct reading *reading)
{
    for (size_t i = 0; i < reading->found.batch_count; i++)
        arrow_batch_unref(reading->found.batches[i]);
    free(reading->found.batches);
    arrow_schema_unref(reading->found.schema);
    journal_close(reading->journal);
    free(reading->index);
}
CLEANUP_IN_PLACE(struct reading, reading_finish)

static enum status damaged(struct error *error, const char *what)
{
    return error_set(error, STATUS_DATA_LOSS, "%s", what);
}

/* --- index ------------------------------------------------------------------------------------- */

static enum status read_whole(int fd, uint8_t **out_bytes, size_t *out_size, struct error *error)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return error_set_errno(error, errno, "cannot read an index");
    size_t size = (size_t)facts.st_size;
    if (size > INDEX_BYTES_MAX)
        return damaged(error, "its index is too large");
    uint8_t *bytes = memory_new(size_max(size, 1));
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = pread(fd, bytes + filled, size - filled, (off_t)filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        filled += (size_t)got;
    }
    *out_bytes = bytes;
    *out_size = filled;
    return STATUS_OK;
}

static bool take_text(struct reading *reading, uint32_t size, struct str *out_text)
{
    if (size > reading->index_size - reading->at)
        return false;
    *out_text = str_make(reading->index + reading->at, size);
    reading->at += size;
    return true;
}

static enum status read_head(struct reading *reading, struct error *error)
{
    struct journal_head_record record;
    struct journal_head *head = &reading->found.head;
    if (reading->index_size < sizeof(record))
        return damaged(error, "its index has no head");
    memcpy(&record, reading->index, sizeof(record));
    reading->at = sizeof(record);
    if (memcmp(record.magic, JOURNAL_MAGIC, sizeof(record.magic)) != 0)
        return damaged(error, "its index is none, or of another version");
    uint32_t checksum;
    if (!take_text(reading, record.id_bytes, &head->id) ||
        !take_text(reading, record.path_bytes, &head->path) ||
        !take_text(reading, record.owner_bytes, &head->owner) ||
        reading->index_size - reading->at < sizeof(checksum))
        return damaged(error, "the head of its index is cut");
    memcpy(&checksum, reading->index + reading->at, sizeof(checksum));
    if (checksum != checksum_crc32c(0, reading->index, reading->at))
        return damaged(error, "the head of its index has a wrong checksum");
    if (head->id.len == 0 || record.durability > DATASET_ON_DISK)
        return damaged(error, "the head of its index makes no sense");
    reading->at += sizeof(checksum);
    head->durability = (enum dataset_durability)record.durability;
    head->ttl_ms = record.ttl_ms;
    head->created_us = record.created_us;
    return STATUS_OK;
}

static bool take_record(struct reading *reading, struct journal_record *out_record)
{
    if (reading->index_size - reading->at < sizeof(*out_record))
        return false;
    memcpy(out_record, reading->index + reading->at, sizeof(*out_record));
    if (out_record->record_checksum != journal_record_checksum(out_record))
        return false;
    reading->at += sizeof(*out_record);
    return true;
}

static void note_batch(struct journal *journal, const struct journal_record *record)
{
    const struct body_place place = {
        .offset = record->offset,
        .metadata_bytes = record->metadata_bytes,
        .checksum = record->checksum,
        .body_bytes = record->body_bytes,
        .rows = record->rows,
    };
    journal_note_place(journal, &place);
}

static void read_records(struct reading *reading)
{
    struct journal *journal = reading->journal;
    struct journal_record record;
    size_t committed_at = reading->at;
    while (take_record(reading, &record)) {
        if (record.kind == JOURNAL_BATCH) {
            note_batch(journal, &record);
        } else if (record.kind == JOURNAL_COMMIT && record.batches == journal->place_count) {
            journal->committed_count = journal->place_count;
            journal->committed_rows = record.rows;
            reading->found.head.ttl_ms = record.body_bytes;
            reading->found.expires_us = record.expires_us;
            reading->file_bytes = record.offset;
            committed_at = reading->at;
        } else {
            break;
        }
    }
    journal->place_count = journal->committed_count;
    journal->index_bytes = committed_at;
}

/* --- batches ----------------------------------------------------------------------------------- */

/* The message at `offset`: metadata and where the body starts. */
static enum status read_message(const struct buffer *file, uint64_t offset, struct slice *metadata,
                                uint64_t *out_body, struct error *error)
{
    if (offset > file->size || file->size - offset < PREFIX_BYTES)
        return damaged(error, "a message is behind the end of its file");
    uint32_t words[2];
    memcpy(words, file->data + offset, sizeof(words));
    uint64_t start = offset + PREFIX_BYTES;
    if (words[0] != UINT32_MAX || words[1] > file->size - start)
        return damaged(error, "a message has a wrong length");
    *metadata = slice_make(file->data + start, words[1], (struct buffer *)file);
    *out_body = start + words[1];
    return STATUS_OK;
}

/* Schema and dictionaries: what stands before the first batch. */
static enum status read_schema(struct buffer *file, struct ipc_decoder *decoder, uint64_t end,
                               struct error *error)
{
    uint64_t offset = 0;
    while (offset < end) {
        struct slice metadata;
        uint64_t body = 0;
        TRY(read_message(file, offset, &metadata, &body, error));
        size_t body_bytes = 0;
        TRY(ipc_message_body_bytes(metadata, &body_bytes, error));
        if (body_bytes > end || body > end - body_bytes)
            return damaged(error, "its schema runs into its batches");
        struct arrow_batch *none = NULL;
        TRY(ipc_decode(decoder, metadata, slice_make(file->data + body, body_bytes, file), &none,
                       error));
        offset = body + body_bytes;
    }
    return ipc_decoder_schema(decoder) ? STATUS_OK : damaged(error, "it has no schema");
}

static enum status read_batch(struct buffer *file, struct ipc_decoder *decoder,
                              const struct body_place *place, struct arrow_batch **out_batch,
                              struct error *error)
{
    uint64_t size;
    if (!checked_add(place->body_bytes, (uint64_t)place->metadata_bytes, &size) ||
        place->offset > file->size || size > file->size - place->offset ||
        place->metadata_bytes < PREFIX_BYTES)
        return damaged(error, "a batch is behind the end of its file");
    const uint8_t *start = file->data + place->offset;
    if (checksum_crc32c(0, start, (size_t)size) != place->checksum)
        return damaged(error, "a batch has a wrong checksum");
    struct slice metadata;
    uint64_t body = 0;
    TRY(read_message(file, place->offset, &metadata, &body, error));
    TRY(ipc_decode(decoder, metadata,
                   slice_make(start + place->metadata_bytes, (size_t)place->body_bytes, file),
                   out_batch, error));
    return *out_batch ? STATUS_OK : damaged(error, "a record of its index names no batch");
}

static enum status read_batches(struct reading *reading, struct error *error)
{
    struct journal *journal = reading->journal;
    size_t count = journal->place_count;
    uint64_t schema_end = count > 0 ? journal->places[0].offset : reading->file_bytes;
    CLEANUP(buffer_unref)
    struct buffer *file = body_file_map_bytes(journal->batches, 0, (size_t)reading->file_bytes);
    if (!file)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "it cannot be mapped into memory");
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    TRY(read_schema(file, decoder, schema_end, error));
    reading->found.batches = NEW_ARRAY(struct arrow_batch *, size_max(count, 1));
    for (size_t i = 0; i < count; i++) {
        TRY(read_batch(file, decoder, &journal->places[i], &reading->found.batches[i], error));
        reading->found.batch_count++;
    }
    reading->found.schema = arrow_schema_ref(ipc_decoder_schema(decoder));
    return STATUS_OK;
}

/* --- one dataset ------------------------------------------------------------------------------- */

static enum status open_files(struct recovery *recovery, const char *name, struct reading *reading,
                              struct error *error)
{
    struct journal *journal = journal_new(recovery->folder, name);
    reading->journal = journal;
    journal->has_name = true;
    journal->index_fd = open(journal->index_path, O_RDWR | O_CLOEXEC);
    if (journal->index_fd < 0)
        return error_set_errno(error, errno, "cannot open its index");
    TRY(read_whole(journal->index_fd, &reading->index, &reading->index_size, error));
    TRY(read_head(reading, error));
    journal->durability = reading->found.head.durability;
    read_records(reading);
    return body_file_open(journal->batches_path, false, recovery->budget, &journal->batches, error);
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

static void set_aside(struct recovery *recovery, const struct journal *journal,
                      const struct error *error)
{
    char path[NAME_BYTES_MAX + 4096];
    const char *const paths[] = {journal->index_path, journal->batches_path};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        int length = snprintf(path, sizeof(path), "%s" JOURNAL_DAMAGED_SUFFIX, paths[i]);
        if (length > 0 && (size_t)length < sizeof(path))
            (void)rename(paths[i], path);
    }
    LOG(recovery->log, LOG_ERROR, "dataset cannot be read",
        LOG_STR("file", str_of(journal->batches_path)), LOG_STR("error", str_of(error->message)));
}

static void recover_one(struct recovery *recovery, const char *name)
{
    CLEANUP(reading_finish) struct reading reading = {0};
    struct error error = ERROR_NONE;
    enum status status = open_files(recovery, name, &reading, &error);
    if (status == STATUS_OK && reading.file_bytes == 0) { /* it never committed */
        journal_unlink(reading.journal);
        return;
    }
    if (status == STATUS_OK && reading.file_bytes > atomic_load(&reading.journal->batches->size))
        status = damaged(&error, "its file is shorter than its index says");
    if (status == STATUS_OK) {
        cut_tails(recovery, &reading);
        status = read_batches(&reading, &error);
    }
    if (status != STATUS_OK) {
        set_aside(recovery, reading.journal, &error);
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
