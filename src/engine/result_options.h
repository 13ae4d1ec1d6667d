/*
 * result_options.h — how a client says in which form a result leaves: one table of names for all doors.
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
/* The option timeout-ms, how long the statement may run: milliseconds above 0. The same error. */
MUST_CHECK enum status timeout_option_read(struct str text, uint64_t *out_timeout_ms,
                                           struct error *error);
