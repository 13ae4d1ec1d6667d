/*
 * version.c — `volley version`: the program and the libraries that it was built with.
 *
 * Runs on: the main thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "server/server.h"

#include <stdio.h>

enum exit_code cli_version(char *const *arguments, size_t count)
{
    if (count > 0) {
        cli_complain("version takes no arguments");
        return CLI_USAGE;
    }
    (void)printf("volley %s\nduckdb %s, %s\n", VOLLEY_VERSION, server_engine_version(),
                 VOLLEY_LIBRARIES);
    return CLI_FINE;
}
