/*
 * bulk_insert.c — from INSERT INTO t VALUES (..) to INSERT INTO t SELECT .. FROM batch('..').
 *
 *      INSERT INTO t (a, b) VALUES ($1, upper($2))
 *      INSERT INTO t (a, b) SELECT parameter_1, upper(parameter_2)
 *                           FROM batch('<input>') AS parameter_rows(parameter_1, parameter_2)
 *
 * Both insert the same, and fail for the same rows, as long as the tuple means for each row what it means
 * alone: so there is one tuple, no ON CONFLICT or RETURNING, nothing that reads other rows, and no function
 * but those that are known to make one value of its arguments. Everything else is left to be run row by row.
 *
 * Any thread; no state. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/bulk_insert.h"

#include "base/memory.h"
#include "engine/tokens.h"

#define COLUMN_PREFIX "parameter_"

/* Words that have no place in the tuple, whatever follows. */
static const char *const refused_words[] = {
    "select",  "from",    "with",    "values", "default", "over",    "filter",   "table",
    "pivot",   "unpivot", "group",   "order",  "having",  "qualify", "window",   "exclude",
    "replace", "rename",  "columns", "for",    "within",  "lambda",  "distinct", NULL};

/* Words that may stand before a bracket: functions of one row, types with sizes, and operators. */
static const char *const bracket_words[] = {"abs",
                                            "ceil",
                                            "floor",
                                            "round",
                                            "trunc",
                                            "sign",
                                            "sqrt",
                                            "ln",
                                            "exp",
                                            "pow",
                                            "power",
                                            "mod",
                                            "greatest",
                                            "least",
                                            "coalesce",
                                            "ifnull",
                                            "nullif",
                                            "if",
                                            "lower",
                                            "upper",
                                            "trim",
                                            "ltrim",
                                            "rtrim",
                                            "length",
                                            "strlen",
                                            "left",
                                            "right",
                                            "substr",
                                            "substring",
                                            "reverse",
                                            "lpad",
                                            "rpad",
                                            "concat",
                                            "concat_ws",
                                            "replace",
                                            "md5",
                                            "sha256",
                                            "hash",
                                            "to_base64",
                                            "from_base64",
                                            "hex",
                                            "unhex",
                                            "encode",
                                            "decode",
                                            "now",
                                            "today",
                                            "nextval",
                                            "uuid",
                                            "gen_random_uuid",
                                            "random",
                                            "date_trunc",
                                            "date_part",
                                            "strftime",
                                            "strptime",
                                            "epoch_ms",
                                            "make_date",
                                            "make_timestamp",
                                            "to_timestamp",
                                            "to_json",
                                            "list_value",
                                            "array_value",
                                            "struct_pack",
                                            "cast",
                                            "try_cast",
                                            "decimal",
                                            "numeric",
                                            "varchar",
                                            "char",
                                            "timestamp",
                                            "interval",
                                            "in",
                                            "and",
                                            "or",
                                            "not",
                                            "is",
                                            "when",
                                            "then",
                                            "else",
                                            "case",
                                            "like",
                                            "between",
                                            NULL};

struct writer {
    struct sql_tokenizer tokenizer;
    struct sql_token token; /* the one that is looked at */
    struct str sql;
    const struct arrow_schema *parameters;
    const size_t *columns;
    const struct arrow_schema *rows;
    size_t marks; /* `?` so far */
    size_t next;  /* that a name which is new has */
    struct buf *out;
};

static void advance(struct writer *writer)
{
    writer->token = sql_tokenizer_next(&writer->tokenizer);
}

static bool take_word(struct writer *writer, const char *word)
{
    bool is_it = token_is_word(&writer->token, word);
    if (is_it)
        advance(writer);
    return is_it;
}

static bool take_symbol(struct writer *writer, char symbol)
{
    bool is_it = token_is_symbol(&writer->token, symbol) && writer->token.text.len == 1;
    if (is_it)
        advance(writer);
    return is_it;
}

static bool take_name(struct writer *writer)
{
    bool is_it = writer->token.kind == SQL_WORD || writer->token.kind == SQL_QUOTED_NAME;
    if (is_it)
        advance(writer);
    return is_it;
}

/* --- before the tuple --------------------------------------------------------------------------- */

static bool take_names(struct writer *writer, char between)
{
    do {
        if (!take_name(writer))
            return false;
    } while (take_symbol(writer, between));
    return true;
}

static bool take_head(struct writer *writer)
{
    advance(writer);
    if (!take_word(writer, "insert") || !take_word(writer, "into") || !take_names(writer, '.'))
        return false;
    if (take_symbol(writer, '(') && (!take_names(writer, ',') || !take_symbol(writer, ')')))
        return false;
    return token_is_word(&writer->token, "values");
}

/* --- the tuple ---------------------------------------------------------------------------------- */

/* The place of a parameter among all; -1: there is none such. */
static ptrdiff_t parameter_of(struct writer *writer, struct str mark)
{
    if (str_equal(mark, STR("?")))
        return writer->marks < writer->parameters->field_count ? (ptrdiff_t)writer->marks++ : -1;
    struct str name = str_slice(mark, 1, mark.len);
    const struct arrow_schema *parameters = writer->parameters;
    if (writer->next < parameters->field_count &&
        str_equal_nocase(parameters->fields[writer->next].name, name))
        return (ptrdiff_t)writer->next++;
    for (size_t i = 0; i < parameters->field_count; i++)
        if (str_equal_nocase(parameters->fields[i].name, name))
            return (ptrdiff_t)i;
    return -1;
}

static bool is_text(const struct arrow_field *field)
{
    return field->type == ARROW_UTF8 || field->type == ARROW_LARGE_UTF8 ||
           field->type == ARROW_UTF8_VIEW;
}

/* A text for a parameter of another type is read as that type before an expression sees it; a column of
 * texts would give the expression texts. */
static bool means_the_same(const struct writer *writer, size_t parameter, bool is_alone)
{
    const struct arrow_field *expected = &writer->parameters->fields[parameter];
    return is_alone || !is_text(&writer->rows->fields[writer->columns[parameter]]) ||
           is_text(expected) || expected->type == ARROW_NULL;
}

static bool write_parameter(struct writer *writer, const struct sql_token *token, bool is_alone)
{
    ptrdiff_t parameter = parameter_of(writer, token->text);
    if (parameter < 0 || !means_the_same(writer, (size_t)parameter, is_alone))
        return false;
    buf_printf(writer->out, COLUMN_PREFIX "%zu", writer->columns[parameter] + 1);
    return true;
}

/* `next` is the token behind it. */
static bool is_allowed(const struct sql_token *before, const struct sql_token *token,
                       const struct sql_token *next)
{
    bool touches_next = token->offset + token->text.len == next->offset;
    switch (token->kind) {
    case SQL_PARAMETER: /* ?1 is a number's to the engine */
        return !touches_next || next->kind == SQL_SYMBOL;
    case SQL_WORD:
        return token_is_symbol(next, '(')
                   ? token_is_one_of(token, bracket_words)
                   : !token_is_one_of(token, refused_words) &&
                         !str_starts_with_nocase(token->text, STR(COLUMN_PREFIX));
    case SQL_SYMBOL: /* a star that multiplies stands behind a value */
        return !token_is_symbol(token, ';') &&
               (!token_is_symbol(token, '*') || !token_is_bracket(before, "(,"));
    case SQL_STRING:
    case SQL_NUMBER:
        return true;
    default:
        return false;
    }
}

/* From "(" to its ")"; what stands between the tokens goes along. */
static bool write_tuple(struct writer *writer)
{
    size_t depth = 0;
    struct sql_token before = writer->token;
    if (!token_is_symbol(&writer->token, '('))
        return false;
    for (;;) {
        struct sql_token token = writer->token;
        bool is_outer = (token_is_symbol(&token, '(') && depth == 0) ||
                        (token_is_symbol(&token, ')') && depth == 1);
        depth += token_is_symbol(&token, '(');
        depth -= token_is_symbol(&token, ')');
        advance(writer);
        if (depth == 0)
            return true;
        if (!is_allowed(&before, &token, &writer->token))
            return false;
        bool is_cast = token_is_symbol(&writer->token, ':') || token_is_word(&writer->token, "as");
        bool is_alone = is_cast || (depth == 1 && token_is_bracket(&before, "(,") &&
                                    token_is_bracket(&writer->token, ",)"));
        if (token.kind == SQL_PARAMETER && !write_parameter(writer, &token, is_alone))
            return false;
        if (token.kind != SQL_PARAMETER && !is_outer)
            buf_append_str(writer->out, token.text);
        size_t end = token.offset + token.text.len;
        buf_append_str(writer->out, str_slice(writer->sql, end, writer->token.offset));
        before = token;
    }
}

static bool is_at_end(struct writer *writer)
{
    (void)take_symbol(writer, ';');
    return writer->token.kind == SQL_END;
}

static void write_source(struct writer *writer, size_t column_count, struct str input)
{
    buf_append_text(writer->out, "\nFROM batch('");
    buf_append_str(writer->out, input);
    buf_append_text(writer->out, "') AS parameter_rows(");
    for (size_t i = 0; i < column_count; i++)
        buf_printf(writer->out, "%s" COLUMN_PREFIX "%zu", i ? ", " : "", i + 1);
    buf_append_text(writer->out, ")");
}

bool bulk_insert_write(struct str sql, const struct arrow_schema *parameters, const size_t *columns,
                       const struct arrow_schema *rows, struct str input, struct buf *out)
{
    struct writer writer = {
        .sql = sql, .parameters = parameters, .columns = columns, .rows = rows, .out = out};
    sql_tokenizer_init(&writer.tokenizer, sql);
    bool is_written = take_head(&writer);
    if (is_written) {
        buf_append_str(out, str_slice(sql, 0, writer.token.offset));
        buf_append_text(out, "SELECT ");
        advance(&writer);
        is_written = write_tuple(&writer) && is_at_end(&writer);
    }
    if (is_written)
        write_source(&writer, rows->field_count, input);
    return is_written && !out->failed;
}
