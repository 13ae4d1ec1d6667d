/*
 * view.h — jobs in SQL: the table volley.jobs, and the results that job('<id>') reads.
 *
 * The engine is opened before there are jobs: until *jobs is set the table is empty and no job is found.
 * Threads: the engine's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "jobs/jobs.h"

/* For engine_options; the caller owns the schema reference. */
struct engine_table jobs_view(struct jobs *_Atomic *jobs);
struct engine_job_results jobs_view_results(struct jobs *_Atomic *jobs);

/* What is told of a statement where it is written again and again and to many: its first characters. Any
 * thread. */
struct str job_sql_beginning(struct str sql);
