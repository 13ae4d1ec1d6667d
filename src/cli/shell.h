/*
 * shell.h — `volley sql`: statements and commands from arguments, files and a terminal.
 *
 * A line that begins with a backslash or a point, where a statement could begin, is a command of the shell
 * (shell_commands.c); everything else is cut into statements at semicolons. The same holds for all sources.
 *
 * Threads: the main thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/command.h"
#include "cli/editor.h"
#include "cli/options.h"
#include "cli/pager.h"
#include "cli/script.h"
#include "cli/sql_session.h"
#include "cli/variables.h"

/* Files that \i reads in one another. */
#define SHELL_DEPTH_MAX 16

struct shell {
    struct sql_session session;
    struct server_options server;
    struct arena arena;      /* texts of the profiles that \c named */
    struct tls_context *tls; /* a reference, or NULL */
    struct output output;
    struct pager pager;
    struct variables variables;
    struct script script;
    struct buf line;       /* not yet ended */
    struct buf typed;      /* the lines of the statement under way, for the history */
    struct buf last;       /* the statement that ran last */
    struct editor *editor; /* NULL: not at a terminal */
    char *url;             /* given to \c; else NULL */
    char *output_name;     /* of \o; NULL: standard output */
    uint64_t connection;   /* the number of the one that the session is on, or will be */
    bool is_timed;         /* how long each statement took, on standard error */
    unsigned depth;        /* of \i */
    const char *source;    /* the file that is read; NULL: none by name */
    size_t line_number;    /* of the source, from 1 */
    size_t statement_line; /* where the statement under way begins */
    bool is_over;          /* \q, or a failure that ends it */
    enum exit_code code;
};

struct shell_options {
    struct server_options server;
    unsigned format;
    bool is_terminal; /* a prompt, and failures end nothing */
};

/* Not connected yet. */
MUST_CHECK enum status shell_init(struct shell *shell, const struct shell_options *options,
                                  struct interrupt *interrupt, struct error *error);
void shell_finish(struct shell *shell);
CLEANUP_IN_PLACE(struct shell, shell_finish)
/* Connects, or connects anew, to the server of `url` (empty: that of the options). */
MUST_CHECK enum status shell_connect(struct shell *shell, struct str url, struct error *error);

/* --- shell_lines.c ---------------------------------------------------------------------------- */

/* No statement is under way. */
bool shell_is_between_statements(const struct shell *shell);
/* Takes text as it comes, runs what is complete; sets is_over and code when it is to end. */
void shell_feed(struct shell *shell, struct str text);
/* The same at the end of a source: what has no semicolon is run too. */
void shell_feed_end(struct shell *shell);
/* Drops the statement under way. */
void shell_reset(struct shell *shell);
/* A whole file; "-" is standard input. */
void shell_feed_file(struct shell *shell, const char *name);
/* shell_terminal.c: prompts until the user leaves. */
void shell_converse(struct shell *shell);

/* --- for the commands ------------------------------------------------------------------------- */

/* Runs one statement; what fails is told, and false returned. */
bool shell_run_statement(struct shell *shell, struct str sql);
/* Tells what failed, and ends the shell where failures do. */
void shell_fail(struct shell *shell, enum exit_code code, const struct error *error);
/* A line for the user: on standard output at a terminal, else on standard error. */
void shell_say(struct shell *shell, const char *format, ...) PRINTF_LIKE(2, 3);
/* Sends results to a file, made anew, or, when empty, to standard output. */
MUST_CHECK enum status shell_redirect(struct shell *shell, struct str target, struct error *error);

/* shell_commands.c: runs a line that begins with \ or a point; without either, with its newline or not. */
void shell_command(struct shell *shell, struct str line);
/* shell_describe.c: the catalog, by Flight SQL's commands. An empty pattern: everything. */
enum describe_kind {
    DESCRIBE_TABLES,
    DESCRIBE_VIEWS,
    DESCRIBE_ALL,
    DESCRIBE_SCHEMAS,
    DESCRIBE_CATALOGS
};
MUST_CHECK enum status shell_list(struct shell *shell, enum describe_kind kind, struct str pattern,
                                  struct error *error);
MUST_CHECK enum status shell_describe_table(struct shell *shell, struct str name,
                                            struct error *error);
/* shell_complete.c: for the editor; the context is the shell. */
void shell_complete(void *context, struct str typed, struct completions *completions);
/* shell_commands.c: names of commands that begin so. */
void shell_complete_command(struct str typed, struct completions *completions);
