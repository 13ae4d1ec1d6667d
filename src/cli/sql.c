/*
 * sql.c — `volley sql`: statements from arguments, a file, standard input or a terminal.
 *
 * Statements are cut out of the text as it arrives and run one after the other on one connection. At a
 * terminal, without statements and file, the interactive shell begins.
 *
 * Runs on: the main thread; Ctrl-C is watched by interrupt.c. Owns: the shell while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include "base/memory.h"
#include "cli/layout.h"
#include "cli/standard_output.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLES_GIVEN_MAX 64
#define PATH_BYTES_MAX 4096

struct sql_options {
    struct server_options server;
    struct str file;
    struct str output;            /* a file for results; empty: standard output */
    struct positionals variables; /* NAME=VALUE */
    unsigned format;
};

/* --- the history's file ----------------------------------------------------------------------- */

static void make_folders(char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
}

/* $VOLLEY_HISTORY, else volley/history below $XDG_STATE_HOME or ~/.local/state; empty: none. */
static void find_history(struct buf *out)
{
    const char *named = getenv("VOLLEY_HISTORY");
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (named)
        buf_append_text(out, named);
    else if (state && *state == '/')
        buf_printf(out, "%s/volley/history", state);
    else if (home && *home == '/')
        buf_printf(out, "%s/.local/state/volley/history", home);
    if (out->failed)
        buf_clear(out);
    if (out->len > 0 && !named)
        make_folders((char *)out->ptr);
}

/* --- running ---------------------------------------------------------------------------------- */

static enum status converse(struct shell *shell, struct error *error)
{
    CLEANUP(buf_finish) struct buf history;
    buf_init(&history, PATH_BYTES_MAX);
    find_history(&history);
    const struct editor_options options = {
        .history_file = history.len > 0 ? (const char *)history.ptr : NULL,
        .complete = shell_complete,
        .context = shell,
    };
    CLEANUP(editor_destroy) struct editor *editor = NULL;
    TRY(editor_create(&options, &editor, error));
    shell->editor = editor;
    interrupt_stay(shell->session.interrupt);
    shell_say(shell, "Volley " VOLLEY_VERSION ", connected to %s. \\? for help, \\q to leave.",
              shell->url);
    shell_converse(shell);
    shell->editor = NULL;
    return STATUS_OK;
}

static void run_all(struct shell *shell, const struct positionals *statements, struct str file)
{
    for (size_t i = 0; i < statements->count && !shell->is_over; i++) {
        shell_feed(shell, str_of(statements->items[i]));
        shell_feed_end(shell);
    }
    if (file.len > 0 && !shell->is_over)
        shell_feed_file(shell, file.ptr);
    else if (statements->count == 0)
        shell_feed_file(shell, "-");
}

static enum exit_code run_shell(const struct sql_options *options,
                                const struct positionals *statements, struct interrupt *interrupt)
{
    struct error error = ERROR_NONE;
    CLEANUP(shell_finish) struct shell shell;
    const struct shell_options shell_options = {
        .server = options->server,
        .format = options->format,
        .is_terminal = statements->count == 0 && options->file.len == 0 && isatty(STDIN_FILENO) &&
                       isatty(STDOUT_FILENO),
    };
    if (shell_init(&shell, &shell_options, interrupt, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    for (size_t i = 0; i < options->variables.count; i++) {
        if (variables_set_pair(&shell.variables, str_of(options->variables.items[i]), &error) !=
            STATUS_OK)
            return cli_fail(CLI_USAGE, &error);
    }
    if (shell_redirect(&shell, options->output, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (shell_connect(&shell, STR_EMPTY, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    if (!shell_options.is_terminal)
        run_all(&shell, statements, options->file);
    else if (converse(&shell, &error) != STATUS_OK)
        return cli_fail(CLI_FAILED, &error);
    return shell.code;
}

enum exit_code cli_sql(char *const *arguments, size_t count)
{
    const char *variables[VARIABLES_GIVEN_MAX];
    struct sql_options options = {
        .variables = {.items = variables, .capacity = VARIABLES_GIVEN_MAX},
        .format = RESULT_FORMAT_COUNT,
    };
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct positionals statements = {
        .items = ARENA_NEW_ARRAY(&arena, const char *, count + 1),
        .capacity = count,
    };
    const struct option table[] = {
        SERVER_OPTIONS(&options.server, &arena),
        {.name = "command", .letter = "c", .kind = OPTION_LIST, .target = &statements},
        {.name = "output", .letter = "o", .kind = OPTION_TEXT, .target = &options.output},
        {.name = "file", .letter = "f", .kind = OPTION_TEXT, .target = &options.file},
        {.name = "variable", .letter = "v", .kind = OPTION_LIST, .target = &options.variables},
        {.name = "format",
         .kind = OPTION_CHOICE,
         .target = &options.format,
         .choices = result_format_names},
    };
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &statements, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (str_equal(options.output, STR("-")))
        options.output = STR_EMPTY;
    if (options.format == RESULT_FORMAT_COUNT)
        options.format = result_format_of_file(options.output, RESULT_TABLE);
    if (options.output.len == 0 && !standard_output_takes(options.format))
        return CLI_USAGE;
    CLEANUP(interrupt_stop) struct interrupt *interrupt = NULL;
    if (interrupt_start(&interrupt, &error) != STATUS_OK)
        return cli_fail(CLI_FAILED, &error);
    layout_prepare();
    (void)signal(SIGPIPE, SIG_IGN);
    enum exit_code code = run_shell(&options, &statements, interrupt);
    layout_finish();
    return code;
}
