/*
 * startup_pages.h — gives back what only the start needed.
 * Threads: the composition root's, once. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Takes the pages of programs and libraries that are unchanged copies of their files out of the process:
 * those that are needed later come back from the page cache, some at a time. */
void startup_pages_release(void);
