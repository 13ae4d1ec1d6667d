/*
 * put_wishes.h — how a client wants its upload kept: mode, durability, time to live.
 *
 * The same three names stand in metadata and headers (`volley-mode`), in query parameters, in the JSON of a
 * descriptor and in that of app_metadata.
 *
 * Threads: any; no state. Source: contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "store/put.h"

struct put_wishes {
    bool has_mode;
    bool has_durability;
    enum put_mode mode;
    enum dataset_durability durability;
    uint64_t ttl_ms; /* 0: not told */
};

enum { PUT_WISH_MODE, PUT_WISH_DURABILITY, PUT_WISH_TTL };
#define PUT_WISH_COUNT 3
/* "mode", "durability", "ttl". */
extern const char *const put_wish_names[PUT_WISH_COUNT];

/* Sets the wish of put_wish_names[index]. INVALID_ARGUMENT naming it, the text and what is taken. */
MUST_CHECK enum status put_wish_set(struct put_wishes *wishes, size_t index, struct str text,
                                    struct error *error);
/* "10m", "1.5h", "250ms"; a bare number is seconds. False for anything else, 0 and more than ten years
 * included. */
bool put_ttl_parse(struct str text, uint64_t *out_ttl_ms);
/* Batches by id are what their sender wants processed: they survive the process unless told otherwise. */
enum dataset_durability put_wishes_durability(const struct put_wishes *wishes, bool has_path);
