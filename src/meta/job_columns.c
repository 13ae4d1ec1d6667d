/*
 * job_columns.c — a job record to a row and back, by the table of columns.
 *
 * Texts that a job may lack are NULL in the file, as other programs expect them, and empty here.
 *
 * Runs on: the thread that uses the statement. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "meta/job_columns.h"

#include <assert.h>
#include <stddef.h>

#include "base/memory.h"

enum kind {
    KIND_NAME, /* struct str, never NULL in the file */
    KIND_TEXT, /* struct str */
    KIND_INTEGER,
    KIND_WIDE, /* uint64_t */
    KIND_UNSIGNED,
    KIND_FLAG,
    KIND_DOOR,
};

struct column {
    enum kind kind;
    size_t offset;
};

#define COLUMN(column, kind, field) {KIND_##kind, offsetof(struct job_record, field)},
static const struct column columns[] = {JOB_KEPT_COLUMNS(COLUMN) JOB_RUN_COLUMNS(COLUMN)};

static void bind(sqlite3_stmt *statement, int index, enum kind kind, const void *field)
{
    switch (kind) {
    case KIND_NAME:
        statement_bind_text(statement, index, *(const struct str *)field);
        return;
    case KIND_TEXT:
        statement_bind_text_or_null(statement, index, *(const struct str *)field);
        return;
    case KIND_INTEGER:
        sqlite3_bind_int64(statement, index, *(const int64_t *)field);
        return;
    case KIND_WIDE:
        sqlite3_bind_int64(statement, index, (int64_t)(*(const uint64_t *)field & INT64_MAX));
        return;
    case KIND_UNSIGNED:
        sqlite3_bind_int64(statement, index, *(const unsigned *)field);
        return;
    case KIND_FLAG:
        sqlite3_bind_int64(statement, index, *(const bool *)field);
        return;
    case KIND_DOOR:
        statement_bind_text(statement, index, job_door_name(*(const enum job_door *)field));
        return;
    }
}

void job_columns_bind(sqlite3_stmt *statement, const struct job_record *record)
{
    statement_bind_text(statement, 1, job_state_name(record->state));
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++)
        bind(statement, (int)i + 2, columns[i].kind, (const char *)record + columns[i].offset);
}

static struct str row_name(sqlite3_stmt *statement, int index)
{
    const void *bytes = sqlite3_column_blob(statement, index);
    return str_make(bytes, (size_t)sqlite3_column_bytes(statement, index));
}

static bool read(sqlite3_stmt *statement, int index, enum kind kind, struct arena *arena,
                 void *field)
{
    switch (kind) {
    case KIND_NAME:
    case KIND_TEXT:
        *(struct str *)field = statement_text(statement, index, arena);
        return true;
    case KIND_INTEGER:
    case KIND_WIDE:
        *(int64_t *)field = sqlite3_column_int64(statement, index);
        return true;
    case KIND_UNSIGNED:
        *(unsigned *)field = (unsigned)sqlite3_column_int64(statement, index);
        return true;
    case KIND_FLAG:
        *(bool *)field = sqlite3_column_int64(statement, index) != 0;
        return true;
    case KIND_DOOR:
        return job_door_find(row_name(statement, index), (enum job_door *)field);
    }
    return false;
}

bool job_columns_read(sqlite3_stmt *statement, struct arena *arena, struct job_record *out_record)
{
    *out_record = (struct job_record){.error_position = -1};
    if (!job_state_find(row_name(statement, 0), &out_record->state))
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        if (!read(statement, (int)i + 1, columns[i].kind, arena,
                  (char *)out_record + columns[i].offset))
            return false;
    }
    return true;
}
