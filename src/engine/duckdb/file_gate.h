/*
 * file_gate.h — which files a statement may read. Private to engine/duckdb.
 *
 * The engine enforces its own list of paths, but adds the database file, its log and the spill folder
 * to it, and these must not be readable as files. So the functions that read files may only be given
 * paths written out in the statement, and every text in a statement is checked against those three.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"

struct protected_path {
    struct str path; /* absolute */
    bool is_folder;
};

struct file_gate {
    struct str *allowed; /* absolute paths of files and folders (these end in '/') */
    size_t allowed_count;
    struct protected_path *protected_paths; /* database file, log, spill folder */
    size_t protected_count;
};

/* Adds a file or folder that may be read; NOT_FOUND when it does not exist. Texts go to the arena;
 * *out_path is the absolute path. */
MUST_CHECK enum status file_gate_allow(struct file_gate *gate, struct arena *arena, struct str path,
                                       struct str *out_path, struct error *error);
/* Adds a path that may never be read, whether it exists or not. */
void file_gate_protect(struct file_gate *gate, struct arena *arena, struct str path,
                       bool is_folder);
/* PERMISSION_DENIED with position when the statement reads, or may read, another file. */
MUST_CHECK enum status file_gate_check(const struct file_gate *gate, struct str sql,
                                       struct error *error);
