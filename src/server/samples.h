/*
 * samples.h — the data that a new server shows: `taxi` and `flights`.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "settings/settings.h"

/* The SQL statements that make the samples the settings ask for, NULL-ended; free with samples_free.
 * NULL when there are none: a database file of the user never gets samples. NOT_FOUND when `demo` is set
 * and the file of `flights` is missing, telling how to fetch it. */
MUST_CHECK enum status samples_statements(const struct settings *settings, char ***out_statements,
                                          struct error *error);
void samples_free(char **statements);
CLEANUP_FUNCTION(char **, samples_free)
