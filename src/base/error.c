/*
 * error.c — fill in an error: status, code and sentence.
 *
 * The sentence is formatted into a buffer of its own first, so that an argument may be the message
 * that is being replaced.
 *
 * Runs on: any thread. Owns: nothing. Not done here: translation to HTTP (rest) or trailers (grpc).
 * Spec: grpc/doc/statuscodes.md. SPDX-License-Identifier: Apache-2.0
 */
#include "base/error.h"

#include "base/error_codes.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static size_t format_message(char out[ERROR_MESSAGE_MAX], const char *format, va_list arguments)
{
    int length = vsnprintf(out, ERROR_MESSAGE_MAX, format, arguments);
    if (length < 0) {
        out[0] = '\0';
        return 0;
    }
    if (length < ERROR_MESSAGE_MAX)
        return (size_t)length;
    return utf8_cut(out, ERROR_MESSAGE_MAX - 1);
}

static enum status fill(struct error *error, enum status status, const char *code,
                        const char *format, va_list arguments)
{
    assert(status != STATUS_OK);
    if (!error)
        return status;
    char message[ERROR_MESSAGE_MAX];
    size_t length = format_message(message, format, arguments);
    error_clear(error);
    error->status = status;
    error->code = code;
    memcpy(error->message, message, length);
    error->message[length] = '\0';
    return status;
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, NULL, format, arguments);
    va_end(arguments);
    return status;
}

enum status error_set_code(struct error *error, enum status status, const char *code,
                           const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, code, format, arguments);
    va_end(arguments);
    return status;
}

enum status error_set_sqlstate(struct error *error, const char *sqlstate, const char *format, ...)
{
    const struct error_code *row = error_code_of_sqlstate(sqlstate);
    va_list arguments;
    va_start(arguments, format);
    fill(error, row->status, row->name, format, arguments);
    va_end(arguments);
    if (error)
        error->sqlstate = row->sqlstate;
    return row->status;
}

static const struct {
    int number;
    enum status status;
} errno_statuses[] = {
    {ENOENT, STATUS_NOT_FOUND},          {ENOTDIR, STATUS_NOT_FOUND},
    {EEXIST, STATUS_ALREADY_EXISTS},     {EACCES, STATUS_PERMISSION_DENIED},
    {EPERM, STATUS_PERMISSION_DENIED},   {EROFS, STATUS_PERMISSION_DENIED},
    {ENOSPC, STATUS_RESOURCE_EXHAUSTED}, {EDQUOT, STATUS_RESOURCE_EXHAUSTED},
    {EMFILE, STATUS_RESOURCE_EXHAUSTED}, {ENFILE, STATUS_RESOURCE_EXHAUSTED},
    {ENOMEM, STATUS_RESOURCE_EXHAUSTED}, {EAGAIN, STATUS_RESOURCE_EXHAUSTED},
    {ECONNREFUSED, STATUS_UNAVAILABLE},  {ECONNRESET, STATUS_UNAVAILABLE},
    {EHOSTUNREACH, STATUS_UNAVAILABLE},  {ENETUNREACH, STATUS_UNAVAILABLE},
    {EPIPE, STATUS_UNAVAILABLE},         {ETIMEDOUT, STATUS_DEADLINE_EXCEEDED},
};

static enum status status_of_errno(int number)
{
    for (size_t i = 0; i < ARRAY_COUNT(errno_statuses); i++) {
        if (errno_statuses[i].number == number)
            return errno_statuses[i].status;
    }
    return STATUS_INTERNAL;
}

/* A full disk has a code of its own. */
static const char *code_of_errno(int number)
{
    return number == ENOSPC || number == EDQUOT ? "STORAGE_FULL" : NULL;
}

enum status error_set_errno(struct error *error, int saved_errno, const char *format, ...)
{
    char what[ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_message(what, format, arguments);
    va_end(arguments);
    char reason[128];
    return error_set_code(error, status_of_errno(saved_errno), code_of_errno(saved_errno),
                          "%.*s: %s", (int)length, what,
                          strerror_r(saved_errno, reason, sizeof(reason)));
}

/* The length of `text` up to `mark` and `kept` bytes of it; `size` where the mark is not before that. */
static size_t cut_at(const char *text, size_t size, const char *mark, size_t kept)
{
    const char *found = strstr(text, mark);
    size_t end = found ? (size_t)(found - text) + kept : size;
    return end < size ? end : size;
}

/* Failures that are the client's: what their messages quote is what it wrote. */
static bool quotes_the_client(enum status status)
{
    return status == STATUS_INVALID_ARGUMENT || status == STATUS_NOT_FOUND ||
           status == STATUS_ALREADY_EXISTS || status == STATUS_FAILED_PRECONDITION ||
           status == STATUS_ABORTED || status == STATUS_OUT_OF_RANGE;
}

size_t error_log_size(const struct error *error)
{
    static const char engine_kind[] = " Error: "; /* "Conversion Error: Could not convert 'x' .." */
    static const char remote_kind[] = "DB::Exception"; /* behind "Code: 62. " */
    const char *text = error->message;
    size_t size = cut_at(text, strlen(text), "\n", 0);
    size = cut_at(text, size, engine_kind, strlen(" Error"));
    size = cut_at(text, size, remote_kind, strlen(remote_kind));
    return quotes_the_client(error->status) ? cut_at(text, size, " '", 0) : size;
}

static const char *const status_names[STATUS_COUNT] = {
    [STATUS_OK] = "OK",
    [STATUS_CANCELLED] = "CANCELLED",
    [STATUS_UNKNOWN] = "UNKNOWN",
    [STATUS_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [STATUS_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [STATUS_NOT_FOUND] = "NOT_FOUND",
    [STATUS_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [STATUS_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [STATUS_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [STATUS_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [STATUS_ABORTED] = "ABORTED",
    [STATUS_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [STATUS_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [STATUS_INTERNAL] = "INTERNAL",
    [STATUS_UNAVAILABLE] = "UNAVAILABLE",
    [STATUS_DATA_LOSS] = "DATA_LOSS",
    [STATUS_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *status_name(enum status status)
{
    if ((unsigned)status >= STATUS_COUNT)
        return "UNKNOWN";
    return status_names[status];
}
