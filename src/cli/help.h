/*
 * help.h — what --help prints.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "cli/commands.h"

void help_print(void);
void help_print_command(const struct command *command);

/* The help of a flag in one line: its choices and what holds without it behind it. */
void help_write_flag(const struct command_flag *flag, struct buf *out);
