/*
 * process_metrics.h — what the operating system knows of this process, as metrics.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/metric.h"
#include "engine/engine.h"

/* Adds the metrics of the process and of the build. Returns the gauge that is 1 while the engine can work. */
struct metric *process_metrics_add(struct metrics *metrics, const struct engine *engine);
