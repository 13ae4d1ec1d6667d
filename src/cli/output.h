/*
 * output.h — standard output for results: collected, written in large pieces, failures noticed.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/buffer.h"

/* Written when this much was collected. */
#define OUTPUT_TARGET_BYTES ((size_t)64 << 10)
/* A single value may be this long. */
#define OUTPUT_BYTES_MAX ((size_t)1 << 30)

struct output {
    int fd;
    const char *name; /* for errors; NULL: "the output" */
    bool broken;      /* the reader is gone; not an error worth a message */
    bool is_full;     /* there is no room on the disk */
    /* It is a terminal, and what is appended may be anyone's: control bytes are shown, not obeyed. */
    bool shows_controls;
    struct buf buf; /* append here, then output_settle */
    /* Called before bytes are written; may change fd. NULL: nothing */
    void (*before_write)(struct output *output, void *context);
    void *before_write_context;
};

void output_init(struct output *output, int fd);
void output_finish(struct output *output);
CLEANUP_IN_PLACE(struct output, output_finish)
/* Writes when enough was collected. INTERNAL when the file cannot be written, CANCELLED (with `broken`)
 * when the reader of the pipe is gone, RESOURCE_EXHAUSTED when an append did not fit. */
MUST_CHECK enum status output_settle(struct output *output, struct error *error);
/* Writes all. */
MUST_CHECK enum status output_flush(struct output *output, struct error *error);
/* Writes all that was collected and then the slices, which are left empty. */
MUST_CHECK enum status output_write(struct output *output, struct slices *slices,
                                    struct error *error);
