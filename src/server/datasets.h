/*
 * datasets.h — opens the store as the settings say, with the datasets of an earlier process.
 * Threads: the composition root's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "base/metric.h"
#include "server/data_folder.h"
#include "settings/settings.h"
#include "store/store.h"

MUST_CHECK enum status datasets_open(const struct settings *settings,
                                     const struct data_folder *folder, struct log *log,
                                     struct metrics *metrics, struct store **out_store,
                                     struct error *error);
