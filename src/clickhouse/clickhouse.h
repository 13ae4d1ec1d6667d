/*
 * clickhouse.h — a ClickHouse server as a remote engine (engine/remote.h), over its HTTP interface.
 *
 * A statement is one POST; its answer is an Arrow stream that is validated and appended to the query's
 * dataset as it comes. Whether the server answers is asked now and then on a thread of our own, so that
 * statements for one that is down are refused at once, and one that is back is used again.
 *
 * Threads: any, several at once. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "base/metric.h"
#include "engine/remote.h"

struct clickhouse;

struct clickhouse_options { /* texts are copied */
    struct str host;        /* a name or an address */
    unsigned port;
    struct str user;
    struct str password;
    struct str database; /* for names without one; empty: the user's */
    bool read_only;      /* nothing that changes something is sent */
    bool uses_tls;
    struct str ca_file;      /* PEM; empty: the system's */
    size_t runs_max;         /* statements at once */
    size_t batch_bytes_max;  /* of a batch's body */
    struct log *log;         /* may be NULL */
    struct metrics *metrics; /* may be NULL: volley_engine_up{engine="clickhouse"} */
};

/* Returns at once, whether the server is there or not. */
MUST_CHECK enum status clickhouse_create(const struct clickhouse_options *options,
                                         struct clickhouse **out_clickhouse, struct error *error);
/* Ends what runs with UNAVAILABLE. Any thread. */
void clickhouse_close(struct clickhouse *clickhouse);
/* No statement may be left. */
void clickhouse_destroy(struct clickhouse *clickhouse);
CLEANUP_FUNCTION(struct clickhouse *, clickhouse_destroy)
struct remote_engine *clickhouse_engine(struct clickhouse *clickhouse);
