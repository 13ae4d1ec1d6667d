/*
 * command_flags.h — all flags of a command as one list: its own, which server is meant, and settings.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/commands.h"

/* Calls `visit` for each flag, in the order of the help; a setting that is on also as `no-NAME`. The flag and
 * its choices last as long as the call. */
void command_visit_flags(const struct command *command,
                         void (*visit)(void *context, const struct command_flag *flag),
                         void *context);

/* What the value of a flag is, as completion sees it. */
enum command_value {
    COMMAND_NO_VALUE,
    COMMAND_FILE,
    COMMAND_FOLDER,
    COMMAND_CHOICE,
    COMMAND_SERVER, /* its name in client.yaml, or an address */
    COMMAND_TEXT
};
enum command_value command_value_of(const struct command_flag *flag);
