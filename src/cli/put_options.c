/*
 * put_options.c — reads what `volley put` was asked for: files and a name.
 *
 * The last of several words is the name. A single word is a file, kept under an id of the server's; a last
 * word that looks like a file and is one is refused, since its rows would be missing.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/put_options.h"

#include "base/memory.h"

#include <sys/stat.h>

#define RETRIES_DEFAULT 8

const char *const put_mode_names[] = {"upsert", "create", "append", "replace", NULL};
const char *const put_durability_names[] = {"memory", "process", "disk", NULL};
/* By the values of enum input_format, and two that are Arrow as well. */
const char *const put_format_names[] = {"arrow", "parquet",      "csv",        "json", "ndjson",
                                        "tsv",   "arrow-stream", "arrow-file", NULL};
enum { ARROW_STREAM = INPUT_FORMAT_UNKNOWN, ARROW_FILE, NOT_GIVEN = PUT_FORMAT_NOT_GIVEN };

static bool is_file(const char *name)
{
    struct stat facts;
    return stat(name, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* "report.parquet": a dataset is not called so by accident. */
static bool looks_like_file(const char *name)
{
    static const char *const suffixes[] = {".arrow", ".arrows", ".feather", ".parquet", ".pq",
                                           ".csv",   ".tsv",    ".json",    ".ndjson",  ".jsonl"};
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        if (str_ends_with(str_of(name), str_of(suffixes[i])))
            return true;
    }
    return false;
}

bool put_word_is_file(const char *word)
{
    return looks_like_file(word) && is_file(word);
}

bool put_reads_standard_input_once(const char *const *files, size_t count)
{
    size_t standard_inputs = 0;
    for (size_t i = 0; i < count; i++)
        standard_inputs += str_equal(str_of(files[i]), STR("-"));
    return standard_inputs <= 1;
}

static enum status divide_words(struct put_options *options, const struct positionals *words,
                                bool is_new, struct error *error)
{
    options->files = words->items;
    options->file_count = words->count;
    if (words->count == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "put needs a FILE (- is standard input) and a NAME");
    if (words->count > 1 && !is_new) {
        const char *last = words->items[--options->file_count];
        options->name = str_of(last);
        if (put_word_is_file(last))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "the last word is the dataset's NAME, but %s is a file; give a name, "
                             "or --new for an id of the server's",
                             last);
    }
    if (!put_reads_standard_input_once(options->files, options->file_count))
        return error_set(error, STATUS_INVALID_ARGUMENT, "standard input can be put once");
    return STATUS_OK;
}

enum input_format put_format_of_choice(unsigned choice)
{
    if (choice == ARROW_STREAM || choice == ARROW_FILE)
        return INPUT_ARROW;
    return choice == NOT_GIVEN ? INPUT_FORMAT_UNKNOWN : (enum input_format)choice;
}

enum status put_options_read(struct put_options *options, struct arena *arena,
                             char *const *arguments, size_t count, struct error *error)
{
    unsigned mode = PUT_UPSERT;
    unsigned durability = NOT_GIVEN;
    unsigned format = NOT_GIVEN;
    bool is_new = false;
    *options = (struct put_options){.retries = RETRIES_DEFAULT};
    const struct option table[] = {
        SERVER_OPTIONS(&options->server, arena),
        {.name = "mode", .kind = OPTION_CHOICE, .target = &mode, .choices = put_mode_names},
        {.name = "ttl", .kind = OPTION_TEXT, .target = &options->ttl},
        {.name = "durability",
         .kind = OPTION_CHOICE,
         .target = &durability,
         .choices = put_durability_names},
        {.name = "format",
         .letter = "f",
         .kind = OPTION_CHOICE,
         .target = &format,
         .choices = put_format_names},
        {.name = "new", .kind = OPTION_SWITCH, .target = &is_new},
        {.name = "unfinished", .kind = OPTION_SWITCH, .target = &options->is_unfinished},
        {.name = "retries", .kind = OPTION_NUMBER, .target = &options->retries, .max = 1000},
        {.name = "quiet", .letter = "q", .kind = OPTION_SWITCH, .target = &options->quiet},
    };
    struct positionals words = {.items = ARENA_NEW_ARRAY(arena, const char *, count + 1),
                                .capacity = count};
    TRY(options_read(table, ARRAY_COUNT(table), arguments, count, &words, error));
    options->mode = (enum put_mode)mode;
    options->durability =
        durability == NOT_GIVEN ? STR_EMPTY : str_of(put_durability_names[durability]);
    options->format = put_format_of_choice(format);
    return divide_words(options, &words, is_new, error);
}
