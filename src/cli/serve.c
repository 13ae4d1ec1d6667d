/*
 * serve.c — `volley serve`: the way to the program that serves.
 *
 * Runs on: the main thread, which must be the only one. Owns: nothing.
 * Not done here: the server (server_main.c, server).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/server_program.h"

enum exit_code cli_serve(char *const *arguments, size_t count)
{
    return server_program_run("serve", arguments, count);
}
