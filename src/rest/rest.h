/*
 * rest.h — the HTTP door: a table of routes in, an http_handler out.
 *
 * Threads: create and destroy by the composition root; everything else is called by http on the loops.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/query.h"
#include "engine/remote.h"
#include "event/workers.h"
#include "http/cors.h"
#include "jobs/jobs.h"
#include "meta/meta.h"
#include "store/store.h"

struct discovery;
struct rest;

struct rest_options {
    struct engine *engine;
    struct remote_engine *remote; /* beside it; NULL: none */
    struct queries *queries;
    struct jobs *jobs;
    struct meta *registry; /* of jobs */
    struct cache *cache;   /* of results; NULL: none */
    struct store *store;
    struct discovery *discovery;
    uint64_t batch_ttl_ms;           /* of datasets whose sender names none */
    struct str upload_folder;        /* for bodies that the engine has to read; empty: none */
    size_t message_bytes_max;        /* of one Arrow message in a body */
    const struct str *allowed_paths; /* files and folders that SQL may read */
    size_t allowed_path_count;
    struct workers *workers;    /* for handlers that block */
    struct workers *s3_workers; /* for those that wait for S3; NULL: there is none */
    struct log *log;            /* may be NULL */
    struct metrics *metrics;
    const char *version;
    bool has_docs;                /* /docs, /redoc and /openapi.json */
    bool has_samples;             /* the sample data is there */
    const struct http_cors *cors; /* the pages that may use the door; NULL: none */
    /* Called by /readyz: false while the server drains. */
    bool (*is_ready)(void *context);
    void *is_ready_context;
};

/* The objects of the options live longer than the door. */
struct rest *rest_create(const struct rest_options *options);
/* Tells of an address that the server listens on, for the pages that show it; before the loops run. */
void rest_add_address(struct rest *rest, const char *door, const char *address);
/* No request may be left. */
void rest_destroy(struct rest *rest);
CLEANUP_FUNCTION(struct rest *, rest_destroy)
/* Takes every request. */
const struct http_handler *rest_http(struct rest *rest);
/* Takes every request, and knows only what tells of the server itself: metrics and health. */
const struct http_handler *rest_exporter_http(struct rest *rest);
