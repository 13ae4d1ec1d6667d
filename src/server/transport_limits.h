/*
 * transport_limits.h — the transport's limits from the settings.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "http/server.h"
#include "settings/settings.h"

/* Sets those limits that are settings of the section Limits; others stay. */
void transport_limits_set(const struct settings_limits *from, struct http_limits *out_limits);
