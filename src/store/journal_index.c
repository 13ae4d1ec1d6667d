/*
 * journal_index.c — reads an index record by record until one is torn or wrong.
 *
 * What follows the last commit before that does not count. Each batch is noted with its place and checksum.
 *
 * Runs on: the thread that starts the server. Owns: nothing; what is read is the reading's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/journal_reading.h"

#include "base/checked.h"
#include "base/memory.h"
#include "store/checksum.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_BYTES_MAX ((size_t)1 << 30)

enum status journal_damaged(struct error *error, const char *what)
{
    return error_set(error, STATUS_DATA_LOSS, "%s", what);
}

bool journal_read_bytes(int fd, uint8_t *bytes, size_t size)
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

enum status journal_read_whole(int fd, uint8_t **out_bytes, size_t *out_size, struct error *error)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return error_set_errno(error, errno, "cannot read an index");
    size_t size = (size_t)facts.st_size;
    if (size > INDEX_BYTES_MAX)
        return journal_damaged(error, "its index is too large");
    *out_bytes = memory_new(size_max(size, 1));
    *out_size = size;
    return journal_read_bytes(fd, *out_bytes, size)
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
        return journal_damaged(error, "its index is none, or of another version");
    uint32_t checksum;
    if (!take_text(reading, record.id_bytes, &head->id) ||
        !take_text(reading, record.path_bytes, &head->path) ||
        !take_text(reading, record.owner_bytes, &head->owner) ||
        reading->index_size - reading->at < sizeof(checksum))
        return journal_damaged(error, "the head of its index is cut");
    memcpy(&checksum, reading->index + reading->at, sizeof(checksum));
    if (checksum != checksum_crc32c(0, reading->index, reading->at))
        return journal_damaged(error, "the head of its index has a wrong checksum");
    if (head->id.len == 0 || record.durability > DATASET_ON_DISK)
        return journal_damaged(error, "the head of its index makes no sense");
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

enum status journal_read_index(struct reading *reading, struct error *error)
{
    if (is_head_cut(reading)) /* so nothing was committed */
        return STATUS_OK;
    TRY(read_head(reading, error));
    reading->journal->durability = reading->found.head.durability;
    read_records(reading);
    return STATUS_OK;
}
