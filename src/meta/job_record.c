/*
 * job_record.c — names of states and doors, and copies of records.
 *
 * Runs on: any thread. Owns: nothing. Not done here: which step from state to state is allowed (the
 * module of jobs). SPDX-License-Identifier: Apache-2.0
 */
#include "meta/job_record.h"

#include <assert.h>

static const char *const state_names[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running",     [JOB_SUCCEEDED] = "succeeded",
    [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled", [JOB_EXPIRED] = "expired",
};

static const char *const door_names[JOB_DOOR_COUNT] = {
    [JOB_DOOR_QUERY] = "query",
    [JOB_DOOR_QUERIES] = "queries",
    [JOB_DOOR_V1] = "v1",
    [JOB_DOOR_FLIGHT] = "flight",
};

struct str job_state_name(enum job_state state)
{
    assert((unsigned)state < JOB_STATE_COUNT);
    return str_of(state_names[state]);
}

struct str job_door_name(enum job_door door)
{
    assert((unsigned)door < JOB_DOOR_COUNT);
    return str_of(door_names[door]);
}

static bool find_name(const char *const *names, size_t count, struct str name, unsigned *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (str_equal(str_of(names[i]), name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool job_state_find(struct str name, enum job_state *out_state)
{
    unsigned found;
    if (!find_name(state_names, JOB_STATE_COUNT, name, &found))
        return false;
    *out_state = (enum job_state)found;
    return true;
}

bool job_door_find(struct str name, enum job_door *out_door)
{
    unsigned found;
    if (!find_name(door_names, JOB_DOOR_COUNT, name, &found))
        return false;
    *out_door = (enum job_door)found;
    return true;
}

#define TEXT_COUNT 17

static void list_texts(struct job_record *record, struct str *texts[TEXT_COUNT])
{
    struct str *const all[TEXT_COUNT] = {
        &record->id,        &record->sql,        &record->query_hash,      &record->engine,
        &record->owner,     &record->tags,       &record->idempotency_key, &record->batch_id,
        &record->options,   &record->request_id, &record->format,          &record->result,
        &record->cache_key, &record->error,      &record->error_code,      &record->columns,
        &record->plan,
    };
    memcpy(texts, all, sizeof(all));
}

size_t job_record_text_bytes(const struct job_record *record)
{
    struct job_record view = *record;
    struct str *texts[TEXT_COUNT];
    list_texts(&view, texts);
    size_t bytes = 0;
    for (size_t i = 0; i < TEXT_COUNT; i++)
        bytes += texts[i]->len;
    return bytes;
}

struct job_record job_record_copy(struct arena *arena, const struct job_record *record)
{
    struct job_record copy = *record;
    struct str *texts[TEXT_COUNT];
    list_texts(&copy, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (texts[i]->len > 0)
            *texts[i] = arena_copy(arena, *texts[i]);
    }
    return copy;
}
