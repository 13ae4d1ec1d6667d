/*
 * job_walk.c — listings without sorting: one walk down an index, or a few merged.
 *
 * A walk yields (created_us, sequence) downwards. Which index it goes down depends on the filter:
 *
 *      tag                      job_tags, then the job if there is more to the filter
 *      batch                    idx_batch
 *      owner                    idx_owner, one walk for each kind of job that the owner has
 *      state, door or engine    idx_status, one walk for each kind of job that there is
 *      nothing                  idx_created
 *
 * A kind is an engine, a door and a state; the counters tell which there are, and they are few. Several walks
 * are merged by taking the greatest head, so that a page costs as many steps as it has rows.
 *
 * Runs on: the thread that lists. Owns: the statements of the walks. Not done here: reading the jobs
 * (jobs_list.c). SPDX-License-Identifier: Apache-2.0
 */
#include "meta/job_walk.h"

#include "base/buf.h"
#include "base/memory.h"

#define SQL_BYTES_MAX 1024

/* Numbers of the parameters. */
enum parameter {
    PARAMETER_CREATED = 1,
    PARAMETER_SEQUENCE,
    PARAMETER_AFTER,
    PARAMETER_STATE,
    PARAMETER_ENGINE,
    PARAMETER_DOOR,
    PARAMETER_OWNER,
    PARAMETER_TAG,
    PARAMETER_BATCH,
};

struct job_walk {
    sqlite3_stmt *statement; /* NULL: at its end */
    struct job_place head;
};

/* One walk's part of the filter. */
struct route {
    const char *source;
    const char *conditions; /* that the index serves; "" for none */
    bool by_states, by_doors, by_engine, by_owner, by_batch; /* what is left to look at */
    bool counts;                                             /* instead of walking */
};

static void append_names(struct buf *sql, const char *column, unsigned mask, size_t count,
                         struct str (*name)(unsigned index))
{
    buf_printf(sql, " AND %s IN (''", column);
    for (unsigned i = 0; i < count; i++) {
        if (mask & 1U << i)
            buf_printf(sql, ", '%.*s'", STR_ARGS(name(i)));
    }
    buf_append_text(sql, ")");
}

static struct str state_name(unsigned index)
{
    return job_state_name((enum job_state)index);
}

static struct str door_name(unsigned index)
{
    return job_door_name((enum job_door)index);
}

static void write_sql(const struct route *route, const struct meta_job_filter *filter,
                      struct buf *sql)
{
    buf_printf(sql, "SELECT %s FROM %s WHERE (w.created_us, w.sequence) < (?1, ?2)",
               route->counts ? "count(*)" : "w.created_us, w.sequence", route->source);
    buf_printf(sql, " AND w.created_us >= ?3%s", route->conditions);
    if (route->by_states)
        append_names(sql, "status", filter->states, JOB_STATE_COUNT, state_name);
    if (route->by_doors)
        append_names(sql, "door", filter->doors, JOB_DOOR_COUNT, door_name);
    buf_append_text(sql, route->by_engine ? " AND engine = ?5" : "");
    buf_append_text(sql, route->by_owner ? " AND owner = ?7" : "");
    buf_append_text(sql, route->by_batch ? " AND batch_id = ?9" : "");
    if (!route->counts)
        buf_append_text(sql, " ORDER BY w.created_us DESC, w.sequence DESC");
}

static bool place_below(struct job_place a, struct job_place b)
{
    return a.created_us != b.created_us ? a.created_us < b.created_us : a.sequence < b.sequence;
}

static struct job_place start_of(const struct meta_job_filter *filter, struct job_place from)
{
    struct job_place before = {filter->created_before_us, INT64_MIN};
    return filter->created_before_us != 0 && place_below(before, from) ? before : from;
}

static void bind(sqlite3_stmt *statement, const struct meta_job_filter *filter,
                 struct job_place from, const struct job_count *kind)
{
    struct job_place start = start_of(filter, from);
    sqlite3_bind_int64(statement, PARAMETER_CREATED, start.created_us);
    sqlite3_bind_int64(statement, PARAMETER_SEQUENCE, start.sequence);
    sqlite3_bind_int64(statement, PARAMETER_AFTER,
                       filter->created_after_us != 0 ? filter->created_after_us : INT64_MIN);
    const struct str values[] = {
        [PARAMETER_STATE] = kind ? job_state_name(kind->state) : STR_EMPTY,
        [PARAMETER_ENGINE] = kind ? kind->engine : filter->engine,
        [PARAMETER_DOOR] = kind ? job_door_name(kind->door) : STR_EMPTY,
        [PARAMETER_OWNER] = filter->owner ? *filter->owner : STR_EMPTY,
        [PARAMETER_TAG] = filter->tag,
        [PARAMETER_BATCH] = filter->batch_id,
    };
    int last = sqlite3_bind_parameter_count(statement);
    for (int i = PARAMETER_STATE; i <= last; i++)
        statement_bind_text(statement, i, values[i]);
}

/* Makes `count` walks of one route: for each of `kinds`, or one without any. */
struct opening {
    struct connection *connection;
    const struct meta_job_filter *filter;
    struct job_place from;
    struct arena *arena;
};

static enum status add_walks(const struct opening *opening, const struct route *route,
                             const struct job_counts *kinds, struct job_walks *walks,
                             struct error *error)
{
    size_t count = kinds ? kinds->count : 1;
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    write_sql(route, opening->filter, &sql);
    TRY(buf_check(&sql, "the statement of a listing", error));
    walks->walks = ARENA_NEW_ARRAY(opening->arena, struct job_walk, count);
    for (size_t i = 0; i < count; i++) {
        struct job_walk *walk = &walks->walks[walks->count];
        TRY(connection_prepare(opening->connection, buf_str(&sql), &walk->statement, error));
        walks->count++;
        bind(walk->statement, opening->filter, opening->from, kinds ? &kinds->items[i] : NULL);
    }
    return STATUS_OK;
}

static enum status walk_by_kind(const struct opening *opening, bool counts, struct job_walks *walks,
                                struct error *error)
{
    const struct meta_job_filter *filter = opening->filter;
    struct job_counts kinds;
    TRY(job_counts_read(opening->connection, filter->owner, opening->arena, &kinds, error));
    size_t kept = 0;
    for (size_t i = 0; i < kinds.count; i++) {
        if (job_count_matches(&kinds.items[i], filter))
            kinds.items[kept++] = kinds.items[i];
    }
    kinds.count = kept;
    const struct route route = {
        .source =
            filter->owner ? "jobs AS w INDEXED BY idx_owner" : "jobs AS w INDEXED BY idx_status",
        .conditions = filter->owner
                          ? " AND owner = ?7 AND status = ?4 AND engine = ?5 AND door = ?6"
                          : " AND status = ?4 AND engine = ?5 AND door = ?6",
        .counts = counts,
    };
    return add_walks(opening, &route, &kinds, walks, error);
}

static enum status walk(const struct opening *opening, bool counts, struct job_walks *walks,
                        struct error *error)
{
    const struct meta_job_filter *filter = opening->filter;
    struct route route = {
        .source = "jobs AS w INDEXED BY idx_created",
        .conditions = "",
        .by_states = filter->states != 0,
        .by_doors = filter->doors != 0,
        .by_engine = filter->engine.len > 0,
        .by_owner = filter->owner != NULL,
        .by_batch = filter->batch_id.len > 0,
        .counts = counts,
    };
    if (filter->tag.len > 0) {
        bool is_alone = !route.by_states && !route.by_doors && !route.by_engine &&
                        !route.by_owner && !route.by_batch;
        route.source = is_alone ? "job_tags AS w"
                                : "job_tags AS w CROSS JOIN jobs AS j ON j.sequence = w.sequence";
        route.conditions = " AND tag = ?8";
    } else if (filter->batch_id.len > 0) {
        route.source = "jobs AS w INDEXED BY idx_batch";
        route.conditions = " AND batch_id = ?9";
        route.by_batch = false;
    } else if (filter->owner || route.by_states || route.by_doors || route.by_engine) {
        return walk_by_kind(opening, counts, walks, error);
    }
    return add_walks(opening, &route, NULL, walks, error);
}

static enum status step(struct connection *connection, struct job_walk *walk, struct error *error)
{
    bool row;
    TRY(connection_step(connection, walk->statement, &row, error));
    if (row) {
        walk->head.created_us = sqlite3_column_int64(walk->statement, 0);
        walk->head.sequence = sqlite3_column_int64(walk->statement, 1);
    } else {
        sqlite3_finalize(STEAL(walk->statement));
    }
    return STATUS_OK;
}

enum status job_walks_open(struct connection *connection, const struct meta_job_filter *filter,
                           struct job_place from, struct arena *arena, struct job_walks *walks,
                           struct error *error)
{
    *walks = (struct job_walks){0};
    struct opening opening = {connection, filter, from, arena};
    TRY(walk(&opening, false, walks, error));
    for (size_t i = 0; i < walks->count; i++)
        TRY(step(connection, &walks->walks[i], error));
    return STATUS_OK;
}

const char *job_walks_sql(const struct job_walks *walks, size_t index)
{
    return sqlite3_sql(walks->walks[index].statement);
}

void job_walks_close(struct job_walks *walks)
{
    for (size_t i = 0; i < walks->count; i++)
        sqlite3_finalize(walks->walks[i].statement);
    walks->count = 0;
}

enum status job_walks_next(struct connection *connection, struct job_walks *walks,
                           struct job_place *out_place, bool *out_found, struct error *error)
{
    struct job_walk *first = NULL;
    for (size_t i = 0; i < walks->count; i++) {
        struct job_walk *walk = &walks->walks[i];
        if (walk->statement && (!first || place_below(first->head, walk->head)))
            first = walk;
    }
    *out_found = first != NULL;
    if (!first)
        return STATUS_OK;
    *out_place = first->head;
    return step(connection, first, error);
}

enum status job_walks_count(struct connection *connection, const struct meta_job_filter *filter,
                            struct arena *arena, uint64_t *out_count, struct error *error)
{
    CLEANUP(job_walks_close) struct job_walks walks = {0};
    struct opening opening = {connection, filter, {INT64_MAX, INT64_MAX}, arena};
    TRY(walk(&opening, true, &walks, error));
    *out_count = 0;
    for (size_t i = 0; i < walks.count; i++) {
        bool row;
        TRY(connection_step(connection, walks.walks[i].statement, &row, error));
        *out_count += row ? (uint64_t)sqlite3_column_int64(walks.walks[i].statement, 0) : 0;
    }
    return STATUS_OK;
}
