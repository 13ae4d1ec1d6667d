/*
 * input_set.h — the inputs of one put, looked at before the first is put.
 *
 * Files are opened again when it is their turn, so that there may be many; what cannot be opened twice
 * (pipes) stays open. Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/input.h"

struct input_set {
    const char *const *names;
    size_t count;
    struct input_options options;
    struct input **kept;  /* those that can be opened once; NULL: others, and taken ones */
    uint64_t total_bytes; /* 0: not known */
    bool is_arrow;        /* all of them */
    bool is_repeatable;   /* all of them */
};

/* Opens all, to see that they can be and what they are. After a failure it is to be closed too. */
MUST_CHECK enum status input_set_open(struct input_set *set, const char *const *names, size_t count,
                                      const struct input_options *options, struct error *error);
void input_set_close(struct input_set *set);
/* An input at its beginning, the caller's to close. FAILED_PRECONDITION the second time for one that cannot
 * be read again. */
MUST_CHECK enum status input_set_take(struct input_set *set, size_t index, struct input **out_input,
                                      struct error *error);
