/*
 * log.h — structured log lines that cost a call next to nothing.
 *
 * A line is formatted by the thread that has the event into a slot of a ring (lock-free, several
 * writers, one reader); one thread drains all rings and writes them in batches (log_drain). When a
 * ring is full the line is dropped and counted. Formats: `text` for people, `json` one object a line.
 *
 * Threads: log_write any; log_drain one. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_field_kind { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_DOUBLE };
struct log_field {
    struct str label; /* ,"name": with a name of plain ASCII; as text it goes without its quotes */
    enum log_field_kind kind;
    struct str text;
    int64_t integer;
    double number;
};
#define LOG_LABEL(field_name) STR(",\"" field_name "\":")
#define LOG_STR(field_name, value)                                                                 \
    ((struct log_field){.label = LOG_LABEL(field_name), .kind = LOG_FIELD_TEXT, .text = (value)})
#define LOG_INTEGER(field_name, value)                                                             \
    ((struct log_field){                                                                           \
        .label = LOG_LABEL(field_name), .kind = LOG_FIELD_INTEGER, .integer = (int64_t)(value)})
#define LOG_NUMBER(field_name, value)                                                              \
    ((struct log_field){                                                                           \
        .label = LOG_LABEL(field_name), .kind = LOG_FIELD_DOUBLE, .number = (value)})

struct log;

/* Lines below `level` are not formatted. `rings` is the number of rings (threads hash onto them). */
struct log *log_create(enum log_level level, enum log_format format, size_t rings);
void log_destroy(struct log *log);
CLEANUP_FUNCTION(struct log *, log_destroy)

bool log_enabled(const struct log *log, enum log_level level);
/* Changes the level; takes effect at once on all threads. */
void log_set_level(struct log *log, enum log_level level);
/* One line: time, level, event ("call", "listening", ...), fields. Lines are cut at 2 KiB. `log` may
 * be NULL (nothing happens). */
void log_write(struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count);
#define LOG(log, level, event, ...)                                                                \
    log_write((log), (level), (event), (const struct log_field[]){__VA_ARGS__},                    \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Writes all waiting lines to `fd` in batches; returns how many. A line telling how many were
 * dropped is added when some were. */
size_t log_drain(struct log *log, int fd);
/* Lines dropped since the start. */
uint64_t log_dropped(const struct log *log);
