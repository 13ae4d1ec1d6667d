/*
 * name.h — the names that people give datasets: paths of one or more elements, as one text.
 *
 * The canonical text joins the elements by '/'. Inside an element '/', '%' and control bytes are written
 * as %XX, so that every path has one text and every text one path: Flight descriptors, SQL and URLs mean
 * the same dataset.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"

/* Of a canonical text, in bytes, and of a path, in elements. */
#define DATASET_PATH_BYTES_MAX 1024
#define DATASET_PATH_ELEMENTS_MAX 64

/* The canonical text of the elements, in the arena. INVALID_ARGUMENT for no or an empty element, for
 * text that is not UTF-8, and past the limits. */
MUST_CHECK enum status dataset_path_join(struct arena *arena, const struct str *elements,
                                         size_t count, struct str *out_path, struct error *error);
/* The elements of a canonical text, at most DATASET_PATH_ELEMENTS_MAX, in the arena. INVALID_ARGUMENT
 * when it is not canonical. */
MUST_CHECK enum status dataset_path_split(struct arena *arena, struct str path,
                                          struct str *out_elements, size_t *out_count,
                                          struct error *error);
/* Whether something can be put under a canonical text. UNIMPLEMENTED for the names of live tables. */
MUST_CHECK enum status dataset_path_check_put(struct arena *arena, struct str path,
                                              struct error *error);

/* An id that the server gave something of its own, which no client is shown: it begins with '.'. */
static inline bool dataset_id_is_private(struct str id)
{
    return id.len > 0 && id.ptr[0] == '.';
}
/* A client's own id: 1 to 128 letters, digits, '.', '_' and '-', not beginning with '.'. */
#define DATASET_ID_BYTES_MAX 128
MUST_CHECK enum status dataset_id_check(struct str id, struct error *error);
/* Whether it has the form of an id of ours. */
bool dataset_id_is_uuid(struct str text);
