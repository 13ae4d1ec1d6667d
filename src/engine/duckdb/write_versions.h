/*
 * write_versions.h — which names were written to: one counter for each of a few thousand classes of names.
 *
 * A name is the last part of a table's name, folded; names of one class change together, which costs a wrong
 * "changed" now and then and no table that could grow. Definitions count for themselves.
 *
 * Threads: any. Private to engine/duckdb. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "engine/gate.h"

#define WRITE_CLASSES 4096

struct write_versions {
    atomic_uint_fast64_t any;        /* grows with each of the others */
    atomic_uint_fast64_t everything; /* a write whose targets are not known */
    atomic_uint_fast64_t catalog;    /* definitions */
    atomic_uint_fast64_t functions;  /* those that may be of functions */
    atomic_uint_fast64_t names[WRITE_CLASSES];
};

/* What some statements write to. */
struct write_set {
    bool everything;
    bool catalog;
    bool functions;
    uint64_t names[WRITE_CLASSES / 64];
};

/* Adds what a statement of that text may write to; `defines`: by its first word it is a definition. */
void write_set_add(struct write_set *set, struct str text, bool defines);
void write_set_join(struct write_set *set, const struct write_set *other);
void write_versions_bump(struct write_versions *versions, const struct write_set *set);

/* The name or text of a token in the form that is compared, in `out` (at most `size`, then its beginning is
 * of no use and false is returned). False too for what cannot be a name or is spelled in a way that only the
 * engine reads. */
bool token_fold(const struct sql_token *token, char *out, size_t size, size_t *out_len);
#define TOKEN_NAME_BYTES_MAX 256
uint16_t write_class_of(struct str folded);
