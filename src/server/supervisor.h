/*
 * supervisor.h — tells the supervisor that started this process (systemd) how it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/error.h"

/* Sends "READY=1" or the like to $NOTIFY_SOCKET; nothing without one. INVALID_ARGUMENT for an address that is
 * none, UNAVAILABLE when nobody takes it. */
MUST_CHECK enum status supervisor_tell(const char *state, struct error *error);
