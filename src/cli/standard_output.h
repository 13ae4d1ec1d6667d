/*
 * standard_output.h — a command whose result goes to standard output in one of the formats of results.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/command.h"
#include "cli/output.h"

/* False, with a message, when standard output is a terminal and the format (result_format_at) is not for
 * one. */
bool standard_output_takes(unsigned format);
/* Gives `write` standard output, with SIGPIPE ignored and the widths of characters at hand; returns what it
 * returns, or CLI_USAGE where the format is not for a terminal. */
enum exit_code standard_output_write(unsigned format,
                                     enum exit_code (*write)(const void *context,
                                                             struct output *output),
                                     const void *context);
