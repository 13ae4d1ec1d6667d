/*
 * data_folder.h — the folder `data-dir`: one server at a time, a format version, the ticket key.
 * Threads: the composition root's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

#define TICKET_KEY_BYTES 32

struct data_folder;

/* Opens the folder, making it if needed. With an empty path there is none: the ticket key is made for
 * this process. UNAVAILABLE naming the other's pid when a server runs on it; FAILED_PRECONDITION when its
 * format is newer than ours; else what the system says, with the setting that changes it. */
MUST_CHECK enum status data_folder_open(struct str path, struct data_folder **out_folder,
                                        struct error *error);
/* Releases the lock. */
void data_folder_close(struct data_folder *folder);
CLEANUP_FUNCTION(struct data_folder *, data_folder_close)
struct str data_folder_ticket_key(const struct data_folder *folder);
/* The path of a sub-folder, made if needed; empty without a folder. */
struct str data_folder_temporary(const struct data_folder *folder);
/* Makes the sub-folder `name` if needed; its path (free() releases it), or NULL without a folder. */
MUST_CHECK enum status data_folder_make(const struct data_folder *folder, const char *name,
                                        char **out_path, struct error *error);
