/*
 * variables.h — names that stand for texts in statements: :name, :'name' and :"name", as in psql.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/map.h"

#define VARIABLE_NAME_MAX 64
#define VARIABLES_MAX 1000

struct variables {
    struct map values; /* name -> char * */
};

void variables_init(struct variables *variables);
void variables_finish(struct variables *variables);
CLEANUP_IN_PLACE(struct variables, variables_finish)
/* INVALID_ARGUMENT for a name that is not letters, digits and _, or too long; RESOURCE_EXHAUSTED for too
 * many. */
MUST_CHECK enum status variables_set(struct variables *variables, struct str name, struct str value,
                                     struct error *error);
/* "NAME=VALUE", as -v takes it. */
MUST_CHECK enum status variables_set_pair(struct variables *variables, struct str pair,
                                          struct error *error);
void variables_unset(struct variables *variables, struct str name);
/* NULL: there is none of that name. */
const char *variables_get(const struct variables *variables, struct str name);
/* ON_ERROR_STOP: off, 0 and false are false, and `absent` counts where there is none. */
bool variables_is_on(const struct variables *variables, struct str name, bool absent);
/* Appends the statement with its variables replaced: :name by the value as it is, :'name' by it as a text,
 * :"name" by it as a name. Names that are not set, quoted texts and comments stay. */
void variables_expand(const struct variables *variables, struct str sql, struct buf *out);
