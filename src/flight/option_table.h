/*
 * option_table.h — every option that a client may set for its session, and for a call as `volley-<name>`.
 *
 * The first of them are the engine session's (enum engine_session_setting): `catalog`, `schema`,
 * `time-zone`; they are set, not carried by calls. The others are texts that the calls of the session have
 * unless their metadata says otherwise.
 *
 * Threads: any; constant. Source: design section 8. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/engine.h"

#include <stddef.h>
#include <stdint.h>

#define OPTIONS_MAX 32

size_t option_count(void);
/* NULL behind the last one. */
const char *option_name(size_t option);
/* By name: case does not matter, nor does `_` for `-`; also by the names that some clients use. */
bool option_find(struct str name, size_t *out_option);
/* INVALID_ARGUMENT naming the option and what it takes. Not for those of the engine session. */
MUST_CHECK enum status option_check(size_t option, struct str value, struct error *error);

/* The texts of single options; empty: the default. INVALID_ARGUMENT as above. */
MUST_CHECK enum status option_read_endpoints(struct str text, size_t *out_count,
                                             struct error *error);
enum compression_option {
    COMPRESSION_OPTION_NONE,
    COMPRESSION_OPTION_LZ4,
    COMPRESSION_OPTION_ZSTD
};
MUST_CHECK enum status option_read_compression(struct str text, enum compression_option *out,
                                               struct error *error);
/* The engine that runs statements. */
MUST_CHECK enum status option_read_engine(struct str text, bool *out_is_remote,
                                          struct error *error);
/* Of an ingest (docs/flight-sql.md): whether rows keep their order; whether columns go by position. */
MUST_CHECK enum status option_read_ingest_order(struct str text, bool *out_keeps_order,
                                                struct error *error);
MUST_CHECK enum status option_read_ingest_match(struct str text, bool *out_by_position,
                                                struct error *error);
