/*
 * script.c — find the ends of statements.
 *
 * A machine with one state per kind of quoting, fed byte by byte; it keeps its state between pieces of
 * text, so no byte is looked at twice. Where two or more bytes decide ("--", a dollar tag) and are not
 * there yet, it waits for more text.
 *
 *      PLAIN -- "--" --> LINE_COMMENT -- newline --> PLAIN
 *      PLAIN -- "/ *" -> BLOCK_COMMENT (nested) ---> PLAIN
 *      PLAIN -- ' " ---> QUOTED -- the same -------> PLAIN   (a doubled quote closes and opens again)
 *      PLAIN -- E' ----> ESCAPED -- ' -------------> PLAIN
 *      PLAIN -- $tag$ -> DOLLAR -- $tag$ ----------> PLAIN
 *
 * Runs on: the main thread. Owns: the text not yet cut.
 * Not done here: understanding the statement (the server).
 * Spec: PostgreSQL 15, section 4.1 (the syntax that DuckDB's scanner shares).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/script.h"

#include <ctype.h>

enum step { STEP_ON, STEP_WAIT, STEP_STATEMENT };

void script_init(struct script *script)
{
    *script = (struct script){.content = SIZE_MAX};
    buf_init(&script->text, 2 * SCRIPT_STATEMENT_BYTES_MAX);
}

void script_finish(struct script *script)
{
    buf_finish(&script->text);
}

enum status script_feed(struct script *script, struct str text, struct error *error)
{
    size_t kept = script->text.len - script->start;
    if (script->start > 0) {
        memmove(script->text.ptr, script->text.ptr + script->start, kept);
        script->text.len = kept;
        script->at -= script->start;
        if (script->content != SIZE_MAX)
            script->content -= script->start;
        script->start = 0;
    }
    if (kept > SCRIPT_STATEMENT_BYTES_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "a statement is longer than 10 MiB");
    buf_append_str(&script->text, text);
    return buf_check(&script->text, "a statement", error);
}

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || (byte & 0x80);
}

/* Length of a "$tag$" at `at`; 0: there is none; SIZE_MAX: it may go on. */
static size_t dollar_tag(struct str text, size_t at)
{
    for (size_t i = at + 1; i < text.len && i - at < SCRIPT_TAG_MAX; i++) {
        if (text.ptr[i] == '$')
            return i - at + 1;
        bool leading_digit = i == at + 1 && isdigit((unsigned char)text.ptr[i]);
        if (!is_word_byte(text.ptr[i]) || leading_digit)
            return 0;
    }
    return text.len - at >= SCRIPT_TAG_MAX ? 0 : SIZE_MAX;
}

/* The byte at hand belongs to the statement itself. */
static void mark_content(struct script *script)
{
    if (script->content == SIZE_MAX)
        script->content = script->at;
}

static void enter(struct script *script, enum script_state state, size_t bytes)
{
    script->state = state;
    script->at += bytes;
    script->after_word = false;
}

/* What begins with these bytes, '-' or '/', needs the second one. */
static enum step plain_comment(struct script *script, struct str text, bool ended, char second,
                               enum script_state state)
{
    if (script->at + 1 >= text.len && !ended)
        return STEP_WAIT;
    if (script->at + 1 < text.len && text.ptr[script->at + 1] == second) {
        script->depth = 1;
        enter(script, state, 2);
        return STEP_ON;
    }
    mark_content(script);
    enter(script, SCRIPT_PLAIN, 1);
    return STEP_ON;
}

static enum step plain_dollar(struct script *script, struct str text, bool ended)
{
    size_t length = script->after_word ? 0 : dollar_tag(text, script->at);
    if (length == SIZE_MAX && !ended)
        return STEP_WAIT;
    mark_content(script);
    if (length == 0 || length == SIZE_MAX) {
        enter(script, SCRIPT_PLAIN, 1);
        return STEP_ON;
    }
    memcpy(script->tag, text.ptr + script->at, length);
    script->tag_len = length;
    enter(script, SCRIPT_DOLLAR, length);
    return STEP_ON;
}

/* E'...' is the one quoting with backslashes; E must be a word of its own. */
static bool is_escape_quote(const struct script *script, struct str text)
{
    size_t at = script->at;
    if (at == 0 || (text.ptr[at - 1] != 'e' && text.ptr[at - 1] != 'E') || !script->after_word)
        return false;
    return at - script->start < 2 || !is_word_byte(text.ptr[at - 2]);
}

static enum step plain_step(struct script *script, struct str text, bool ended)
{
    char byte = text.ptr[script->at];
    switch (byte) {
    case ';':
        return STEP_STATEMENT;
    case '-':
        return plain_comment(script, text, ended, '-', SCRIPT_LINE_COMMENT);
    case '/':
        return plain_comment(script, text, ended, '*', SCRIPT_BLOCK_COMMENT);
    case '$':
        return plain_dollar(script, text, ended);
    case '\'':
    case '"': {
        bool escaped = byte == '\'' && is_escape_quote(script, text);
        mark_content(script);
        script->quote = byte;
        enter(script, escaped ? SCRIPT_ESCAPED : SCRIPT_QUOTED, 1);
        return STEP_ON;
    }
    default:
        if (!isspace((unsigned char)byte))
            mark_content(script);
        script->after_word = is_word_byte(byte);
        script->at++;
        return STEP_ON;
    }
}

static enum step block_step(struct script *script, struct str text, bool ended)
{
    char byte = text.ptr[script->at];
    if (byte != '*' && byte != '/') {
        script->at++;
        return STEP_ON;
    }
    if (script->at + 1 >= text.len && !ended)
        return STEP_WAIT;
    char second = script->at + 1 < text.len ? text.ptr[script->at + 1] : '\0';
    bool opens = byte == '/' && second == '*';
    bool closes = byte == '*' && second == '/';
    script->depth += opens ? 1 : 0;
    script->depth -= closes ? 1 : 0;
    enter(script, script->depth == 0 ? SCRIPT_PLAIN : SCRIPT_BLOCK_COMMENT,
          opens || closes ? 2 : 1);
    return STEP_ON;
}

static enum step escaped_step(struct script *script, struct str text, bool ended)
{
    char byte = text.ptr[script->at];
    if (byte == '\\') {
        if (script->at + 1 >= text.len && !ended)
            return STEP_WAIT;
        script->at += script->at + 1 < text.len ? 2 : 1;
        return STEP_ON;
    }
    enter(script, byte == '\'' ? SCRIPT_PLAIN : SCRIPT_ESCAPED, 1);
    return STEP_ON;
}

static enum step dollar_step(struct script *script, struct str text, bool ended)
{
    if (text.ptr[script->at] != '$') {
        script->at++;
        return STEP_ON;
    }
    struct str rest = str_slice(text, script->at, text.len);
    struct str tag = str_make(script->tag, script->tag_len);
    if (str_starts_with(rest, tag))
        enter(script, SCRIPT_PLAIN, tag.len);
    else if (rest.len < tag.len && !ended)
        return STEP_WAIT;
    else
        script->at++;
    return STEP_ON;
}

static enum step next_step(struct script *script, struct str text, bool ended)
{
    char byte = text.ptr[script->at];
    switch (script->state) {
    case SCRIPT_PLAIN:
        return plain_step(script, text, ended);
    case SCRIPT_LINE_COMMENT:
        enter(script, byte == '\n' ? SCRIPT_PLAIN : SCRIPT_LINE_COMMENT, 1);
        return STEP_ON;
    case SCRIPT_BLOCK_COMMENT:
        return block_step(script, text, ended);
    case SCRIPT_QUOTED:
        enter(script, byte == script->quote ? SCRIPT_PLAIN : SCRIPT_QUOTED, 1);
        return STEP_ON;
    case SCRIPT_ESCAPED:
        return escaped_step(script, text, ended);
    case SCRIPT_DOLLAR:
        return dollar_step(script, text, ended);
    }
    return STEP_ON;
}

/* Cuts the statement that ends at `end` off, `used` bytes in all; false when it is empty. */
static bool take_statement(struct script *script, size_t end, size_t used,
                           struct str *out_statement)
{
    bool has_content = script->content != SIZE_MAX;
    if (has_content)
        *out_statement = str_trim(str_slice(buf_str(&script->text), script->content, end));
    script->start = used;
    script->at = used;
    script->content = SIZE_MAX;
    script->after_word = false;
    return has_content;
}

bool script_next(struct script *script, bool ended, struct str *out_statement)
{
    struct str text = buf_str(&script->text);
    while (script->at < text.len) {
        enum step step = next_step(script, text, ended);
        if (step == STEP_WAIT)
            return false;
        if (step == STEP_STATEMENT &&
            take_statement(script, script->at, script->at + 1, out_statement))
            return true;
    }
    return ended && script->start < text.len &&
           take_statement(script, text.len, text.len, out_statement);
}
