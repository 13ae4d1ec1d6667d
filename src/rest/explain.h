/*
 * explain.h — what can be told of a statement without running it, for the routes that tell it.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/own_rows.h"

#define REST_EXPLAINED_TABLES_MAX 64

struct rest_explanation {
    struct error error; /* STATUS_OK: the statement is valid */
    enum statement_kind kind;
    struct str columns;     /* JSON [{name,type}], types as pyarrow spells them; empty: not known */
    size_t row_width_bytes; /* of a row of these, guessed */
    bool has_plan; /* what follows is known: the text is one statement that can be planned */
    char *plan;    /* JSON, the engine's; on the heap */
    int64_t rows;  /* of the result, -1: not known; estimates, as the following */
    int64_t scanned_rows;
    int64_t scanned_bytes;
    struct str tables[REST_EXPLAINED_TABLES_MAX]; /* that it reads, by their full names */
    size_t table_count;
};

/* By a handler, on a worker: `answer` then makes the reply, on a worker; also of a statement that is not
 * valid. The explanation lives as long as the exchange. */
MUST_CHECK enum status rest_explain(struct rest_exchange *exchange, struct str sql,
                                    enum status (*answer)(struct rest_exchange *exchange,
                                                          const struct rest_explanation *told,
                                                          struct error *error),
                                    struct error *error);

/* The same of a statement for a remote engine: it is asked what it would read. An engine that does not answer
 * is an error of the request. */
MUST_CHECK enum status
rest_explain_remote(struct rest_exchange *exchange, struct remote_engine *remote, struct str sql,
                    enum status (*answer)(struct rest_exchange *exchange,
                                          const struct rest_explanation *told, struct error *error),
                    struct error *error);

extern const struct rest_object rest_explain_body;
extern const struct rest_reply_form rest_explain_replies[];
