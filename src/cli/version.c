/*
 * version.c — `volley version`: the program and the libraries that it was built with.
 *
 * The engine's version is asked of the engine, which the server's program has.
 *
 * Runs on: the main thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/server_program.h"

enum exit_code cli_version(char *const *arguments, size_t count)
{
    if (count > 0) {
        cli_complain("version takes no arguments");
        return CLI_USAGE;
    }
    return server_program_run("version", arguments, count);
}
