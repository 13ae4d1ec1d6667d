/*
 * memory.c — allocation that aborts instead of failing.
 *
 * Runs on: any thread. Owns: nothing. Not done here: limits on sizes that come from outside (base/
 * checked.h and the caller's named limit).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"

#include "base/checked.h"

#include <string.h>
#include <unistd.h>

static _Noreturn void abort_without_memory(void)
{
    static const char message[] = "volley: out of memory\n";
    /* Nothing is left to do when even this fails. */
    ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
    (void)written;
    abort();
}

void *memory_new(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (!memory)
        abort_without_memory();
    return memory;
}

void *memory_new_array(size_t count, size_t size)
{
    size_t total;
    if (!checked_mul(count, size, &total))
        abort_without_memory();
    return memory_new(total);
}

void *memory_resize(void *memory, size_t count, size_t size)
{
    size_t total;
    if (!checked_mul(count, size, &total))
        abort_without_memory();
    void *resized = realloc(memory, total > 0 ? total : 1);
    if (!resized)
        abort_without_memory();
    return resized;
}

void *memory_new_aligned(size_t alignment, size_t size)
{
    void *memory = aligned_alloc(alignment, size);
    if (!memory)
        abort_without_memory();
    return memory;
}

char *memory_copy_text(const char *text, size_t size)
{
    size_t total;
    if (!checked_add(size, (size_t)1, &total))
        abort_without_memory();
    char *copy = memory_new(total);
    if (size > 0)
        memcpy(copy, text, size);
    return copy;
}
