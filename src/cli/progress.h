/*
 * progress.h — how far a transfer is, on a terminal's standard error: one line, redrawn.
 *
 * Nothing is written when standard error is no terminal or is TERM=dumb. The line has neither colours nor
 * escape sequences, so that NO_COLOR has nothing to forbid. Threads: one at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

struct progress {
    bool is_shown;
    struct str name; /* of what is moved */
    uint64_t start_ns;
    uint64_t drawn_ns;  /* when it was last drawn */
    size_t drawn_width; /* columns to overwrite; 0: nothing stands there */
    double rate;        /* bytes a second, of late */
    uint64_t rated_ns;
    uint64_t rated_bytes;
};

/* What is moved so far; totals of 0 are not known. `done` of `total` is what the percentage is of. */
struct progress_state {
    uint64_t bytes;
    uint64_t rows;
    uint64_t done;
    uint64_t total;
};

/* Columns that a line on standard error may take for the cursor to stay on it. */
size_t progress_width_max(void);
void progress_start(struct progress *progress, struct str name, bool quiet);
/* When it should be drawn next, in clock_now_ns. */
uint64_t progress_due_ns(const struct progress *progress);
/* Redraws the line, at most ten times a second. */
void progress_draw(struct progress *progress, const struct progress_state *state);
/* Takes the line away, for a message to stand there. */
void progress_clear(struct progress *progress);
/* A line of its own, also where no progress is shown. */
void progress_say(struct progress *progress, const char *format, ...) PRINTF_LIKE(2, 3);
/* What was done, as a line: "trips: 10,000 rows, 1.0 GiB in 3.1 s, 330.0 MiB/s". */
void progress_summarize(const struct progress *progress, const struct progress_state *state,
                        FILE *stream);
/* Takes the line away and, where progress is shown, tells what was done. */
void progress_end(struct progress *progress, const struct progress_state *state);
