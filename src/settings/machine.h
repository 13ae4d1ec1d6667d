/*
 * machine.h — what defaults depend on: cores, memory and the folders of the user.
 *
 * Memory and cores are the smaller of what the machine has and what the control group (cgroup v2, or
 * the memory and cpu controllers of v1) allows, looked up from the process's group to the root.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct machine {
    uint64_t cores;        /* at least 1 */
    uint64_t memory_bytes; /* at least 1 */
    /* Environment of the process; empty when not set. They live as long as `environment` given to
     * machine_read. */
    struct str state_directory; /* STATE_DIRECTORY */
    struct str state_home;      /* XDG_STATE_HOME */
    struct str home;            /* HOME */
};

/* Measures. `root` stands before /proc and /sys ("" on a real machine). */
void machine_read(const char *root, char *const *environment, struct machine *out_machine);
