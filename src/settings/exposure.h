/*
 * exposure.h — who can reach the server, as far as the settings decide it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "settings/loaded.h"

/* INVALID_ARGUMENT for an address that others can reach without authentication, and for certificates and
 * keys that do not go together. */
MUST_CHECK enum status exposure_check(const struct loaded *loaded, struct error *error);
