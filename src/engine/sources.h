/*
 * sources.h — what the rows of a statement depend on, and whether all of that is still as it was.
 *
 * Captured before a run, asked again after it and whenever the rows are to serve again: while the answer is
 * yes, another run would give the same rows. Counted are writes through this engine by the names they
 * change (at the statement, and at the COMMIT of its transaction), definitions, datasets, and files by size
 * and time.
 * What cannot be told counts as changed: a wrong no costs a run, a wrong yes does not occur.
 *
 * Threads: any. engine_sources_capture blocks shortly. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/engine.h"

struct engine_sources;

/* What `sql` reads in a session with these settings (ENGINE_SESSION_SETTING_COUNT texts, an empty one is the
 * default; NULL: all default), as it stands now. NULL, and *out_reason (a constant) why: it is not one
 * statement that only reads, another run may give other rows whatever happens (volatile functions, samples),
 * or it reads what is not watched. The engine outlives the sources. */
struct engine_sources *engine_sources_capture(struct engine *engine, struct str sql,
                                              const struct str *session, const char **out_reason);
/* False for ever once something has changed. */
bool engine_sources_are_current(const struct engine_sources *sources);
void engine_sources_destroy(struct engine_sources *sources);
CLEANUP_FUNCTION(struct engine_sources *, engine_sources_destroy)
