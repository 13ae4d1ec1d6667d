/*
 * journal_recover.c — reads the folder of datasets at start.
 *
 * An index is read record by record until one is torn or wrong; what follows the last commit before it
 * is cut off, in both files. The file is then decoded as the stream that it is, through one mapping: each
 * batch must have the checksum that its record says, and all is validated like what comes from the network,
 * so that a damaged disk can cost a dataset but not the process. This reads everything once.
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
/* Files up to this size are read into memory: processes may have 65,530 mappings. */
#define SMALL_FILE_BYTES_MAX ((size_t)256 << 10)
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
    size_t at;                 /* in the index */
    uint64_t file_bytes;       /* of the .arrows file, that the last commit covers */
    int64_t renewed_us;        /* wall time of the commit whose life counts */
    struct body_place *places; /* of the batches, by position */
    size_t place_count;
    size_t place_capacity;
    struct journal_found found;
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

static enum status damaged(struct error *error, const char *what)
{
    return error_set(error, STATUS_DATA_LOSS, "%s", what);
}

/* --- index ------------------------------------------------------------------------------------- */

static bool read_bytes(int fd, uint8_t *bytes, size_t size)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = pread(fd, bytes + filled, size - filled, (off_t)filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        filled += (size_t)got;
    }
    return true;
}

static enum status read_whole(int fd, uint8_t **out_bytes, size_t *out_size, struct error *error)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return error_set_errno(error, errno, "cannot read an index");
    size_t size = (size_t)facts.st_size;
    if (size > INDEX_BYTES_MAX)
        return damaged(error, "its index is too large");
    *out_bytes = memory_new(size_max(size, 1));
    *out_size = size;
    return read_bytes(fd, *out_bytes, size)
               ? STATUS_OK
               : error_set(error, STATUS_UNAVAILABLE, "its index cannot be read from disk");
}

static bool take_text(struct reading *reading, uint32_t size, struct str *out_text)
{
    if (size > reading->index_size - reading->at)
        return false;
    *out_text = str_make(reading->index + reading->at, size);
    reading->at += size;
    return true;
}

/* A crash came while the files were made: the head is one write. */
static bool is_head_cut(const struct reading *reading)
{
    return reading->index_size < sizeof(struct journal_head_record);
}

static enum status read_head(struct reading *reading, struct error *error)
{
    struct journal_head_record record;
    struct journal_head *head = &reading->found.head;
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

static void note_batch(struct reading *reading, const struct journal_record *record)
{
    if (reading->place_count == reading->place_capacity) {
        reading->place_capacity = size_max(16, reading->place_capacity * 2);
        reading->places =
            memory_resize(reading->places, reading->place_capacity, sizeof(struct body_place));
    }
    reading->places[reading->place_count++] = (struct body_place){
        .offset = record->offset,
        .metadata_bytes = record->metadata_bytes,
        .checksum = record->checksum,
        .body_bytes = record->body_bytes,
        .rows = record->rows,
    };
}

static void note_commit(struct reading *reading, const struct journal_record *record)
{
    struct journal *journal = reading->journal;
    bool is_renewal = journal->published_us > 0 && reading->place_count == journal->committed_count;
    journal->renewal_count = is_renewal ? journal->renewal_count + 1 : 0;
    journal->committed_count = reading->place_count;
    journal->committed_rows = record->rows;
    if (record->at_us > journal->last_us)
        journal->last_us = record->at_us;
    if (journal->published_us == 0) {
        journal->published_us = record->at_us;
        journal->replaces = record->metadata_bytes != 0;
    }
    reading->file_bytes = record->offset;
    /* Of two renewals the second in the file may be the older one. */
    if (is_renewal && record->at_us < reading->renewed_us)
        return;
    reading->renewed_us = record->at_us;
    reading->found.head.ttl_ms = record->body_bytes;
    reading->found.expires_us = record->expires_us;
}

/* Whether the first of the places for renewals comes, and what was renewed before may stand in it. */
static bool is_before_renewals(const struct reading *reading)
{
    const struct journal *journal = reading->journal;
    return journal->published_us > 0 && journal->renewal_count == 0 &&
           reading->place_count == journal->committed_count;
}

/* A crash tore the renewal in the first place while it was written over: the one before it is in the second.
 * The torn one is stepped over then, and the next renewal goes there. */
static bool step_over_renewal(struct reading *reading, struct journal_record *out_record)
{
    size_t before = reading->at;
    if (!is_before_renewals(reading) || reading->index_size - before < sizeof(*out_record))
        return false;
    reading->at += sizeof(*out_record);
    if (take_record(reading, out_record) && out_record->kind == JOURNAL_COMMIT &&
        out_record->batches == reading->place_count) {
        reading->journal->renewal_count = 1;
        return true;
    }
    reading->at = before;
    return false;
}

static void read_records(struct reading *reading)
{
    struct journal *journal = reading->journal;
    struct journal_record record;
    size_t committed_at = reading->at;
    while (take_record(reading, &record) || step_over_renewal(reading, &record)) {
        if (record.kind == JOURNAL_BATCH) {
            note_batch(reading, &record);
        } else if (record.kind == JOURNAL_COMMIT && record.batches == reading->place_count) {
            note_commit(reading, &record);
            committed_at = reading->at;
        } else {
            break;
        }
    }
    reading->place_count = journal->committed_count;
    journal->index_bytes = committed_at;
}

/* --- batches ----------------------------------------------------------------------------------- */

/* The bytes of a .arrows file that count; their owner tells no size. */
static enum status read_file(const struct reading *reading, struct slice *out_file,
                             struct error *error)
{
    struct body_file *batches = reading->journal->batches;
    size_t size = (size_t)reading->file_bytes;
    struct buffer *buffer = NULL;
    if (size > SMALL_FILE_BYTES_MAX) {
        buffer = body_file_map_bytes(batches, 0, size);
        if (!buffer)
            return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                             "the system allows no more mappings (vm.max_map_count)");
    } else {
        buffer = buffer_create(size);
        buffer->size = 0;
        if (!read_bytes(batches->fd, buffer->data, size)) {
            buffer_unref(buffer);
            return error_set(error, STATUS_UNAVAILABLE, "it cannot be read from disk");
        }
    }
    *out_file = slice_make(buffer->data, size, buffer);
    return STATUS_OK;
}

/* The message at `offset`: metadata and where the body starts. */
static enum status read_message(struct slice file, uint64_t offset, struct slice *metadata,
                                uint64_t *out_body, struct error *error)
{
    if (offset > file.len || file.len - offset < PREFIX_BYTES)
        return damaged(error, "a message is behind the end of its file");
    uint32_t words[2];
    memcpy(words, file.ptr + offset, sizeof(words));
    uint64_t start = offset + PREFIX_BYTES;
    if (words[0] != UINT32_MAX || words[1] > file.len - start)
        return damaged(error, "a message has a wrong length");
    *metadata = slice_make(file.ptr + start, words[1], file.owner);
    *out_body = start + words[1];
    return STATUS_OK;
}

/* What stands in [offset, end), where no batch is: the schema at first, and dictionaries. */
static enum status read_between(struct slice file, struct ipc_decoder *decoder, uint64_t offset,
                                uint64_t end, struct error *error)
{
    if (end > file.len || offset > end)
        return damaged(error, "a batch is not where its index says");
    while (offset < end) {
        struct slice metadata;
        uint64_t body = 0;
        TRY(read_message(file, offset, &metadata, &body, error));
        size_t body_bytes = 0;
        TRY(ipc_message_body_bytes(metadata, &body_bytes, error));
        if (body_bytes > end || body > end - body_bytes)
            return damaged(error, "its schema or a dictionary runs into its batches");
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_decode(decoder, metadata, slice_make(file.ptr + body, body_bytes, file.owner),
                       &batch, error));
        if (batch)
            return damaged(error, "it has a batch that its index does not name");
        offset = body + body_bytes;
    }
    return ipc_decoder_schema(decoder) ? STATUS_OK : damaged(error, "it has no schema");
}

static enum status read_batch(struct slice file, struct ipc_decoder *decoder,
                              const struct body_place *place, struct arrow_batch **out_batch,
                              struct error *error)
{
    uint64_t size;
    if (!checked_add(place->body_bytes, (uint64_t)place->metadata_bytes, &size) ||
        place->offset > file.len || size > file.len - place->offset ||
        place->metadata_bytes < PREFIX_BYTES)
        return damaged(error, "a batch is behind the end of its file");
    const uint8_t *start = file.ptr + place->offset;
    if (checksum_crc32c(0, start, (size_t)size) != place->checksum)
        return damaged(error, "a batch has a wrong checksum");
    struct slice metadata;
    uint64_t body = 0;
    TRY(read_message(file, place->offset, &metadata, &body, error));
    TRY(ipc_decode(decoder, metadata,
                   slice_make(start + place->metadata_bytes, (size_t)place->body_bytes, file.owner),
                   out_batch, error));
    return *out_batch ? STATUS_OK : damaged(error, "a record of its index names no batch");
}

/* What may be in a file is what was let into the dataset: compressed bodies are longer here. */
static struct ipc_limits limits_of(struct slice file)
{
    struct ipc_limits limits = ipc_limits_default;
    limits.metadata_bytes_max = size_max(limits.metadata_bytes_max, file.len);
    limits.batch_metadata_bytes_max = size_max(limits.batch_metadata_bytes_max, file.len);
    limits.body_bytes_max = size_max(limits.body_bytes_max, file.len);
    limits.decoded_bytes_max = size_max(limits.decoded_bytes_max, file.len);
    limits.dictionary_bytes_max = SIZE_MAX;
    limits.messages_max = UINT64_MAX;
    return limits;
}

/* The messages in the order in which they stand: a batch refers to the dictionaries before it. */
static enum status decode_file(struct reading *reading, struct slice file,
                               struct ipc_decoder *decoder, struct error *error)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < reading->place_count; i++) {
        const struct body_place *place = &reading->places[i];
        TRY(read_between(file, decoder, offset, place->offset, error));
        TRY(read_batch(file, decoder, place, &reading->found.batches[i], error));
        reading->found.batch_count++;
        offset = place->offset + place->metadata_bytes + place->body_bytes;
    }
    return read_between(file, decoder, offset, reading->file_bytes, error);
}

static enum status read_batches(struct reading *reading, struct error *error)
{
    CLEANUP(slice_finish) struct slice file = SLICE_EMPTY;
    TRY(read_file(reading, &file, error));
    const struct ipc_limits limits = limits_of(file);
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = ipc_decoder_create(&limits);
    reading->found.batches = NEW_ARRAY(struct arrow_batch *, size_max(reading->place_count, 1));
    TRY(decode_file(reading, file, decoder, error));
    if (reading->found.batch_count > 0 && file.len <= SMALL_FILE_BYTES_MAX)
        reading->found.batches[0]->memory_bytes += file.len;
    reading->found.schema = arrow_schema_ref(ipc_decoder_schema(decoder));
    reading->journal->sent = arrow_schema_ref(reading->found.schema);
    return STATUS_OK;
}

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
    return read_whole(journal->index_fd, &reading->index, &reading->index_size, error);
}

static enum status read_index(struct reading *reading, struct error *error)
{
    if (is_head_cut(reading)) /* so nothing was committed */
        return STATUS_OK;
    TRY(read_head(reading, error));
    reading->journal->durability = reading->found.head.durability;
    read_records(reading);
    return STATUS_OK;
}

static enum status open_batches(struct recovery *recovery, struct reading *reading,
                                struct error *error)
{
    struct journal *journal = reading->journal;
    TRY(body_file_open(journal->batches_path, false, recovery->budget, &journal->batches, error));
    if (reading->file_bytes > atomic_load(&journal->batches->size))
        return damaged(error, "its file is shorter than its index says");
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
    TRY(read_batches(reading, error));
    journal_rest(reading->journal);
    return STATUS_OK;
}

static void recover_one(struct recovery *recovery, const char *name)
{
    CLEANUP(reading_finish) struct reading reading = {0};
    struct error error = ERROR_NONE;
    enum status status = open_index(recovery, name, &reading, &error);
    if (status == STATUS_OK)
        status = read_index(&reading, &error);
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
