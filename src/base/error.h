/*
 * error.h — the one error vocabulary: a status code and a sentence.
 *
 * Every function that can fail returns `enum status` and takes `struct error *error` as its last
 * parameter. The place that knows the cause writes the sentence (error_set) and nobody in between
 * translates it. The codes are gRPC's own, so that grpc/ writes them as they are and rest/ maps
 * them with one table (base/error_codes.h).
 *
 * Threads: a struct error belongs to its caller. Source: grpc/doc/statuscodes.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_index, first_index)                                                       \
    __attribute__((format(printf, text_index, first_index)))

enum status {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_ABORTED = 10,
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_UNAUTHENTICATED = 16,
};
#define STATUS_COUNT 17

/* The limit of a message is also what fits the smallest client's trailers (8 KiB, percent-encoded). */
#define ERROR_MESSAGE_MAX 1024
#define ERROR_NAME_MAX 128

struct error {
    enum status status; /* what error_set was given; STATUS_OK while nothing failed */
    const char *code;   /* the contract's code (contracts.md section 2), a string constant, or
                                NULL: the status alone decides */
    const char
        *sqlstate;    /* five letters, a string constant; NULL: as the table has it for the code */
    int64_t position; /* byte offset in the SQL text that the message is about; -1: none */
    uint32_t line;    /* of the position, from 1; 0: none */
    uint32_t column;  /* of the position in its line, in characters, from 1; 0: none */
    uint32_t retry_after_ms;      /* 0: no advice; else when a retry may succeed */
    char nearest[ERROR_NAME_MAX]; /* the existing name nearest to one that does not exist, or "" */
    char message[ERROR_MESSAGE_MAX];
};

/* An error without an error; one on the stack starts as `struct error error = ERROR_NONE;`. */
#define ERROR_NONE ((struct error){.position = -1})

/* The same without writing all of the message's room: for what runs with every small call. */
static inline void error_clear(struct error *error)
{
    error->status = STATUS_OK;
    error->code = NULL;
    error->sqlstate = NULL;
    error->position = -1;
    error->line = 0;
    error->column = 0;
    error->retry_after_ms = 0;
    error->nearest[0] = '\0';
    error->message[0] = '\0';
}

/* Fills `error` (NULL is allowed: nothing is written) and returns `status`, which must not be
 * STATUS_OK. The message is cut at ERROR_MESSAGE_MAX - 1 bytes, on a UTF-8 border. code becomes
 * NULL, position -1, and so on. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The same with one of the contract's codes, a string constant such as "TABLE_NOT_FOUND". */
enum status error_set_code(struct error *error, enum status status, const char *code,
                           const char *format, ...) PRINTF_LIKE(4, 5);

/* The same with all that the table of codes (base/error_codes.h) has for a SQLSTATE, which must be one of its
 * constants. */
enum status error_set_sqlstate(struct error *error, const char *sqlstate, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Fills `error` from errno: "<what>: <strerror>". The status is chosen from errno (ENOENT NOT_FOUND,
 * EACCES PERMISSION_DENIED, ENOSPC and EMFILE RESOURCE_EXHAUSTED, else INTERNAL). */
enum status error_set_errno(struct error *error, int saved_errno, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Hands a failure on: copies `from` to `error` (NULL is allowed) and returns its status. */
static inline enum status error_copy(struct error *error, const struct error *from)
{
    if (error)
        *error = *from;
    return from->status;
}

/* How many bytes of the message may stand in a log above debug: what tells the kind of the failure. Behind
 * it, messages repeat what a client wrote: values of the statement in the engine's sentences, an excerpt
 * of its text, a name or token in quotes. */
size_t error_log_size(const struct error *error);

/* The upper-case name of a status as gRPC spells it ("NOT_FOUND"); a constant. */
const char *status_name(enum status status);
