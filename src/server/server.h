/*
 * server.h — the composition root: builds all modules, runs them, takes them down.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "settings/settings.h"

/* Reads the settings again; the caller of server_run provides it for SIGHUP. */
struct server_reload {
    enum status (*load)(void *context, const struct settings **out_settings, struct error *error);
    void *context;
};

/* Runs a server until a signal ends it; blocks the calling thread, which must be the only one and
 * handles the signals. STATUS_OK after a clean drain. UNAVAILABLE when an address cannot be bound or the
 * data folder is in use; INVALID_ARGUMENT for settings that do not go together; other statuses for what
 * could not be opened. */
MUST_CHECK enum status server_run(const struct settings *settings,
                                  const struct server_reload *reload, struct error *error);

/* The version of the engine that is linked, "v1.5.6". */
const char *server_engine_version(void);
