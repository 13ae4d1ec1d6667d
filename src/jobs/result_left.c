/*
 * result_left.c — results that an earlier process left on disk: they count against the bound from the start.
 *
 * What they are shows from their datasets alone; their records are read when somebody asks for them. The
 * oldest come first in the table, so that they go first.
 *
 * Runs on: the thread that starts the server. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "jobs/results_private.h"

#include <stdlib.h>

struct left {
    struct results *results;
    struct result **items; /* a reference each */
    size_t count;
    size_t capacity;
};

static struct result *make_of_dataset(struct results *results, struct str id,
                                      const struct dataset_facts *facts)
{
    const struct results_options *options = &results->options;
    struct result *result = result_make(results, id);
    result_set_where(result, RESULT_ON_DISK);
    result->rows = facts->rows;
    result->bytes = (int64_t)(facts->bytes + facts->dictionary_bytes);
    result->is_json = result_has_json_form(options, facts);
    result->completed_us = facts->created_us;
    int64_t expires_us = facts->created_us + (int64_t)options->ttl_ms * 1000;
    atomic_store(&result->expires_us, facts->expires_us > 0 ? facts->expires_us : expires_us);
    return result;
}

static void add_left(void *context, struct dataset *dataset)
{
    struct left *left = context;
    struct str prefix = STR(RESULT_DATASET_PREFIX);
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    struct str id = facts.id;
    if (facts.state != DATASET_COMPLETE || !str_starts_with(id, prefix) ||
        id.len - prefix.len > RESULT_ID_BYTES_MAX)
        return;
    if (left->count == left->capacity) {
        left->capacity = left->capacity ? 2 * left->capacity : 64;
        left->items = memory_resize(left->items, left->capacity, sizeof(*left->items));
    }
    left->items[left->count++] =
        make_of_dataset(left->results, str_slice(id, prefix.len, id.len), &facts);
}

static int compare_ages(const void *a, const void *b)
{
    const struct result *left = *(struct result *const *)a;
    const struct result *right = *(struct result *const *)b;
    return (left->completed_us > right->completed_us) - (left->completed_us < right->completed_us);
}

void results_enter_left(struct results *results)
{
    struct left left = {.results = results};
    store_visit(results->options.store, add_left, &left);
    if (left.count > 0)
        qsort(left.items, left.count, sizeof(*left.items), compare_ages);
    for (size_t i = 0; i < left.count; i++) {
        results_enter(results, left.items[i]);
        result_unref(left.items[i]);
    }
    free(left.items);
}
