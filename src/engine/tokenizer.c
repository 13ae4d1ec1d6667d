/*
 * tokenizer.c — splits SQL into tokens exactly where DuckDB's scanner does, and hashes its shape.
 *
 * What is passed over here must be passed over by the engine too: nested comments, dollar quotes,
 * E'..' strings with backslashes, strings that go on after a line break, and the Unicode spaces that
 * the engine takes for blanks. An unclosed string or comment ends the text.
 *
 * Any thread; owns nothing. Leaves out the meaning of words.
 * Source: PostgreSQL's scan.l as DuckDB 1.5 has it, DuckDB's Parser::StripUnicodeSpaces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>

#include "base/buf.h"
#include "engine/gate.h"

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_word_start(char byte)
{
    unsigned char c = (unsigned char)byte;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static char byte_at(struct str text, size_t index)
{
    return index < text.len ? text.ptr[index] : '\0';
}

/* Bytes of a Unicode space at the start of `text`; 0: none. */
static size_t unicode_space_size(struct str text)
{
    unsigned char a = (unsigned char)byte_at(text, 0);
    unsigned char b = (unsigned char)byte_at(text, 1);
    unsigned char c = (unsigned char)byte_at(text, 2);
    if (a == 0xc2 && b == 0xa0)
        return 2;
    bool found = (a == 0xe2 && b == 0x80 && ((c >= 0x80 && c <= 0x8b) || c == 0xaf)) ||
                 (a == 0xe2 && b == 0x81 && (c == 0x9f || c == 0xa0)) ||
                 (a == 0xe3 && b == 0x80 && c == 0x80) || (a == 0xef && b == 0xbb && c == 0xbf);
    return found ? 3 : 0;
}

static size_t blank_size(struct str text)
{
    char byte = byte_at(text, 0);
    if (text.len && (byte == ' ' || (byte >= '\t' && byte <= '\r')))
        return 1;
    return unicode_space_size(text);
}

static size_t line_comment_size(struct str text)
{
    if (byte_at(text, 0) != '-' || byte_at(text, 1) != '-')
        return 0;
    size_t size = 2;
    while (size < text.len && text.ptr[size] != '\n' && text.ptr[size] != '\r')
        size++;
    return size;
}

static size_t block_comment_size(struct str text)
{
    if (byte_at(text, 0) != '/' || byte_at(text, 1) != '*')
        return 0;
    size_t depth = 1;
    size_t size = 2;
    while (size < text.len && depth) {
        bool opens = text.ptr[size] == '/' && byte_at(text, size + 1) == '*';
        bool closes = text.ptr[size] == '*' && byte_at(text, size + 1) == '/';
        depth += opens;
        depth -= closes;
        size += opens || closes ? 2 : 1;
    }
    return size;
}

/* Where a string goes on: blanks and line comments with a line break among them, then a quote. 0: it
 * does not. */
static size_t continuation_size(struct str text)
{
    size_t size = 0;
    bool has_break = false;
    for (;;) {
        struct str rest = str_slice(text, size, text.len);
        size_t passed = blank_size(rest);
        has_break = has_break || (passed == 1 && (rest.ptr[0] == '\n' || rest.ptr[0] == '\r'));
        if (!passed)
            passed = line_comment_size(rest);
        if (!passed)
            break;
        size += passed;
    }
    return has_break && byte_at(text, size) == '\'' ? size : 0;
}

/* What stands between quotes, from the opening one at `start` to behind the closing one. */
static size_t quoted_end(struct str text, size_t start, bool backslashes)
{
    char quote = text.ptr[start];
    size_t end = start + 1;
    while (end < text.len) {
        if (backslashes && text.ptr[end] == '\\') {
            end += 2;
        } else if (text.ptr[end] != quote) {
            end += 1;
        } else if (byte_at(text, end + 1) == quote) {
            end += 2;
        } else {
            size_t gap = quote == '\'' ? continuation_size(str_slice(text, end + 1, text.len)) : 0;
            if (!gap)
                return end + 1;
            end += 1 + gap + 1;
        }
    }
    return text.len;
}

static size_t word_end(struct str text, size_t start, bool dollars)
{
    size_t end = start;
    while (end < text.len && (is_word_start(text.ptr[end]) || is_digit(text.ptr[end]) ||
                              (dollars && text.ptr[end] == '$'))) {
        if (unicode_space_size(str_slice(text, end, text.len)))
            break;
        end++;
    }
    return end;
}

/* $1, $name, $$text$$ and $tag$text$tag$. */
static size_t dollar_end(struct str text, enum sql_token_kind *kind)
{
    *kind = SQL_PARAMETER;
    if (is_digit(byte_at(text, 1))) {
        size_t end = 1;
        while (is_digit(byte_at(text, end)))
            end++;
        return end;
    }
    size_t tag_end = word_end(text, 1, false);
    if (byte_at(text, tag_end) != '$') {
        if (tag_end == 1)
            *kind = SQL_SYMBOL;
        return tag_end;
    }
    *kind = SQL_STRING;
    struct str tag = str_slice(text, 0, tag_end + 1);
    ptrdiff_t close = str_find_str(str_slice(text, tag.len, text.len), tag);
    return close < 0 ? text.len : tag.len + (size_t)close + tag.len;
}

static size_t digits_end(struct str text, size_t start)
{
    size_t end = start;
    while (is_digit(byte_at(text, end)) ||
           (end > start && byte_at(text, end) == '_' && is_digit(byte_at(text, end + 1))))
        end++;
    return end;
}

static size_t number_end(struct str text)
{
    size_t end = digits_end(text, 0);
    if (byte_at(text, end) == '.' && byte_at(text, end + 1) != '.')
        end = digits_end(text, end + 1);
    char exponent = byte_at(text, end);
    if (exponent == 'e' || exponent == 'E') {
        char sign = byte_at(text, end + 1);
        size_t digits = end + (sign == '+' || sign == '-' ? 2 : 1);
        if (is_digit(byte_at(text, digits)))
            end = digits_end(text, digits);
    }
    return end;
}

/* A word, or a string with a letter before its quote (E'..', X'..', B'..', N'..', U&'..'). */
static size_t word_or_string_end(struct str text, enum sql_token_kind *kind)
{
    char letter = (char)tolower((unsigned char)text.ptr[0]);
    if (byte_at(text, 1) == '\'' && strchr("exbn", letter)) {
        *kind = SQL_STRING;
        return quoted_end(text, 1, letter == 'e');
    }
    if (letter == 'u' && byte_at(text, 1) == '&') {
        char quote = byte_at(text, 2);
        if (quote == '\'' || quote == '"') {
            *kind = quote == '"' ? SQL_QUOTED_NAME : SQL_STRING;
            return quoted_end(text, 2, false);
        }
    }
    *kind = SQL_WORD;
    return word_end(text, 0, true);
}

static size_t token_end(struct str text, enum sql_token_kind *kind)
{
    char first = text.ptr[0];
    if (is_word_start(first))
        return word_or_string_end(text, kind);
    if (first == '\'' || first == '"') {
        *kind = first == '"' ? SQL_QUOTED_NAME : SQL_STRING;
        return quoted_end(text, 0, false);
    }
    if (is_digit(first) || (first == '.' && is_digit(byte_at(text, 1)))) {
        *kind = SQL_NUMBER;
        return number_end(text);
    }
    if (first == '$')
        return dollar_end(text, kind);
    *kind = first == '?' ? SQL_PARAMETER : SQL_SYMBOL;
    return 1;
}

void sql_tokenizer_init(struct sql_tokenizer *tokenizer, struct str sql)
{
    *tokenizer = (struct sql_tokenizer){.rest = sql, .text = sql};
}

static void tokenizer_skip(struct sql_tokenizer *tokenizer, size_t size)
{
    tokenizer->rest = str_slice(tokenizer->rest, size, tokenizer->rest.len);
}

struct sql_token sql_tokenizer_next(struct sql_tokenizer *tokenizer)
{
    for (;;) {
        size_t size = blank_size(tokenizer->rest);
        if (!size)
            size = line_comment_size(tokenizer->rest);
        if (!size)
            size = block_comment_size(tokenizer->rest);
        if (!size)
            break;
        tokenizer_skip(tokenizer, size);
    }
    struct sql_token token = {.kind = SQL_END, .offset = tokenizer->text.len - tokenizer->rest.len};
    if (tokenizer->rest.len) {
        size_t end = token_end(tokenizer->rest, &token.kind);
        token.text = str_slice(tokenizer->rest, 0, end);
        tokenizer_skip(tokenizer, end);
    }
    return token;
}

/* --- shape -------------------------------------------------------------------------------------- */

static bool token_is_literal(const struct sql_token *token)
{
    return token->kind == SQL_STRING || token->kind == SQL_NUMBER || token->kind == SQL_PARAMETER;
}

/* FNV-1a: stable between processes and machines, so that logs can be compared. */
static uint64_t hash_add(uint64_t hash, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (uint64_t)tolower((unsigned char)text.ptr[i])) * UINT64_C(0x100000001b3);
    return (hash ^ 0x1f) * UINT64_C(0x100000001b3);
}

uint64_t sql_fingerprint(struct str sql)
{
    struct sql_tokenizer tokenizer;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return hash;
        hash = hash_add(hash, token_is_literal(&token) ? STR("?") : token.text);
    }
}

void sql_without_literals(struct str sql, size_t size_max, struct buf *out)
{
    struct sql_tokenizer tokenizer;
    size_t begin = out->len;
    size_t end = 0; /* of the token before */
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return;
        struct str text = token_is_literal(&token) ? STR("?") : token.text;
        bool gap = end && token.offset > end;
        if (out->len - begin + gap + text.len > size_max)
            return;
        if (gap)
            buf_append_byte(out, ' ');
        buf_append_str(out, text);
        end = token.offset + token.text.len;
    }
}
