/*
 * arrow_columns.h — the columns that arrow_bench decodes, by number. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"

#define COLUMN_NODES_MAX 4
#define COLUMN_BUFFERS_MAX 8

size_t column_case_count(void);
const char *column_case_name(size_t index);
struct arrow_schema *column_case_schema(size_t index);
struct arrow_batch *column_case_batch(size_t index, struct arrow_schema *schema);
