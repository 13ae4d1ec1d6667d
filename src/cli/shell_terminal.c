/*
 * shell_terminal.c — the shell at a terminal: its prompt, which tells what is under way, and its history.
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

static const char *prompt_of(const struct shell *shell)
{
    static const char *const first[] = {
        [TRANSACTION_NONE] = "volley> ",
        [TRANSACTION_OPEN] = "volley*> ",
        [TRANSACTION_FAILED] = "volley!> ",
    };
    if (shell_is_between_statements(shell))
        return first[shell->session.transaction];
    switch (shell->script.state) {
    case SCRIPT_QUOTED:
    case SCRIPT_ESCAPED:
        return shell->script.quote == '"' ? "     \"> " : "     '> ";
    case SCRIPT_DOLLAR:
        return "     $> ";
    case SCRIPT_BLOCK_COMMENT:
        return "     *> ";
    default:
        return "     -> ";
    }
}

static void remember(struct shell *shell, struct str line)
{
    buf_append_str(&shell->typed, line);
    if (!shell_is_between_statements(shell) || shell->line.len > 0)
        return;
    struct str entry = str_trim(buf_str(&shell->typed));
    if (entry.len > 0 && !shell->typed.failed)
        editor_remember(shell->editor, entry);
    buf_finish(&shell->typed);
}

void shell_converse(struct shell *shell)
{
    while (!shell->is_over) {
        struct str line;
        switch (editor_read(shell->editor, prompt_of(shell), &line)) {
        case EDITOR_INTERRUPTED:
            shell_reset(shell);
            break;
        case EDITOR_END:
            (void)fputc('\n', stdout);
            return;
        case EDITOR_LINE: {
            char *copy = str_copy(line);
            shell_feed(shell, str_of(copy));
            remember(shell, str_of(copy));
            free(copy);
            break;
        }
        }
    }
}
