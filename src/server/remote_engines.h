/*
 * remote_engines.h — the engines beside the embedded one, as the settings want them.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "clickhouse/clickhouse.h"
#include "settings/settings.h"

/* NULL unless clickhouse-host is set. INVALID_ARGUMENT naming the setting that is wrong. */
MUST_CHECK enum status remote_engines_open(const struct settings *settings, size_t batch_bytes_max,
                                           struct log *log, struct metrics *metrics,
                                           struct clickhouse **out_clickhouse, struct error *error);
