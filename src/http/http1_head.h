/*
 * http1_head.h — the raw head of an HTTP/1.x request: where it ends and whether it is unambiguous.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "base/str.h"

enum http1_head_state {
    HTTP1_HEAD_PARTIAL,  /* more bytes are needed */
    HTTP1_HEAD_COMPLETE, /* *out_size bytes, with the empty line */
    HTTP1_HEAD_BROKEN,   /* no head of HTTP/1.x can begin like this */
};

/* Looks for the end of a head. `*scanned` remembers how far earlier calls looked; 0 at first. */
enum http1_head_state http1_head_find(struct str bytes, size_t *scanned, size_t *out_size);
/* 0 when every reader of this head would understand the same, else the status to answer with. */
unsigned http1_head_check(struct str head);
