/*
 * nearest.h — the name somebody meant, for "did you mean ...?".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/str.h"

/* Keeps the best of the candidates offered so far. */
struct nearest {
    struct str wanted;
    struct str best; /* empty: none is near enough */
    size_t distance;
};

void nearest_init(struct nearest *nearest, struct str wanted);
/* Offers a name, which must outlive `nearest`. */
void nearest_offer(struct nearest *nearest, struct str name);
