/*
 * editor.c — lines by libedit.
 *
 * While a line is edited the terminal makes no signals: Ctrl-C is a key like any other, which drops the
 * line. The history is a file of libedit's format that only its owner reads: entries are appended as they
 * come, so that several shells write into one file and a shell that is killed leaves all it was told; the
 * file is cut to its size when an editor begins.
 *
 * Runs on: the main thread. Owns: the history and libedit's state. Leaves out: what can be completed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/editor.h"

#include "base/checked.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/layout.h"

#include <fcntl.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_ENTRIES_MAX 5000
/* The first line of libedit's histories. */
#define HISTORY_MARK "_HiStOrY_V2_\n"
#define HISTORY_ENTRY_BYTES_MAX ((size_t)1 << 20)
#define COMPLETION_BYTES_MAX ((size_t)64 << 10)
#define ROW_COLUMNS 78

struct editor {
    struct editor_options options;
    EditLine *edit;
    History *history;
    int history_fd; /* -1: nothing is kept */
    const char *prompt;
    bool is_interrupted;
};

/* --- completion ------------------------------------------------------------------------------- */

void completions_add(struct completions *completions, struct str text)
{
    if (completions->count == COMPLETIONS_MAX || text.len == 0 || str_find(text, '\0') >= 0)
        return;
    buf_append_str(&completions->text, text);
    buf_append_byte(&completions->text, '\0');
    completions->count++;
}

/* How many bytes all of them begin with, in whatever case; whole characters. */
static size_t common_size(const struct completions *completions)
{
    const char *first = (const char *)completions->text.ptr;
    const char *item = first;
    size_t size = strlen(first);
    for (size_t i = 1; i < completions->count; i++) {
        item += strlen(item) + 1;
        size_t same = 0;
        while (same < size && item[same] &&
               str_equal_nocase(str_make(&item[same], 1), str_make(&first[same], 1)))
            same++;
        size = same;
    }
    while (size > 0 && ((unsigned char)first[size] & 0xc0) == 0x80)
        size--;
    return size;
}

static void list_completions(const struct completions *completions)
{
    CLEANUP(buf_finish) struct buf line;
    buf_init(&line, COMPLETION_BYTES_MAX);
    const char *item = (const char *)completions->text.ptr;
    size_t widest = 0;
    for (size_t i = 0; i < completions->count; i++, item += strlen(item) + 1)
        widest = size_max(widest, strlen(item) + 2);
    size_t per_row = size_max(1, ROW_COLUMNS / widest);
    item = (const char *)completions->text.ptr;
    for (size_t i = 0; i < completions->count; i++, item += strlen(item) + 1) {
        size_t columns = layout_append(str_of(item), false, &line);
        bool is_last = (i + 1) % per_row == 0 || i + 1 == completions->count;
        if (is_last)
            buf_append_byte(&line, '\n');
        else
            layout_fill(&line, ' ', widest - size_min(columns, widest));
    }
    (void)printf("\n%.*s", STR_ARGS(buf_str(&line)));
    (void)fflush(stdout);
}

/* Puts `text` in the place of what was typed from `start` on. */
static void replace_typed(EditLine *edit, size_t typed_size, struct str text)
{
    const LineInfo *line = el_line(edit);
    size_t before = (size_t)(line->cursor - line->buffer);
    char *copy = str_copy(text);
    el_deletestr(edit, (int)size_min(typed_size, before));
    (void)el_insertstr(edit, copy);
    free(copy);
}

/* Characters, which is what libedit deletes. */
static size_t character_count(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static unsigned char apply(EditLine *edit, struct str typed, const struct completions *completions)
{
    struct str word = str_slice(typed, completions->start, typed.len);
    size_t common = common_size(completions);
    struct str text = str_make(completions->text.ptr, common);
    if (completions->count > 1 && common <= word.len) {
        list_completions(completions);
        return CC_REDISPLAY;
    }
    replace_typed(edit, character_count(word), text);
    if (completions->count == 1 && completions->ends_word)
        (void)el_insertstr(edit, " ");
    return CC_REFRESH;
}

static unsigned char on_complete(EditLine *edit, int key)
{
    (void)key;
    struct editor *editor = NULL;
    (void)el_get(edit, EL_CLIENTDATA, &editor);
    const LineInfo *line = el_line(edit);
    struct str typed = str_make(line->buffer, (size_t)(line->cursor - line->buffer));
    struct completions completions = {.ends_word = true};
    buf_init(&completions.text, COMPLETION_BYTES_MAX);
    char *copy = str_copy(typed); /* libedit's own buffer goes with the first change */
    editor->options.complete(editor->options.context, str_of(copy), &completions);
    bool has_some = completions.count > 0 && !completions.text.failed;
    unsigned char outcome = has_some ? apply(edit, str_of(copy), &completions) : CC_ERROR;
    free(copy);
    buf_finish(&completions.text);
    return outcome;
}

/* --- keys ------------------------------------------------------------------------------------- */

static unsigned char on_interrupt(EditLine *edit, int key)
{
    (void)key;
    struct editor *editor = NULL;
    (void)el_get(edit, EL_CLIENTDATA, &editor);
    editor->is_interrupted = true;
    (void)fputs("^C\n", stdout);
    return CC_NEWLINE;
}

static char *prompt_of(EditLine *edit)
{
    struct editor *editor = NULL;
    (void)el_get(edit, EL_CLIENTDATA, &editor);
    return (char *)(uintptr_t)editor->prompt;
}

static void bind_keys(EditLine *edit)
{
    (void)el_set(edit, EL_EDITOR, "emacs");
    /* Of narrow texts libedit would keep copies for ever. */
    (void)el_wset(edit, EL_ADDFN, L"volley-complete", L"complete what was typed", on_complete);
    (void)el_wset(edit, EL_ADDFN, L"volley-interrupt", L"drop the line", on_interrupt);
    (void)el_set(edit, EL_BIND, "^I", "volley-complete", NULL);
    (void)el_set(edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    (void)el_set(edit, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    (void)el_set(edit, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    (void)el_set(edit, EL_BIND, "\\e[3~", "ed-delete-next-char", NULL);
    (void)el_set(edit, EL_SETTY, "-d", "-isig", NULL);
    (void)el_source(edit, NULL);
    (void)el_set(edit, EL_BIND, "^C", "volley-interrupt", NULL);
}

/* --- the history ------------------------------------------------------------------------------ */

static void append_bytes(int fd, struct str bytes)
{
    ssize_t size = write(fd, bytes.ptr, bytes.len); /* whole or not: a history is no promise */
    (void)size;
}

/* The file at its end, which nobody but its owner can read; -1: there is none. */
static int open_history(const char *name)
{
    struct stat facts;
    int fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || fchmod(fd, 0600) != 0) {
        (void)close(fd);
        return -1;
    }
    if (facts.st_size == 0)
        append_bytes(fd, STR(HISTORY_MARK));
    return fd;
}

static bool is_history(int fd)
{
    char mark[sizeof(HISTORY_MARK) - 1];
    return pread(fd, mark, sizeof(mark), 0) == (ssize_t)sizeof(mark) &&
           memcmp(mark, HISTORY_MARK, sizeof(mark)) == 0;
}

static void load_history(struct editor *editor)
{
    HistEvent event;
    const char *name = editor->options.history_file;
    (void)history(editor->history, &event, H_SETSIZE, HISTORY_ENTRIES_MAX);
    (void)history(editor->history, &event, H_SETUNIQUE, 1);
    editor->history_fd = name ? open_history(name) : -1;
    if (editor->history_fd < 0)
        return;
    if (!is_history(editor->history_fd)) {
        cli_complain("%s is no history of volley sql: it is left alone, and nothing is kept", name);
        (void)close(editor->history_fd);
        editor->history_fd = -1;
        return;
    }
    int count = history(editor->history, &event, H_LOAD, name);
    if (count > 2 * HISTORY_ENTRIES_MAX)
        (void)history(editor->history, &event, H_SAVE, name);
}

/* As libedit reads it: what is no letter, digit or mark stands as a backslash and three octal digits. */
static void append_history(const struct editor *editor, struct str text)
{
    CLEANUP(buf_finish) struct buf line;
    buf_init(&line, HISTORY_ENTRY_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte > ' ' && byte < 0x7f && byte != '\\')
            buf_append_byte(&line, byte);
        else
            buf_printf(&line, "\\%03o", byte);
    }
    buf_append_byte(&line, '\n');
    if (!line.failed)
        append_bytes(editor->history_fd, buf_str(&line));
}

/* --- life ------------------------------------------------------------------------------------- */

enum status editor_create(const struct editor_options *options, struct editor **out_editor,
                          struct error *error)
{
    CLEANUP(editor_destroy) struct editor *editor = NEW(struct editor);
    editor->options = *options;
    editor->history_fd = -1;
    editor->history = history_init();
    editor->edit = el_init("volley", stdin, stdout, stderr);
    if (!editor->history || !editor->edit)
        return error_set(error, STATUS_INTERNAL, "the terminal cannot be edited on");
    load_history(editor);
    (void)el_set(editor->edit, EL_CLIENTDATA, editor);
    (void)el_set(editor->edit, EL_PROMPT, prompt_of);
    (void)el_set(editor->edit, EL_HIST, history, editor->history);
    bind_keys(editor->edit);
    *out_editor = STEAL(editor);
    return STATUS_OK;
}

void editor_destroy(struct editor *editor)
{
    if (!editor)
        return;
    if (editor->history_fd >= 0)
        (void)close(editor->history_fd);
    if (editor->edit)
        el_end(editor->edit);
    if (editor->history)
        history_end(editor->history);
    free(editor);
}

enum editor_end editor_read(struct editor *editor, const char *prompt, struct str *out_line)
{
    int size = 0;
    editor->prompt = prompt;
    editor->is_interrupted = false;
    /* Before the prompt is there: what is typed at once is a key and no signal. */
    (void)el_set(editor->edit, EL_PREP_TERM, 1);
    const char *line = el_gets(editor->edit, &size);
    if (editor->is_interrupted)
        return EDITOR_INTERRUPTED;
    if (!line || size <= 0)
        return EDITOR_END;
    *out_line = str_make(line, (size_t)size);
    return EDITOR_LINE;
}

void editor_remember(struct editor *editor, struct str text)
{
    HistEvent event;
    char *copy = str_copy(text);
    (void)history(editor->history, &event, H_ENTER, copy);
    free(copy);
    if (editor->history_fd >= 0)
        append_history(editor, text);
}
