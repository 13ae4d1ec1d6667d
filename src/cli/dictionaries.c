/*
 * dictionaries.c — recognises dictionaries by their content.
 *
 * A call brings the dictionaries of its batches. A result that is read in several calls (parts, or again
 * after its connection broke) brings them several times, as different objects: an Arrow file could not
 * take the second. Dictionaries within dictionaries are not looked into.
 *
 * Runs on: any thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/dictionaries.h"

#include "base/memory.h"

#include <string.h>

static bool bytes_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Whether two batches of equal fields hold the same bytes. */
static bool is_same(const struct arrow_batch *a, const struct arrow_batch *b)
{
    if (a == b)
        return true;
    if (a->rows != b->rows || a->schema->dictionary_count > 0 || b->schema->dictionary_count > 0)
        return false;
    for (size_t i = 0; i < a->schema->node_count; i++) {
        if (a->nodes[i].length != b->nodes[i].length ||
            a->nodes[i].null_count != b->nodes[i].null_count)
            return false;
    }
    for (size_t i = 0; i < a->schema->buffer_count; i++) {
        if (!bytes_equal(a->buffers[i], b->buffers[i]))
            return false;
    }
    return true;
}

/* The values under the object that is known already, one reference. */
static struct arrow_batch *settle(struct arrow_batch *values, struct arrow_batch *before)
{
    if (is_same(values, before))
        return arrow_batch_ref(before);
    if (values->rows <= before->rows || before->rows == 0)
        return arrow_batch_ref(values);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *beginning = arrow_batch_slice(values, 0, before->rows);
    if (!is_same(beginning, before))
        return arrow_batch_ref(values);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *more = arrow_batch_slice(values, before->rows, values->rows - before->rows);
    size_t bytes;
    struct arrow_batch *grown = arrow_batch_grow(before, more, &bytes);
    return grown ? grown : arrow_batch_ref(values);
}

void dictionaries_settle(struct arrow_batch **batch, struct arrow_schema *before)
{
    struct arrow_schema *schema = (*batch)->schema;
    if (schema == before || schema->dictionary_count == 0)
        return;
    struct arrow_batch **settled = NEW_ARRAY(struct arrow_batch *, schema->dictionary_count);
    bool is_before = true;
    for (size_t i = 0; i < schema->dictionary_count; i++) {
        settled[i] = settle(schema->dictionaries[i], before->dictionaries[i]);
        is_before = is_before && settled[i] == before->dictionaries[i];
    }
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *common =
        is_before ? arrow_schema_ref(before) : arrow_schema_with_dictionaries(schema, settled);
    for (size_t i = 0; i < schema->dictionary_count; i++)
        arrow_batch_unref(settled[i]);
    free(settled);
    CLEANUP(arrow_batch_unref) struct arrow_batch *received = *batch;
    *batch = arrow_batch_with_schema(received, common);
}
