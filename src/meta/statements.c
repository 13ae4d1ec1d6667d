/*
 * statements.c — the text of every prepared statement.
 *
 * Runs on: any thread; constant. Owns: nothing. Not done here: listings, whose text depends on the
 * filter (job_walk.c). SPDX-License-Identifier: Apache-2.0
 */
#include "meta/statements.h"

#include "meta/job_columns.h"
#include "meta/meta.h"

/* How much of the history of one statement is looked at for its last runs without a cache. */
#define HISTORY_LOOKED_AT "64"
#define TEXT_OF(number) #number
#define NUMBER(macro) TEXT_OF(macro)

#define COMMA_NAME(column, kind, field) ", " #column
#define COMMA_VALUE(column, kind, field) ", ?"
#define COMMA_SET(column, kind, field) ", " #column " = excluded." #column
#define JOB_SELECT                                                                                 \
    "SELECT status" JOB_KEPT_COLUMNS(COMMA_NAME) JOB_RUN_COLUMNS(COMMA_NAME) " FROM jobs "

const char *const statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STATEMENT_BEGIN_READ] = "BEGIN",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_BEGIN_CHANGE] = "SAVEPOINT change",
    [STATEMENT_END_CHANGE] = "RELEASE change",
    [STATEMENT_UNDO_CHANGE] = "ROLLBACK TO change",
    [STATEMENT_PUT_JOB] = "INSERT INTO jobs (status" JOB_KEPT_COLUMNS(COMMA_NAME)
        JOB_RUN_COLUMNS(COMMA_NAME) ")"
                                    " VALUES (?" JOB_KEPT_COLUMNS(COMMA_VALUE) JOB_RUN_COLUMNS(
                                        COMMA_VALUE) ")"
                                                     " ON CONFLICT (job_id) DO UPDATE SET status = "
                                                     "excluded.status" JOB_RUN_COLUMNS(COMMA_SET),
    [STATEMENT_JOB_BY_ID] = JOB_SELECT "WHERE job_id = ?",
    [STATEMENT_JOB_BY_KEY] = JOB_SELECT "WHERE owner = ? AND idempotency_key = ?",
    [STATEMENT_JOB_BY_SEQUENCE] = JOB_SELECT "WHERE sequence = ?",
    [STATEMENT_JOBS_UNFINISHED] =
        JOB_SELECT "WHERE status IN ('queued', 'running') ORDER BY created_us, sequence",
    [STATEMENT_COUNTS] = "SELECT engine, door, status, jobs FROM job_counts WHERE jobs > 0",
    [STATEMENT_OWNER_COUNTS] =
        "SELECT engine, door, status, jobs FROM job_owner_counts WHERE owner = ?",
    [STATEMENT_NAMED_COUNTS] = "SELECT engine, door, status, sum(jobs) FROM job_owner_counts"
                               " GROUP BY engine, door, status",
    [STATEMENT_HISTORY] =
        "SELECT count(*), avg(completed_us - started_us), avg(row_count) FROM"
        " (SELECT * FROM"
        "  (SELECT status, from_cache, started_us, completed_us, row_count FROM jobs"
        "   WHERE query_hash = ? ORDER BY created_us DESC, sequence DESC LIMIT " HISTORY_LOOKED_AT
        "  ) WHERE status = 'succeeded' AND from_cache = 0 LIMIT " NUMBER(META_HISTORY_RUNS) ")",
    [STATEMENT_PUT_BLOB] = "INSERT INTO blobs (key, bytes, expires_us) VALUES (?, ?, ?)"
                           " ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes,"
                           " expires_us = excluded.expires_us",
    [STATEMENT_GET_BLOB] =
        "SELECT bytes FROM blobs WHERE key = ? AND (expires_us = 0 OR expires_us > ?)",
    [STATEMENT_REMOVE_BLOB] = "DELETE FROM blobs WHERE key = ?",
    [STATEMENT_SWEEP_JOBS] =
        "DELETE FROM jobs WHERE sequence IN (SELECT sequence FROM jobs"
        " WHERE created_us < ?1 AND completed_us < ?1 AND status NOT IN ('queued', 'running')"
        " ORDER BY created_us, sequence LIMIT ?2)",
    [STATEMENT_SWEEP_BLOBS] =
        "DELETE FROM blobs WHERE rowid IN (SELECT rowid FROM blobs"
        " WHERE expires_us > 0 AND expires_us <= ?1 ORDER BY expires_us LIMIT ?2)",
    [STATEMENT_USED_PAGES] = "SELECT page_count - freelist_count FROM pragma_page_count,"
                             " pragma_freelist_count",
};
