/*
 * shell_lines.c — what the shell reads, line by line: statements and commands, from wherever they come.
 *
 * One statement may span lines and one line may hold several statements; a line that begins with a backslash,
 * and what stands so behind a statement, is a command. Files may have others read.
 *
 * Runs on: the main thread. Owns: nothing; the texts under way are the shell's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)

bool shell_is_between_statements(const struct shell *shell)
{
    return shell->script.content == SIZE_MAX && shell->script.state == SCRIPT_PLAIN;
}

static void run_complete(struct shell *shell, bool ended)
{
    struct str statement;
    while (!shell->is_over && script_next(&shell->script, ended, &statement)) {
        bool went_well = shell_run_statement(shell, statement);
        shell->statement_line = shell->line_number;
        if (went_well || !interrupt_happened(shell->session.interrupt))
            continue;
        shell_reset(shell); /* Ctrl-C means what follows on the line too */
        return;
    }
}

static bool is_command(const struct shell *shell, struct str line)
{
    if (line.len < 2 || shell->script.state != SCRIPT_PLAIN)
        return false;
    return line.ptr[0] == '\\' ||
           (line.ptr[0] == '.' && shell_is_between_statements(shell) && line.ptr[1] >= 'a');
}

/* Where a command begins behind a statement, as in "SELECT 1 \\gx"; the line's size: nowhere. */
static size_t find_command(struct str line)
{
    for (size_t at = line.len; at-- > 1;) {
        if (line.ptr[at] == '\\' && line.ptr[at - 1] == ' ' && at + 1 < line.len &&
            line.ptr[at + 1] >= 'a' && line.ptr[at + 1] <= 'z')
            return at;
    }
    return line.len;
}

static bool feed_script(struct shell *shell, struct str text)
{
    struct error error = ERROR_NONE;
    if (script_feed(&shell->script, text, &error) == STATUS_OK) {
        run_complete(shell, false);
        return !shell->is_over;
    }
    shell_reset(shell);
    shell_fail(shell, CLI_USAGE, &error);
    return false;
}

static void take_line(struct shell *shell, struct str line)
{
    shell->line_number++;
    if (shell_is_between_statements(shell))
        shell->statement_line = shell->line_number;
    if (is_command(shell, str_trim(line))) {
        shell_command(shell, str_trim(line));
        return;
    }
    size_t at = find_command(line);
    struct str rest = str_slice(line, at, line.len);
    if (!feed_script(shell, str_slice(line, 0, at)) || rest.len == 0)
        return;
    if (shell->script.state == SCRIPT_PLAIN)
        shell_command(shell, str_trim(rest));
    else
        (void)feed_script(shell, rest);
}

void shell_reset(struct shell *shell)
{
    script_finish(&shell->script);
    script_init(&shell->script);
    buf_clear(&shell->typed);
}

static void take_kept_line(struct shell *shell)
{
    struct error error = ERROR_NONE;
    if (buf_check(&shell->line, "a line", &error) != STATUS_OK) {
        shell->is_over = true;
        shell_fail(shell, CLI_USAGE, &error);
        return;
    }
    size_t size = shell->line.len;
    char *line = buf_steal(&shell->line); /* a command may read lines itself */
    take_line(shell, str_make(line, size));
    free(line);
}

void shell_feed(struct shell *shell, struct str text)
{
    while (text.len > 0 && !shell->is_over) {
        ptrdiff_t end = str_find(text, '\n');
        size_t size = end < 0 ? text.len : (size_t)end + 1;
        buf_append(&shell->line, text.ptr, size);
        text = str_slice(text, size, text.len);
        if (end >= 0)
            take_kept_line(shell);
        if (shell->depth > 0 && interrupt_happened(shell->session.interrupt))
            return;
    }
}

void shell_feed_end(struct shell *shell)
{
    if (!shell->is_over && shell->line.len > 0)
        take_kept_line(shell);
    if (!shell->is_over)
        run_complete(shell, true);
    shell_reset(shell);
}

/* --- files -------------------------------------------------------------------------------------- */

static void feed_descriptor(struct shell *shell, int fd, const char *name)
{
    while (!shell->is_over) {
        char bytes[READ_BYTES];
        struct error error = ERROR_NONE;
        ssize_t size = read(fd, bytes, sizeof(bytes));
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            (void)error_set_errno(&error, errno, "cannot read %s", name);
            shell->statement_line = 0; /* it is the file that is at fault */
            shell_fail(shell, CLI_FAILED, &error);
            return;
        }
        if (size == 0)
            break;
        shell_feed(shell, str_make(bytes, (size_t)size));
        if (interrupt_happened(shell->session.interrupt))
            return;
    }
    shell_feed_end(shell);
}

void shell_feed_file(struct shell *shell, const char *name)
{
    struct error error = ERROR_NONE;
    if (str_equal(str_of(name), STR("-"))) {
        feed_descriptor(shell, STDIN_FILENO, "standard input");
        return;
    }
    if (shell->depth == SHELL_DEPTH_MAX) {
        (void)error_set(&error, STATUS_INVALID_ARGUMENT, "%s: files read one another %d deep", name,
                        SHELL_DEPTH_MAX);
        shell_fail(shell, CLI_USAGE, &error);
        return;
    }
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)error_set_errno(&error, errno, "%s", name);
        shell_fail(shell, CLI_USAGE, &error);
        return;
    }
    const char *source = shell->source;
    size_t line_number = shell->line_number;
    shell->depth++;
    shell->source = name;
    shell->line_number = 0;
    feed_descriptor(shell, fd, name);
    shell->line_number = line_number;
    shell->source = source;
    shell->depth--;
    (void)close(fd);
}
