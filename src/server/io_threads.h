/*
 * io_threads.h — the I/O loops and the threads that run them; and the thread that writes the log.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "event/loop.h"

struct io_threads;

/* Makes `count` loops; their threads start with io_threads_start. */
MUST_CHECK enum status io_threads_create(size_t count, struct io_threads **out_threads,
                                         struct error *error);
/* Stops the loops, joins the threads and frees the loops. */
void io_threads_destroy(struct io_threads *threads);
CLEANUP_FUNCTION(struct io_threads *, io_threads_destroy)
MUST_CHECK enum status io_threads_start(struct io_threads *threads, const char *name,
                                        struct error *error);
/* Stops the loops and joins the threads; the loops are still there. */
void io_threads_stop(struct io_threads *threads);
struct loop *const *io_threads_loops(const struct io_threads *threads);
size_t io_threads_count(const struct io_threads *threads);

struct log_thread;

/* Writes what `log` holds to standard error, several times a second, until it is stopped. */
MUST_CHECK enum status log_thread_start(struct log *log, struct log_thread **out_thread,
                                        struct error *error);
/* Writes the rest and ends the thread. */
void log_thread_stop(struct log_thread *thread);
CLEANUP_FUNCTION(struct log_thread *, log_thread_stop)
