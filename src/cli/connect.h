/*
 * connect.h — a connection to the server that a command's options name.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/command.h"
#include "cli/options.h"
#include "grpc/client.h"

/* UNAVAILABLE when nothing answers, INVALID_ARGUMENT for a wrong URL or certificate. */
MUST_CHECK enum status cli_connect(const struct server_options *options,
                                   struct grpc_client **out_client, struct error *error);
/* The exit code of a failure of a connected command. */
enum exit_code cli_exit_of(const struct error *error);
