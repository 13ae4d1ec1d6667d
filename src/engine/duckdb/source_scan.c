/*
 * source_scan.c — reads from the words of a statement what its rows may depend on.
 *
 * Every name and every text in it may be that of a table, so all of them count; what a name leads to (a view,
 * a macro, a generated column) is scanned in turn. Too much is found rather than too little: a column with a
 * table's name makes a result depend on that table. What is not known to be the same each time is refused:
 * functions by what the engine says of them and a list of our own, table functions but a few, samples.
 *
 * Any thread; owns nothing. Source: DuckDB 1.5's grammar, duckdb_functions().
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "base/memory.h"
#include "engine/duckdb/source_list.h"
#include "engine/tokens.h"
#include "store/name.h"

/* Of all that is scanned for one statement. */
#define SCAN_BYTES_MAX ((size_t)4 << 20)

static const char is_unstable[] =
    "another run may give something else: a function of it is volatile";
static const char is_unwatched[] = "it reads what is not watched: a table function, or the catalog";
static const char is_too_much[] = "it is too long";
static const char is_too_odd[] =
    "a name or text of it is spelled in a way that only the engine reads";
static const char is_no_read[] = "it does not only read";
static const char is_sample[] = "it takes a sample";
static const char is_parameter[] = "it has parameters";

/* Functions without brackets. */
static const char *const clock_words[] = {
    "current_date",   "current_time",    "current_timestamp", "localtime",
    "localtimestamp", "current_catalog", "current_schema",    NULL};
/* The engine calls them consistent. */
static const char *const unstable_functions[] = {"age",
                                                 "current_localtime",
                                                 "current_localtimestamp",
                                                 "current_setting",
                                                 "getvariable",
                                                 "reservoir_quantile",
                                                 NULL};
/* Of these the rows depend on the arguments alone. */
static const char *const plain_functions[] = {"range",      "generate_series", "repeat",
                                              "repeat_row", "unnest",          "json_each",
                                              "json_tree",  "version",         NULL};
/* These read the files of their first argument. */
static const char *const file_functions[] = {"read_parquet",
                                             "parquet_scan",
                                             "read_csv",
                                             "read_csv_auto",
                                             "read_json",
                                             "read_json_auto",
                                             "read_ndjson",
                                             "read_ndjson_auto",
                                             "read_json_objects",
                                             "read_json_objects_auto",
                                             "read_ndjson_objects",
                                             "read_text",
                                             "read_blob",
                                             "parquet_metadata",
                                             "parquet_schema",
                                             NULL};
/* Statements that may also stand in brackets, and tell of the catalog. */
static const char *const catalog_words[] = {"show",    "describe", "desc",   "summarize",
                                            "explain", "call",     "pragma", NULL};
static const char *const first_words[] = {"select", "from",  "values",  "with",
                                          "table",  "pivot", "unpivot", NULL};

struct scan {
    struct engine_sources *sources;
    struct catalog_facts *functions;
    struct catalog_facts *views;
    bool *scanned_functions; /* by number */
    bool *scanned_views;
    struct str *texts; /* still to be scanned */
    size_t text_count;
    size_t text_capacity;
    size_t bytes; /* scanned so far */
    bool has_settings;
    bool names_own;         /* of the present text: the word `volley` is in it */
    bool names_information; /* and `information_schema` */
    struct sql_token previous;
    struct sql_tokenizer tokenizer;
};

static bool str_is_one_of(struct str text, const char *const *words)
{
    for (; *words; words++)
        if (str_equal(text, str_of(*words)))
            return true;
    return false;
}

/* --- what names lead to -------------------------------------------------------------------------- */

static void push(struct scan *scan, struct str text)
{
    if (scan->text_count == scan->text_capacity) {
        scan->text_capacity = scan->text_capacity ? scan->text_capacity * 2 : 16;
        scan->texts = memory_resize(scan->texts, scan->text_capacity, sizeof(*scan->texts));
    }
    scan->texts[scan->text_count++] = text;
}

static bool can_be_reached(const struct scan *scan, struct str qualifier)
{
    if (qualifier.len == 0 || scan->has_settings)
        return true;
    return str_equal(qualifier, STR(CATALOG_NAME)) ? scan->names_own : scan->names_information;
}

/* Has the texts of the name scanned, unless they are all on their way. */
static void follow(struct scan *scan, const struct catalog_fact *fact, bool *scanned)
{
    bool has_passed = false;
    if (scanned[fact->number])
        return;
    for (const struct catalog_text *text = fact->texts; text; text = text->next) {
        if (can_be_reached(scan, text->qualifier))
            push(scan, text->text);
        else
            has_passed = true;
    }
    scanned[fact->number] = !has_passed;
}

/* Of a view that EXPLAIN ANALYZE made the engine has no text. */
static const char *read_name(struct scan *scan, struct str name)
{
    uint16_t class = write_class_of(name);
    scan->sources->read[class / 64] |= UINT64_C(1) << class % 64;
    const struct catalog_fact *view = map_get(&scan->views->names, name);
    if (!view)
        return NULL;
    follow(scan, view, scan->scanned_views);
    return view->is_unstable ? is_unwatched : NULL;
}

/* --- functions ----------------------------------------------------------------------------------- */

static bool next_text(struct sql_tokenizer *tokenizer, struct arena *arena, struct str *out_text)
{
    struct sql_token token = sql_tokenizer_next(tokenizer);
    if (token.kind != SQL_STRING || token.text.len < 2 || token.text.ptr[0] != '\'')
        return false;
    char *text = arena_new(arena, token.text.len);
    size_t len = 0;
    for (size_t i = 1; i + 1 < token.text.len; i++) {
        if (token.text.ptr[i] == '\'' && token.text.ptr[++i] != '\'')
            return false;
        text[len++] = token.text.ptr[i];
    }
    *out_text = str_make(text, len);
    return true;
}

static bool ends_argument(struct sql_tokenizer tokenizer)
{
    struct sql_token token = sql_tokenizer_next(&tokenizer);
    return token_is_symbol(&token, ',') || token_is_symbol(&token, ')');
}

/* The tokenizer stands behind the bracket. */
static const char *read_dataset(struct scan *scan)
{
    struct sql_tokenizer tokenizer = scan->tokenizer;
    struct str name;
    if (!next_text(&tokenizer, &scan->sources->arena, &name) || !ends_argument(tokenizer))
        return is_unwatched;
    return source_add_dataset(scan->sources, name);
}

/* 'path' or ['path', ..]. */
static const char *read_files(struct scan *scan)
{
    struct sql_tokenizer tokenizer = scan->tokenizer;
    struct sql_tokenizer ahead = tokenizer;
    struct sql_token token = sql_tokenizer_next(&ahead);
    bool is_list = token_is_symbol(&token, '[');
    if (is_list)
        tokenizer = ahead;
    for (;;) {
        struct str path;
        if (!next_text(&tokenizer, &scan->sources->arena, &path))
            return is_unwatched;
        const char *reason = source_add_file(scan->sources, path);
        if (reason || !is_list)
            return reason ? reason : ends_argument(tokenizer) ? NULL : is_unwatched;
        token = sql_tokenizer_next(&tokenizer);
        if (token_is_symbol(&token, ']'))
            return ends_argument(tokenizer) ? NULL : is_unwatched;
        if (!token_is_symbol(&token, ','))
            return is_unwatched;
    }
}

/* The name stands before a bracket. */
static const char *call(struct scan *scan, struct str name)
{
    if (str_is_one_of(name, unstable_functions))
        return is_unstable;
    const struct catalog_fact *fact = map_get(&scan->functions->names, name);
    if (!fact)
        return NULL;
    if (fact->is_unstable)
        return is_unstable;
    follow(scan, fact, scan->scanned_functions);
    if (!fact->is_table_function || str_is_one_of(name, plain_functions))
        return NULL;
    if (str_equal(name, STR(BATCH_FUNCTION)))
        return read_dataset(scan);
    return str_is_one_of(name, file_functions) ? read_files(scan) : is_unwatched;
}

/* --- tokens -------------------------------------------------------------------------------------- */

static bool may_be_table(const struct scan *scan)
{
    static const char *const words[] = {"from", "join", "table", "pivot", "unpivot", NULL};
    return token_is_one_of(&scan->previous, words) || token_is_bracket(&scan->previous, ",(:");
}

/* A text or a name in quotes where a table may stand is perhaps a file. */
static const char *read_quoted(struct scan *scan, struct str name)
{
    bool is_in_place = may_be_table(scan);
    bool is_path = str_find(name, '.') >= 0 || str_find(name, '/') >= 0;
    if (scan->sources->engine->files.allowed_count == 0)
        return NULL;
    if (source_has_pattern(name))
        return is_in_place ? is_unwatched : NULL;
    if (!source_is_file_name(name) && !(is_in_place && is_path))
        return NULL;
    if (str_find_str(name, STR("'")) >= 0 || str_find_str(name, STR("\"")) >= 0)
        return is_too_odd;
    return source_add_file(scan->sources, name);
}

/* FROM data.csv is a file as well. */
static const char *read_dotted(struct scan *scan, const struct sql_token *word)
{
    struct sql_tokenizer ahead = scan->tokenizer;
    struct str whole = word->text;
    if (scan->sources->engine->files.allowed_count == 0 || !may_be_table(scan))
        return NULL;
    for (;;) {
        struct sql_token dot = sql_tokenizer_next(&ahead);
        struct sql_token next = sql_tokenizer_next(&ahead);
        bool goes_on = token_is_symbol(&dot, '.') && dot.text.len == 1 &&
                       (next.kind == SQL_WORD || next.kind == SQL_QUOTED_NAME);
        if (!goes_on)
            break;
        if (next.kind == SQL_QUOTED_NAME || next.text.ptr != dot.text.ptr + 1)
            return is_unwatched;
        whole = str_make(whole.ptr, (size_t)(next.text.ptr + next.text.len - whole.ptr));
    }
    return source_is_file_name(whole) ? source_add_file(scan->sources, whole) : NULL;
}

static const char *scan_word(struct scan *scan, const struct sql_token *word)
{
    static const char *const taking_samples[] = {"tablesample", NULL};
    bool may_begin = scan->previous.kind == SQL_END || token_is_symbol(&scan->previous, '(');
    if (may_begin && token_is_one_of(word, catalog_words))
        return is_unwatched;
    if (token_is_one_of(word, taking_samples) ||
        (token_is_word(&scan->previous, "using") && token_is_word(word, "sample")))
        return is_sample;
    if (token_is_one_of(word, clock_words))
        return is_unstable;
    return read_dotted(scan, word);
}

/* Names, texts: those whose spelling is not followed here might be anything. */
static const char *scan_name(struct scan *scan, const struct sql_token *token)
{
    char name[TOKEN_NAME_BYTES_MAX];
    size_t len;
    bool is_text = token->kind == SQL_STRING;
    bool is_bits = is_text && strchr("xXbB", token->text.ptr[0]);
    if (is_bits || (is_text && token->text.len > TOKEN_NAME_BYTES_MAX + 2 && !may_be_table(scan)))
        return NULL;
    if (!token_fold(token, name, sizeof(name), &len))
        return is_too_odd;
    const char *reason = read_name(scan, str_make(name, len));
    if (reason || token->kind == SQL_WORD)
        return reason;
    return read_quoted(scan, str_slice(token->text, 1, token->text.len - 1));
}

static const char *scan_symbol(struct scan *scan, const struct sql_token *symbol)
{
    char name[TOKEN_NAME_BYTES_MAX];
    size_t len;
    bool is_call = token_is_symbol(symbol, '(') &&
                   (scan->previous.kind == SQL_WORD || scan->previous.kind == SQL_QUOTED_NAME);
    if (!is_call)
        return NULL;
    if (!token_fold(&scan->previous, name, sizeof(name), &len))
        return is_too_odd;
    return call(scan, str_make(name, len));
}

static const char *scan_token(struct scan *scan, const struct sql_token *token)
{
    const char *reason = NULL;
    switch (token->kind) {
    case SQL_WORD:
        reason = scan_word(scan, token);
        return reason ? reason : scan_name(scan, token);
    case SQL_QUOTED_NAME:
    case SQL_STRING:
        return scan_name(scan, token);
    case SQL_PARAMETER:
        return is_parameter;
    case SQL_SYMBOL:
        return scan_symbol(scan, token);
    case SQL_NUMBER:
    case SQL_END:
        break;
    }
    return NULL;
}

/* --- texts --------------------------------------------------------------------------------------- */

static void find_qualifiers(struct scan *scan, struct str text)
{
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, text);
    scan->names_own = false;
    scan->names_information = false;
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return;
        scan->names_own = scan->names_own || token_is_name(&token, CATALOG_NAME);
        scan->names_information =
            scan->names_information || token_is_name(&token, "information_schema");
    }
}

static const char *scan_text(struct scan *scan, struct str text)
{
    scan->bytes += text.len;
    if (scan->bytes > SCAN_BYTES_MAX)
        return is_too_much;
    find_qualifiers(scan, text);
    sql_tokenizer_init(&scan->tokenizer, text);
    scan->previous = (struct sql_token){.kind = SQL_END};
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&scan->tokenizer);
        if (token.kind == SQL_END)
            return NULL;
        const char *reason = scan_token(scan, &token);
        if (reason)
            return reason;
        scan->previous = token;
    }
}

/* One statement that begins as one that reads. */
static const char *check_statement(struct str sql)
{
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    struct sql_token token = sql_tokenizer_next(&tokenizer);
    if (!token_is_one_of(&token, first_words) && !token_is_symbol(&token, '('))
        return is_no_read;
    while (token.kind != SQL_END && !token_is_symbol(&token, ';'))
        token = sql_tokenizer_next(&tokenizer);
    while (token_is_symbol(&token, ';'))
        token = sql_tokenizer_next(&tokenizer);
    return token.kind == SQL_END ? NULL : is_no_read;
}

static const char *scan_all(struct scan *scan)
{
    for (size_t i = 0; i < scan->text_count; i++) {
        const char *reason = scan_text(scan, scan->texts[i]);
        if (reason)
            return reason;
    }
    return NULL;
}

const char *source_scan(struct engine_sources *sources, struct str sql, bool has_settings)
{
    CLEANUP(catalog_facts_unref) struct catalog_facts *functions = NULL;
    CLEANUP(catalog_facts_unref) struct catalog_facts *views = NULL;
    const char *reason = check_statement(sql);
    if (reason)
        return reason;
    if (!catalog_facts_take(sources->engine, &functions, &views))
        return is_unwatched;
    struct scan scan = {.sources = sources,
                        .functions = functions,
                        .views = views,
                        .has_settings = has_settings,
                        .scanned_functions = NEW_ARRAY(bool, functions->count + 1),
                        .scanned_views = NEW_ARRAY(bool, views->count + 1)};
    push(&scan, sql);
    reason = scan_all(&scan);
    free(scan.scanned_functions);
    free(scan.scanned_views);
    free(scan.texts);
    return reason;
}
