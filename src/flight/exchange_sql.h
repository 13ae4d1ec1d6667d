/*
 * exchange_sql.h — a client's statement over table `input`, as a statement over a dataset.
 *
 * Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

/* Appends `sql` with `input` defined as the dataset of that id; *out_added: by how many bytes what the client
 * wrote moved. RESOURCE_EXHAUSTED when it is too long. */
MUST_CHECK enum status exchange_sql_write(struct str sql, struct str id, struct buf *out,
                                          size_t *out_added, struct error *error);
/* Makes an error about that statement one about the client's: its position, its line. */
void exchange_sql_mend(struct error *error, size_t added);
