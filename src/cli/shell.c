/*
 * shell.c — `volley sql`: its connection, its output, and each statement that runs.
 *
 * At a terminal a failure is told and the next line awaited; elsewhere it ends the shell, unless the variable
 * ON_ERROR_STOP is off. The connection is kept from statement to statement, since the server's session goes
 * with it; when it is lost, the next statement makes a new one and says so.
 *
 * Runs on: the main thread. Owns: the connection, the output, the texts under way.
 * Leaves out: where statements come from (shell_lines.c, shell_terminal.c), commands (shell_commands.c), the
 * printing of results (sql_session.c). SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include "base/memory.h"
#include "cli/colour.h"
#include "cli/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROWS_SHOWN_MAX 10000
#define STOP_VARIABLE STR("ON_ERROR_STOP")

/* --- life ------------------------------------------------------------------------------------- */

enum status shell_init(struct shell *shell, const struct shell_options *options,
                       struct interrupt *interrupt, struct error *error)
{
    bool shows_for_people = isatty(STDOUT_FILENO) != 0;
    *shell = (struct shell){
        .server = options->server,
        .session =
            {
                .interrupt = interrupt,
                .format = result_format_at(options->format),
                .footer = shows_for_people,
                .is_coloured = colour_is_on(STDOUT_FILENO),
                .shows_progress = options->is_terminal,
                .rows_shown_max = options->is_terminal ? ROWS_SHOWN_MAX : 0,
            },
        .pager = {.is_on = options->is_terminal},
    };
    arena_init(&shell->arena);
    output_init(&shell->output, STDOUT_FILENO);
    shell->session.output = &shell->output;
    variables_init(&shell->variables);
    script_init(&shell->script);
    buf_init(&shell->line, SCRIPT_STATEMENT_BYTES_MAX);
    buf_init(&shell->typed, SCRIPT_STATEMENT_BYTES_MAX);
    buf_init(&shell->last, 2 * SCRIPT_STATEMENT_BYTES_MAX);
    return options_tls(&options->server, &shell->tls, error);
}

static void close_output(struct shell *shell)
{
    if (shell->output_name)
        (void)close(shell->output.fd);
    free(STEAL(shell->output_name));
    shell->output.name = NULL;
}

void shell_finish(struct shell *shell)
{
    close_output(shell);
    grpc_client_close(shell->session.client);
    tls_context_unref(shell->tls);
    output_finish(&shell->output);
    variables_finish(&shell->variables);
    script_finish(&shell->script);
    buf_finish(&shell->line);
    buf_finish(&shell->typed);
    buf_finish(&shell->last);
    free(shell->url);
    arena_finish(&shell->arena);
}

enum status shell_connect(struct shell *shell, struct str url, struct error *error)
{
    struct server_options named = {0};
    if (!shell->server.is_of_profile) { /* flags are for every server, a profile is for its own */
        named = shell->server;
        named.authorization = STR_EMPTY;
    }
    const struct server_options *server = url.len > 0 ? &named : &shell->server;
    CLEANUP(tls_context_unref) struct tls_context *tls = NULL;
    if (url.len > 0) {
        named.url = arena_copy(&shell->arena, url);
        TRY(server_options_resolve(&named, &shell->arena, error));
    }
    TRY(options_tls(server, &tls, error));
    const struct grpc_client_options options = {
        .server = options_server_url(server),
        .tls = tls,
        .authorization = server->authorization,
        .user_agent = STR("volley/" VOLLEY_VERSION),
    };
    struct grpc_client *client;
    TRY(grpc_client_connect(&options, &client, error));
    grpc_client_close(shell->session.client);
    tls_context_unref(shell->tls);
    free(shell->url);
    shell->session.client = client;
    shell->session.client_options = options;
    shell->session.server = *server;
    shell->session.transaction = TRANSACTION_NONE;
    shell->connection = grpc_client_connections(client);
    shell->tls = STEAL(tls);
    shell->url = str_copy(options.server);
    shell->session.client_options.server = str_of(shell->url);
    return STATUS_OK;
}

/* --- what is told ----------------------------------------------------------------------------- */

void shell_say(struct shell *shell, const char *format, ...)
{
    FILE *stream = shell->editor ? stdout : stderr;
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stream, format, arguments);
    (void)fputc('\n', stream);
    (void)fflush(stream);
    va_end(arguments);
}

static bool ends_at_failures(const struct shell *shell)
{
    return variables_is_on(&shell->variables, STOP_VARIABLE, !shell->editor);
}

/* The words of the error may be those of a server. */
static void show_error(const struct error *error)
{
    bool is_coloured = colour_is_on(STDERR_FILENO);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, (size_t)4 * ERROR_MESSAGE_MAX);
    layout_append_lines(str_of(error->message), &text);
    (void)fprintf(stderr, "%sError:%s %.*s\n", is_coloured ? COLOUR_ERROR : "",
                  is_coloured ? COLOUR_END : "", STR_ARGS(buf_str(&text)));
}

void shell_fail(struct shell *shell, enum exit_code code, const struct error *error)
{
    if (shell->source && shell->statement_line > 0)
        cli_complain("%s:%zu: %s", shell->source, shell->statement_line, error->message);
    else if (!shell->editor)
        cli_complain("%s", error->message);
    else
        show_error(error);
    if (!shell->editor)
        shell->code = code;
    if (ends_at_failures(shell) || code == CLI_UNREACHABLE)
        shell->is_over = !shell->editor;
}

enum status shell_redirect(struct shell *shell, struct str target, struct error *error)
{
    int fd = STDOUT_FILENO;
    char *name = target.len > 0 ? str_copy(target) : NULL;
    if (name)
        fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        (void)error_set_errno(error, errno, "%s", name);
        free(name);
        return error->status;
    }
    close_output(shell);
    shell->output.fd = fd;
    shell->output_name = name;
    shell->output.name = name;
    shell->session.footer = !name && isatty(STDOUT_FILENO);
    shell->session.is_coloured = !name && colour_is_on(STDOUT_FILENO);
    return STATUS_OK;
}

/* --- statements ------------------------------------------------------------------------------- */

/* Tells once of each connection that has ended; true when this one has. */
static bool note_loss(struct shell *shell)
{
    struct grpc_client *client = shell->session.client;
    /* Completion may have made the next one already. */
    uint64_t next = grpc_client_is_connected(client) ? 0 : 1;
    uint64_t connection = grpc_client_connections(client) + next;
    if (connection == shell->connection)
        return false;
    shell->connection = connection;
    shell->session.transaction = TRANSACTION_NONE;
    if (shell->editor)
        shell_say(shell,
                  "The connection was lost, and with it temporary tables, settings and an open "
                  "transaction.\nThe next statement connects again.");
    return true;
}

/* A statement of a transaction must not run outside of it, on a connection that is made for it. */
static enum status check_connection(struct shell *shell, struct error *error)
{
    bool is_in_transaction = shell->session.transaction != TRANSACTION_NONE;
    if (!note_loss(shell) || !is_in_transaction)
        return STATUS_OK;
    return error_set(error, STATUS_ABORTED,
                     "the statement was not run: its transaction ended with the connection");
}

static void fail_statement(struct shell *shell, bool is_broken, const struct error *error)
{
    if (interrupt_happened(shell->session.interrupt)) {
        if (shell->editor) {
            shell_say(shell, "Cancelled.");
        } else {
            shell->code = CLI_INTERRUPTED;
            shell->is_over = true;
        }
        return;
    }
    if (is_broken) {
        shell->is_over = !shell->editor;
        return;
    }
    bool is_unreachable = error->status == STATUS_UNAVAILABLE;
    shell_fail(shell, is_unreachable ? CLI_UNREACHABLE : CLI_STATEMENT, error);
    note_loss(shell);
}

bool shell_run_statement(struct shell *shell, struct str sql)
{
    struct error error = ERROR_NONE;
    buf_clear(&shell->last);
    variables_expand(&shell->variables, sql, &shell->last);
    enum status status = buf_check(&shell->last, "the statement", &error);
    pager_watch(&shell->pager, &shell->output);
    if (status == STATUS_OK)
        status = check_connection(shell, &error);
    if (status == STATUS_OK)
        status = sql_session_run(&shell->session, buf_str(&shell->last), &error);
    bool is_broken = shell->output.broken;
    buf_clear(&shell->output.buf);
    pager_end(&shell->pager, &shell->output);
    bool went_well = status == STATUS_OK && !interrupt_happened(shell->session.interrupt);
    if (!went_well)
        fail_statement(shell, is_broken, &error);
    if (shell->is_timed)
        (void)fprintf(stderr, "Time: %.3f ms\n", (double)shell->session.elapsed_ns / 1e6);
    return went_well;
}
