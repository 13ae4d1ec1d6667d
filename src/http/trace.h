/*
 * trace.h — who asked, in a distributed trace: the header traceparent.
 *
 * Private to http. Source: W3C Trace Context, level 1, section 3.2. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

/* Splits the header's value; the parts point into it. False when it is absent or not valid (then the
 * caller goes on without a trace, as the specification asks). */
bool http_trace_parse(struct str value, struct str *out_trace_id, struct str *out_span_id);
