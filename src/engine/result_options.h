/*
 * result_options.h — how a client says how a statement runs and in which form its result leaves: one table of
 * names for all doors.
 *
 * The doors ask for each name where their protocol carries options (gRPC metadata and HTTP headers
 * `volley-<name>`, query parameters `<name>`) and hand the text over.
 *
 * Threads: any; no state. Source: design section 8. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/engine.h"

struct query_spec;

/* The names: "max-message-bytes", ... */
extern const char *const result_option_names[];
extern const size_t result_option_count;

/* What a session has set (enum engine_session_setting): "catalog", "schema", "time-zone". */
extern const char *const session_option_names[ENGINE_SESSION_SETTING_COUNT];

/* The largest message a client may ask for. */
#define RESULT_MESSAGE_BYTES_MAX ((size_t)64 << 20)

/* Sets option `index` of result_option_names from its text. INVALID_ARGUMENT (code VALIDATION_ERROR)
 * naming the option, the text and what is taken. */
MUST_CHECK enum status result_option_set(struct engine_result_options *options, size_t index,
                                         struct str text, struct error *error);

/* How a statement is run, as its client asks. */
struct run_options {
    uint64_t timeout_ms; /* 0: the default */
    unsigned priority;   /* 1..5, 1 first; 0: 1 */
    unsigned slots;      /* 0: 1 */
};
/* The names: "timeout-ms", ... */
extern const char *const run_option_names[];
extern const size_t run_option_count;

/* As result_option_set, of run_option_names. */
MUST_CHECK enum status run_option_set(struct run_options *options, size_t index, struct str text,
                                      struct error *error);

/* Where a door finds the text of an option; empty: it is not given. */
struct option_source {
    struct str (*text)(const void *context, const char *name);
    const void *context;
};
/* Sets those options of the tables above that are given; the others stay. */
MUST_CHECK enum status result_options_read(const struct option_source *source,
                                           struct engine_result_options *options,
                                           struct error *error);
/* All three of them: what is not given is the default. */
MUST_CHECK enum status run_options_read(const struct option_source *source, struct query_spec *spec,
                                        struct error *error);
