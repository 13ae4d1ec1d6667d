/*
 * describe.c — the table as people read it: help, docs/settings.md and the settings in force.
 *
 * Runs on: any thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/loaded.h"
#include "settings/value.h"

#define VALUE_TEXT_MAX ((size_t)1 << 20)
#define HELP_COLUMN 34
#define HELP_WIDTH 80

static struct str default_of(const struct setting *setting)
{
    if (setting->default_help)
        return str_of(setting->default_help);
    return str_of(setting->default_text);
}

/* 0 may stand for what is settled later, and is then no value that anybody may give. */
static bool reads_back(const struct setting *setting, struct str value)
{
    struct setting_value parsed;
    if (setting->secret || value.len == 0)
        return false;
    return setting->list || setting_parse(setting, value, NULL, &parsed);
}

void settings_visit(const struct settings *settings,
                    void (*visit)(void *context, const struct settings_entry *entry), void *context)
{
    const struct loaded *loaded = loaded_of(settings);
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *setting = &settings_table[i];
        CLEANUP(buf_finish) struct buf value;
        buf_init(&value, VALUE_TEXT_MAX);
        setting_write(setting, settings, &value);
        struct settings_entry entry = {
            .section = str_of(setting->section),
            .name = str_of(setting->name),
            .value = setting->secret && value.len > 0 ? STR("***") : buf_str(&value),
            .reads_back = reads_back(setting, buf_str(&value)),
            .origin = loaded->origins[i],
            .default_value = default_of(setting),
            .type = str_of(setting_type_name(setting)),
            .help = str_of(setting->help),
            .reloadable = setting->reloadable,
        };
        visit(context, &entry);
    }
}

static bool opens_section(size_t row)
{
    return row == 0 ||
           !str_equal(str_of(settings_table[row].section), str_of(settings_table[row - 1].section));
}

/* Words from HELP_COLUMN on, in as many lines as they need. */
static void write_help_text(struct str text, struct buf *out)
{
    size_t column = HELP_COLUMN;
    while (text.len > 0) {
        struct str word = str_split(&text, ' ');
        bool begins = column == HELP_COLUMN;
        if (!begins && column + 1 + word.len > HELP_WIDTH) {
            buf_printf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
            begins = true;
        }
        if (!begins)
            buf_append_byte(out, ' ');
        buf_append_str(out, word);
        column += !begins + word.len;
    }
    buf_append_byte(out, '\n');
}

static void write_help_row(const struct setting *setting, struct buf *out)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, VALUE_TEXT_MAX);
    buf_append_text(&text, setting->help);
    struct str default_value = default_of(setting);
    if (default_value.len > 0 && setting->type != SETTING_BOOLEAN)
        buf_printf(&text, " [%.*s]", STR_ARGS(default_value));
    else if (str_equal(default_value, STR("true")))
        buf_printf(&text, " [on; --no-%s]", setting->name);
    size_t start = out->len;
    buf_printf(out, "  --%s", setting->name);
    if (setting->unit)
        buf_printf(out, " %s", setting->unit);
    if (out->len + 1 > start + HELP_COLUMN)
        buf_printf(out, "\n%*s", HELP_COLUMN, "");
    while (out->len < start + HELP_COLUMN && !out->failed)
        buf_append_byte(out, ' ');
    write_help_text(buf_str(&text), out);
}

void settings_write_help(struct buf *out)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        if (opens_section(i))
            buf_printf(out, "\n%s:\n", settings_table[i].section);
        write_help_row(&settings_table[i], out);
    }
}

static const char *form_note(enum setting_form form)
{
    static const char *const notes[] = {
        [SETTING_WHOLE] = "",
        [SETTING_HOST] = " (host)",
        [SETTING_PORT] = " (port)",
    };
    return notes[form];
}

static void write_docs_names(const struct setting *setting, struct buf *out)
{
    char variable[SETTING_VARIABLE_SIZE];
    struct str native = setting_variable(setting, variable);
    buf_printf(out, "- Names: `--%s`, `%.*s`", setting->name, STR_ARGS(native));
    for (const struct setting_alias *alias = setting->aliases; alias->name; alias++)
        buf_printf(out, ", `%s`%s", alias->name, form_note(alias->form));
    for (size_t i = 0; i < settings_yaml_key_count; i++) {
        if (str_equal(str_of(settings_yaml_keys[i].setting), str_of(setting->name)))
            buf_printf(out, ", in YAML also `%s`", settings_yaml_keys[i].key);
    }
    buf_append_byte(out, '\n');
}

static void write_docs_row(const struct setting *setting, struct buf *out)
{
    struct str default_value = default_of(setting);
    buf_printf(out, "\n### %s\n\n", setting->name);
    buf_append_text(out, setting->help);
    buf_append_text(out, ".\n\n");
    buf_printf(out, "- Type: %s%s", setting->list ? "list of " : "", setting_type_name(setting));
    if (setting->list)
        buf_append_text(out, "; repeat the flag, or separate items by commas");
    buf_append_text(out, "\n- Allowed: ");
    setting_write_allowed(setting, out);
    if (default_value.len > 0)
        buf_printf(out, "\n- Default: `%.*s`\n", STR_ARGS(default_value));
    else
        buf_append_text(out, "\n- Default: not set\n");
    write_docs_names(setting, out);
    if (setting->reloadable)
        buf_append_text(out, "- Reloaded on SIGHUP\n");
}

static const char docs_head[] =
    "# Settings\n"
    "\n"
    "Generated from the settings table by `volley config docs`; a test compares the two.\n"
    "\n"
    "A setting's value comes from the first of these that has it: a flag (`--query-slots 4`), an\n"
    "environment variable (`VOLLEY_QUERY_SLOTS=4`), a line of `.env` in the working directory, a "
    "line\n"
    "of the YAML file that `config` names (`query-slots: 4`), the default. `volley config show\n"
    "--origin` prints every value and where it came from. A wrong value, an unknown flag and an\n"
    "unknown key of the file end the program with exit code 2; an unknown variable that begins "
    "with\n"
    "`VOLLEY_` is warned about. A variable that is empty counts as not set.\n"
    "\n"
    "Durations are written `250ms`, `5s`, `10m`, `1h`, `1d` (a bare number is seconds), sizes\n"
    "`64KiB`, `2GiB`, `1MB` (a bare number is bytes).\n";

void settings_write_docs(struct buf *out)
{
    buf_append_text(out, docs_head);
    for (size_t i = 0; i < settings_table_count; i++) {
        if (opens_section(i))
            buf_printf(out, "\n## %s\n", settings_table[i].section);
        write_docs_row(&settings_table[i], out);
    }
}
