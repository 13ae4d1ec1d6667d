/*
 * kill.h — stops a statement of a server.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/options.h"

/* NOT_FOUND and its like with the server's sentence; INVALID_ARGUMENT for what is no id. */
MUST_CHECK enum status kill_run(const struct server_options *server, struct str id,
                                struct error *error);
