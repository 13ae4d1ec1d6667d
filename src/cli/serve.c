/*
 * serve.c — `volley serve`: load the settings and run a server.
 *
 * Runs on: the main thread, which must be the only one. Owns: the settings while the server runs.
 * Not done here: the server (server).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/load.h"

#include "server/server.h"
#include "settings/settings.h"

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

struct serve_arguments {
    char *const *arguments;
    size_t count;
};

static enum status load_again(void *context, const struct settings **out_settings,
                              struct error *error)
{
    const struct serve_arguments *given = context;
    return cli_load_settings(given->arguments, given->count, out_settings, error);
}

enum exit_code cli_serve(char *const *arguments, size_t count)
{
    struct error error = ERROR_NONE;
    CLEANUP(settings_destroy) const struct settings *settings = NULL;
    if (cli_load_settings(arguments, count, &settings, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    struct serve_arguments given = {arguments, count};
    const struct server_reload reload = {.load = load_again, .context = &given};
    enum status status = server_run(settings, &reload, &error);
    if (status != STATUS_OK)
        cli_complain("%s", error.message);
    return exit_code_of(status);
}
