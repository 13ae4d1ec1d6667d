/*
 * shell_statement.c — the commands for the statement under way: run it, again and again, edit it; and other
 * programs.
 *
 * Where no statement is under way the last one is meant. Runs on: the main thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell_commands.h"

#include "base/clock.h"
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCH_SECONDS_DEFAULT 2.0
#define WATCH_SECONDS_MAX 86400.0
#define EDITED_BYTES_MAX SCRIPT_STATEMENT_BYTES_MAX

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

enum status shell_run_go(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    return run_current(shell, error);
}

enum status shell_run_go_expanded(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    bool was_expanded = shell->session.is_expanded;
    shell->session.is_expanded = true;
    enum status status = run_current(shell, error);
    shell->session.is_expanded = was_expanded;
    return status;
}

enum status shell_run_reset(struct shell *shell, struct str argument, struct error *error)
{
    (void)argument;
    (void)error;
    shell_reset(shell);
    return STATUS_OK;
}

enum status shell_run_print(struct shell *shell, struct str argument, struct error *error)
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

enum status shell_run_watch(struct shell *shell, struct str argument, struct error *error)
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

enum status shell_run_shell(struct shell *shell, struct str argument, struct error *error)
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

static void append_quoted(struct buf *command, const char *name)
{
    buf_append_byte(command, '\'');
    for (const char *byte = name; *byte; byte++) {
        if (*byte == '\'')
            buf_append_text(command, "'\\'");
        buf_append_byte(command, (uint8_t)*byte);
    }
    buf_append_byte(command, '\'');
}

static enum status edit_file(const char *name, struct error *error)
{
    const char *program = getenv("VISUAL");
    if (!program || !*program)
        program = getenv("EDITOR");
    CLEANUP(buf_finish) struct buf command;
    buf_init(&command, 4096);
    buf_printf(&command, "%s ", program && *program ? program : "vi");
    append_quoted(&command, name);
    TRY(buf_check(&command, "the editor's name", error));
    return program_run((const char *)command.ptr, error);
}

static enum status edit_text(struct str text, struct buf *out, struct error *error)
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

static enum status edit_statement(struct shell *shell, struct buf *out, struct error *error)
{
    char *sql = current_statement(shell);
    enum status status = edit_text(str_of(sql), out, error);
    free(sql);
    return status;
}

static enum status edit_named(struct str argument, struct buf *out, struct error *error)
{
    char *name = str_copy(argument);
    enum status status = edit_file(name, error);
    if (status == STATUS_OK)
        status = read_text(name, out, error);
    free(name);
    return status;
}

/* What was edited is the statement under way; it runs where it has its semicolon. */
enum status shell_run_edit(struct shell *shell, struct str argument, struct error *error)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, EDITED_BYTES_MAX);
    TRY(argument.len > 0 ? edit_named(argument, &text, error)
                         : edit_statement(shell, &text, error));
    shell_say(shell, "%.*s", STR_ARGS(str_trim(buf_str(&text))));
    buf_append_byte(&text, '\n');
    shell_feed(shell, buf_str(&text));
    return STATUS_OK;
}
