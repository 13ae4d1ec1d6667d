/*
 * file_gate.c — keeps the database file, its log and the spill folder from being read as files.
 *
 * The engine enforces which other paths can be read. Here, token by token: a function that reads files
 * must have its path written out as a text (or a list of texts); a text or quoted name that stands where
 * a table may stand is taken as a path, with wildcards; and any text that names one of the protected
 * paths is refused wherever it stands.
 *
 * Any thread; the lists are constant after the engine was opened and live in its arena.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/file_gate.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "engine/gate.h"

enum status file_gate_allow(struct file_gate *gate, struct arena *arena, struct str path,
                            struct str *out_path, struct error *error)
{
    char *text = str_copy(path);
    char *resolved = realpath(text, NULL);
    free(text);
    struct stat facts;
    if (!resolved || stat(resolved, &facts) != 0) {
        free(resolved);
        return error_set(error, STATUS_NOT_FOUND, "file '%.*s' does not exist or cannot be read",
                         STR_ARGS(path));
    }
    struct str *allowed = ARENA_NEW_ARRAY(arena, struct str, gate->allowed_count + 1);
    for (size_t i = 0; i < gate->allowed_count; i++)
        allowed[i] = gate->allowed[i];
    *out_path = arena_printf(arena, "%s%s", resolved, S_ISDIR(facts.st_mode) ? "/" : "");
    allowed[gate->allowed_count++] = *out_path;
    gate->allowed = allowed;
    free(resolved);
    return STATUS_OK;
}

/* The absolute path, with links resolved as far as the path exists. */
static struct str absolute_path(struct arena *arena, struct str path)
{
    char *text = str_copy(path);
    char *resolved = realpath(text, NULL);
    struct str result;
    if (resolved) {
        result = arena_copy(arena, str_of(resolved));
    } else {
        char *slash = strrchr(text, '/');
        char *folder = slash ? memory_copy_text(text, (size_t)(slash - text)) : str_copy(STR("."));
        char *base = realpath(*folder ? folder : "/", NULL);
        result = arena_printf(arena, "%s/%s", base ? base : folder, slash ? slash + 1 : text);
        free(base);
        free(folder);
    }
    free(resolved);
    free(text);
    return result;
}

void file_gate_protect(struct file_gate *gate, struct arena *arena, struct str path, bool is_folder)
{
    struct protected_path *paths =
        ARENA_NEW_ARRAY(arena, struct protected_path, gate->protected_count + 1);
    for (size_t i = 0; i < gate->protected_count; i++)
        paths[i] = gate->protected_paths[i];
    paths[gate->protected_count++] = (struct protected_path){
        .path = absolute_path(arena, path),
        .is_folder = is_folder,
    };
    gate->protected_paths = paths;
}

/* --- one path ----------------------------------------------------------------------------------- */

/* The text of a string or quoted name; false when it is too long to be a path. */
static bool token_path(const struct sql_token *token, char out[PATH_MAX])
{
    struct str text = token->text;
    size_t size = 0;
    size_t start = 0;
    size_t end = text.len ? text.len - 1 : 0;
    if (text.len && text.ptr[0] == '$') { /* $tag$text$tag$ */
        ptrdiff_t tag = str_find(str_slice(text, 1, text.len), '$');
        start = (size_t)tag + 2;
        end = text.len >= 2 * start ? text.len - start : start;
    } else {
        while (start < text.len && text.ptr[start] != '\'' && text.ptr[start] != '"')
            start++;
        start++;
    }
    char quote = start && start <= text.len ? text.ptr[start - 1] : '\'';
    for (size_t i = start; i < end; i++) {
        if (size + 1 == PATH_MAX)
            return false;
        if (quote != '$' && text.ptr[i] == quote) {
            i++;
            if (text.ptr[i] != quote) { /* the text goes on behind a line break */
                while (i < end && text.ptr[i] != quote)
                    i++;
                continue;
            }
        }
        out[size++] = text.ptr[i];
    }
    out[size] = '\0';
    return true;
}

static struct str base_name(struct str path)
{
    for (size_t i = path.len; i > 0; i--)
        if (path.ptr[i - 1] == '/')
            return str_slice(path, i, path.len);
    return path;
}

static bool is_at_or_under(struct str path, struct str protected_path)
{
    return str_starts_with(path, protected_path) &&
           (path.len == protected_path.len || path.ptr[protected_path.len] == '/');
}

static const char *without_scheme(const char *path)
{
    if (strncasecmp(path, "file:", 5) != 0)
        return path;
    path += 5;
    while (path[0] == '/' && path[1] == '/')
        path++;
    return path;
}

/* A path without wildcards that leads to a protected one. */
static bool path_is_protected(const struct file_gate *gate, const char *path)
{
    bool named = false;
    for (size_t i = 0; i < gate->protected_count; i++)
        named = named || strstr(path, base_name(gate->protected_paths[i].path).ptr);
    if (!named)
        return false;
    char *resolved = realpath(without_scheme(path), NULL);
    bool found = !resolved && path[0] == '~';
    for (size_t i = 0; resolved && i < gate->protected_count; i++)
        found = found || is_at_or_under(str_of(resolved), gate->protected_paths[i].path);
    free(resolved);
    return found;
}

static bool pattern_matches(const char *base, const char *pattern,
                            const struct protected_path *path)
{
    struct str folder = str_of(base);
    if (is_at_or_under(folder, path->path))
        return true;
    if (path->is_folder) /* one level of names cannot reach into it */
        return is_at_or_under(path->path, str_equal(folder, STR("/")) ? STR_EMPTY : folder) &&
               (strchr(pattern, '/') || strstr(pattern, "**"));
    CLEANUP(buf_finish) struct buf full;
    buf_init(&full, 2 * PATH_MAX);
    buf_printf(&full, "%s/%s", folder.len > 1 ? base : "", pattern);
    return full.failed || fnmatch((const char *)full.ptr, path->path.ptr, 0) == 0;
}

/* A pattern that may match a protected path: '*' is taken to match '/' too. */
static bool pattern_is_protected(const struct file_gate *gate, const char *pattern)
{
    pattern = without_scheme(pattern);
    size_t fixed = strcspn(pattern, "*?[{");
    while (fixed > 0 && pattern[fixed - 1] != '/')
        fixed--;
    char *folder = memory_copy_text(pattern, fixed);
    char *base = realpath(fixed ? folder : ".", NULL);
    free(folder);
    if (!base)
        return pattern[0] == '~';
    bool found = false;
    for (size_t i = 0; i < gate->protected_count; i++)
        found = found || pattern_matches(base, pattern + fixed, &gate->protected_paths[i]);
    free(base);
    return found;
}

/* --- the statement ------------------------------------------------------------------------------ */

struct file_check {
    const struct file_gate *gate;
    struct sql_token previous;
    size_t depth;
    bool in_from[SQL_NESTING_MAX + 1]; /* by depth: a text after a comma may be a table */
    size_t argument_depth;             /* of the reading function's brackets; 0: in none */
    bool in_list;                      /* of paths */
    struct error *error;
};

static enum status refuse(const struct file_check *check, const struct sql_token *token,
                          const char *why)
{
    error_set_code(
        check->error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
        "%s: only files named on the command line or in the setting allowed-paths can be "
        "read (rule 'files')",
        why);
    if (check->error)
        check->error->position = (int64_t)token->offset;
    return STATUS_PERMISSION_DENIED;
}

static bool is_symbol(const struct sql_token *token, char symbol)
{
    return token->kind == SQL_SYMBOL && token->text.ptr[0] == symbol;
}

static bool is_one_of(const struct sql_token *token, const char *const *words)
{
    for (; token->kind == SQL_WORD && *words; words++)
        if (str_equal_nocase(token->text, str_of(*words)))
            return true;
    return false;
}

static bool is_reading_function(const struct sql_token *token)
{
    static const struct str prefixes[] = {{"read_", 5}, {"parquet_", 8}};
    static const struct str names[] = {{"glob", 4}, {"sniff_csv", 9}};
    struct str text = token->text;
    if (token->kind == SQL_QUOTED_NAME && text.len >= 2)
        text = str_slice(text, 1, text.len - 1);
    else if (token->kind != SQL_WORD)
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++)
        if (str_starts_with_nocase(text, prefixes[i]))
            return true;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        if (str_equal_nocase(text, names[i]))
            return true;
    return false;
}

/* True where a table may stand, so that the engine takes a text for a file. */
static bool is_table_place(const struct file_check *check)
{
    static const char *const words[] = {"from",     "join",   "pivot",     "unpivot",
                                        "describe", "desc",   "summarize", "table",
                                        "into",     "update", "show",      NULL};
    return is_one_of(&check->previous, words) ||
           (is_symbol(&check->previous, ',') && check->in_from[check->depth]);
}

/* E'..', X'..' and U&'..' may spell a path that nobody sees. */
static bool is_plain_text(const struct sql_token *token)
{
    return strchr("'\"$", token->text.ptr[0]) != NULL;
}

static enum status check_text(const struct file_check *check, const struct sql_token *token,
                              bool is_place)
{
    char path[PATH_MAX];
    if (is_place && !is_plain_text(token))
        return refuse(check, token, "the path of a file is a text in single quotes");
    if (!token_path(token, path))
        return STATUS_OK;
    bool is_pattern = is_place && strpbrk(path, "*?[{");
    if (path_is_protected(check->gate, path) ||
        (is_pattern && pattern_is_protected(check->gate, path)))
        return refuse(check, token, "this path leads to the server's own files");
    return STATUS_OK;
}

/* The first argument of a reading function: 'path' or ['path', ...]. */
static enum status check_argument(struct file_check *check, const struct sql_token *token)
{
    bool after_text = check->previous.kind == SQL_STRING;
    bool at_begin = is_symbol(&check->previous, '(') || is_symbol(&check->previous, '[');
    if (at_begin && is_symbol(token, '[') && !check->in_list) {
        check->in_list = true;
        return STATUS_OK;
    }
    if (token->kind == SQL_STRING &&
        (at_begin || (check->in_list && is_symbol(&check->previous, ','))))
        return check_text(check, token, true);
    if (after_text && check->in_list && is_symbol(token, ','))
        return STATUS_OK;
    if ((after_text || at_begin) && check->in_list && is_symbol(token, ']')) {
        check->in_list = false;
        return STATUS_OK;
    }
    bool ends = is_symbol(token, ',') || is_symbol(token, ')');
    if (ends && !check->in_list && (after_text || is_symbol(&check->previous, ']') || at_begin)) {
        check->argument_depth = 0;
        return STATUS_OK;
    }
    return refuse(check, token,
                  "a function that reads files takes its path as a text in single quotes or a list "
                  "of such texts");
}

static void follow_clauses(struct file_check *check, const struct sql_token *token)
{
    static const char *const ends[] = {
        "select", "where",  "group",     "order", "having", "limit",  "window",    "qualify",
        "union",  "except", "intersect", "on",    "set",    "values", "returning", NULL};
    static const char *const from[] = {"from", "using", NULL};
    bool after_name = check->previous.kind == SQL_WORD || check->previous.kind == SQL_QUOTED_NAME;
    if (is_symbol(token, '(') && check->depth < SQL_NESTING_MAX) {
        bool inherits =
            check->in_from[check->depth] && (!after_name || is_one_of(&check->previous, from));
        check->in_from[++check->depth] = inherits;
    } else if (is_symbol(token, ')') && check->depth > 0) {
        check->depth--;
    } else if (is_symbol(token, ';')) {
        check->in_from[check->depth] = false;
    } else if (is_one_of(token, from)) {
        check->in_from[check->depth] = true;
    } else if (is_one_of(token, ends)) {
        check->in_from[check->depth] = false;
    }
}

static enum status check_token(struct file_check *check, const struct sql_token *token)
{
    if (check->argument_depth > 0)
        TRY(check_argument(check, token));
    else if (token->kind == SQL_STRING || token->kind == SQL_QUOTED_NAME)
        TRY(check_text(check, token, is_table_place(check)));
    if (is_symbol(token, '(') && is_reading_function(&check->previous)) {
        check->argument_depth = 1;
        check->in_list = false;
    }
    follow_clauses(check, token);
    check->previous = *token;
    return STATUS_OK;
}

enum status file_gate_check(const struct file_gate *gate, struct str sql, struct error *error)
{
    if (gate->protected_count == 0)
        return STATUS_OK;
    struct file_check check = {.gate = gate, .error = error};
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return STATUS_OK;
        TRY(check_token(&check, &token));
    }
}
