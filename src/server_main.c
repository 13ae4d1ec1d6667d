/*
 * server_main.c — the entry of the program that has the engine, which `volley serve` and `volley version`
 * hand over to (cli/server_program.c).
 *
 * Runs on: the main thread, which must be the only one. Owns: the settings while the server runs.
 * Not done here: the server (server).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "cli/command.h"
#include "cli/load.h"
#include "server/server.h"

#include <stdio.h>
#include <sys/prctl.h>

struct given {
    char *const *arguments;
    size_t count;
};

static enum exit_code exit_code_of(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return CLI_FINE;
    case STATUS_INVALID_ARGUMENT:
        return CLI_USAGE;
    case STATUS_UNAVAILABLE:
        return CLI_UNREACHABLE;
    default:
        return CLI_FAILED;
    }
}

static enum status load_again(void *context, const struct settings **out_settings,
                              struct error *error)
{
    const struct given *given = context;
    return cli_load_settings(given->arguments, given->count, out_settings, error);
}

static enum exit_code serve(char *const *arguments, size_t count)
{
    struct error error = ERROR_NONE;
    CLEANUP(settings_destroy) const struct settings *settings = NULL;
    if (cli_load_settings(arguments, count, &settings, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    struct given given = {arguments, count};
    const struct server_reload reload = {.load = load_again, .context = &given};
    enum status status = server_run(settings, &reload, &error);
    if (status != STATUS_OK)
        cli_complain("%s", error.message);
    return exit_code_of(status);
}

static enum exit_code tell_version(char *const *arguments, size_t count)
{
    (void)arguments;
    (void)count;
    (void)printf("volley %s\nduckdb %s, %s\n", VOLLEY_VERSION, server_engine_version(),
                 VOLLEY_LIBRARIES);
    return CLI_FINE;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum exit_code (*run)(char *const *arguments, size_t count);
    } commands[] = {{"serve", serve}, {"version", tell_version}};
    /* Who looks for a running `volley` by its name is to find it. */
    (void)prctl(PR_SET_NAME, "volley");
    struct str name = argc > 1 ? str_of(argv[1]) : STR_EMPTY;
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (str_equal(name, str_of(commands[i].name)))
            return (int)commands[i].run(argv + 2, (size_t)argc - 2);
    }
    cli_complain("volley-server is started by volley: volley serve --help tells more");
    return (int)CLI_USAGE;
}
