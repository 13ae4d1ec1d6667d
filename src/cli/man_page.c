/*
 * man_page.c — the manual, written from the tables of the commands and the settings.
 *
 * Runs on: the main thread. Owns: nothing.
 * Not done here: files (docs.c), the language of man pages (roff.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/man_page.h"
#include "cli/command_flags.h"
#include "cli/help.h"
#include "cli/roff.h"

#include "base/memory.h"
#include "settings/table.h"
#include "settings/value.h"

#define LINE_MAX_BYTES ((size_t)1 << 16)

/* What is not in a table: the environment and the files of the commands that are clients. */
static const char *const environment[][2] = {
    {"VOLLEY_SERVER", "the server that is meant where --server is not given: a URL or a name"},
    {"VOLLEY_HISTORY", "where the shell keeps what was typed"},
    {"PAGER", "what long and wide results are shown with; else less"},
    {"NO_COLOR", "with any value: no colours"},
    {"VOLLEY_...", "settings of the server; see volley.yaml(5)"},
};
static const char *const files[][2] = {
    {"~/.config/volley/client.yaml", "names of servers: servers.NAME.url, tls-ca, tls-cert, "
                                     "tls-key, tls-insecure, user, password-file, "
                                     "password-command, and default"},
    {"~/.local/state/volley/history", "what was typed in the shell"},
    {"~/.local/state/volley", "the data folder of a server that was given no other"},
    {"/etc/volley/volley.yaml",
     "settings of the service of this machine, where a package brought it"},
};

static void write_table(const char *heading, const char *const (*rows)[2], size_t count,
                        struct buf *out)
{
    roff_write_heading(heading, out);
    for (size_t i = 0; i < count; i++) {
        roff_write_term(rows[i][0], NULL, out);
        roff_write_text(str_of(rows[i][1]), out);
    }
}

static void write_examples(const char *const *examples, struct buf *out)
{
    roff_write_heading("EXAMPLES", out);
    roff_write_literal(examples, out);
}

static void write_name(const char *name, const char *summary, struct buf *out)
{
    roff_write_heading("NAME", out);
    CLEANUP(buf_finish) struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    buf_printf(&line, "%s - %s", name, summary);
    roff_write_text(buf_str(&line), out);
}

static void write_synopsis(const char *name, const char *synopsis, struct buf *out)
{
    roff_write_heading("SYNOPSIS", out);
    buf_append_text(out, ".B ");
    roff_write_text(str_of(name), out);
    if (synopsis[0])
        roff_write_text(str_of(synopsis), out);
}

void man_page_write_program(struct buf *out)
{
    roff_write_title("volley", "1", out);
    write_name("volley", "SQL in, Arrow out: a server of Arrow Flight SQL and HTTP, and its client",
               out);
    write_synopsis("volley", "COMMAND [ARGUMENT...]", out);
    roff_write_heading("DESCRIPTION", out);
    roff_write_text(
        STR("Volley runs SQL with an embedded DuckDB and streams results as Apache Arrow to any "
            "client of Arrow Flight SQL or HTTP. The commands besides serve are clients of a "
            "running server. Flags without a command are those of serve."),
        out);
    roff_write_heading("COMMANDS", out);
    for (size_t i = 0; i < commands_count; i++) {
        if (!commands_table[i].summary)
            continue;
        roff_write_term(commands_table[i].name, NULL, out);
        roff_write_text(str_of(commands_table[i].summary), out);
    }
    roff_write_heading("EXIT STATUS", out);
    roff_write_text(str_of(commands_exit_codes), out);
    write_table("ENVIRONMENT", environment, ARRAY_COUNT(environment), out);
    write_table("FILES", files, ARRAY_COUNT(files), out);
    write_examples(commands_examples, out);
    roff_write_heading("SEE ALSO", out);
    for (size_t i = 0; i < commands_count; i++) {
        if (commands_table[i].summary)
            buf_printf(out, ".BR volley\\-%s (1),\n", commands_table[i].name);
    }
    buf_append_text(out, ".BR volley.yaml (5)\n");
}

static void write_flag(void *context, const struct command_flag *flag)
{
    struct buf *out = (struct buf *)context;
    CLEANUP(buf_finish) struct buf term;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&term, LINE_MAX_BYTES);
    buf_init(&text, LINE_MAX_BYTES);
    if (flag->letter)
        buf_printf(&term, "-%s, ", flag->letter);
    buf_printf(&term, "--%s", flag->name);
    roff_write_term((const char *)term.ptr, flag->value, out);
    help_write_flag(flag, &text);
    roff_write_text(buf_str(&text), out);
}

static void write_words(const struct command_word *words, struct buf *out)
{
    for (const struct command_word *word = words; word->name; word++) {
        roff_write_term(word->name, word->arguments, out);
        roff_write_text(str_of(word->help), out);
    }
}

void man_page_write_command(const struct command *command, struct buf *out)
{
    CLEANUP(buf_finish) struct buf page;
    CLEANUP(buf_finish) struct buf call;
    buf_init(&page, LINE_MAX_BYTES);
    buf_init(&call, LINE_MAX_BYTES);
    buf_printf(&page, "volley-%s", command->name);
    buf_printf(&call, "volley %s", command->name);
    roff_write_title((const char *)page.ptr, "1", out);
    write_name((const char *)page.ptr, command->summary, out);
    write_synopsis((const char *)call.ptr, command->synopsis, out);
    if (command->about || command->notes)
        roff_write_heading("DESCRIPTION", out);
    if (command->about)
        roff_write_text(str_of(command->about), out);
    if (command->about && command->notes)
        buf_append_text(out, ".PP\n");
    if (command->notes)
        roff_write_text(str_of(command->notes), out);
    if (command->words || command->flags || command->takes_server || command->takes_settings)
        roff_write_heading("OPTIONS", out);
    if (command->words)
        write_words(command->words, out);
    command_visit_flags(command, write_flag, out);
    roff_write_heading("EXIT STATUS", out);
    roff_write_text(str_of(commands_exit_codes), out);
    write_examples(command->examples, out);
    roff_write_heading("SEE ALSO", out);
    buf_append_text(out, ".BR volley (1),\n.BR volley.yaml (5)\n");
}

static void write_names(const struct setting *setting, struct buf *out)
{
    char variable[SETTING_VARIABLE_SIZE];
    struct str native = setting_variable(setting, variable);
    buf_printf(out, "Names: --%s, %.*s", setting->name, STR_ARGS(native));
    for (const struct setting_alias *alias = setting->aliases; alias->name; alias++)
        buf_printf(out, ", %s", alias->name);
    for (size_t i = 0; i < settings_yaml_key_count; i++) {
        if (str_equal(str_of(settings_yaml_keys[i].setting), str_of(setting->name)))
            buf_printf(out, ", %s", settings_yaml_keys[i].key);
    }
    buf_append_byte(out, '.');
}

static void write_setting(const struct setting *setting, struct buf *out)
{
    const char *fallback = setting->default_help ? setting->default_help : setting->default_text;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, LINE_MAX_BYTES);
    buf_printf(&text, "%s. Allowed%s: ", setting->help, setting->list ? " (a list)" : "");
    setting_write_allowed(setting, &text);
    buf_printf(&text, ". Default: %s. ", fallback ? fallback : "not set");
    write_names(setting, &text);
    roff_write_term(setting->name, setting->unit, out);
    roff_write_text(buf_str(&text), out);
}

void man_page_write_settings(struct buf *out)
{
    static const char *const examples[] = {
        "flight-addr: 127.0.0.1:50052",
        "http-addr: 127.0.0.1:8000",
        "database: /srv/shop/shop.duckdb",
        "read-only: true",
        "query-memory: 50%",
        NULL,
    };
    roff_write_title("volley.yaml", "5", out);
    write_name("volley.yaml", "settings of a Volley server", out);
    roff_write_heading("DESCRIPTION", out);
    roff_write_text(STR("The file that volley serve --config names. Each line is a setting and its "
                        "value; lists are "
                        "written as those of YAML or with commas. A flag wins over an environment "
                        "variable, that over a "
                        "line of .env in the working directory, and that over the file.\n\n"
                        "volley config check FILE tells what is wrong with a file, with the line; "
                        "volley config show "
                        "--origin prints what is in force and where each value came from. "
                        "Durations are written 250ms, "
                        "5s, 10m, 1h, 1d (a bare number is seconds), sizes 64KiB, 2GiB, 1MB (a "
                        "bare number is bytes)."),
                    out);
    roff_write_heading("SETTINGS", out);
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (i == 0 || !str_equal(str_of(setting->section), str_of(setting[-1].section)))
            roff_write_subheading(setting->section, out);
        write_setting(setting, out);
    }
    write_examples(examples, out);
    roff_write_heading("SEE ALSO", out);
    buf_append_text(out, ".BR volley (1),\n.BR volley\\-serve (1),\n.BR volley\\-config (1)\n");
}
