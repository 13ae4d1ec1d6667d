/*
 * http2_memory.h — the memory of nghttp2's sessions.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/pool.h"

/* From the loop's pool; the pages of a large block are not resident before they are written. */
nghttp2_mem http2_memory(struct http_pool *pool);
