/*
 * jobs_support.h — jobs over a fake engine (tests/unit/engine/fake_engine.h), for the tests of this module.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "../engine/fake_engine.h"
#include "event/thread.h"
#include "jobs/jobs.h"

#define JOBS_SCENE_SLOTS 2

struct jobs_scene {
    struct engine *engine;
    struct store *store;
    struct loop *housekeeping;
    struct thread *housekeeper;
    struct workers *workers;
    struct metrics *metrics;
    struct meta *meta;
    struct results *results;
    struct cache *cache;
    struct queries *queries;
    struct jobs *jobs;
};

/* `options`: what differs from the usual ones; NULL: nothing. */
struct jobs_scene *jobs_scene_create(const struct jobs_options *options);
/* With the registry in a file; NULL: in memory. */
struct jobs_scene *jobs_scene_create_in(const char *path, const struct jobs_options *options);
void jobs_scene_destroy(struct jobs_scene *scene);

/* The job must be taken. */
struct job *scene_submit(struct jobs_scene *scene, const char *sql);
struct job *scene_submit_spec(struct jobs_scene *scene, const struct job_spec *spec);
struct job_facts scene_facts(struct job *job);
/* Waits, told by a watch. */
void scene_wait(struct job *job);
/* The same for any thread: asserts nothing. */
MUST_CHECK enum status scene_await(struct job *job);
void scene_wait_for(struct job *job, enum job_state state);
