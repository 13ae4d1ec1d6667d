/*
 * fake_engine.h — an engine whose statements do what their text says; for the tests of queries.
 *
 *     rows N       appends N batches of one row (a query)
 *     late rows N  the same, whose columns are known only after fake_engine_release
 *     update N     changes N rows
 *     fail         ends with INVALID_ARGUMENT "fake failure"
 *     syntax       cannot be prepared
 *     compute      runs until it is interrupted
 *     stubborn N   runs until it was interrupted N times
 *     block        runs until fake_engine_release, interrupted or not; CANCELLED if it was
 *     block update the same with an effect: takes place in any case, 7 rows
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/engine.h"
#include "event/lock.h"

#include <stdatomic.h>

struct engine {
    struct arrow_schema *schema;     /* one column of 64-bit integers */
    struct arrow_schema *no_columns; /* of one whose columns are not known */
    atomic_int statements;           /* in existence */
    atomic_int runs;
    atomic_int changes; /* updates that ran: what was captured before is not current any more */
    atomic_int inside;  /* runs that have not returned */
    struct lock lock;
    struct condition changed;
    bool is_released;
};

struct engine *fake_engine_create(void);
void fake_engine_destroy(struct engine *engine);
void fake_engine_release(struct engine *engine);
/* Sessions carry nothing: a session is the engine. */
struct engine_session *fake_session(struct engine *engine);
