/*
 * pager.h — what does not fit the terminal goes through $PAGER, else less.
 *
 * Threads: the main thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/output.h"

struct pager {
    bool is_on;
    int pid;         /* 0: none runs */
    int terminal_fd; /* of the output, while one runs */
};

/* Has the pager look at what `output`, a terminal's, is about to write first; until pager_end. */
void pager_watch(struct pager *pager, struct output *output);
/* Waits until the user has left the pager, and gives the output back to the terminal. */
void pager_end(struct pager *pager, struct output *output);
