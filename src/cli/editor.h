/*
 * editor.h — lines typed at a terminal: editing, history, completion.
 *
 * Threads: the main thread; one editor in a process. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/* What can stand behind what was typed. */
struct completions {
    struct buf text; /* each NUL-terminated */
    size_t count;    /* COMPLETIONS_MAX at most */
    size_t start;    /* of the typed text: where they begin */
    bool ends_word;  /* a single one is followed by a space */
};
#define COMPLETIONS_MAX 200

void completions_add(struct completions *completions, struct str text);

struct editor_options {
    const char *history_file; /* NULL: none */
    /* Fills `completions` for the text before the cursor, that of earlier lines of the statement included by
     * the callee. */
    void (*complete)(void *context, struct str typed, struct completions *completions);
    void *context;
};

struct editor;
MUST_CHECK enum status editor_create(const struct editor_options *options,
                                     struct editor **out_editor, struct error *error);
/* Writes the history and gives the terminal back. */
void editor_destroy(struct editor *editor);
CLEANUP_FUNCTION(struct editor *, editor_destroy)

enum editor_end {
    EDITOR_LINE,        /* with its newline */
    EDITOR_INTERRUPTED, /* Ctrl-C: what was typed is dropped */
    EDITOR_END,         /* Ctrl-D on an empty line, or the terminal is gone */
};
/* Reads a line; it lives until the next call. */
enum editor_end editor_read(struct editor *editor, const char *prompt, struct str *out_line);
/* Adds an entry to the history, unless it is the same as the last. */
void editor_remember(struct editor *editor, struct str text);
