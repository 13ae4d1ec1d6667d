/*
 * batch_project.c — some columns of a batch.
 *
 * Finds where the nodes and buffers of each column begin and takes those that are asked for, by
 * reference. Any thread. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/batch.h"

#include "arrow/layout.h"
#include "base/memory.h"

#include <assert.h>

struct extent {
    size_t nodes;
    size_t buffers;
};

static struct extent measure(const struct arrow_field *field)
{
    struct extent extent = {.nodes = 1, .buffers = arrow_field_layout(field)->count};
    for (size_t i = 0; i < arrow_field_column_count(field); i++) {
        struct extent child = measure(&field->children[i]);
        extent.nodes += child.nodes;
        extent.buffers += child.buffers;
    }
    return extent;
}

/* Where each column of the batch begins. */
static struct extent *find_columns(const struct arrow_schema *schema)
{
    struct extent *starts = NEW_ARRAY(struct extent, schema->field_count + 1);
    for (size_t i = 0; i < schema->field_count; i++) {
        struct extent size = measure(&schema->fields[i]);
        starts[i + 1].nodes = starts[i].nodes + size.nodes;
        starts[i + 1].buffers = starts[i].buffers + size.buffers;
    }
    return starts;
}

/* Whether `schema` has from *index on the dictionaries that a field of the batch refers to, in the order
 * in which arrow_schema_seal numbers them. */
static bool has_dictionaries_of(const struct arrow_schema *schema, size_t *index,
                                const struct arrow_batch *batch, const struct arrow_field *field)
{
    for (size_t i = 0; i < field->child_count; i++) {
        if (!has_dictionaries_of(schema, index, batch, &field->children[i]))
            return false;
    }
    return !field->is_dictionary ||
           schema->dictionaries[(*index)++] == batch->schema->dictionaries[field->dictionary_index];
}

/* A new reference. */
static struct arrow_schema *schema_of(const struct arrow_batch *batch, struct arrow_schema *schema,
                                      const size_t *columns, size_t count)
{
    size_t index = 0;
    for (size_t i = 0; i < count && schema->dictionary_count > 0; i++) {
        if (!has_dictionaries_of(schema, &index, batch, &batch->schema->fields[columns[i]]))
            return arrow_schema_project(batch->schema, columns, count);
    }
    return arrow_schema_ref(schema);
}

struct arrow_batch *arrow_batch_project(const struct arrow_batch *batch,
                                        struct arrow_schema *schema, const size_t *columns,
                                        size_t count)
{
    struct extent *starts = find_columns(batch->schema);
    struct arrow_node *nodes = NEW_ARRAY(struct arrow_node, schema->node_count + 1);
    struct slice *buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1);
    struct extent taken = {0};
    assert(schema->field_count == count);
    for (size_t i = 0; i < count; i++) {
        const struct extent *from = &starts[columns[i]];
        for (size_t n = from->nodes; n < from[1].nodes; n++)
            nodes[taken.nodes++] = batch->nodes[n];
        for (size_t b = from->buffers; b < from[1].buffers; b++)
            buffers[taken.buffers++] = slice_ref(batch->buffers[b]);
    }
    assert(taken.nodes == schema->node_count && taken.buffers == schema->buffer_count);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *own = schema_of(batch, schema, columns, count);
    struct arrow_batch *part = arrow_batch_create(own, batch->rows, nodes, buffers);
    free(starts);
    free(nodes);
    free(buffers);
    return part;
}
