/*
 * statement_progress.h — the line below a statement that takes its time: elapsed, rows, bytes, share.
 *
 * Drawn on standard error by a thread of its own, since the client's thread waits for the server. Every
 * function takes NULL: no line.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "grpc/client.h"

struct statement_progress;

/* NULL when standard error is no terminal. The line appears after a second. The server is asked for the
 * statement's progress on a connection of its own, made by these options, which must outlive the line. */
struct statement_progress *statement_progress_start(const struct grpc_client_options *options);
/* Takes the line away and ends the thread. */
void statement_progress_stop(struct statement_progress *progress);
CLEANUP_FUNCTION(struct statement_progress *, statement_progress_stop)
/* The id by which the server is asked; empty: it is not. */
void statement_progress_name(struct statement_progress *progress, struct str id);
void statement_progress_note(struct statement_progress *progress, uint64_t rows, uint64_t bytes);
/* Takes the line away, so that something else can be written; until resume. */
void statement_progress_pause(struct statement_progress *progress);
void statement_progress_resume(struct statement_progress *progress);
