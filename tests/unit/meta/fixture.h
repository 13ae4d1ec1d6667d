/*
 * fixture.h — a registry in a folder of its own, and jobs for it. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "meta/meta.h"

#define HISTORY_MS (UINT64_C(30) * 24 * 3600 * 1000)
#define FIRST_US INT64_C(1700000000000000)

struct fixture {
    char folder[64];
    char path[128]; /* of the registry; "" for one in memory */
    struct meta_options options;
    struct meta *meta;
    struct arena arena;
    struct error error;
};

static inline void fixture_open(struct fixture *fixture)
{
    fixture->error = ERROR_NONE;
    if (meta_open(&fixture->options, &fixture->meta, &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
}

static inline void fixture_reopen(struct fixture *fixture)
{
    meta_close(STEAL(fixture->meta));
    fixture_open(fixture);
}

/* The options of a registry in a new folder, not opened yet. */
static inline struct fixture *fixture_create(void)
{
    struct fixture *fixture = NEW(struct fixture);
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/volley-meta-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->folder);
    fixture->options = (struct meta_options){
        .path = str_of(fixture->path),
        .readers_max = 4,
        .history_ms = HISTORY_MS,
        .lock_wait_ms = 100,
    };
    arena_init(&fixture->arena);
    fixture->error = ERROR_NONE;
    return fixture;
}

static inline int fixture_set_up(void **state)
{
    struct fixture *fixture = fixture_create();
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_set_up_memory(void **state)
{
    struct fixture *fixture = fixture_create();
    fixture->options.path = STR_EMPTY;
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

/* Closed: a test opens it. */
static inline int fixture_set_up_closed(void **state)
{
    *state = fixture_create();
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    meta_close(fixture->meta);
    static const char *const endings[] = {"", "-wal", "-shm", "-lock", "-journal"};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        char path[160];
        snprintf(path, sizeof(path), "%s%s", fixture->path, endings[i]);
        unlink(path);
    }
    rmdir(fixture->folder);
    arena_finish(&fixture->arena);
    free(fixture);
    return 0;
}

/* Job number `number`, created that many microseconds after the first. Its texts are constants or in the
 * fixture's arena. */
static inline struct job_record fixture_job(struct fixture *fixture, unsigned number)
{
    return (struct job_record){
        .id = arena_printf(&fixture->arena, "00000000-0000-4000-8000-%012u", number),
        .sql = STR("SELECT 42"),
        .query_hash = STR("0123456789abcdef"),
        .engine = STR("duckdb"),
        .state = JOB_QUEUED,
        .door = JOB_DOOR_V1,
        .priority = 1,
        .slots = 1,
        .timeout_ms = 300000,
        .is_read = true,
        .created_us = FIRST_US + number,
        .error_position = -1,
    };
}

static inline void fixture_put(struct fixture *fixture, const struct job_record *record)
{
    if (meta_job_put(fixture->meta, record, &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
}

static inline struct job_record fixture_find(struct fixture *fixture, struct str id)
{
    struct job_record found;
    if (meta_job_find(fixture->meta, id, &fixture->arena, &found, &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
    return found;
}

static inline uint64_t fixture_count(struct fixture *fixture, struct meta_job_filter filter)
{
    uint64_t count = UINT64_MAX;
    if (meta_jobs_count(fixture->meta, &filter, &count, &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
    return count;
}

/* The numbers of the jobs of a page, as "7 5 4"; the next cursor, unless NULL. */
static inline const char *fixture_list(struct fixture *fixture, struct meta_job_filter filter,
                                       struct str *out_cursor)
{
    struct job_record *records;
    size_t count;
    if (filter.limit == 0)
        filter.limit = 100;
    if (meta_jobs_list(fixture->meta, &filter, &fixture->arena, &records, &count, out_cursor,
                       &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
    struct str text = STR("");
    for (size_t i = 0; i < count; i++)
        text = arena_printf(&fixture->arena, "%.*s%s%lld", STR_ARGS(text), i > 0 ? " " : "",
                            (long long)(records[i].created_us - FIRST_US));
    return count > 0 ? text.ptr : "";
}
