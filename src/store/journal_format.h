/*
 * journal_format.h — the bytes of an index file. Private to the module.
 *
 * All numbers little-endian. Head: the struct, then the three texts, then a CRC32C of both. Then
 * records. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#define JOURNAL_MAGIC "VLYDSET1"
#define JOURNAL_BATCHES_SUFFIX ".arrows"
#define JOURNAL_INDEX_SUFFIX ".index"
#define JOURNAL_DAMAGED_SUFFIX ".damaged"

struct journal_head_record {
    char magic[8];
    uint32_t id_bytes;
    uint32_t path_bytes;
    uint32_t owner_bytes;
    uint32_t durability; /* enum dataset_durability */
    uint64_t ttl_ms;
    int64_t created_us;
};

enum journal_kind { JOURNAL_BATCH = 1, JOURNAL_COMMIT = 2 };

struct journal_record {
    uint32_t kind;            /* enum journal_kind */
    uint32_t metadata_bytes;  /* batch; the first commit: 1 where it replaces */
    uint64_t offset;          /* batch: in the .arrows file; commit: the file's size */
    uint64_t body_bytes;      /* batch; commit: the time to live in ms */
    int64_t rows;             /* batch; commit: of all */
    int64_t expires_us;       /* commit */
    uint64_t batches;         /* commit: all so far */
    int64_t at_us;            /* commit: wall time; later ones have later times */
    uint32_t checksum;        /* batch: of its message */
    uint32_t record_checksum; /* of the bytes before */
};

/* Commits that renew a life and bring nothing stand in two places in turn, so that any number of them takes
 * no more room, and the one before stays whole while one is written. */
#define JOURNAL_RENEWAL_PLACES 2
