/*
 * answer.c — what a ClickHouse server says of a failure, as one of our errors.
 *
 * The server writes "Code: 62. DB::Exception: <text>. (SYNTAX_ERROR) (version ...)", as the body of an answer
 * whose status is an error, or behind the rows of one that began well. The number decides; the text is kept.
 *
 * Runs on: the caller's thread. Owns: nothing. Source: ClickHouse, "Error codes".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "clickhouse/clickhouse_private.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/utf8.h"

#define CODE_MARK STR("Code: ")
#define CODE_DIGITS_MAX 6
#define EXCERPT_BYTES 200

enum meaning {
    MEANS_STATEMENT, /* the text says what is wrong with it */
    MEANS_LOGIN,     /* with how we log in */
    MEANS_FORMAT,    /* the server is too old */
};

struct known_code {
    unsigned number;
    enum status status;
    const char *code;
    enum meaning meaning;
};

static const struct known_code known_codes[] = {
    {36, STATUS_INVALID_ARGUMENT, "INVALID_SQL", MEANS_STATEMENT},
    {49, STATUS_INTERNAL, "DATABASE_ERROR", MEANS_STATEMENT},
    {57, STATUS_ALREADY_EXISTS, "ALREADY_EXISTS", MEANS_STATEMENT},
    {60, STATUS_NOT_FOUND, "TABLE_NOT_FOUND", MEANS_STATEMENT},
    {62, STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR", MEANS_STATEMENT},
    {73, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", MEANS_FORMAT},
    {81, STATUS_NOT_FOUND, "TABLE_NOT_FOUND", MEANS_STATEMENT},
    {82, STATUS_ALREADY_EXISTS, "ALREADY_EXISTS", MEANS_STATEMENT},
    {158, STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", MEANS_STATEMENT},
    {159, STATUS_DEADLINE_EXCEEDED, "QUERY_TIMEOUT", MEANS_STATEMENT},
    {160, STATUS_DEADLINE_EXCEEDED, "QUERY_TIMEOUT", MEANS_STATEMENT},
    {164, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED", MEANS_STATEMENT},
    {192, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", MEANS_LOGIN},
    {193, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", MEANS_LOGIN},
    {194, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", MEANS_LOGIN},
    {201, STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", MEANS_STATEMENT},
    {202, STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", MEANS_STATEMENT},
    {209, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", MEANS_STATEMENT},
    {210, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", MEANS_STATEMENT},
    {241, STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", MEANS_STATEMENT},
    {243, STATUS_RESOURCE_EXHAUSTED, "STORAGE_FULL", MEANS_STATEMENT},
    {291, STATUS_PERMISSION_DENIED, "PERMISSION_DENIED", MEANS_STATEMENT},
    {307, STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", MEANS_STATEMENT},
    {394, STATUS_CANCELLED, "QUERY_CANCELLED", MEANS_STATEMENT},
    {396, STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", MEANS_STATEMENT},
    {497, STATUS_PERMISSION_DENIED, "PERMISSION_DENIED", MEANS_STATEMENT},
    {516, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", MEANS_LOGIN},
    {734, STATUS_CANCELLED, "QUERY_CANCELLED", MEANS_STATEMENT},
    {735, STATUS_CANCELLED, "QUERY_CANCELLED", MEANS_STATEMENT},
    {1001, STATUS_INTERNAL, "DATABASE_ERROR", MEANS_STATEMENT},
    {1002, STATUS_INTERNAL, "DATABASE_ERROR", MEANS_STATEMENT},
};

/* What is not in the table is about what the statement says, as most codes are. */
static struct known_code meaning_of(unsigned number)
{
    for (size_t i = 0; i < ARRAY_COUNT(known_codes); i++)
        if (known_codes[i].number == number)
            return known_codes[i];
    return (struct known_code){number, STATUS_INVALID_ARGUMENT, "INVALID_SQL", MEANS_STATEMENT};
}

/* --- the text ----------------------------------------------------------------------------------- */

/* Reads the digits at the start of a text. */
static bool read_number(struct str text, unsigned *out_number, size_t *out_size)
{
    size_t size = 0;
    uint64_t number = 0;
    while (size < text.len && size < CODE_DIGITS_MAX && text.ptr[size] >= '0' &&
           text.ptr[size] <= '9')
        size++;
    if (!str_to_u64(str_slice(text, 0, size), &number))
        return false;
    *out_number = (unsigned)number;
    *out_size = size;
    return true;
}

/* The exception that a text is; else the last one in it, which may have rows before it, and these texts like
 * it; empty: there is none. */
static struct str find_exception(struct str text, unsigned *out_number)
{
    struct str found = STR_EMPTY;
    for (struct str rest = text;;) {
        ptrdiff_t at = str_find_str(rest, CODE_MARK);
        if (at < 0)
            return found;
        size_t digits = 0;
        unsigned number = 0;
        rest = str_slice(rest, (size_t)at, rest.len);
        struct str after = str_slice(rest, CODE_MARK.len, rest.len);
        bool is_one =
            read_number(after, &number, &digits) &&
            str_find_str(str_slice(after, digits, digits + 64), STR("DB::Exception")) >= 0;
        if (is_one) {
            *out_number = number;
            found = rest;
            if (found.ptr == text.ptr)
                return found;
        }
        rest = after;
    }
}

/* Without what stands behind the text of an exception: a trace, a mark of the end, the version. */
static struct str cut_text(struct str text)
{
    static const char *const ends[] = {"\r\n", "\nStack trace", ", Stack trace", "__exception__",
                                       " (version "};
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        ptrdiff_t at = str_find_str(text, str_of(ends[i]));
        if (at > 0)
            text = str_slice(text, 0, (size_t)at);
    }
    return str_trim(text);
}

/* The server says "failed at position 8", counting bytes from 1. */
static void set_position(struct error *error, struct str text)
{
    static const struct str mark = {"failed at position ", 19};
    unsigned position = 0;
    size_t digits = 0;
    ptrdiff_t at = str_find_str(text, mark);
    if (at >= 0 &&
        read_number(str_slice(text, (size_t)at + mark.len, text.len), &position, &digits) &&
        position > 0)
        error->position = (int64_t)position - 1;
}

/* Texts of statements and values that the server quotes may be of any bytes. */
static void append_clean(struct buf *out, struct str text)
{
    while (text.len > 0) {
        size_t size = utf8_sequence_length(text.ptr, text.len);
        bool is_control = size == 1 && (unsigned char)text.ptr[0] < ' ' && text.ptr[0] != '\n';
        if (size > 0 && !is_control)
            buf_append(out, text.ptr, size);
        else
            buf_append_text(out, is_control ? " " : UTF8_REPLACEMENT);
        text = str_slice(text, size > 0 ? size : 1, text.len);
    }
}

static void set_error(const struct clickhouse *clickhouse, struct known_code known, struct str text,
                      struct error *error)
{
    if (known.meaning == MEANS_LOGIN)
        (void)error_set_code(error, known.status, known.code,
                             "ClickHouse does not let the user '%.*s' in: check the settings "
                             "clickhouse-user and clickhouse-password (%.*s)",
                             STR_ARGS(clickhouse->user), STR_ARGS(text));
    else if (known.meaning == MEANS_FORMAT)
        (void)error_set_code(error, known.status, known.code,
                             "this ClickHouse server is too old: it has no ArrowStream format; "
                             "22.6 or later is needed (%.*s)",
                             STR_ARGS(text));
    else
        (void)error_set_code(error, known.status, known.code, "ClickHouse: %.*s", STR_ARGS(text));
}

bool clickhouse_read_exception(const struct clickhouse *clickhouse, struct str text,
                               struct error *error)
{
    unsigned number = 0;
    CLEANUP(buf_finish) struct buf clean;
    struct str found = find_exception(text, &number);
    buf_init(&clean, 4 * CLICKHOUSE_ERROR_BYTES_MAX);
    if (found.len == 0)
        return false;
    append_clean(&clean, cut_text(found));
    set_error(clickhouse, meaning_of(number), buf_str(&clean), error);
    if (error && number == 62)
        set_position(error, buf_str(&clean));
    return true;
}

enum status clickhouse_refusal(const struct clickhouse *clickhouse,
                               const struct fetch_response *response, struct error *error)
{
    struct error own = ERROR_NONE;
    CLEANUP(buf_finish) struct buf clean;
    error = error ? error : &own;
    buf_init(&clean, 4 * EXCERPT_BYTES);
    if (clickhouse_read_exception(clickhouse, buf_str(&response->body), error))
        return error->status;
    append_clean(&clean, str_trim(str_slice(buf_str(&response->body), 0, EXCERPT_BYTES)));
    return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                          "what answers at clickhouse-host and clickhouse-port is no ClickHouse: "
                          "HTTP status %u, '%.*s'",
                          response->http_status, STR_ARGS(buf_str(&clean)));
}
