/*
 * exchange_sql.c — puts a common table expression before a statement.
 *
 * It takes a line of its own, so that the client's text keeps its columns. Where that begins with WITH
 * already, its word goes (blanks take its place) and ours stands for both. The expression is not to be
 * materialized: the engine would copy the whole dataset where it is named twice.
 *
 * Any thread; owns nothing. Leaves out: whether the statement makes sense (engine).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/exchange_sql.h"

#include "engine/gate.h"

#include <stdio.h>
#include <stdlib.h>

/* The words that the statement begins with and that ours replace: WITH, WITH RECURSIVE or nothing. */
struct beginning {
    size_t with_at;
    size_t with_len;
    size_t recursive_at;
    size_t recursive_len;
};

static bool is_word(const struct sql_token *token, struct str word)
{
    return token->kind == SQL_WORD && str_equal_nocase(token->text, word);
}

static struct beginning find_beginning(struct str sql)
{
    struct beginning beginning = {0};
    struct sql_tokenizer tokenizer;
    struct sql_token token;
    sql_tokenizer_init(&tokenizer, sql);
    token = sql_tokenizer_next(&tokenizer);
    if (!is_word(&token, STR("WITH")))
        return beginning;
    beginning.with_at = token.offset;
    beginning.with_len = token.text.len;
    token = sql_tokenizer_next(&tokenizer);
    if (!is_word(&token, STR("RECURSIVE")))
        return beginning;
    beginning.recursive_at = token.offset;
    beginning.recursive_len = token.text.len;
    return beginning;
}

static void append_blanked(struct str sql, const struct beginning *beginning, struct buf *out)
{
    for (size_t i = 0; i < sql.len; i++) {
        bool is_taken = i - beginning->with_at < beginning->with_len ||
                        i - beginning->recursive_at < beginning->recursive_len;
        buf_append_byte(out, is_taken ? ' ' : (uint8_t)sql.ptr[i]);
    }
}

enum status exchange_sql_write(struct str sql, struct str id, struct buf *out, size_t *out_added,
                               struct error *error)
{
    struct beginning beginning = find_beginning(sql);
    size_t start = out->len;
    buf_printf(out, "WITH %sinput AS NOT MATERIALIZED (FROM batch('%.*s'))%s\n",
               beginning.recursive_len > 0 ? "RECURSIVE " : "", STR_ARGS(id),
               beginning.with_len > 0 ? "," : "");
    *out_added = out->len - start;
    if (beginning.with_len == 0)
        buf_append_str(out, sql);
    else
        append_blanked(sql, &beginning, out);
    return buf_check(out, "the statement", error);
}

/* "LINE 3: SELECT x\n             ^": one line less, and the caret as far to the left as the number got
 * shorter. */
static void mend_line(struct error *error)
{
    static const char mark[] = "\nLINE ";
    char *at = strstr(error->message, mark);
    if (!at)
        return;
    char *digits = at + sizeof(mark) - 1;
    char *end;
    unsigned long line = strtoul(digits, &end, 10);
    if (end == digits || line < 2)
        return;
    char number[24];
    size_t size = (size_t)snprintf(number, sizeof(number), "%lu", line - 1);
    size_t old_size = (size_t)(end - digits);
    memcpy(digits, number, size);
    memmove(digits + size, end, strlen(end) + 1);
    char *caret_line = strchr(digits, '\n');
    if (size < old_size && caret_line && caret_line[1] == ' ')
        memmove(caret_line + 1, caret_line + 2, strlen(caret_line + 2) + 1);
}

void exchange_sql_mend(struct error *error, size_t added)
{
    bool is_own = error->position >= 0 && (size_t)error->position >= added;
    error->position = is_own ? error->position - (int64_t)added : -1;
    error->line = is_own && error->line > 1 ? error->line - 1 : 0;
    error->column = error->line > 0 ? error->column : 0;
    mend_line(error);
}
