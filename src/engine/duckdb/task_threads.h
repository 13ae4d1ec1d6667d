/*
 * task_threads.h — the engine's threads beside those that run statements, for statements that last.
 * Private to engine/duckdb. Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <duckdb.h>

#include "base/cleanup.h"

struct task_threads;

/* Starts `count` threads that serve the tasks of a database opened with so many external_threads and one
 * more. With 0 *out_threads is NULL, which all functions take. */
MUST_CHECK enum status task_threads_create(duckdb_database database, unsigned count,
                                           struct task_threads **out_threads, struct error *error);
/* Nothing may run; before the database is closed. */
void task_threads_destroy(struct task_threads *threads);
CLEANUP_FUNCTION(struct task_threads *, task_threads_destroy)
/* Has them serve from now on, until as many gave them back. */
void task_threads_want(struct task_threads *threads);
void task_threads_give_back(struct task_threads *threads);
