/*
 * command.c — which command was meant: dispatch, suggestions.
 *
 * Runs on: the main thread. Owns: nothing.
 * Not done here: what a command does (its own file), the commands (commands.c), help (help.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/colour.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/layout.h"

#include "base/nearest.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A byte takes at most four when it is made harmless. */
#define COMPLAINT_BYTES_MAX ((size_t)8 * ERROR_MESSAGE_MAX)

void cli_complain(const char *format, ...)
{
    char message[2 * ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, COMPLAINT_BYTES_MAX);
    layout_append_lines(str_of(message), &text); /* some of it are words of a server */
    bool is_coloured = colour_is_on(STDERR_FILENO);
    (void)fprintf(stderr, "%svolley:%s %.*s\n", is_coloured ? COLOUR_ERROR : "",
                  is_coloured ? COLOUR_END : "", STR_ARGS(buf_str(&text)));
}

enum exit_code cli_connect_exit(const struct error *error)
{
    return error->status == STATUS_UNAVAILABLE ? CLI_UNREACHABLE : CLI_USAGE;
}

enum exit_code cli_fail(enum exit_code code, const struct error *error)
{
    cli_complain("%s", error->message);
    return code;
}

static bool is_help(struct str word)
{
    return str_equal(word, STR("--help")) || str_equal(word, STR("-h")) ||
           str_equal(word, STR("-help"));
}

static bool asks_for_help(char *const *arguments, size_t count)
{
    for (size_t i = 0; i < count && !str_equal(str_of(arguments[i]), STR("--")); i++) {
        if (is_help(str_of(arguments[i])))
            return true;
    }
    return false;
}

static enum exit_code refuse_command(struct str name)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < commands_count; i++)
        nearest_offer(&nearest, str_of(commands_table[i].name));
    if (nearest.best.len > 0)
        cli_complain("unknown command '%.*s'; did you mean '%.*s'?", STR_ARGS(name),
                     STR_ARGS(nearest.best));
    else
        cli_complain("unknown command '%.*s'; volley --help lists all", STR_ARGS(name));
    return CLI_USAGE;
}

static enum exit_code run_command(const struct command *command, char *const *arguments,
                                  size_t count)
{
    if (asks_for_help(arguments, count)) {
        help_print_command(command);
        return CLI_FINE;
    }
    return command->run(arguments, count);
}

/* `volley help sql` */
static enum exit_code run_help(char *const *arguments, size_t count)
{
    const struct command *command = count > 0 ? commands_find(str_of(arguments[0])) : NULL;
    if (count > 0 && !command)
        return refuse_command(str_of(arguments[0]));
    if (command)
        help_print_command(command);
    else
        help_print();
    return CLI_FINE;
}

static enum exit_code run(char *const *arguments, size_t count)
{
    struct str first = count > 0 ? str_of(arguments[0]) : STR("help");
    const struct command *command = commands_find(first);
    if (command)
        return run_command(command, arguments + 1, count - 1);
    if (str_equal(first, STR("help")) || is_help(first))
        return run_help(arguments + 1, count > 0 ? count - 1 : 0);
    if (str_equal(first, STR("--version")) || str_equal(first, STR("-version")))
        return cli_version(arguments + 1, count - 1);
    /* Flags without a command are those of serve. */
    if (first.len > 1 && first.ptr[0] == '-')
        return run_command(&commands_table[0], arguments, count);
    return refuse_command(first);
}

/* What was printed is written now at the latest; that nobody reads it is no failure. */
static enum exit_code end(enum exit_code code)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
        return code;
    cli_complain("cannot write the output%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
    return code == CLI_FINE ? CLI_FAILED : code;
}

enum exit_code cli_run(char *const *arguments, size_t count)
{
    return end(run(arguments, count));
}
