/*
 * sql.c — `volley sql`: run statements in order and print their results.
 *
 * Statements are cut out of the text as it arrives, run one after the other on one connection, and
 * stop at the first that fails. A statement that returns no rows prints what it did: `INSERT 3`, `OK`;
 * in formats for programs that goes to standard error, so that standard output holds results only.
 *
 * Runs on: the main thread; Ctrl-C is watched by interrupt.c. Owns: the connection while it runs.
 * Not done here: the interactive shell.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/layout.h"
#include "cli/options.h"
#include "cli/query.h"
#include "cli/result.h"
#include "cli/script.h"

#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)
#define WORD_SIZE 16

struct session {
    struct interrupt *interrupt;
    struct grpc_client *client;
    struct output output;
    const struct result_format *format;
    bool footer;
};

/* --- statements without rows ---------------------------------------------------------------------- */

/* The statement's first word in upper case. */
static void first_word(struct str sql, char out[WORD_SIZE])
{
    size_t len = 0;
    while (len < sql.len && len < WORD_SIZE - 1 && isalpha((unsigned char)sql.ptr[len])) {
        out[len] = (char)toupper((unsigned char)sql.ptr[len]);
        len++;
    }
    out[len] = '\0';
}

static bool changes_rows(const char *word)
{
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (str_equal(str_of(word), str_of(words[i])))
            return true;
    }
    return false;
}

/* What a statement without columns did: `INSERT 3`, or `OK`. */
static enum status print_outcome(struct session *session, struct str sql, int64_t rows,
                                 struct error *error)
{
    char word[WORD_SIZE];
    char text[64];
    first_word(sql, word);
    if (rows < 0)
        (void)snprintf(text, sizeof(text), "OK\n");
    else
        (void)snprintf(text, sizeof(text), "%s %lld\n", changes_rows(word) ? word : "OK",
                       (long long)rows);
    if (!session->format->for_people) {
        (void)fputs(text, stderr);
        return STATUS_OK;
    }
    buf_append_text(&session->output.buf, text);
    return output_flush(&session->output, error);
}

/* --- statements --------------------------------------------------------------------------------------- */

static enum status print_rows(struct session *session, struct sql_query *query,
                              struct arrow_schema *schema, struct error *error)
{
    const struct result_format *format = result_format_for(session->format, schema);
    CLEANUP(result_close) struct result result = {0};
    TRY(result_begin(&result, format, &session->output, schema, session->footer, error));
    for (;;) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        bool end;
        TRY(sql_query_next(query, &batch, &end, error));
        if (end)
            return result_end(&result, error);
        TRY(result_batch(&result, batch, error));
    }
}

static enum status run_statement(struct session *session, struct str sql, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    TRY(sql_query_open(session->client, sql, true, &query, error));
    struct arrow_schema *schema = sql_query_schema(query);
    if (schema && schema->field_count > 0)
        return print_rows(session, query, schema, error);
    bool end = false;
    while (!end) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(sql_query_next(query, &batch, &end, error));
    }
    return print_outcome(session, sql, sql_query_changed_rows(query), error);
}

/* --- the source of statements ------------------------------------------------------------------------ */

static enum exit_code exit_code_of(const struct session *session, const struct error *error)
{
    if (interrupt_happened(session->interrupt))
        return CLI_INTERRUPTED;
    if (session->output.broken)
        return CLI_FINE;
    return cli_fail(error->status == STATUS_UNAVAILABLE ? CLI_UNREACHABLE : CLI_STATEMENT, error);
}

/* Runs what is complete; *out_code is set when something failed. */
static bool run_script(struct session *session, struct script *script, bool ended,
                       enum exit_code *out_code)
{
    struct str statement;
    while (script_next(script, ended, &statement)) {
        struct error error = ERROR_NONE;
        interrupt_set_client(session->interrupt, session->client);
        enum status status = run_statement(session, statement, &error);
        interrupt_set_client(session->interrupt, NULL);
        if (status == STATUS_OK && !interrupt_happened(session->interrupt))
            continue;
        *out_code = exit_code_of(session, &error);
        return false;
    }
    return true;
}

static enum exit_code run_text(struct session *session, struct str text)
{
    CLEANUP(script_finish) struct script script;
    script_init(&script);
    struct error error = ERROR_NONE;
    enum exit_code code = CLI_FINE;
    if (script_feed(&script, text, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    (void)run_script(session, &script, true, &code);
    return code;
}

static enum exit_code run_file(struct session *session, int fd, const char *name)
{
    CLEANUP(script_finish) struct script script;
    script_init(&script);
    enum exit_code code = CLI_FINE;
    for (;;) {
        char bytes[READ_BYTES];
        struct error error = ERROR_NONE;
        ssize_t size = read(fd, bytes, sizeof(bytes));
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            (void)error_set_errno(&error, errno, "%s", name);
            return cli_fail(CLI_FAILED, &error);
        }
        if (script_feed(&script, str_make(bytes, (size_t)size), &error) != STATUS_OK)
            return cli_fail(CLI_USAGE, &error);
        if (!run_script(session, &script, size == 0, &code) || size == 0)
            return code;
    }
}

static enum exit_code run_named_file(struct session *session, const char *name)
{
    if (str_equal(str_of(name), STR("-")))
        return run_file(session, STDIN_FILENO, "standard input");
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        struct error error = ERROR_NONE;
        (void)error_set_errno(&error, errno, "%s", name);
        return cli_fail(CLI_USAGE, &error);
    }
    enum exit_code code = run_file(session, fd, name);
    (void)close(fd);
    return code;
}

static enum exit_code run_all(struct session *session, const struct positionals *statements,
                              struct str file)
{
    enum exit_code code = CLI_FINE;
    for (size_t i = 0; i < statements->count && code == CLI_FINE; i++)
        code = run_text(session, str_of(statements->items[i]));
    if (code != CLI_FINE || session->output.broken)
        return code;
    if (file.len > 0)
        return run_named_file(session, file.ptr);
    if (statements->count > 0)
        return code;
    if (isatty(STDIN_FILENO))
        cli_complain("reading statements from the terminal; Ctrl-D ends them");
    return run_file(session, STDIN_FILENO, "standard input");
}

/* --- the command --------------------------------------------------------------------------------------- */

struct sql_options {
    struct server_options server;
    struct str file;
    unsigned format;
};

static enum exit_code run_session(const struct sql_options *options,
                                  const struct positionals *statements)
{
    struct error error = ERROR_NONE;
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    CLEANUP(interrupt_stop) struct interrupt *interrupt = NULL;
    if (interrupt_start(&interrupt, &error) != STATUS_OK)
        return cli_fail(CLI_FAILED, &error);
    CLEANUP(tls_context_unref) struct tls_context *tls = NULL;
    if (options_tls(&options->server, &tls, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    const struct grpc_client_options client_options = {
        .server = options_server_url(&options->server),
        .tls = tls,
        .user_agent = STR("volley/" VOLLEY_VERSION),
    };
    if (grpc_client_connect(&client_options, &client, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    struct session session = {
        .interrupt = interrupt,
        .client = client,
        .format = result_format_at(options->format),
        .footer = isatty(STDOUT_FILENO) != 0,
    };
    output_init(&session.output, STDOUT_FILENO);
    enum exit_code code = run_all(&session, statements, options->file);
    output_finish(&session.output);
    return code;
}

enum exit_code cli_sql(char *const *arguments, size_t count)
{
    struct sql_options options = {0};
    const struct option table[] = {
        SERVER_OPTIONS(&options.server),
        {.name = "file", .letter = "f", .kind = OPTION_TEXT, .target = &options.file},
        {.name = "format",
         .kind = OPTION_CHOICE,
         .target = &options.format,
         .choices = result_format_names},
    };
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct positionals statements = {
        .items = ARENA_NEW_ARRAY(&arena, const char *, count + 1),
        .capacity = count,
    };
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &statements, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (result_format_at(options.format)->binary && isatty(STDOUT_FILENO)) {
        cli_complain("--format arrow is not for a terminal; redirect it to a file");
        return CLI_USAGE;
    }
    layout_prepare();
    (void)signal(SIGPIPE, SIG_IGN);
    enum exit_code code = run_session(&options, &statements);
    layout_finish();
    return code;
}
