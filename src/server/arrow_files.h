/*
 * arrow_files.h — the command line's Arrow IPC files as datasets.
 * Threads: the composition root's, before the engine is opened. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "engine/engine.h"
#include "store/store.h"

/* Keeps the rows of each Arrow file among `files` as a dataset called like the file, and notes its path in
 * the file's `dataset`, in the arena. An error names the file. */
MUST_CHECK enum status arrow_files_load(struct store *store, struct arena *arena,
                                        struct engine_file *files, size_t count,
                                        struct error *error);
