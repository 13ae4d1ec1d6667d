/*
 * completion_zsh.c — the completion of zsh, written from the table of the commands.
 *
 * One call of _arguments for each command; texts stand in single quotes, and what _arguments reads as its own
 * ([, ], : and \) is escaped.
 *
 * Runs on: the main thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command_flags.h"
#include "cli/completion.h"

static const char head[] =
    "#compdef volley\n"
    "# Completion of volley for zsh; `volley completion zsh` prints it.\n"
    "\n"
    "_volley_servers() {\n"
    "  local -a servers\n"
    "  servers=(${(f)\"$(command volley completion servers 2>/dev/null)\"})\n"
    "  compadd -a servers\n"
    "}\n"
    "\n"
    "_volley() {\n"
    "  local command\n"
    "  local -a commands\n"
    "  commands=(\n";

static const char middle[] = "  )\n"
                             "  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
                             "    _describe -t commands command commands\n"
                             "    return\n"
                             "  fi\n"
                             "  command=$words[2]\n"
                             "  if [[ $command == -* ]]; then\n"
                             "    command=serve\n"
                             "  else\n"
                             "    shift words\n"
                             "    (( CURRENT-- ))\n"
                             "  fi\n"
                             "  case $command in\n";

static const char tail[] = "  esac\n"
                           "}\n"
                           "\n"
                           "if [[ $funcstack[1] == _volley ]]; then\n"
                           "  _volley \"$@\"\n"
                           "else\n"
                           "  compdef _volley volley\n"
                           "fi\n";

static void write_escaped(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == '\'') {
            buf_append_text(out, "'\\''");
            continue;
        }
        if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
}

static void write_value(const struct command_flag *flag, struct buf *out)
{
    enum command_value value = command_value_of(flag);
    if (value == COMMAND_NO_VALUE)
        return;
    buf_append_byte(out, ':');
    write_escaped(flag->value, out);
    buf_append_byte(out, ':');
    if (value == COMMAND_FILE)
        buf_append_text(out, "_files");
    if (value == COMMAND_FOLDER)
        buf_append_text(out, "_files -/");
    if (value == COMMAND_SERVER)
        buf_append_text(out, "_volley_servers");
    if (value != COMMAND_CHOICE)
        return;
    buf_append_byte(out, '(');
    for (size_t i = 0; flag->choices[i]; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", flag->choices[i]);
    buf_append_byte(out, ')');
}

/* `'(-f --file)'{-f,--file}'[help]:FILE:_files'`; a flag may be given again. */
static void write_flag(void *context, const struct command_flag *flag)
{
    struct buf *out = (struct buf *)context;
    buf_append_text(out, " \\\n      '*'");
    if (flag->letter)
        buf_printf(out, "{-%s,--%s}", flag->letter, flag->name);
    else
        buf_printf(out, "--%s", flag->name);
    buf_append_text(out, "'[");
    write_escaped(flag->help ? flag->help : flag->name, out);
    buf_append_byte(out, ']');
    write_value(flag, out);
    buf_append_byte(out, '\'');
}

static void write_words(const struct command_word *words, struct buf *out)
{
    buf_append_text(out, " \\\n      '1:word:((");
    for (const struct command_word *word = words; word->name; word++) {
        if (word > words && str_equal(str_of(word->name), str_of(word[-1].name)))
            continue;
        buf_printf(out, "%s\\:\"", word->name);
        write_escaped(word->help, out);
        buf_append_text(out, "\" ");
    }
    buf_append_text(out, "))'");
}

static void write_command(const struct command *command, struct buf *out)
{
    buf_printf(out, "  %s)\n    _arguments", command->name);
    command_visit_flags(command, write_flag, out);
    buf_append_text(out, " \\\n      '--help[tell more]'");
    if (command->words)
        write_words(command->words, out);
    buf_printf(out, " \\\n      '*:argument:%s'\n    ;;\n", command->takes_files ? "_files" : "");
}

void completion_write_zsh(struct buf *out)
{
    buf_append_text(out, head);
    for (size_t i = 0; i < commands_count; i++) {
        if (!commands_table[i].summary)
            continue;
        buf_printf(out, "    '%s:", commands_table[i].name);
        write_escaped(commands_table[i].summary, out);
        buf_append_text(out, "'\n");
    }
    buf_append_text(out, middle);
    for (size_t i = 0; i < commands_count; i++) {
        if (commands_table[i].summary)
            write_command(&commands_table[i], out);
    }
    buf_append_text(out, tail);
}
