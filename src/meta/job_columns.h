/*
 * job_columns.h — the columns of the table of jobs, in the order in which statements name them.
 *
 * X(column, kind, field of struct job_record). SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "meta/connection.h"
#include "meta/job_record.h"

/* As the first put of a job has them. */
#define JOB_KEPT_COLUMNS(X)                                                                        \
    X(job_id, NAME, id)                                                                            \
    X(sql, NAME, sql)                                                                              \
    X(query_hash, NAME, query_hash)                                                                \
    X(engine, NAME, engine)                                                                        \
    X(door, DOOR, door)                                                                            \
    X(is_read, FLAG, is_read)                                                                      \
    X(priority, UNSIGNED, priority)                                                                \
    X(slots, UNSIGNED, slots)                                                                      \
    X(timeout_ms, WIDE, timeout_ms)                                                                \
    X(owner, NAME, owner)                                                                          \
    X(tags, TEXT, tags)                                                                            \
    X(idempotency_key, TEXT, idempotency_key)                                                      \
    X(batch_id, TEXT, batch_id)                                                                    \
    X(options, TEXT, options)                                                                      \
    X(request_id, TEXT, request_id)                                                                \
    X(created_us, INTEGER, created_us)

/* As the last one has them; after `status`. */
#define JOB_RUN_COLUMNS(X)                                                                         \
    X(started_us, INTEGER, started_us)                                                             \
    X(completed_us, INTEGER, completed_us)                                                         \
    X(row_count, INTEGER, rows)                                                                    \
    X(file_size, INTEGER, bytes)                                                                   \
    X(format, TEXT, format)                                                                        \
    X(result, TEXT, result)                                                                        \
    X(s3_key, TEXT, cache_key)                                                                     \
    X(from_cache, FLAG, from_cache)                                                                \
    X(error_message, TEXT, error)                                                                  \
    X(error_code, TEXT, error_code)                                                                \
    X(error_position, INTEGER, error_position)                                                     \
    X(columns, TEXT, columns)                                                                      \
    X(plan, TEXT, plan)                                                                            \
    X(attempts, UNSIGNED, attempts)

/* The values of STATEMENT_PUT_JOB. */
void job_columns_bind(sqlite3_stmt *statement, const struct job_record *record);
/* The current row of a statement that selects JOB_COLUMN_NAMES; false when a state or door is unknown. */
bool job_columns_read(sqlite3_stmt *statement, struct arena *arena, struct job_record *out_record);
