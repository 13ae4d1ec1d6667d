/*
 * job_counts.c — how many jobs there are, by the counters.
 *
 * The counters are rows that triggers change with the jobs. There is one set for all jobs and one for
 * each named owner; anonymous jobs are what the named ones leave of all.
 *
 * Runs on: the thread that asks. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "meta/job_walk.h"

/* Engines, doors and states are few; more rows than this are no registry of ours. */
#define COUNTS_MAX 10000

static enum status read_rows(struct connection *connection, sqlite3_stmt *statement,
                             struct arena *arena, struct job_counts *out, struct error *error)
{
    size_t room = 0;
    bool row = true;
    while (true) {
        TRY(connection_step(connection, statement, &row, error));
        if (!row || out->count == COUNTS_MAX)
            break;
        if (out->count == room) {
            struct job_count *wider = ARENA_NEW_ARRAY(arena, struct job_count, 2 * room + 16);
            if (room > 0)
                memcpy(wider, out->items, room * sizeof(*wider));
            out->items = wider;
            room = 2 * room + 16;
        }
        struct job_count *count = &out->items[out->count];
        count->engine = statement_text(statement, 0, arena);
        count->jobs = sqlite3_column_int64(statement, 3);
        if (job_door_find(statement_text(statement, 1, arena), &count->door) &&
            job_state_find(statement_text(statement, 2, arena), &count->state))
            out->count++;
    }
    sqlite3_reset(statement);
    return STATUS_OK;
}

static void subtract(struct job_counts *all, const struct job_counts *named)
{
    for (size_t i = 0; i < all->count; i++) {
        struct job_count *count = &all->items[i];
        for (size_t k = 0; k < named->count; k++) {
            const struct job_count *other = &named->items[k];
            if (other->door == count->door && other->state == count->state &&
                str_equal(other->engine, count->engine))
                count->jobs -= other->jobs;
        }
    }
}

enum status job_counts_read(struct connection *connection, const struct str *owner,
                            struct arena *arena, struct job_counts *out, struct error *error)
{
    *out = (struct job_counts){0};
    bool is_named = owner && owner->len > 0;
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, is_named ? STATEMENT_OWNER_COUNTS : STATEMENT_COUNTS,
                             &statement, error));
    if (is_named)
        statement_bind_text(statement, 1, *owner);
    TRY(read_rows(connection, statement, arena, out, error));
    if (!owner || is_named)
        return STATUS_OK;
    struct job_counts named = {0};
    TRY(connection_statement(connection, STATEMENT_NAMED_COUNTS, &statement, error));
    TRY(read_rows(connection, statement, arena, &named, error));
    subtract(out, &named);
    return STATUS_OK;
}

bool job_count_matches(const struct job_count *count, const struct meta_job_filter *filter)
{
    return (filter->states == 0 || filter->states & 1U << count->state) &&
           (filter->doors == 0 || filter->doors & 1U << count->door) &&
           (filter->engine.len == 0 || str_equal(filter->engine, count->engine));
}
