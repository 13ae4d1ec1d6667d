/*
 * completion_bash.c — the completion of bash, written from the table of the commands.
 *
 * The script is one function: which command is meant, what the word before wants, else flags or arguments.
 * bash cuts words at '=': what stands before it is put together again.
 *
 * Runs on: the main thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command_flags.h"
#include "cli/completion.h"

static const char head[] = "# Completion of volley for bash; `volley completion bash` prints it.\n"
                           "\n"
                           "_volley_words()\n"
                           "{\n"
                           "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$current\")\n"
                           "}\n"
                           "\n"
                           "_volley_files()\n"
                           "{\n"
                           "    compopt -o filenames 2>/dev/null\n"
                           "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$current\")\n"
                           "}\n"
                           "\n"
                           "_volley_servers()\n"
                           "{\n"
                           "    local name\n"
                           "    while IFS= read -r name; do\n"
                           "        [[ $name == \"$current\"* ]] && COMPREPLY+=(\"$name\")\n"
                           "    done < <(command volley completion servers 2>/dev/null)\n"
                           "}\n"
                           "\n"
                           "_volley()\n"
                           "{\n"
                           "    local current=${COMP_WORDS[COMP_CWORD]} "
                           "before=${COMP_WORDS[COMP_CWORD - 1]} command='' i\n"
                           "    COMPREPLY=()\n"
                           "    if [[ $current == = ]]; then\n"
                           "        current=''\n"
                           "    elif [[ $before == = && $COMP_CWORD -ge 2 ]]; then\n"
                           "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
                           "    fi\n"
                           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                           "        case ${COMP_WORDS[i]} in\n"
                           "        -*) command=serve && break ;;\n"
                           "        *) command=${COMP_WORDS[i]} && break ;;\n"
                           "        esac\n"
                           "    done\n"
                           "    [[ -z $command && $current == -* ]] && command=serve\n"
                           "    case $command in\n";

static const char tail[] = "    esac\n"
                           "}\n"
                           "complete -F _volley volley\n";

static void write_flag_pattern(const struct command_flag *flag, struct buf *out)
{
    buf_append_text(out, "        ");
    if (flag->letter)
        buf_printf(out, "-%s | ", flag->letter);
    buf_printf(out, "--%s) ", flag->name);
}

static void write_value_case(void *context, const struct command_flag *flag)
{
    struct buf *out = (struct buf *)context;
    enum command_value value = command_value_of(flag);
    if (value == COMMAND_NO_VALUE)
        return;
    write_flag_pattern(flag, out);
    if (value == COMMAND_FILE) {
        buf_append_text(out, "_volley_files -f");
    } else if (value == COMMAND_FOLDER) {
        buf_append_text(out, "_volley_files -d");
    } else if (value == COMMAND_SERVER) {
        buf_append_text(out, "_volley_servers; return ;;\n");
        return;
    } else if (value == COMMAND_CHOICE) {
        buf_append_text(out, "_volley_words '");
        for (size_t i = 0; flag->choices[i]; i++)
            buf_printf(out, "%s%s", i > 0 ? " " : "", flag->choices[i]);
        buf_append_byte(out, '\'');
    }
    buf_append_text(out, value == COMMAND_TEXT ? "return ;;\n" : " && return ;;\n");
}

static void write_flag_name(void *context, const struct command_flag *flag)
{
    buf_printf((struct buf *)context, "--%s ", flag->name);
}

/* A word that stands twice, with other arguments, is written once. */
static void write_words(const struct command_word *words, struct buf *out)
{
    for (const struct command_word *word = words; word && word->name; word++) {
        if (word == words || !str_equal(str_of(word->name), str_of(word[-1].name)))
            buf_printf(out, "%s ", word->name);
    }
}

static void write_command(const struct command *command, struct buf *out)
{
    buf_printf(out, "    %s)\n        case $before in\n", command->name);
    command_visit_flags(command, write_value_case, out);
    buf_append_text(out, "        esac\n"
                         "        if [[ $current == -* ]]; then\n"
                         "            _volley_words '");
    command_visit_flags(command, write_flag_name, out);
    buf_append_text(out, "--help'\n");
    if (command->words) {
        buf_printf(out, "        elif [[ $before == %s ]]; then\n            _volley_words '",
                   command->name);
        write_words(command->words, out);
        buf_append_text(out, "'\n");
    }
    if (command->takes_files)
        buf_append_text(out, "        else\n            _volley_files -f\n");
    buf_append_text(out, "        fi\n        ;;\n");
}

void completion_write_bash(struct buf *out)
{
    buf_append_text(out, head);
    buf_append_text(out, "    '') _volley_words '");
    for (size_t i = 0; i < commands_count; i++) {
        if (commands_table[i].summary)
            buf_printf(out, "%s ", commands_table[i].name);
    }
    buf_append_text(out, "help' ;;\n");
    for (size_t i = 0; i < commands_count; i++) {
        if (commands_table[i].summary)
            write_command(&commands_table[i], out);
    }
    buf_append_text(out, tail);
}
