/*
 * members.h — a member of a JSON object in one call: its key and its value, or null for what is not known.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "json/writer.h"

void json_write_unsigned_member(struct json_writer *writer, const char *key, uint64_t value);

/* Null when the text is empty. */
void json_write_text_or_null(struct json_writer *writer, const char *key, struct str value);
/* Text that is JSON already; null when it is empty. */
void json_write_raw_or_null(struct json_writer *writer, const char *key, struct str json);
void json_write_integer_or_null(struct json_writer *writer, const char *key, int64_t value,
                                bool is_known);
/* A share of 0 to 1; null below 0. */
void json_write_progress(struct json_writer *writer, const char *key, double value);
/* As RFC 3339 has it, in UTC, with microseconds; null at 0. */
void json_write_time_or_null(struct json_writer *writer, const char *key, int64_t time_us);
