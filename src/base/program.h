/*
 * program.h — another program, by the system's shell: pagers, editors, whatever the user names.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"

/* Starts `sh -c command` with signals as a program expects them; `input` and `output` become its standard
 * input and output unless they are negative. 0: it cannot be started. */
int program_start(const char *command, int input, int output);
/* Waits for its end and returns its exit code; 128 and the signal's number when one ended it. */
int program_wait(int pid);
/* Both; INTERNAL and UNKNOWN tell that it was not started or failed. */
MUST_CHECK enum status program_run(const char *command, struct error *error);
