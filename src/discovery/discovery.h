/*
 * discovery.h — knows the files of a bucket: scans it now and then, and keeps the registry of files.
 *
 * A scan lists the whole bucket and writes what differs (meta/files.h); one that fails leaves what it has
 * found so far and is told of. Files of other buckets stay as an earlier configuration left them.
 *
 * Threads: any; one of its own scans. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/metric.h"
#include "meta/files.h"

struct discovery;
struct s3;

struct discovery_options {
    struct meta *meta;
    struct s3 *s3;           /* NULL: no bucket; the registry can be read */
    uint64_t interval_ms;    /* from the end of a scan to the next one; 0: only when asked for */
    struct log *log;         /* may be NULL */
    struct metrics *metrics; /* may be NULL: volley_files_scans_total{outcome}, volley_files */
};

/* With a bucket a first scan begins at once. */
MUST_CHECK enum status discovery_create(const struct discovery_options *options,
                                        struct discovery **out_discovery, struct error *error);
/* Ends a running scan. */
void discovery_destroy(struct discovery *discovery);
CLEANUP_FUNCTION(struct discovery *, discovery_destroy)

/* Has a scan begin unless one runs; returns at once. FAILED_PRECONDITION when no bucket is configured. */
MUST_CHECK enum status discovery_scan(struct discovery *discovery, struct error *error);
struct meta *discovery_meta(struct discovery *discovery);

struct discovery_facts {
    bool is_configured;
    bool is_scanning;
    struct str bucket;   /* these two live as long as it; empty: none */
    struct str endpoint; /* "http://host:port" */
    uint64_t interval_ms;
    int64_t scanned_us; /* the end of the last scan that succeeded; 0: none in this process */
    uint64_t files;     /* that it found */
    char failure[ERROR_MESSAGE_MAX]; /* why the last one failed; "": it did not */
};
void discovery_facts(struct discovery *discovery, struct discovery_facts *out);
