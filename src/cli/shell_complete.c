/*
 * shell_complete.c — what can stand behind what was typed, by asking the server.
 *
 * The engine of a Volley completes statements itself: keywords, functions, tables, columns and settings that
 * fit the place. Of another server the names of its tables are offered. What begins otherwise than what was
 * typed is left out. The question is one more statement on the connection and takes a millisecond.
 *
 * Runs on: the main thread, while a line is edited. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include "arrow/column.h"
#include "base/memory.h"
#include "proto/flight_sql.h"

#include <ctype.h>

#define SQL_BYTES_MAX ((size_t)1 << 20)

struct search {
    struct str typed; /* of the line at hand */
    size_t before;    /* bytes of the statement before it */
    struct completions *completions;
};

static bool begins_quoted(struct str word)
{
    return word.len > 0 && word.ptr[0] == '"';
}

static void offer(struct search *search, size_t start, struct str text)
{
    struct completions *completions = search->completions;
    struct str word = str_slice(search->typed, start, search->typed.len);
    bool is_quoted = text.len > 0 && text.ptr[0] == '"';
    if (!str_starts_with_nocase(str_slice(text, is_quoted && !begins_quoted(word), text.len),
                                word) ||
        text.len == 0 || text.ptr[0] == '(')
        return;
    if (completions->count > 0 && start != completions->start)
        return;
    completions->start = start;
    completions->ends_word = text.ptr[text.len - 1] != '.' && text.ptr[text.len - 1] != ' ';
    completions_add(completions, text);
}

/* --- a Volley --------------------------------------------------------------------------------- */

static enum status take_suggestion(void *context, const struct arrow_column *columns, int64_t row,
                                   struct error *error)
{
    struct search *search = (struct search *)context;
    int64_t start = arrow_column_integer(&columns[1], row);
    if (start >= (int64_t)search->before)
        offer(search, (size_t)start - search->before, arrow_column_bytes(&columns[0], row));
    return STATUS_OK;
}

static bool has_suggestions(const struct sql_query *query)
{
    const struct arrow_schema *schema = sql_query_schema(query);
    return schema && schema->field_count >= 2 && schema->fields[0].type == ARROW_UTF8 &&
           schema->fields[1].type == ARROW_INT;
}

static enum status ask_engine(struct shell *shell, struct str text, struct search *search,
                              struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_append_text(&sql, "SELECT suggestion, suggestion_start FROM sql_auto_complete('");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            buf_append_byte(&sql, '\'');
        buf_append_byte(&sql, (uint8_t)text.ptr[i]);
    }
    buf_append_text(&sql, "')");
    TRY(buf_check(&sql, "the statement", error));
    TRY(sql_query_open(shell->session.client, buf_str(&sql), true, &query, error));
    if (!has_suggestions(query))
        return error_set(error, STATUS_UNIMPLEMENTED, "the server does not complete statements");
    return sql_query_for_each_row(query, take_suggestion, search, error);
}

/* --- any server ------------------------------------------------------------------------------- */

static size_t word_start(struct str typed)
{
    size_t start = typed.len;
    while (start > 0 && (isalnum((unsigned char)typed.ptr[start - 1]) ||
                         typed.ptr[start - 1] == '_' || (typed.ptr[start - 1] & 0x80)))
        start--;
    return start;
}

static enum status take_table(void *context, const struct arrow_column *columns, int64_t row,
                              struct error *error)
{
    struct search *search = (struct search *)context;
    offer(search, word_start(search->typed), arrow_column_bytes(&columns[2], row));
    return STATUS_OK;
}

static enum status ask_tables(struct shell *shell, struct search *search, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    Sql__CommandGetTables command = SQL__COMMAND_GET_TABLES__INIT;
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&command);
    TRY(sql_query_open_command(shell->session.client, any, true, &query, error));
    const struct arrow_schema *schema = sql_query_schema(query);
    if (!schema || schema->field_count < 4 || schema->fields[2].type != ARROW_UTF8)
        return error_set(error, STATUS_INTERNAL, "the server's tables have no names");
    return sql_query_for_each_row(query, take_table, search, error);
}

/* --- the editor's question -------------------------------------------------------------------- */

/* `\d trips`: the name is that of a table. */
static bool is_describing(struct str typed)
{
    return str_starts_with(typed, STR("\\d")) || str_starts_with(typed, STR(".schema ")) ||
           str_starts_with(typed, STR(".tables "));
}

void shell_complete(void *context, struct str typed, struct completions *completions)
{
    struct shell *shell = (struct shell *)context;
    struct error error = ERROR_NONE;
    struct search search = {.typed = typed, .completions = completions};
    bool is_command = typed.len > 0 && (typed.ptr[0] == '\\' || typed.ptr[0] == '.');
    if (is_command && str_find(typed, ' ') < 0) {
        shell_complete_command(typed, completions);
        return;
    }
    if (is_command) {
        if (is_describing(typed) && ask_tables(shell, &search, &error) != STATUS_OK)
            completions->count = 0;
        return;
    }
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, SQL_BYTES_MAX / 4);
    buf_append_str(&text, buf_str(&shell->typed));
    search.before = text.len;
    buf_append_str(&text, typed);
    if (text.failed || str_trim(buf_str(&text)).len == 0)
        return;
    if (ask_engine(shell, buf_str(&text), &search, &error) != STATUS_OK)
        (void)ask_tables(shell, &search, &error);
}
