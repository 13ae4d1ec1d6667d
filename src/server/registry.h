/*
 * registry.h — the registry as the settings want it. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "base/metric.h"
#include "meta/meta.h"
#include "settings/settings.h"

/* Opens the file of `registry-path`, else the one in `data-dir`, else one in memory. Its metrics read it:
 * nobody writes them out once it is closed. */
MUST_CHECK enum status registry_open(const struct settings *settings, struct log *log,
                                     struct metrics *metrics, struct meta **out_registry,
                                     struct error *error);
