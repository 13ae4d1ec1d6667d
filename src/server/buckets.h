/*
 * buckets.h — the S3 buckets of the settings: one for results, one whose files are registered.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/metric.h"
#include "fetch/fetch.h"
#include "s3/s3.h"
#include "settings/settings.h"

struct buckets {
    struct fetch_pool *fetch;
    struct s3 *results; /* NULL: neither s3-endpoint nor keys are set */
    struct s3 *files;   /* NULL: none; may be a bucket of its own or `results` */
};

/* Talks to nobody. The struct is zeroed before; it is to be closed whatever is returned. */
MUST_CHECK enum status buckets_open(struct buckets *buckets, const struct settings *settings,
                                    struct metrics *metrics, struct error *error);
/* Ends what still talks to a bucket. */
void buckets_stop(struct buckets *buckets);
void buckets_close(struct buckets *buckets);
