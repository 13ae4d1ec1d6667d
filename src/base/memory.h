/*
 * memory.h — allocation that does not fail, and the container of a member.
 *
 * Small allocations abort the process when the system is out of memory: they do not fail in practice
 * and thousands of untestable branches disappear. Anything whose size a client controls is checked
 * against a limit first, by its caller.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

/* `size` zeroed bytes; aborts when there are none. free() releases them. */
void *memory_new(size_t size) __attribute__((malloc, returns_nonnull));

/* `count` zeroed elements of `size` bytes; aborts on overflow and when there is no memory. */
void *memory_new_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* realloc to count * size bytes, new bytes not initialised; aborts on overflow and no memory. */
void *memory_resize(void *memory, size_t count, size_t size) __attribute__((returns_nonnull));

/* `size` bytes aligned to `alignment` (a power of two that divides `size`), not initialised; aborts when
 * there are none. */
void *memory_new_aligned(size_t alignment, size_t size) __attribute__((returns_nonnull));

/* A NUL-terminated copy of `size` bytes. */
char *memory_copy_text(const char *text, size_t size) __attribute__((returns_nonnull));

#define NEW(type) ((type *)memory_new(sizeof(type)))
#define NEW_ARRAY(type, count) ((type *)memory_new_array((count), sizeof(type)))

/* The struct of `type` whose `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
