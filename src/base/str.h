/*
 * str.h — text as pointer and length, by value; never owns, need not end in NUL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr; /* NULL only when len is 0 */
    size_t len;      /* bytes */
};

/* For printf's "%.*s". */
#define STR_ARGS(text) (int)(text).len, ((text).ptr ? (text).ptr : "")
/* A str of a string literal. */
#define STR(literal) ((struct str){.ptr = ("" literal), .len = sizeof(literal) - 1})
#define STR_EMPTY ((struct str){.ptr = NULL, .len = 0})

static inline struct str str_of(const char *text)
{
    return (struct str){.ptr = text, .len = text ? strlen(text) : 0};
}

static inline struct str str_make(const void *ptr, size_t len)
{
    return (struct str){.ptr = (const char *)ptr, .len = len};
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII letters compare without case. */
bool str_begins_nocase(struct str text, struct str prefix); /* which is not longer */
static inline bool str_equal_nocase(struct str a, struct str b)
{
    return a.len == b.len && str_begins_nocase(a, b);
}
static inline bool str_starts_with(struct str text, struct str prefix)
{
    return text.len >= prefix.len && str_equal(str_make(text.ptr, prefix.len), prefix);
}
static inline bool str_starts_with_nocase(struct str text, struct str prefix)
{
    return text.len >= prefix.len && str_begins_nocase(text, prefix);
}
bool str_ends_with(struct str text, struct str suffix);
/* Byte order, shorter first; for sorting. */
int str_compare(struct str a, struct str b);
/* The index of the first `byte`, or -1. */
static inline ptrdiff_t str_find(struct str text, char byte)
{
    const char *found = text.len > 0 ? (const char *)memchr(text.ptr, byte, text.len) : NULL;
    return found ? found - text.ptr : -1;
}
/* The index of the first occurrence of `part`, or -1. */
ptrdiff_t str_find_str(struct str text, struct str part);
/* text[from, to), both cut to the text's bounds. */
static inline struct str str_slice(struct str text, size_t from, size_t to)
{
    to = to < text.len ? to : text.len;
    from = from < to ? from : to;
    return str_make(text.ptr ? text.ptr + from : NULL, to - from);
}
/* Without ASCII white space at both ends. */
struct str str_trim(struct str text);
/* Cuts *text at the first `separator`: returns what stands before it and leaves what stands after;
 * without a separator returns all and leaves an empty str. */
struct str str_split(struct str *text, char separator);
/* The whole text as a decimal number without sign; false when it is not one or does not fit. */
bool str_to_u64(struct str text, uint64_t *out);
/* The same with an optional leading '-'. */
bool str_to_i64(struct str text, int64_t *out);
bool str_to_double(struct str text, double *out);
/* A NUL-terminated copy on the heap; free() releases it. */
char *str_copy(struct str text);
/* True when the bytes are valid UTF-8 (RFC 3629: no overlong forms, no surrogates). */
bool str_is_utf8(struct str text);
/* 64-bit hash for tables in this process; not stable between processes. */
uint64_t str_hash(struct str text);
