/*
 * load.h — the settings of this process, from all sources.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/command.h"
#include "settings/settings.h"

/* Reads flags, the process's environment and `.env`, and prints the warnings. */
MUST_CHECK enum status cli_load_settings(char *const *arguments, size_t count,
                                         const struct settings **out_settings, struct error *error);
/* `volley serve --print-config`: a commented file of settings, with those that the arguments give. */
enum exit_code cli_print_config(char *const *arguments, size_t count);
