/*
 * shell_commands.c — the commands of the shell: one row each, for psql's users and for DuckDB's.
 *
 * A command's argument is the rest of its line, without quotes around it. Names may be cut short as long as
 * they are one of the rows'; an unknown one is refused with the nearest.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCH_SECONDS_DEFAULT 2.0
#define WATCH_SECONDS_MAX 86400.0
#define EDITED_BYTES_MAX SCRIPT_STATEMENT_BYTES_MAX

struct shell_row {
    const char *name;  /* with its backslash or point */
    const char *alias; /* the other tribe's; may be NULL */
    const char *argument;
    const char *summary; /* NULL: not listed */
    enum status (*run)(struct shell *shell, struct str argument, struct error *error);
};

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

static enum status run_timing(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->is_timed, "Timing", error);
}

static enum status run_expanded(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->session.is_expanded, "Expanded display", error);
}

static enum status run_types(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->session.shows_types, "Types in the header", error);
}

static enum status run_pager(struct shell *shell, struct str argument, struct error *error)
{
    return flip_and_say(shell, argument, &shell->pager.is_on, "The pager", error);
}

static enum status run_limit(struct shell *shell, struct str argument, struct error *error)
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

static enum status run_format(struct shell *shell, struct str argument, struct error *error)
{
    struct nearest nearest;
    nearest_init(&nearest, argument);
    for (unsigned i = 0; result_format_names[i]; i++) {
        struct str name = str_of(result_format_names[i]);
        nearest_offer(&nearest, name);
        if (!str_equal_nocase(argument, name))
            continue;
        if (result_format_at(i)->binary && isatty(shell->output.fd))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "%s is not for a terminal: name a file with \\o first",
                             result_format_names[i]);
        shell->session.format = result_format_at(i);
        return STATUS_OK;
    }
    if (argument.len == 0)
        shell_say(shell, "The format is %s.", shell->session.format->name);
    else
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "takes table, csv, json, ndjson, arrow, arrow-file or markdown, not "
                         "'%.*s'%s%.*s%s",
                         STR_ARGS(argument), nearest.best.len > 0 ? "; did you mean " : "",
                         STR_ARGS(nearest.best), nearest.best.len > 0 ? "?" : "");
    return STATUS_OK;
}

/* --- files and variables ---------------------------------------------------------------------- */

static enum status run_output(struct shell *shell, struct str argument, struct error *error)
{
    return shell_redirect(shell, argument, error);
}

static enum status run_read(struct shell *shell, struct str argument, struct error *error)
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
static enum status run_set(struct shell *shell, struct str argument, struct error *error)
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

static enum status run_unset(struct shell *shell, struct str argument, struct error *error)
{
    (void)error;
    variables_unset(&shell->variables, argument);
    return STATUS_OK;
}

static enum status run_echo(struct shell *shell, struct str argument, struct error *error)
{
    variables_expand(&shell->variables, argument, &shell->output.buf);
    buf_append_byte(&shell->output.buf, '\n');
    return output_flush(&shell->output, error);
}

/* --- the statement under way ------------------------------------------------------------------ */

/* What was typed and has no semicolon yet, else the statement that ran last. A copy. */
static char *current_statement(struct shell *shell)
{
    struct str pending = STR_EMPTY;
    bool has_pending = script_next(&shell->script, true, &pending);
    char *copy = str_copy(has_pending ? pending : buf_str(&shell->last));
    shell_reset(shell);
    return copy;
}

static enum status run_current(struct shell *shell, struct error *error)
{
    char *sql = current_statement(shell);
    bool is_empty = *sql == '\0';
    if (!is_empty)
        (void)shell_run_statement(shell, str_of(sql));
    free(sql);
    return is_empty ? error_set(error, STATUS_INVALID_ARGUMENT, "there is no statement yet")
                    : STATUS_OK;
}

static enum status run_go(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    return run_current(shell, error);
}

static enum status run_go_expanded(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    bool was_expanded = shell->session.is_expanded;
    shell->session.is_expanded = true;
    enum status status = run_current(shell, error);
    shell->session.is_expanded = was_expanded;
    return status;
}

static enum status run_reset(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    (void)error;
    shell_reset(shell);
    return STATUS_OK;
}

static enum status run_print(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    (void)error;
    struct str text =
        shell->script.text.len > shell->script.start
            ? str_slice(buf_str(&shell->script.text), shell->script.start, shell->script.text.len)
            : buf_str(&shell->last);
    shell_say(shell, "%.*s", STR_ARGS(str_trim(text)));
    return STATUS_OK;
}

/* True when Ctrl-C came meanwhile. */
static bool wait_interrupted(struct shell *shell, double seconds)
{
    struct pollfd watched = {.fd = interrupt_descriptor(shell->session.interrupt),
                             .events = POLLIN};
    uint64_t end_ns = clock_now_ns() + (uint64_t)(seconds * 1e9);
    for (;;) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= end_ns)
            return false;
        int ready = poll(&watched, 1, (int)((end_ns - now_ns) / NANOSECONDS_PER_MILLISECOND) + 1);
        if (ready > 0)
            return true;
    }
}

static void print_watch_head(struct shell *shell, double seconds)
{
    char text[CLOCK_TEXT_SIZE];
    (void)clock_format(clock_wall_us(), text);
    shell_say(shell, "%s (every %g s; Ctrl-C ends it)\n", text, seconds);
}

static void watch(struct shell *shell, struct str sql, double seconds)
{
    bool was_paged = shell->pager.is_on;
    shell->pager.is_on = false;
    for (;;) {
        print_watch_head(shell, seconds);
        if (!shell_run_statement(shell, sql))
            break;
        if (wait_interrupted(shell, seconds)) {
            shell_say(shell, "%s", "");
            break;
        }
    }
    shell->pager.is_on = was_paged;
}

static enum status run_watch(struct shell *shell, struct str argument, struct error *error)
{
    double seconds = WATCH_SECONDS_DEFAULT;
    if (argument.len > 0 &&
        (!str_to_double(argument, &seconds) || !(seconds > 0 && seconds <= WATCH_SECONDS_MAX)))
        return error_set(error, STATUS_INVALID_ARGUMENT, "takes seconds above 0, not '%.*s'",
                         STR_ARGS(argument));
    char *sql = current_statement(shell);
    bool is_empty = *sql == '\0';
    if (!is_empty)
        watch(shell, str_of(sql), seconds);
    free(sql);
    return is_empty ? error_set(error, STATUS_INVALID_ARGUMENT, "there is no statement yet")
                    : STATUS_OK;
}

/* --- programs --------------------------------------------------------------------------------- */

static enum status run_shell(struct shell *shell, struct str argument, struct error *error)
{
    (void)shell;
    char *command = str_copy(argument.len > 0 ? argument : STR("${SHELL:-sh}"));
    enum status status = program_run(command, error);
    free(command);
    return status;
}

static enum status write_text(int fd, struct str text, struct error *error)
{
    while (text.len > 0) {
        ssize_t size = write(fd, text.ptr, text.len);
        if (size < 0 && errno != EINTR)
            return error_set_errno(error, errno, "cannot write the file to edit");
        text = str_slice(text, size > 0 ? (size_t)size : 0, text.len);
    }
    return STATUS_OK;
}

static enum status read_text(const char *name, struct buf *out, struct error *error)
{
    char bytes[4096];
    ssize_t size;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "%s", name);
    while ((size = read(fd, bytes, sizeof(bytes))) > 0)
        buf_append(out, bytes, (size_t)size);
    (void)close(fd);
    return buf_check(out, "what was edited", error);
}

static enum status edit_file(const char *name, struct error *error)
{
    const char *program = getenv("VISUAL");
    if (!program || !*program)
        program = getenv("EDITOR");
    CLEANUP(buf_finish) struct buf command;
    buf_init(&command, 4096);
    buf_printf(&command, "%s '%s'", program && *program ? program : "vi", name);
    TRY(buf_check(&command, "the editor's name", error));
    return program_run((const char *)command.ptr, error);
}

static enum status edit(struct str text, struct buf *out, struct error *error)
{
    char name[] = "/tmp/volley-XXXXXX.sql";
    int fd = mkstemps(name, 4);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot make a file to edit");
    enum status status = write_text(fd, text, error);
    (void)close(fd);
    if (status == STATUS_OK)
        status = edit_file(name, error);
    if (status == STATUS_OK)
        status = read_text(name, out, error);
    (void)unlink(name);
    return status;
}

/* What was edited is the statement under way; it runs where it has its semicolon. */
static enum status run_edit(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, EDITED_BYTES_MAX);
    char *sql = current_statement(shell);
    enum status status = edit(str_of(sql), &text, error);
    free(sql);
    TRY(status);
    shell_say(shell, "%.*s", STR_ARGS(str_trim(buf_str(&text))));
    buf_append_byte(&text, '\n');
    shell_feed(shell, buf_str(&text));
    return STATUS_OK;
}

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
    {"\\x", NULL, "[on|off]", "a line for each value", run_expanded},
    {"\\format", ".mode", "FORMAT", "table, csv, json, ndjson, arrow, arrow-file, markdown",
     run_format},
    {"\\types", NULL, "[on|off]", "the columns' types below their names", run_types},
    {"\\limit", ".maxrows", "[N]", "rows of a table that are shown; 0: all", run_limit},
    {"\\pager", ".pager", "[on|off]", "what does not fit goes through $PAGER, else less",
     run_pager},
    {"\\timing", ".timer", "[on|off]", "how long each statement took", run_timing},
    {"\\o", ".output", "[FILE]", "results go to FILE; without one to the terminal again",
     run_output},
    {"\\i", ".read", "FILE", "run the statements of FILE", run_read},
    {"\\e", ".edit", "", "edit the statement with $VISUAL, $EDITOR or vi", run_edit},
    {"\\g", NULL, "", "run the statement (or the last one again)", run_go},
    {"\\gx", NULL, "", "the same, a line for each value", run_go_expanded},
    {"\\p", NULL, "", "show the statement", run_print},
    {"\\r", NULL, "", "drop the statement", run_reset},
    {"\\watch", ".watch", "[SECONDS]", "run it again and again", run_watch},
    {"\\set", NULL, "[NAME VALUE]", "a variable: :NAME, :'NAME' or :\"NAME\" in statements",
     run_set},
    {"\\unset", NULL, "NAME", "forget it", run_unset},
    {"\\echo", ".print", "TEXT", "print a text", run_echo},
    {"\\conninfo", ".show", "", "where the connection goes", run_connection},
    {"\\c", ".open", "URL", "connect to another server", run_connect},
    {"\\!", ".shell", "[COMMAND]", "run a program", run_shell},
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
    bool is_text = row->run == run_echo || row->run == run_shell || row->run == run_set;
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
