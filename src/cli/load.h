/*
 * load.h — the settings of this process, from all sources.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "settings/settings.h"

/* Reads flags, the process's environment and `.env`, and prints the warnings. */
MUST_CHECK enum status cli_load_settings(char *const *arguments, size_t count,
                                         const struct settings **out_settings, struct error *error);
