/*
 * job_options.h — what `volley job` is asked: a word, its flags and its arguments.
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/options.h"

enum job_word {
    JOB_SUBMIT,
    JOB_STATUS,
    JOB_WAIT,
    JOB_RESULT,
    JOB_CANCEL,
    JOB_LIST,
    JOB_HISTORY,
    JOB_WORD_COUNT
};

extern const char *const job_cache_names[];
extern const char *const job_state_names[]; /* the first: any */

struct job_options {
    enum job_word word;
    struct server_options server;
    struct positionals rest; /* IDs, or the statement */
    /* of submit */
    uint64_t priority;
    uint64_t slots;
    uint64_t timeout_ms; /* of running; 0: the server's */
    unsigned cache;
    struct str engine; /* empty: the server's own */
    struct positionals tags;
    struct str key;
    bool waits;
    /* of wait */
    uint64_t wait_ms; /* 0: for ever */
    /* of list and history */
    unsigned state;
    struct str tag;
    uint64_t limit;
    unsigned format;
};

/* Whether the word's answer is rows, in a format. */
bool job_word_prints_rows(enum job_word word);
/* Reads a word and what belongs to it; false: what is wrong has been told. Lists are the arena's. */
bool job_options_read(struct job_options *options, char *const *arguments, size_t count,
                      struct arena *arena);
