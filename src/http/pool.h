/*
 * pool.h — memory of a loop's requests and sessions, which is asked for and given back all the time.
 *
 * Private to http; one loop's thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#define HTTP_POOL_STEP_BYTES 64
#define HTTP_POOL_CLASSES 64

struct http_pool {
    struct http_pool_block *kept[HTTP_POOL_CLASSES]; /* by size */
    size_t kept_bytes;
};

void http_pool_finish(struct http_pool *pool);
/* `size` bytes as they come, aligned to 16; NULL when there is no memory. */
void *http_pool_take(struct http_pool *pool, size_t size);
/* NULL is allowed. */
void http_pool_give(struct http_pool *pool, void *bytes);
/* How many bytes there are, at least what was asked for. */
size_t http_pool_capacity(const void *bytes);
