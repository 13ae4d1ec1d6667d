/*
 * completion_fish.c — the completion of fish, written from the table of the commands: one line for each flag.
 *
 * Runs on: the main thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command_flags.h"
#include "cli/completion.h"

static const char head[] =
    "# Completion of volley for fish; `volley completion fish` prints it.\n"
    "complete -c volley -f\n"
    "complete -c volley -n __fish_use_subcommand -l help -d 'tell more'\n"
    "complete -c volley -n __fish_use_subcommand -l version -d 'the version'\n";

struct writer {
    const struct command *command;
    struct buf *out;
};

static void write_quoted(const char *text, struct buf *out)
{
    buf_append_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
    buf_append_byte(out, '\'');
}

static void write_line_head(const struct command *command, struct buf *out)
{
    buf_printf(out, "complete -c volley -n '__fish_seen_subcommand_from %s'", command->name);
}

static void write_flag(void *context, const struct command_flag *flag)
{
    const struct writer *writer = (const struct writer *)context;
    struct buf *out = writer->out;
    write_line_head(writer->command, out);
    if (flag->letter)
        buf_printf(out, " -s %s", flag->letter);
    buf_printf(out, " -l %s", flag->name);
    enum command_value value = command_value_of(flag);
    if (value == COMMAND_FILE)
        buf_append_text(out, " -r -F");
    if (value == COMMAND_FOLDER)
        buf_append_text(out, " -x -a '(__fish_complete_directories)'");
    if (value == COMMAND_SERVER)
        buf_append_text(out, " -x -a '(command volley completion servers 2>/dev/null)'");
    if (value == COMMAND_TEXT)
        buf_append_text(out, " -x");
    if (value == COMMAND_CHOICE) {
        buf_append_text(out, " -x -a '");
        for (size_t i = 0; flag->choices[i]; i++)
            buf_printf(out, "%s%s", i > 0 ? " " : "", flag->choices[i]);
        buf_append_byte(out, '\'');
    }
    buf_append_text(out, " -d ");
    write_quoted(flag->help ? flag->help : flag->name, out);
    buf_append_byte(out, '\n');
}

static void write_command(const struct command *command, struct buf *out)
{
    buf_printf(out, "complete -c volley -n __fish_use_subcommand -a %s -d ", command->name);
    write_quoted(command->summary, out);
    buf_append_byte(out, '\n');
    struct writer writer = {command, out};
    command_visit_flags(command, write_flag, &writer);
    write_line_head(command, out);
    buf_append_text(out, " -l help -d 'tell more'\n");
    if (command->takes_files) {
        write_line_head(command, out);
        buf_append_text(out, " -F\n");
    }
    for (const struct command_word *word = command->words; word && word->name; word++) {
        if (word > command->words && str_equal(str_of(word->name), str_of(word[-1].name)))
            continue;
        write_line_head(command, out);
        buf_printf(out, " -a %s -d ", word->name);
        write_quoted(word->help, out);
        buf_append_byte(out, '\n');
    }
}

void completion_write_fish(struct buf *out)
{
    buf_append_text(out, head);
    for (size_t i = 0; i < commands_count; i++) {
        if (commands_table[i].summary)
            write_command(&commands_table[i], out);
    }
}
