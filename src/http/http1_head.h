/*
 * http1_head.h — the raw head of an HTTP/1.x request: where it ends and whether it is unambiguous.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum http1_head_state {
    HTTP1_HEAD_PARTIAL,  /* more bytes are needed */
    HTTP1_HEAD_COMPLETE, /* *out_size bytes, with the empty line */
    HTTP1_HEAD_BROKEN,   /* no head of HTTP/1.x can begin like this */
};

/* Looks for the end of a head. `*scanned` remembers how far earlier calls looked; 0 at first. */
enum http1_head_state http1_head_find(struct str bytes, size_t *scanned, size_t *out_size);
/* Why a head is refused: what it is answered with. */
struct http1_fault {
    unsigned status;  /* 0: it is not */
    const char *text; /* one sentence */
};
/* What a head found HTTP1_HEAD_BROKEN is refused with. */
extern const struct http1_fault http1_head_broken;
/* Whether these refused bytes are not HTTP/1 at all: whoever sends that would not understand an answer. */
bool http1_head_is_foreign(struct str bytes);
/* Status 0 when every reader of this head would understand the same. */
struct http1_fault http1_head_check(struct str head);
/* Splits "http://host/path" (or https) into host and path; false when the target is not like that. */
bool http1_target_is_absolute(struct str target, struct str *out_host, struct str *out_path);
