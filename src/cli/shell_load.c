/*
 * shell_load.c — `\load FILE... TABLE`: volley load in the session of the shell.
 *
 * So its transaction and its temporary tables are those of the session.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell_commands.h"

#include "base/checked.h"
#include "base/memory.h"
#include "cli/load_options.h"

#define WORDS_MAX 256

/* The next word, without the quotes around it; false at the end. */
static bool next_word(struct arena *arena, struct str *text, char **out)
{
    *text = str_trim(*text);
    if (text->len == 0)
        return false;
    char first = text->ptr[0];
    bool is_quoted = first == '\'';
    size_t end = is_quoted ? 1 : 0;
    while (end < text->len && (is_quoted ? text->ptr[end] != '\'' : text->ptr[end] != ' '))
        end++;
    struct str word = str_slice(*text, is_quoted ? 1 : 0, end);
    *out = (char *)(uintptr_t)arena_copy(arena, word).ptr;
    *text = str_slice(*text, size_min(text->len, end + 1), text->len);
    return true;
}

static enum status read_words(struct arena *arena, struct str text, char *words[WORDS_MAX],
                              size_t *out_count, struct error *error)
{
    *out_count = 0;
    if (text.len > 0 && text.ptr[text.len - 1] == ';')
        text = str_slice(text, 0, text.len - 1);
    for (char *word; next_word(arena, &text, &word);) {
        if (*out_count == WORDS_MAX)
            return error_set(error, STATUS_INVALID_ARGUMENT, "takes %d words at most", WORDS_MAX);
        words[(*out_count)++] = word;
    }
    return STATUS_OK;
}

enum status shell_run_load(struct shell *shell, struct str argument, struct error *error)
{
    struct sql_session *session = &shell->session;
    char *words[WORDS_MAX];
    size_t count;
    struct load_options options;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    TRY(read_words(&arena, argument, words, &count, error));
    TRY(load_options_read(&options, &arena, false, words, count, error));
    options.put.server = session->server;
    interrupt_begin(session->interrupt, session->client);
    enum status status = load_in_session(&options, session->interrupt, session->client, error);
    interrupt_set_client(session->interrupt, NULL);
    if (status != STATUS_OK && interrupt_happened(session->interrupt))
        return error_set(error, STATUS_CANCELLED, "cancelled");
    return status;
}
