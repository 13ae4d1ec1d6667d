/*
 * job_results.h — results of jobs and their cache as the settings want them.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "jobs/cache.h"
#include "jobs/results.h"
#include "settings/settings.h"

struct job_results {
    struct results *results;
    struct cache *cache;
};

/* What results are made of; all of them live longer. */
struct job_results_parts {
    struct engine *engine;
    struct store *store;
    struct meta *registry;
    struct s3 *s3; /* NULL: none */
    struct log *log;
    struct metrics *metrics;
};

/* The struct is zeroed before; it is to be closed whatever is returned. */
MUST_CHECK enum status job_results_open(struct job_results *job_results,
                                        const struct settings *settings,
                                        const struct job_results_parts *parts, struct error *error);
void job_results_close(struct job_results *job_results);
