/*
 * server_program.h — the program that has the engine: what of the command line runs in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/command.h"

/* Replaces this process by `volley-server COMMAND ARGUMENTS`; what it returns tells that this failed, and
 * was said. */
enum exit_code server_program_run(const char *command, char *const *arguments, size_t count);
