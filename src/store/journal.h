/*
 * journal.h — a kept dataset on disk: its batches, and what of them counts.
 *
 * Two files in the folder of datasets: <name>.arrows, an Arrow IPC stream that any Arrow library can
 * open (other values of a dictionary stand before the batch that needs them), and <name>.index, a head (id,
 * path, owner, life) followed by records of one size: one for each batch, then one that commits those before
 * it. Each record and the head carry a checksum. What no commit covers does not exist: it is what a crash
 * tore. The files are open only while they are written, so that there may be more datasets than
 * descriptors.
 *
 * Threads: any; append and commit of one journal one at a time (its lock is taken inside).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "store/body_file.h"
#include "store/store.h"

struct journal;

/* What the head says. */
struct journal_head {
    struct str id;
    struct str path;
    struct str owner;
    enum dataset_durability durability;
    uint64_t ttl_ms;
    int64_t created_us;
};

/* From a commit on. */
struct journal_life {
    uint64_t ttl_ms;
    int64_t expires_us;
    bool replaces; /* of the first commit: what had the name before is over */
};

/* New files in `folder` for a dataset of that schema; until the first commit they do not count. */
MUST_CHECK enum status journal_create(const char *folder, struct disk_budget *budget,
                                      const struct journal_head *head, struct arrow_schema *schema,
                                      struct journal **out_journal, struct error *error);
/* Closes the files, which stay. NULL is allowed. */
void journal_close(struct journal *journal);
CLEANUP_FUNCTION(struct journal *, journal_close)
/* Deletes the files; who still reads from them reads on. NULL is allowed. */
void journal_unlink(struct journal *journal);

/* Writes a batch that the next commit is to cover. *out_mapped is the batch as a mapping of the file where
 * that saves memory, else NULL. */
MUST_CHECK enum status journal_append(struct journal *journal, const struct arrow_batch *batch,
                                      struct arrow_batch **out_mapped, struct error *error);
/* Makes everything appended count, and the dataset live so long; for durability `disk`
 * it is on the disk when this returns. */
MUST_CHECK enum status journal_commit(struct journal *journal, struct journal_life life,
                                      struct error *error);
/* Appends and commits a list of batches, and replaces those by mappings for which that saves memory. After a
 * failure the journal is as it was before. */
MUST_CHECK enum status journal_extend(struct journal *journal, struct arrow_batch **batches,
                                      size_t count, struct journal_life life, struct error *error);
/* Has the folder's names reach the disk, where the dataset is to survive a loss of power. */
void journal_sync_names(const struct journal *journal);
/* Whether it has the name, of two that were found with the same: a crash came before the other was deleted.
 * The later one if it was to replace, else the earlier one. */
bool journal_prevails(const struct journal *journal, const struct journal *other);
/* Bytes on disk. */
size_t journal_bytes(const struct journal *journal);

/* A dataset found at start. The references are the receiver's; `journal` too. */
struct journal_found {
    struct journal_head head;
    int64_t expires_us;
    struct arrow_schema *schema;
    struct arrow_batch **batches;
    size_t batch_count;
    struct journal *journal;
};
/* Reads the files of `folder`: torn tails are cut, what never committed is deleted, what cannot be read
 * is renamed to *.damaged; each with a log line. Calls `receive` for each dataset. A folder that does
 * not exist holds none. */
MUST_CHECK enum status journal_recover(const char *folder, struct disk_budget *budget,
                                       struct log *log, void *context,
                                       void (*receive)(void *context, struct journal_found *found),
                                       struct error *error);
