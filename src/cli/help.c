/*
 * help.c — what --help prints, from the table of the commands and that of the settings.
 *
 * Texts are broken into lines of HELP_WIDTH here, so that the tables hold whole paragraphs.
 *
 * Runs on: the main thread. Owns: nothing beyond a call.
 * Not done here: man pages (man_page.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/help.h"

#include "settings/settings.h"

#include <stdio.h>

#define HELP_MAX ((size_t)1 << 18)
#define HELP_WIDTH 80
#define FLAG_COLUMN 22

/* The next word of `text`, which is not empty. */
static struct str next_word(struct str *text)
{
    size_t end = 0;
    while (end < text->len && text->ptr[end] != ' ' && text->ptr[end] != '\n')
        end++;
    struct str word = str_slice(*text, 0, end);
    *text = str_slice(*text, end < text->len ? end + 1 : end, text->len);
    return word;
}

/* Appends `text`, beginning at `column`, in lines that begin at `indent`. */
static void wrap(struct str text, size_t column, size_t indent, struct buf *out)
{
    bool begins = true;
    while (text.len > 0) {
        struct str word = next_word(&text);
        bool fits = column + !begins + word.len <= HELP_WIDTH;
        if (!begins && fits) {
            buf_append_byte(out, ' ');
            column++;
        } else if (!begins) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        buf_append_str(out, word);
        column += word.len;
        begins = false;
    }
    buf_append_byte(out, '\n');
}

static void write_paragraphs(const char *text, struct buf *out)
{
    struct str rest = str_of(text);
    while (rest.len > 0) {
        ptrdiff_t end = str_find_str(rest, STR("\n\n"));
        size_t len = end < 0 ? rest.len : (size_t)end;
        buf_append_byte(out, '\n');
        wrap(str_slice(rest, 0, len), 0, 0, out);
        rest = str_slice(rest, end < 0 ? len : len + 2, rest.len);
    }
}

static void write_choices(const char *const *choices, struct buf *out)
{
    for (size_t i = 0; choices[i]; i++) {
        const char *separator = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
        buf_printf(out, "%s%s", separator, choices[i]);
    }
}

void help_write_flag(const struct command_flag *flag, struct buf *out)
{
    if (flag->choices)
        write_choices(flag->choices, out);
    if (flag->help)
        buf_printf(out, "%s%s", flag->choices ? "; " : "", flag->help);
    if (flag->fallback)
        buf_printf(out, " [%s]", flag->fallback);
}

/* A term at the left, its text in a column beside it or, where the term is long, below. */
static void write_entry(struct str term, struct str text, struct buf *out)
{
    buf_printf(out, "  %.*s", STR_ARGS(term));
    if (term.len + 3 > FLAG_COLUMN)
        buf_printf(out, "\n%*s", FLAG_COLUMN, "");
    else
        buf_printf(out, "%*s", (int)(FLAG_COLUMN - 2 - term.len), "");
    wrap(text, FLAG_COLUMN, FLAG_COLUMN, out);
}

static void write_flags(const struct command_flag *flags, struct buf *out)
{
    for (const struct command_flag *flag = flags; flag->name; flag++) {
        CLEANUP(buf_finish) struct buf term;
        CLEANUP(buf_finish) struct buf text;
        buf_init(&term, HELP_MAX);
        buf_init(&text, HELP_MAX);
        if (flag->letter)
            buf_printf(&term, "-%s, ", flag->letter);
        buf_printf(&term, "--%s%s%s", flag->name, flag->value ? " " : "",
                   flag->value ? flag->value : "");
        help_write_flag(flag, &text);
        write_entry(buf_str(&term), buf_str(&text), out);
    }
}

static void write_words(const struct command_word *words, struct buf *out)
{
    buf_append_byte(out, '\n');
    for (const struct command_word *word = words; word->name; word++) {
        CLEANUP(buf_finish) struct buf term;
        buf_init(&term, HELP_MAX);
        buf_printf(&term, "%s%s%s", word->name, word->arguments ? " " : "",
                   word->arguments ? word->arguments : "");
        write_entry(buf_str(&term), str_of(word->help), out);
    }
}

static void write_examples(const char *const *examples, struct buf *out)
{
    buf_append_byte(out, '\n');
    for (size_t i = 0; examples[i]; i++)
        buf_printf(out, "  %s\n", examples[i]);
}

static void write_command(const struct command *command, struct buf *out)
{
    buf_printf(out, "volley %s: %s\n\nUsage: volley %s%s%s\n", command->name,
               command->summary ? command->summary : "for the build", command->name,
               command->synopsis[0] ? " " : "", command->synopsis);
    if (command->about)
        write_paragraphs(command->about, out);
    if (command->words)
        write_words(command->words, out);
    if (command->flags || command->takes_server)
        buf_append_byte(out, '\n');
    if (command->flags)
        write_flags(command->flags, out);
    if (command->takes_server)
        write_flags(commands_server_flags, out);
    if (command->takes_settings)
        settings_write_help(out);
    if (command->notes)
        write_paragraphs(command->notes, out);
    write_examples(command->examples, out);
}

static void print(const struct buf *out)
{
    (void)printf("%.*s", STR_ARGS(buf_str(out)));
}

void help_print_command(const struct command *command)
{
    CLEANUP(buf_finish) struct buf help;
    buf_init(&help, HELP_MAX);
    write_command(command, &help);
    print(&help);
}

void help_print(void)
{
    CLEANUP(buf_finish) struct buf help;
    buf_init(&help, HELP_MAX);
    buf_append_text(&help,
                    "Volley: SQL in, Arrow out; Flight SQL on port 50052, HTTP on port 8000.\n"
                    "Usage: volley COMMAND [...]; volley COMMAND --help tells more.\n"
                    "\n");
    for (size_t i = 0; i < commands_count; i++) {
        if (!commands_table[i].summary)
            continue;
        buf_printf(&help, "  %-11s %s\n", commands_table[i].name, commands_table[i].summary);
    }
    write_examples(commands_examples, &help);
    wrap(str_of(commands_exit_codes), 0, 0, &help);
    print(&help);
}
