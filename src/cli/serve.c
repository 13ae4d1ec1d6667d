/*
 * serve.c — `volley serve`: the way to the program that serves, or to a file of its settings.
 *
 * Runs on: the main thread, which must be the only one. Owns: nothing.
 * Not done here: the server (server_main.c, server).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/server_program.h"

enum exit_code cli_serve(char *const *arguments, size_t count)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    bool prints_config;
    char **kept = options_without(&arena, arguments, &count, "print-config", &prints_config);
    return prints_config ? cli_print_config(kept, count) : server_program_run("serve", kept, count);
}
