/*
 * nearest.c — edit distance with neighbours swapped counted as one edit.
 *
 * Three rows of the usual table are enough. A name is near when at most a third of the wanted text's
 * letters, and at least one edit in any case, have to change, or when one begins with the other.
 *
 * Runs on: any thread. Owns: nothing.
 * Spec: optimal string alignment distance (Damerau 1964, restricted).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/nearest.h"

#include "base/checked.h"

#define NAME_MAX_BYTES 64
#define PREFIX_MIN_BYTES 3

static size_t edit_distance(struct str a, struct str b)
{
    size_t rows[3][NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            row[j] = size_min(change, size_min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = size_min(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

void nearest_init(struct nearest *nearest, struct str wanted)
{
    *nearest = (struct nearest){
        .wanted = wanted,
        .distance = size_max(1, wanted.len / 3) + 1,
    };
}

void nearest_offer(struct nearest *nearest, struct str name)
{
    struct str wanted = nearest->wanted;
    if (wanted.len > NAME_MAX_BYTES || name.len > NAME_MAX_BYTES || wanted.len == 0)
        return;
    size_t distance = edit_distance(wanted, name);
    bool prefix = wanted.len >= PREFIX_MIN_BYTES && str_starts_with(name, wanted);
    if (prefix)
        distance = size_min(distance, 1);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->best = name;
    }
}
