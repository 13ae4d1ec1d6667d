/*
 * dictionaries.h — one dictionary for batches that were received with several copies of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"

/* Exchanges a batch for one whose dictionaries are those of `before`, as far as they have the same values or
 * go on from them, so that they need not be written again. Both schemas have equal fields. */
void dictionaries_settle(struct arrow_batch **batch, struct arrow_schema *before);
