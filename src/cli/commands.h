/*
 * commands.h — the commands of the program: one row each, for dispatch, help, man pages and completion.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "cli/command.h"

/* What completion offers for `value`: files for FILE and PATH, folders for DIR, `choices` where there are
 * some. */
struct command_flag {
    const char *name;
    const char *letter;         /* a second, short name; or NULL */
    const char *value;          /* what follows it, as "FILE"; NULL: nothing */
    const char *help;           /* with choices it may be NULL */
    const char *const *choices; /* ends with NULL; or NULL */
    const char *fallback;       /* what holds without it, in words; or NULL */
};

/* A word that a command's arguments begin with. */
struct command_word {
    const char *name;
    const char *arguments; /* behind it; or NULL */
    const char *help;
};

struct command {
    const char *name;
    const char *synopsis; /* after the name: "[FILE...] [flags]" */
    const char *summary;  /* one line; NULL: for the build, neither listed nor documented */
    /* Paragraphs, with an empty line between them; each may be NULL. */
    const char *about;
    const char *notes;                /* behind the flags */
    const struct command_word *words; /* ends with a NULL name; or NULL */
    const struct command_flag *flags; /* the same */
    bool takes_settings;              /* the settings of a server are flags, too */
    bool takes_server;                /* and so are those of which server is meant */
    bool takes_files;                 /* arguments are files */
    const char *const *examples;      /* lines of a shell; ends with NULL */
    enum exit_code (*run)(char *const *arguments, size_t count);
};

extern const struct command commands_table[];
extern const size_t commands_count;
/* Flags of each command that takes a server. */
extern const struct command_flag commands_server_flags[];
/* What the whole program's help shows; ends with NULL. */
extern const char *const commands_examples[];
/* "Exit codes: ..." */
extern const char commands_exit_codes[];

/* The row of this name, or NULL. */
const struct command *commands_find(struct str name);
