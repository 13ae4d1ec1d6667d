/*
 * server.h — the composition root: builds all modules, runs them, takes them down.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "settings/settings.h"

/* Runs a server until a signal ends it; blocks the calling thread, which must be the only one and
 * handles the signals. STATUS_OK after a clean drain. UNAVAILABLE when an address cannot be bound or the
 * data folder is in use; INVALID_ARGUMENT for settings that do not go together; other statuses for what
 * could not be opened. */
MUST_CHECK enum status server_run(const struct settings *settings, struct error *error);
