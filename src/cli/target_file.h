/*
 * target_file.h — the file that a result goes to: whole, or not there.
 *
 * It is written under the name FILE.<16 digits>.part beside it, and takes its name when it is complete. The
 * digits tell what is in it (a hash of the dataset's id and what of it is wanted), so that only a part of
 * the same thing is taken up again. A FILE that is no regular file (a device, a pipe) is written as it is.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/str.h"

struct target_file {
    int fd;
    char *path;      /* the FILE, links followed */
    char *part_path; /* NULL: FILE itself is written */
};

/* Opens FILE. `resume` keeps what an earlier run left in the part of the same key, else it is emptied.
 * INVALID_ARGUMENT for a folder; FAILED_PRECONDITION when another process writes the same. */
MUST_CHECK enum status target_file_open(struct target_file *file, struct str path, uint64_t key,
                                        bool resume, struct error *error);
/* All bytes of the part, mapped; *out_bytes is released before the file grows. */
MUST_CHECK enum status target_file_map(const struct target_file *file, struct slice *out_bytes,
                                       struct error *error);
/* Cuts the part and goes on behind `size`. */
MUST_CHECK enum status target_file_cut(struct target_file *file, uint64_t size,
                                       struct error *error);
/* Gives FILE its name and closes it. */
MUST_CHECK enum status target_file_commit(struct target_file *file, struct error *error);
/* Closes it; the part is removed unless `keep`. */
void target_file_close(struct target_file *file, bool keep);

/* Adds a text to a hash that is the same in every process; start with TARGET_KEY_START. */
#define TARGET_KEY_START UINT64_C(0xcbf29ce484222325)
uint64_t target_key_add(uint64_t key, struct str text);
