/*
 * option_set.h — the options that a session has set: never changed, only replaced, so that a call reads
 * the same ones to its end.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stddef.h>

struct option_set;

/* A set like `before` (NULL: none is set) with one more value, or without it (empty); NULL when none is
 * set then. `before` stays the caller's. */
struct option_set *option_set_with(const struct option_set *before, size_t option,
                                   struct str value);
struct option_set *option_set_ref(struct option_set *set);
void option_set_unref(struct option_set *set);
CLEANUP_FUNCTION(struct option_set *, option_set_unref)
/* The value of an option (option_table.h), or empty; NULL is an empty set. It lives as long as the set. */
struct str option_set_value(const struct option_set *set, size_t option);
