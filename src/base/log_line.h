/*
 * log_line.h — one log line as text or JSON. Private to base.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"

/* Lines are cut to this, the newline included. */
#define LOG_LINE_BYTES_MAX 2048

/* Formats a line, newline included; returns its length. */
size_t log_line_format(char out[LOG_LINE_BYTES_MAX], enum log_format format, enum log_level level,
                       int64_t wall_us, const char *event, const struct log_field *fields,
                       size_t count);
