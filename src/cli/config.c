/*
 * config.c — `volley config`: the settings in force, where they came from, and whether a file is right.
 *
 * `show` prints YAML that `--config` reads back; settings without a value and `config` itself are
 * comments. `serve --print-config` prints a file to begin with. `docs`, which is not listed, prints
 * docs/settings.md.
 *
 * Runs on: the main thread. Owns: nothing beyond a call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/options.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#define DOCS_MAX ((size_t)1 << 20)
#define ORIGIN_COLUMN 48
#define SAMPLE_WIDTH 100

static const char sample_head[] =
    "# Settings of volley serve --config FILE; volley config check FILE tells whether it is "
    "right.\n"
    "# A line that begins with '#' and a setting's name shows the value that holds without it. "
    "Flags\n"
    "# (--query-slots 4) and variables (VOLLEY_QUERY_SLOTS=4) win over what is written here.\n";

enum status cli_load_settings(char *const *arguments, size_t count,
                              const struct settings **out_settings, struct error *error)
{
    const struct settings_input input = {
        .arguments = arguments,
        .argument_count = count,
        .environment = environ,
        .dotenv_path = ".env",
    };
    TRY(settings_load(&input, out_settings, error));
    const struct settings_list *warnings = &(*out_settings)->warnings;
    for (size_t i = 0; i < warnings->count; i++)
        cli_complain("warning: %.*s", STR_ARGS(warnings->items[i]));
    return STATUS_OK;
}

static void print_buf(struct buf *out)
{
    (void)fwrite(out->ptr, 1, out->len, stdout);
}

/* True when YAML could read the plain text as something else. */
static bool needs_quotes(struct str value)
{
    if (str_find_str(value, STR(": ")) >= 0 || str_find_str(value, STR(" #")) >= 0 ||
        str_ends_with(value, STR(":")))
        return true;
    return value.len > 0 && !isalnum((unsigned char)value.ptr[0]) && value.ptr[0] != '/' &&
           value.ptr[0] != '.';
}

static void write_value(struct str value, struct buf *out)
{
    if (!needs_quotes(value)) {
        buf_append_str(out, value);
        return;
    }
    buf_append_byte(out, '\'');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'')
            buf_append_byte(out, '\'');
        buf_append_byte(out, (uint8_t)value.ptr[i]);
    }
    buf_append_byte(out, '\'');
}

struct show {
    struct buf out;
    bool origin;
    struct str section; /* of the entry before */
};

static void show_entry(void *context, const struct settings_entry *entry)
{
    struct show *show = (struct show *)context;
    size_t start = show->out.len;
    if (!entry->reads_back || str_equal(entry->name, STR("config")))
        buf_append_text(&show->out, "# ");
    buf_printf(&show->out, "%.*s: ", STR_ARGS(entry->name));
    write_value(entry->value, &show->out);
    while (show->origin && show->out.len < start + ORIGIN_COLUMN)
        buf_append_byte(&show->out, ' ');
    if (show->origin)
        buf_printf(&show->out, " # %.*s", STR_ARGS(entry->origin));
    buf_append_byte(&show->out, '\n');
}

/* Visits the settings that the arguments and the other sources give. */
static enum exit_code visit(char *const *arguments, size_t count,
                            void (*entry)(void *context, const struct settings_entry *entry),
                            struct show *show)
{
    struct error error = ERROR_NONE;
    CLEANUP(settings_destroy) const struct settings *settings = NULL;
    if (cli_load_settings(arguments, count, &settings, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    buf_init(&show->out, DOCS_MAX);
    settings_visit(settings, entry, show);
    print_buf(&show->out);
    buf_finish(&show->out);
    return CLI_FINE;
}

/* `--origin` is ours; all other flags are those of serve. */
static enum exit_code run_show(char *const *arguments, size_t count)
{
    struct show show = {0};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    char **kept = options_without(&arena, arguments, &count, "origin", &show.origin);
    return visit(kept, count, show_entry, &show);
}

/* --- a file to begin with --------------------------------------------------------------------- */

/* Lines of at most SAMPLE_WIDTH that begin with "# ". */
static void write_comment(struct str text, struct buf *out)
{
    size_t column = 1;
    buf_append_byte(out, '#');
    while (text.len > 0) {
        struct str word = str_split(&text, ' ');
        if (column + 1 + word.len > SAMPLE_WIDTH) {
            buf_append_text(out, "\n#");
            column = 1;
        }
        column += 1 + word.len;
        buf_append_byte(out, ' ');
        buf_append_str(out, word);
    }
    buf_append_byte(out, '\n');
}

static void write_section(struct show *show, const struct settings_entry *entry)
{
    if (str_equal(show->section, entry->section))
        return;
    show->section = entry->section;
    buf_printf(&show->out, "\n# --- %.*s ---\n", STR_ARGS(entry->section));
}

/* What is the default is a comment, so that a later version's holds; what was given is not. */
static void sample_entry(void *context, const struct settings_entry *entry)
{
    struct show *show = (struct show *)context;
    struct buf *out = &show->out;
    bool is_given = entry->reads_back && !str_equal(entry->origin, STR("default"));
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, DOCS_MAX);
    if (str_equal(entry->name, STR("config")))
        return;
    if (out->len == 0)
        buf_append_text(out, sample_head);
    write_section(show, entry);
    buf_printf(&text, "%.*s (%.*s; ", STR_ARGS(entry->help), STR_ARGS(entry->type));
    if (entry->default_value.len > 0)
        buf_printf(&text, "default %.*s)", STR_ARGS(entry->default_value));
    else
        buf_append_text(&text, "not set by default)");
    buf_append_byte(out, '\n');
    write_comment(buf_str(&text), out);
    buf_printf(out, "%s%.*s:%s", is_given ? "" : "#", STR_ARGS(entry->name),
               entry->reads_back ? " " : "");
    if (entry->reads_back)
        write_value(entry->value, out);
    buf_append_byte(out, '\n');
}

enum exit_code cli_print_config(char *const *arguments, size_t count)
{
    struct show show = {0};
    return visit(arguments, count, sample_entry, &show);
}

/* --- the rest --------------------------------------------------------------------------------- */

static enum exit_code run_check(char *const *arguments, size_t count)
{
    struct error error = ERROR_NONE;
    CLEANUP(settings_destroy) const struct settings *settings = NULL;
    if (count > 1) {
        cli_complain("config check takes one file");
        return CLI_USAGE;
    }
    enum status status;
    if (count == 1) {
        char config_flag[] = "--config";
        char *flags[] = {config_flag, (char *)arguments[0]};
        const struct settings_input input = {.arguments = flags, .argument_count = 2};
        status = settings_load(&input, &settings, &error);
    } else {
        status = cli_load_settings(NULL, 0, &settings, &error);
    }
    if (status != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    for (size_t i = 0; count == 1 && i < settings->warnings.count; i++)
        cli_complain("warning: %.*s", STR_ARGS(settings->warnings.items[i]));
    (void)printf("%s: fine\n", count == 1 ? arguments[0] : "settings");
    return CLI_FINE;
}

static enum exit_code run_docs(char *const *arguments, size_t count)
{
    CLEANUP(buf_finish) struct buf docs;
    buf_init(&docs, DOCS_MAX);
    settings_write_docs(&docs);
    print_buf(&docs);
    return CLI_FINE;
}

enum exit_code cli_config(char *const *arguments, size_t count)
{
    static const struct command parts[] = {
        {.name = "show", .run = run_show},
        {.name = "check", .run = run_check},
        {.name = "docs", .run = run_docs},
    };
    for (size_t i = 0; i < ARRAY_COUNT(parts) && count > 0; i++) {
        if (str_equal(str_of(arguments[0]), str_of(parts[i].name)))
            return parts[i].run(arguments + 1, count - 1);
    }
    cli_complain("config needs 'show' or 'check'; volley config --help tells more");
    return CLI_USAGE;
}
