/*
 * query_support.h — queries on a fake engine that does what a test tells it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/memory.h"
#include "engine/query.h"
#include "engine/query_state.h"
#include "event/thread.h"
#include "fake_engine.h"
#include "run_query.h"

struct scene {
    struct engine *engine;
    struct store *store;
    struct loop *housekeeping;
    struct thread *housekeeper;
    struct loop *loop; /* the test's own */
    struct metrics *metrics;
    struct queries *queries;
};

struct done {
    struct loop_task task;
    int count;
};

int set_up(void **state);
int tear_down(void **state);
/* Another table in place of the usual one: (slots, queue, finished ring, time to live). */
void use_queries(struct scene *scene, unsigned slots, size_t queue_max, size_t finished_max,
                 uint64_t ttl_ms);
struct query_spec spec_of(struct scene *scene, const char *sql);
struct query *prepare_spec(struct scene *scene, const struct query_spec *spec);
struct query *prepare(struct scene *scene, const char *sql);
void start(struct query *query);
void wait_for_state(struct query *query, enum query_state state);
void wait_until_inside(struct scene *scene, int count);
bool cancel(struct query *query, const char *message);
void expect_outcome(struct query *query, enum status status, const char *message);
/* What a reader of the result finds at its end. */
enum status read_result(struct query *query, int64_t *out_rows, struct error *error);
void on_done(struct loop_task *task);
