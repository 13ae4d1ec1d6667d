/*
 * files.h — the registry of the files in a bucket: what there is, as the last scan found it.
 *
 * A scan hands over what it found in the order of the paths, a stretch at a time; the registry then has of
 * that stretch exactly those. Only what differs is written, so that a scan of what did not change writes
 * nothing.
 *
 * Threads: any; all calls block. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "meta/meta.h"

#define META_FILES_MAX 1000 /* of a stretch or a page */
#define META_FILE_PATTERN_BYTES_MAX 1024
#define META_FILE_PATTERN_STARS_MAX 8
#define META_FILE_TYPES_MAX 1000

struct meta_file {
    struct str path; /* "s3://bucket/key" */
    struct str type; /* "parquet" */
    struct str etag;
    uint64_t size_bytes;
    int64_t modified_us;
    int64_t registered_us; /* when it was first found; only read */
};

/* The paths behind `from` up to and with `to`, byte by byte. */
struct meta_files_stretch {
    struct str from;
    struct str to;
    const struct meta_file *files; /* in order, within */
    size_t count;                  /* at most META_FILES_MAX */
    int64_t now_us;
    uint64_t added, changed, removed; /* what became of it */
};

/* Returns when it is committed. */
MUST_CHECK enum status meta_files_replace(struct meta *meta, struct meta_files_stretch *stretch,
                                          struct error *error);

struct meta_file_filter {
    struct str pattern; /* shell wildcards *, ? and [...]; empty: any path */
    struct str type;    /* empty: any */
    size_t limit;       /* 1 to META_FILES_MAX */
    uint64_t offset;
};

/* A page in the order of the paths, in the arena, and how many the filter has. INVALID_ARGUMENT for a pattern
 * that is too long or has too many stars. */
MUST_CHECK enum status meta_files_list(struct meta *meta, const struct meta_file_filter *filter,
                                       struct arena *arena, struct meta_file **out_files,
                                       size_t *out_count, uint64_t *out_total, struct error *error);

struct meta_file_type {
    struct str type;
    uint64_t files;
};

/* In the order of the types, in the arena; at most META_FILE_TYPES_MAX of them. */
MUST_CHECK enum status meta_files_count(struct meta *meta, struct arena *arena,
                                        struct meta_file_type **out_types, size_t *out_count,
                                        uint64_t *out_total, struct error *error);
