/*
 * jobs_list.c — pages of jobs, how many there are, and those that a restart finds unfinished.
 *
 * A page is read in one transaction. It ends early before a job whose texts would exceed a bound, unless it
 * is the page's first; its cursor, the place of its last job, then continues where it ended.
 *
 * Runs on: threads that may block. Owns: nothing. Not done here: the order (job_walk.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meta/job_columns.h"
#include "meta/job_walk.h"
#include "meta/meta_private.h"

#include <stdio.h>

#include "base/checked.h"
#include "base/memory.h"

#define PAGE_BYTES_MAX ((size_t)8 << 20)

/* --- cursors ------------------------------------------------------------------------------------ */

static enum status read_cursor(struct str cursor, struct job_place *out, struct error *error)
{
    *out = (struct job_place){INT64_MAX, INT64_MAX};
    if (cursor.len == 0)
        return STATUS_OK;
    struct str rest = cursor;
    struct str created = str_split(&rest, '.');
    if (!str_to_i64(created, &out->created_us) || !str_to_i64(rest, &out->sequence))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "\"%.*s\" is no cursor of a page of jobs", STR_ARGS(cursor));
    return STATUS_OK;
}

static struct str write_cursor(struct arena *arena, struct job_place place)
{
    return arena_printf(arena, "%lld.%lld", (long long)place.created_us, (long long)place.sequence);
}

/* --- a page ------------------------------------------------------------------------------------- */

struct page {
    struct arena *arena;
    struct job_record *records;
    size_t count;
    size_t bytes;
    struct job_place last;
    bool more; /* there are jobs after it */
};

static bool has_room(const struct page *page, size_t bytes)
{
    return page->count == 0 || bytes <= PAGE_BYTES_MAX - page->bytes;
}

/* *out_is_full: it has no room for this one. */
static enum status read_job(struct connection *connection, struct job_place place,
                            struct page *page, bool *out_is_full, struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, STATEMENT_JOB_BY_SEQUENCE, &statement, error));
    sqlite3_bind_int64(statement, 1, place.sequence);
    bool found;
    TRY(connection_step(connection, statement, &found, error));
    struct job_record *record = &page->records[page->count];
    bool is_known = found && job_columns_read(statement, page->arena, record);
    size_t bytes = is_known ? job_record_text_bytes(record) : 0;
    sqlite3_reset(statement);
    *out_is_full = !has_room(page, bytes);
    if (*out_is_full)
        return STATUS_OK;
    page->count += is_known;
    page->bytes += size_min(bytes, PAGE_BYTES_MAX - page->bytes);
    page->last = place;
    return STATUS_OK;
}

static enum status read_page(struct connection *connection, const struct meta_job_filter *filter,
                             struct job_place from, struct page *page, struct error *error)
{
    TRY(connection_do(connection, STATEMENT_BEGIN_READ, error));
    CLEANUP(job_walks_close) struct job_walks walks;
    enum status status = job_walks_open(connection, filter, from, page->arena, &walks, error);
    struct job_place place;
    bool found = true;
    bool is_full = false;
    for (size_t i = 0; status == STATUS_OK && found && i < filter->offset; i++)
        status = job_walks_next(connection, &walks, &place, &found, error);
    while (status == STATUS_OK && found && !is_full) {
        status = job_walks_next(connection, &walks, &place, &found, error);
        page->more = found;
        if (status != STATUS_OK || !found || page->count == filter->limit)
            break;
        status = read_job(connection, place, page, &is_full, error);
    }
    return status;
}

enum status meta_jobs_list(struct meta *meta, const struct meta_job_filter *filter,
                           struct arena *arena, struct job_record **out_records, size_t *out_count,
                           struct str *out_cursor, struct error *error)
{
    if (filter->limit < 1 || filter->limit > META_JOBS_MAX)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "a page has 1 to %d jobs, not %zu", META_JOBS_MAX, filter->limit);
    struct job_place from;
    TRY(read_cursor(filter->cursor, &from, error));
    struct page page = {
        .arena = arena,
        .records = ARENA_NEW_ARRAY(arena, struct job_record, filter->limit),
    };
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    enum status status = read_page(connection, filter, from, &page, error);
    reader_give(meta, connection);
    TRY(status);
    *out_records = page.records;
    *out_count = page.count;
    if (out_cursor)
        *out_cursor = page.more && page.count > 0 ? write_cursor(arena, page.last) : STR_EMPTY;
    return STATUS_OK;
}

/* --- counting ----------------------------------------------------------------------------------- */

static enum status count_jobs(struct connection *connection, const struct meta_job_filter *filter,
                              struct arena *arena, uint64_t *out_count, struct error *error)
{
    if (filter->tag.len > 0 || filter->batch_id.len > 0 || filter->created_after_us != 0 ||
        filter->created_before_us != 0)
        return job_walks_count(connection, filter, arena, out_count, error);
    struct job_counts counts;
    TRY(job_counts_read(connection, filter->owner, arena, &counts, error));
    *out_count = 0;
    for (size_t i = 0; i < counts.count; i++) {
        if (job_count_matches(&counts.items[i], filter))
            *out_count += (uint64_t)counts.items[i].jobs;
    }
    return STATUS_OK;
}

enum status meta_jobs_count(struct meta *meta, const struct meta_job_filter *filter,
                            uint64_t *out_count, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    enum status status = connection_do(connection, STATEMENT_BEGIN_READ, error);
    if (status == STATUS_OK)
        status = count_jobs(connection, filter, &arena, out_count, error);
    reader_give(meta, connection);
    return status;
}

/* --- after a restart ---------------------------------------------------------------------------- */

struct unfinished {
    struct list link;
    struct job_record record;
};

static enum status read_unfinished(struct connection *connection, struct arena *arena,
                                   struct list *out, struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, STATEMENT_JOBS_UNFINISHED, &statement, error));
    while (true) {
        bool row;
        TRY(connection_step(connection, statement, &row, error));
        if (!row)
            return STATUS_OK;
        struct unfinished *job = ARENA_NEW(arena, struct unfinished);
        if (job_columns_read(statement, arena, &job->record))
            list_append(out, &job->link);
    }
}

/* They are read before the first is visited, because the visitor may put jobs. */
enum status meta_jobs_unfinished(struct meta *meta,
                                 enum status (*visit)(void *context,
                                                      const struct job_record *record,
                                                      struct error *error),
                                 void *context, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct list jobs; /* unfinished.link */
    list_init(&jobs);
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    enum status status = read_unfinished(connection, &arena, &jobs, error);
    reader_give(meta, connection);
    TRY(status);
    LIST_FOR_EACH (job, &jobs, struct unfinished, link)
        TRY(visit(context, &job->record, error));
    return STATUS_OK;
}
