/*
 * load_options.c — reads what `volley load` was asked for: files and a table.
 *
 * The table is written as in SQL: points separate catalog, schema and name, quotes take them as they are.
 * With --schema or --catalog the word is the table's name alone, as it is.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/load_options.h"

#include "base/buf.h"
#include "base/memory.h"

#define NAME_BYTES_MAX 4096
#define RETRIES_DEFAULT 8
#define PARTS_MAX 3

const char *const load_mode_names[] = {"create-append", "create", "append", "replace", NULL};

/* Cuts the next name off, up to a point or the end, and takes its quotes away. False when quotes do not
 * end, or end inside of a name. */
static bool take_name(struct arena *arena, struct str *rest, struct str *out_name)
{
    CLEANUP(buf_finish) struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    bool is_quoted = rest->len > 0 && rest->ptr[0] == '"';
    size_t at = is_quoted;
    bool is_closed = !is_quoted;
    for (; at < rest->len && !(is_closed && rest->ptr[at] == '.'); at++) {
        if (is_quoted && is_closed)
            return false;
        if (is_quoted && rest->ptr[at] == '"' &&
            !(at + 1 < rest->len && rest->ptr[at + 1] == '"')) {
            is_closed = true;
            continue;
        }
        at += is_quoted && rest->ptr[at] == '"';
        buf_append_byte(&name, (uint8_t)rest->ptr[at]);
    }
    *rest = str_slice(*rest, at, rest->len);
    *out_name = arena_copy(arena, buf_str(&name));
    return is_closed && name.len > 0 && !name.failed;
}

static enum status read_target(struct load_target *target, struct arena *arena, struct str word,
                               struct error *error)
{
    if (target->schema.len > 0 || target->catalog.len > 0) {
        target->table = word;
        return STATUS_OK;
    }
    struct str parts[PARTS_MAX];
    size_t count = 0;
    struct str rest = word;
    bool is_right = true;
    for (bool more = true; is_right && more; count++) {
        is_right = count < PARTS_MAX && take_name(arena, &rest, &parts[count]);
        more = rest.len > 0;
        rest = str_slice(rest, more, rest.len);
        is_right = is_right && !(more && rest.len == 0);
    }
    if (!is_right)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s' is no table's name; write TABLE, SCHEMA.TABLE or "
                         "CATALOG.SCHEMA.TABLE, with quotes around what has a point: \"a.b\"",
                         STR_ARGS(word));
    target->table = parts[count - 1];
    if (count > 1)
        target->schema = parts[count - 2];
    if (count > 2)
        target->catalog = parts[0];
    return STATUS_OK;
}

static enum status divide_words(struct load_options *options, struct arena *arena,
                                const struct positionals *words, struct error *error)
{
    if (words->count < 2)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "load needs a FILE (- is standard input) and a TABLE");
    struct put_options *put = &options->put;
    const char *last = words->items[words->count - 1];
    put->files = words->items;
    put->file_count = words->count - 1;
    if (put_word_is_file(last))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the last word is the TABLE, but %s is a file; give a table's name", last);
    if (!put_reads_standard_input_once(put->files, put->file_count))
        return error_set(error, STATUS_INVALID_ARGUMENT, "standard input can be loaded once");
    return read_target(&options->target, arena, str_of(last), error);
}

enum status load_options_read(struct load_options *options, struct arena *arena, bool has_server,
                              char *const *arguments, size_t count, struct error *error)
{
    unsigned mode = LOAD_CREATE_APPEND;
    unsigned format = PUT_FORMAT_NOT_GIVEN;
    *options = (struct load_options){.put.retries = RETRIES_DEFAULT};
    const struct option table[] = {
        {.name = "mode", .kind = OPTION_CHOICE, .target = &mode, .choices = load_mode_names},
        {.name = "schema", .kind = OPTION_TEXT, .target = &options->target.schema},
        {.name = "catalog", .kind = OPTION_TEXT, .target = &options->target.catalog},
        {.name = "format",
         .letter = "f",
         .kind = OPTION_CHOICE,
         .target = &format,
         .choices = put_format_names},
        {.name = "temporary", .kind = OPTION_SWITCH, .target = &options->is_temporary},
        {.name = "unfinished", .kind = OPTION_SWITCH, .target = &options->put.is_unfinished},
        {.name = "retries", .kind = OPTION_NUMBER, .target = &options->put.retries, .max = 1000},
        {.name = "quiet", .letter = "q", .kind = OPTION_SWITCH, .target = &options->put.quiet},
        SERVER_OPTIONS(&options->put.server, arena),
    };
    size_t option_count = ARRAY_COUNT(table) - (has_server ? 0 : SERVER_OPTION_COUNT);
    struct positionals words = {.items = ARENA_NEW_ARRAY(arena, const char *, count + 1),
                                .capacity = count};
    TRY(options_read(table, option_count, arguments, count, &words, error));
    options->mode = (enum load_mode)mode;
    options->put.format = put_format_of_choice(format);
    return divide_words(options, arena, &words, error);
}
