/*
 * explorer.h — what the explorer asks of a remote engine.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/own_rows.h"

struct rest_explorer_page {
    struct str dataset; /* empty: all */
    struct str token;   /* where it begins; empty: at the first table */
    uint64_t limit;     /* tables */
};

/* `take` gets one row: datasets, total_datasets, total_tables, next_page_token. */
MUST_CHECK enum status
rest_explorer_ask_remote(struct rest_exchange *exchange, struct remote_engine *remote,
                         const struct rest_explorer_page *page,
                         enum status (*take)(struct rest_exchange *exchange,
                                             const struct json_value *rows, struct error *error),
                         struct error *error);
