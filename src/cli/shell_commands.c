/*
 * shell_commands.c — the commands of the shell: one row each, for psql's users and for DuckDB's.
 *
 * A command's argument is the rest of its line, without quotes around it. An unknown one is refused with the
 * nearest.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell_commands.h"

#include "base/memory.h"
#include "base/nearest.h"

#include <stdio.h>

struct shell_row {
    const char *name;  /* with its backslash or point */
    const char *alias; /* the other tribe's; may be NULL */
    const char *argument;
    const char *summary; /* NULL: not listed */
    enum status (*run)(struct shell *shell, struct str argument, struct error *error);
};

/* --- the catalog and the connection ----------------------------------------------------------- */

static enum status run_describe(struct shell *shell, struct str argument, struct error *error)
{
    return argument.len > 0 ? shell_describe_table(shell, argument, error)
                            : shell_list(shell, DESCRIBE_ALL, argument, error);
}

static enum status run_tables(struct shell *shell, struct str argument, struct error *error)
{
    return shell_list(shell, DESCRIBE_TABLES, argument, error);
}

static enum status run_views(struct shell *shell, struct str argument, struct error *error)
{
    return shell_list(shell, DESCRIBE_VIEWS, argument, error);
}

static enum status run_schemas(struct shell *shell, struct str argument, struct error *error)
{
    return shell_list(shell, DESCRIBE_SCHEMAS, argument, error);
}

static enum status run_catalogs(struct shell *shell, struct str argument, struct error *error)
{
    return shell_list(shell, DESCRIBE_CATALOGS, argument, error);
}

static enum status run_all_tables(struct shell *shell, struct str argument, struct error *error)
{
    return shell_list(shell, DESCRIBE_ALL, argument, error);
}

static enum status run_connection(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    (void)error;
    shell_say(shell, "Connected to %s.", shell->url);
    return STATUS_OK;
}

static enum status run_connect(struct shell *shell, struct str argument, struct error *error)
{
    TRY(shell_connect(shell, argument, error));
    return run_connection(shell, argument, error);
}

static enum status run_quit(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    (void)error;
    shell->is_over = true;
    return STATUS_OK;
}

static enum status run_help(struct shell *shell, struct str argument, struct error *error);

/* --- the table -------------------------------------------------------------------------------- */

static const struct shell_row rows[] = {
    {"\\?", ".help", "", "this help", run_help},
    {"\\q", ".quit", "", "leave (so does Ctrl-D)", run_quit},
    {"\\exit", ".exit", "", NULL, run_quit},
    {"\\d", ".describe", "[TABLE]", "a table's columns, or all tables and views", run_describe},
    {"\\dt", NULL, "[PATTERN]", "tables (% and _ match)", run_tables},
    {"\\dv", NULL, "[PATTERN]", "views", run_views},
    {"\\d+", ".tables", "[PATTERN]", NULL, run_all_tables},
    {"\\dn", ".schemas", "[PATTERN]", "schemas", run_schemas},
    {"\\l", ".databases", "", "catalogs", run_catalogs},
    {"\\schema", ".schema", "TABLE", NULL, run_describe},
    {"\\x", NULL, "[on|off]", "a line for each value", shell_run_expanded},
    {"\\format", ".mode", "FORMAT",
     "table, csv, tsv, json, ndjson, arrow, arrow-file, parquet, markdown", shell_run_format},
    {"\\types", NULL, "[on|off]", "the columns' types below their names", shell_run_types},
    {"\\limit", ".maxrows", "[N]", "rows of a table that are shown; 0: all", shell_run_limit},
    {"\\pager", ".pager", "[on|off]", "what does not fit goes through $PAGER, else less",
     shell_run_pager},
    {"\\timing", ".timer", "[on|off]", "how long each statement took", shell_run_timing},
    {"\\o", ".output", "[FILE]", "results go to FILE; without one to the terminal again",
     shell_run_output},
    {"\\i", ".read", "FILE", "run the statements of FILE", shell_run_read},
    {"\\load", ".import", "FILE... TABLE", "load files into a table, as volley load; --temporary",
     shell_run_load},
    {"\\e", ".edit", "[FILE]", "edit the statement, or FILE, with $VISUAL, $EDITOR or vi",
     shell_run_edit},
    {"\\g", NULL, "", "run the statement (or the last one again)", shell_run_go},
    {"\\gx", NULL, "", "the same, a line for each value", shell_run_go_expanded},
    {"\\p", NULL, "", "show the statement", shell_run_print},
    {"\\r", NULL, "", "drop the statement", shell_run_reset},
    {"\\watch", ".watch", "[SECONDS]", "run it again and again", shell_run_watch},
    {"\\set", NULL, "[NAME VALUE]", "a variable: :NAME, :'NAME' or :\"NAME\" in statements",
     shell_run_set},
    {"\\unset", NULL, "NAME", "forget it", shell_run_unset},
    {"\\echo", ".print", "TEXT", "print a text", shell_run_echo},
    {"\\conninfo", ".show", "", "where the connection goes", run_connection},
    {"\\c", ".open", "URL", "connect to another server", run_connect},
    {"\\!", ".shell", "[COMMAND]", "run a program", shell_run_shell},
};

static enum status run_help(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    (void)error;
    shell_say(shell, "Statements end with a semicolon; Ctrl-C drops what was typed or stops what "
                     "runs, Tab completes.");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char left[64];
        if (!rows[i].summary)
            continue;
        (void)snprintf(left, sizeof(left), "%s %s", rows[i].name, rows[i].argument);
        shell_say(shell, "  %-22s %s%s%s%s", left, rows[i].summary, rows[i].alias ? " (" : "",
                  rows[i].alias ? rows[i].alias : "", rows[i].alias ? ")" : "");
    }
    return STATUS_OK;
}

static bool is_named(const struct shell_row *row, struct str name)
{
    return str_equal(name, str_of(row->name)) ||
           (row->alias && str_equal(name, str_of(row->alias)));
}

static const struct shell_row *find(struct str name, struct error *error)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (is_named(&rows[i], name))
            return &rows[i];
        nearest_offer(&nearest, str_of(rows[i].name));
        if (rows[i].alias)
            nearest_offer(&nearest, str_of(rows[i].alias));
    }
    if (nearest.best.len > 0)
        (void)error_set(error, STATUS_INVALID_ARGUMENT, "unknown command %.*s; did you mean %.*s?",
                        STR_ARGS(name), STR_ARGS(nearest.best));
    else
        (void)error_set(error, STATUS_INVALID_ARGUMENT, "unknown command %.*s; \\? lists all",
                        STR_ARGS(name));
    return NULL;
}

/* A semicolon by habit behind a command is passed over, and quotes around its argument. */
static struct str clean_argument(const struct shell_row *row, struct str argument)
{
    bool is_text = row->run == shell_run_echo || row->run == shell_run_shell ||
                   row->run == shell_run_set || row->run == shell_run_load;
    argument = str_trim(argument);
    if (is_text)
        return argument;
    if (argument.len > 0 && argument.ptr[argument.len - 1] == ';')
        argument = str_trim(str_slice(argument, 0, argument.len - 1));
    if (argument.len > 1 && argument.ptr[0] == '\'' && argument.ptr[argument.len - 1] == '\'')
        argument = str_slice(argument, 1, argument.len - 1);
    return argument;
}

/* "\d;" and "\!ls" are commands too. */
static struct str command_name(struct str *line)
{
    if (str_starts_with(*line, STR("\\!"))) {
        struct str name = str_slice(*line, 0, 2);
        *line = str_slice(*line, 2, line->len);
        return name;
    }
    struct str name = str_split(line, ' ');
    return name.len > 1 && name.ptr[name.len - 1] == ';' ? str_slice(name, 0, name.len - 1) : name;
}

void shell_command(struct shell *shell, struct str line)
{
    struct error error = ERROR_NONE;
    struct str argument = line;
    struct str name = command_name(&argument);
    const struct shell_row *row = find(name, &error);
    if (!row) {
        shell_fail(shell, CLI_USAGE, &error);
        return;
    }
    struct error cause = ERROR_NONE;
    if (row->run(shell, clean_argument(row, argument), &cause) == STATUS_OK)
        return;
    (void)error_set(&error, cause.status, "%s: %s", row->name, cause.message);
    shell_fail(shell, cause.status == STATUS_UNAVAILABLE ? CLI_UNREACHABLE : CLI_USAGE, &error);
}

void shell_complete_command(struct str typed, struct completions *completions)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *names[] = {rows[i].name, rows[i].alias};
        for (size_t j = 0; j < ARRAY_COUNT(names); j++) {
            if (names[j] && str_starts_with(str_of(names[j]), typed))
                completions_add(completions, str_of(names[j]));
        }
    }
}
