/*
 * buf.h — a growable byte buffer that is born with its maximum.
 *
 * Appending past the maximum makes the buffer `failed` and changes nothing else; the caller looks
 * once, at the end (buf_check), instead of after each append.
 *
 * Owns: its bytes. Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

struct buf {
    uint8_t *ptr;    /* NULL until the first append; always followed by a NUL byte otherwise */
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes allocated, without the NUL */
    size_t size_max; /* len never exceeds it */
    bool failed;     /* an append did not fit */
};

void buf_init(struct buf *buf, size_t size_max);
/* Frees the bytes; the buf may be used again as after buf_init with the same maximum. */
void buf_finish(struct buf *buf);
CLEANUP_IN_PLACE(struct buf, buf_finish)
/* Forgets the content and keeps the memory. */
void buf_clear(struct buf *buf);

void buf_append(struct buf *buf, const void *bytes, size_t size);
void buf_append_str(struct buf *buf, struct str text);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_byte(struct buf *buf, uint8_t byte);
void buf_append_zeros(struct buf *buf, size_t count);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *format, va_list arguments);
/* Appends decimal digits, faster than buf_printf. */
void buf_append_i64(struct buf *buf, int64_t value);
void buf_append_u64(struct buf *buf, uint64_t value);
/* Appends the shortest decimal text that reads back as the same finite number. */
void buf_append_double(struct buf *buf, double value);
/* Appends `size` bytes that the caller fills (uninitialised) and returns their address; NULL when
 * they do not fit. Valid until the next append. */
uint8_t *buf_extend(struct buf *buf, size_t size);
/* STATUS_OK, or RESOURCE_EXHAUSTED "<what> exceeds <size_max> bytes" when an append did not fit. */
MUST_CHECK enum status buf_check(const struct buf *buf, const char *what, struct error *error);
/* The content as text. */
static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){.ptr = (const char *)buf->ptr, .len = buf->len};
}
/* Gives the bytes away (NUL-terminated, free() releases them) and leaves the buf empty; never NULL. */
char *buf_steal(struct buf *buf);
