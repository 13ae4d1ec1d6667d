/*
 * source_list.h — the struct behind engine/sources.h, and what the files that fill it ask of one another.
 *
 * Threads: one while it is filled; then it is only read. Private to engine/duckdb.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <sys/types.h>

#include "engine/duckdb/catalog_facts.h"
#include "engine/sources.h"

/* Of one statement; with more of them nothing is told. */
#define SOURCE_DATASETS_MAX 16
#define SOURCE_FILES_MAX 32

struct source_dataset {
    struct str name; /* id or path */
    struct str id;
    int64_t created_us;
    size_t batches;
    int64_t rows;
    size_t bytes;
};

struct source_file {
    const char *path;
    bool exists;
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t changed_ns; /* of its content, and of anything about it */
    int64_t touched_ns;
};

struct engine_sources {
    struct engine *engine;
    struct arena arena;
    uint64_t everything;
    uint64_t catalog;
    uint64_t read[WRITE_CLASSES / 64]; /* classes of names */
    uint16_t *classes;                 /* those of them, in the arena */
    uint64_t *versions;
    size_t class_count;
    struct source_dataset datasets[SOURCE_DATASETS_MAX];
    size_t dataset_count;
    struct source_file files[SOURCE_FILES_MAX];
    size_t file_count;
    struct str sql;      /* with names of datasets; empty: without */
    struct str resolved; /* what the engine gets of it */
};

/* Scans the text and all that it leads to. NULL, or why nothing is told (a constant). */
const char *source_scan(struct engine_sources *sources, struct str sql, bool has_settings);
/* Adds a dataset or file as it is now; NULL, or why not. */
const char *source_add_dataset(struct engine_sources *sources, struct str name);
const char *source_add_file(struct engine_sources *sources, struct str path);
/* Whether the engine takes a table of that name for a file. */
bool source_is_file_name(struct str name);
bool source_has_pattern(struct str path);
bool source_file_is_current(const struct source_file *file);
