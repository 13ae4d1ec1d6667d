/*
 * shell_settings.c — the commands that say how results look and where they go, and the variables.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell_commands.h"

#include "base/memory.h"
#include "base/nearest.h"

#include <stdlib.h>
#include <unistd.h>

#define FORMAT_NAMES_MAX 512

/* --- switches --------------------------------------------------------------------------------- */

/* on, off, or the other of what it was. */
static enum status flip(struct str argument, bool *flag, struct error *error)
{
    if (argument.len == 0)
        *flag = !*flag;
    else if (str_equal_nocase(argument, STR("on")))
        *flag = true;
    else if (str_equal_nocase(argument, STR("off")))
        *flag = false;
    else
        return error_set(error, STATUS_INVALID_ARGUMENT, "takes on or off, not '%.*s'",
                         STR_ARGS(argument));
    return STATUS_OK;
}

static enum status flip_and_say(struct shell *shell, struct str argument, bool *flag,
                                const char *what, struct error *error)
{
    TRY(flip(argument, flag, error));
    if (shell->editor)
        shell_say(shell, "%s is %s.", what, *flag ? "on" : "off");
    return STATUS_OK;
}

enum status shell_run_timing(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->is_timed, "Timing", error);
}

enum status shell_run_expanded(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->session.is_expanded, "Expanded display", error);
}

enum status shell_run_types(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->session.shows_types, "The header with types",
                        error);
}

enum status shell_run_pager(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->pager.is_on, "The pager", error);
}

enum status shell_run_limit(struct shell *shell, struct str argument, struct error *error)
{
    uint64_t rows = shell->session.rows_shown_max;
    if (argument.len > 0 && !str_to_u64(argument, &rows))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "takes a number of rows, 0 for all, not '%.*s'", STR_ARGS(argument));
    shell->session.rows_shown_max = rows;
    if (shell->editor && rows > 0)
        shell_say(shell, "Tables show %llu rows at most.", (unsigned long long)rows);
    else if (shell->editor)
        shell_say(shell, "Tables show all rows.");
    return STATUS_OK;
}

/* The names that DuckDB's shell and psql have for a format of ours. */
static const struct {
    const char *name;
    const char *format;
} format_aliases[] = {
    {"duckbox", "table"}, {"box", "table"},        {"column", "table"}, {"aligned", "table"},
    {"tabs", "tsv"},      {"jsonlines", "ndjson"}, {"jsonl", "ndjson"}, {"md", "markdown"},
    {"line", "table"},    {"unaligned", "csv"},    {"arrows", "arrow"}, {"feather", "arrow-file"},
};

static struct str format_name_of(struct str given)
{
    for (size_t i = 0; i < ARRAY_COUNT(format_aliases); i++) {
        if (str_equal_nocase(given, str_of(format_aliases[i].name)))
            return str_of(format_aliases[i].format);
    }
    return given;
}

static enum status refuse_format(struct str given, struct error *error)
{
    struct nearest nearest;
    CLEANUP(buf_finish) struct buf names;
    buf_init(&names, FORMAT_NAMES_MAX);
    nearest_init(&nearest, given);
    for (unsigned i = 0; result_format_names[i]; i++) {
        nearest_offer(&nearest, str_of(result_format_names[i]));
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", result_format_names[i]);
    }
    return error_set(error, STATUS_INVALID_ARGUMENT, "takes one of %.*s, not '%.*s'%s%.*s%s",
                     STR_ARGS(buf_str(&names)), STR_ARGS(given),
                     nearest.best.len > 0 ? "; did you mean " : "", STR_ARGS(nearest.best),
                     nearest.best.len > 0 ? "?" : "");
}

enum status shell_run_format(struct shell *shell, struct str argument, struct error *error)
{
    struct str wanted = format_name_of(argument);
    if (argument.len == 0) {
        shell_say(shell, "The format is %s.", shell->session.format->name);
        return STATUS_OK;
    }
    unsigned i = 0;
    while (result_format_names[i] && !str_equal_nocase(wanted, str_of(result_format_names[i])))
        i++;
    if (!result_format_names[i])
        return refuse_format(argument, error);
    if (result_format_at(i)->binary && isatty(shell->output.fd))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%s is not for a terminal: name a file with \\o first",
                         result_format_names[i]);
    shell->session.format = result_format_at(i);
    if (result_format_at(i) == &result_table)
        shell->session.is_expanded = str_equal_nocase(argument, STR("line"));
    return STATUS_OK;
}

/* --- files and variables ---------------------------------------------------------------------- */

enum status shell_run_output(struct shell *shell, struct str argument, struct error *error)
{
    return shell_redirect(shell, argument, error);
}

enum status shell_run_read(struct shell *shell, struct str argument, struct error *error)
{
    if (argument.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "needs the name of a file");
    char *name = str_copy(argument);
    interrupt_clear(shell->session.interrupt);
    shell_feed_file(shell, name);
    free(name);
    return STATUS_OK;
}

static void print_variables(struct shell *shell)
{
    size_t cursor = 0;
    struct str name;
    void *value;
    while (map_next(&shell->variables.values, &cursor, &name, &value))
        shell_say(shell, "%.*s = '%s'", STR_ARGS(name), (const char *)value);
}

/* \set NAME VALUE, and \set NAME = VALUE. */
enum status shell_run_set(struct shell *shell, struct str argument, struct error *error)
{
    if (argument.len == 0) {
        print_variables(shell);
        return STATUS_OK;
    }
    struct str value = argument;
    struct str name = str_split(&value, ' ');
    value = str_trim(value);
    if (value.len > 1 && (value.ptr[0] == '\'' || value.ptr[0] == '"') &&
        value.ptr[value.len - 1] == value.ptr[0])
        value = str_slice(value, 1, value.len - 1);
    return variables_set(&shell->variables, name, value, error);
}

enum status shell_run_unset(struct shell *shell, struct str argument, struct error *error)
{
    (void)error;
    variables_unset(&shell->variables, argument);
    return STATUS_OK;
}

enum status shell_run_echo(struct shell *shell, struct str argument, struct error *error)
{
    variables_expand(&shell->variables, argument, &shell->output.buf);
    buf_append_byte(&shell->output.buf, '\n');
    return output_flush(&shell->output, error);
}
