/*
 * get_options.c — reads what `volley get` was asked for: format, columns, rows.
 *
 * Runs on: the main thread. Owns: nothing; texts are the arguments' or the arena's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/get_options.h"

#include "base/memory.h"
#include "cli/fetch.h"

#include <string.h>
#include <unistd.h>

#define RETRIES_DEFAULT 8
#define PARALLEL_MAX 64

/* --- formats -------------------------------------------------------------------------------------- */

/* Those of results, by their positions in result_format_names, and one more behind them. */
const char *const get_format_names[] = {"table",    "csv",          "tsv",        "json",
                                        "ndjson",   "arrow",        "arrow-file", "parquet",
                                        "markdown", "arrow-stream", NULL};
enum { ARROW_STREAM = RESULT_FORMAT_COUNT, NOT_GIVEN };

static enum status choose_format(struct get_options *options, unsigned format, struct error *error)
{
    bool to_terminal = options->file.len == 0 && isatty(STDOUT_FILENO);
    if (format == NOT_GIVEN && options->file.len > 0)
        format = result_format_of_file(options->file, RESULT_ARROW_FILE);
    else if (format == NOT_GIVEN)
        format = to_terminal ? RESULT_TABLE : RESULT_ARROW;
    if (format == ARROW_STREAM)
        format = RESULT_ARROW;
    options->is_parquet = format == RESULT_PARQUET;
    options->format = options->is_parquet ? NULL : result_format_at(format);
    if (to_terminal && (options->is_parquet || options->format->binary))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "--format %s is not for a terminal; name a file with -o or redirect it",
                         get_format_names[format]);
    return STATUS_OK;
}

/* --- columns and rows ----------------------------------------------------------------------------- */

/* Cuts the next name off; quoted ones are put together in the arena. */
static bool next_column(struct arena *arena, struct str *text, struct str *out)
{
    if (text->len == 0 || text->ptr[0] != '"') {
        *out = str_trim(str_split(text, ','));
        return out->len > 0;
    }
    char *name = ARENA_NEW_ARRAY(arena, char, text->len);
    size_t len = 0;
    size_t at = 1;
    for (; at < text->len; at++) {
        if (text->ptr[at] != '"')
            name[len++] = text->ptr[at];
        else if (at + 1 < text->len && text->ptr[at + 1] == '"')
            name[len++] = text->ptr[at++];
        else
            break;
    }
    *out = str_make(name, len);
    bool is_closed = at < text->len && (at + 1 == text->len || text->ptr[at + 1] == ',');
    *text = str_slice(*text, at + 2, text->len);
    return is_closed && len > 0;
}

enum status get_columns_parse(struct arena *arena, struct str text, struct dataset_range *range,
                              struct error *error)
{
    struct str *columns = ARENA_NEW_ARRAY(arena, struct str, text.len + 1);
    size_t count = 0;
    struct str rest = text;
    bool more = text.len > 0;
    while (more) {
        size_t before = rest.len;
        bool ends_in_comma = rest.ptr[before - 1] == ',';
        if (!next_column(arena, &rest, &columns[count++]))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "--columns '%.*s' is not a list of names such as id,fare or "
                             "\"a, b\",c",
                             STR_ARGS(text));
        more = rest.len > 0;
        if (!more && ends_in_comma && before > 0)
            return error_set(error, STATUS_INVALID_ARGUMENT, "--columns '%.*s' ends in a comma",
                             STR_ARGS(text));
    }
    range->columns = columns;
    range->column_count = count;
    return STATUS_OK;
}

static enum status refuse_rows(struct str text, struct error *error)
{
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "--rows '%.*s' is not FIRST-LAST (from 0 on, both included), FIRST- or -COUNT",
                     STR_ARGS(text));
}

enum status get_rows_parse(struct str text, int64_t total, struct dataset_range *range,
                           struct error *error)
{
    range->from = 0;
    range->limit = UINT64_MAX;
    if (text.len == 0)
        return STATUS_OK;
    struct str last = text;
    struct str first = str_split(&last, '-');
    uint64_t end = UINT64_MAX - 1;
    bool is_range = str_find(text, '-') >= 0 && text.len > 1;
    if (!is_range || (first.len > 0 && !str_to_u64(first, &range->from)) ||
        (last.len > 0 && !str_to_u64(last, &end)) || end < range->from)
        return refuse_rows(text, error);
    if (first.len > 0) {
        range->limit = last.len > 0 ? end - range->from + 1 : UINT64_MAX;
        return STATUS_OK;
    }
    if (total < 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "--rows %.*s: the server does not tell how many rows there are",
                         STR_ARGS(text));
    range->from = (uint64_t)total > end ? (uint64_t)total - end : 0;
    return STATUS_OK;
}

/* --- arguments ------------------------------------------------------------------------------------ */

static enum status check(struct get_options *options, struct arena *arena, unsigned format,
                         struct error *error)
{
    struct dataset_range ignored;
    if (options->name.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "get needs the NAME of a dataset; volley list shows them");
    if (str_equal(options->file, STR("-")))
        options->file = STR_EMPTY;
    TRY(get_columns_parse(arena, options->columns_text, &ignored, error));
    TRY(get_rows_parse(options->rows_text, 0, &ignored, error));
    TRY(choose_format(options, format, error));
    bool can_resume = options->file.len > 0 && options->format && options->format->resume;
    if (options->resume && !can_resume)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "--resume needs -o FILE and the format arrow or arrow-file");
    return STATUS_OK;
}

enum status get_options_read(struct get_options *options, struct arena *arena,
                             char *const *arguments, size_t count, struct error *error)
{
    unsigned format = NOT_GIVEN;
    *options = (struct get_options){.limit = UINT64_MAX, .parallel = 1, .retries = RETRIES_DEFAULT};
    const struct option table[] = {
        SERVER_OPTIONS(&options->server, arena),
        {.name = "output", .letter = "o", .kind = OPTION_TEXT, .target = &options->file},
        {.name = "format",
         .letter = "f",
         .kind = OPTION_CHOICE,
         .target = &format,
         .choices = get_format_names},
        {.name = "columns", .kind = OPTION_TEXT, .target = &options->columns_text},
        {.name = "rows", .kind = OPTION_TEXT, .target = &options->rows_text},
        {.name = "limit", .kind = OPTION_NUMBER, .target = &options->limit, .max = INT64_MAX},
        {.name = "parallel",
         .kind = OPTION_NUMBER,
         .target = &options->parallel,
         .min = 1,
         .max = PARALLEL_MAX},
        {.name = "retries", .kind = OPTION_NUMBER, .target = &options->retries, .max = 1000},
        {.name = "resume", .kind = OPTION_SWITCH, .target = &options->resume},
        {.name = "quiet", .letter = "q", .kind = OPTION_SWITCH, .target = &options->quiet},
    };
    const char *words[2] = {"", "-"};
    struct positionals names = {.items = words, .capacity = 2};
    TRY(options_read(table, ARRAY_COUNT(table), arguments, count, &names, error));
    options->name = str_of(words[0]);
    /* `get NAME -` is `get NAME` */
    if (!str_equal(str_of(words[1]), STR("-")))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "unexpected argument '%s'; a file is named by -o %s", words[1], words[1]);
    return check(options, arena, format, error);
}
