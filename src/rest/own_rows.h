/*
 * own_rows.h — a few rows that the server asks its engine for before it answers, as JSON.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/fields.h"
#include "rest/upload.h"

/* Of all rows together. */
#define REST_OWN_ROWS_BYTES_MAX ((size_t)32 << 20)

/* By a handler, on a worker: runs a statement of the server's own (rest_run_prepare), then has `take` make
 * the reply, on a worker, of the rows: an array of objects that lives as long as the exchange. */
MUST_CHECK enum status
rest_rows_of_own(struct rest_exchange *exchange, struct str sql, struct str shown,
                 enum status (*take)(struct rest_exchange *exchange, const struct json_value *rows,
                                     struct error *error),
                 struct error *error);
/* The same for a client's, which is taken over on success. */
MUST_CHECK enum status
rest_rows_of_client(struct rest_exchange *exchange, struct engine_session *session,
                    struct engine_statement **statement, struct str shown,
                    enum status (*take)(struct rest_exchange *exchange,
                                        const struct json_value *rows, struct error *error),
                    struct error *error);

/* The same of a remote engine, which is told the text as it is. */
struct rest_remote_rows {
    struct str sql;
    const struct remote_parameter *parameters;
    size_t parameter_count;
    enum status (*take)(struct rest_exchange *exchange, const struct json_value *rows,
                        struct error *error);
    /* Makes the reply of one that failed; NULL: its error is the reply. */
    enum status (*fail)(struct rest_exchange *exchange, const struct error *failure,
                        struct error *error);
};
MUST_CHECK enum status rest_rows_of_remote(struct rest_exchange *exchange,
                                           struct remote_engine *remote,
                                           const struct rest_remote_rows *wish,
                                           struct error *error);
