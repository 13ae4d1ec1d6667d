/*
 * ipc_decode_batch.c — a RecordBatch table and its body into a validated batch.
 *
 * First the shape: lengths, as many nodes and buffers as the schema has. Then each column, depth first,
 * by validate. Buffers refer to the body where they can stay as they are. Runs on the thread that
 * decodes. Owns nodes and slices until the batch takes them. Follows Arrow format/Message.fbs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_format.h"
#include "arrow/layout.h"
#include "arrow/validate.h"
#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

#define NODE_BYTES 16

struct batch_parse {
    const struct ipc_batch_source *source;
    struct arrow_node *nodes;
    struct ipc_buffers buffers;
    size_t node; /* cursors */
    size_t buffer;
    size_t view;
    size_t part;
    size_t allocated; /* by the validator */
};

static void batch_parse_finish(struct batch_parse *parse)
{
    ipc_buffers_finish(&parse->buffers);
    free(parse->nodes);
}
CLEANUP_IN_PLACE(struct batch_parse, batch_parse_finish)

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow batch: %s", what);
}

/* --- shape --------------------------------------------------------------------------------------- */

static enum status check_rows(const struct ipc_batch_source *source, int64_t rows,
                              struct error *error)
{
    if (rows < 0)
        return fault(error, "its length is negative");
    if (rows > source->limits->rows_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow batch: %lld rows, at most %lld are taken in one batch",
                         (long long)rows, (long long)source->limits->rows_max);
    int64_t cells;
    if (!checked_mul(rows, (int64_t)source->schema->node_count, &cells) ||
        cells > source->limits->cells_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow batch: rows times columns exceed %lld",
                         (long long)source->limits->cells_max);
    return STATUS_OK;
}

static enum status read_compression(const struct flat_table *table, int64_t *out_codec,
                                    struct error *error)
{
    struct flat_table compression = flat_table_child(table, IPC_BATCH_COMPRESSION);
    *out_codec = IPC_CODEC_NONE;
    if (!flat_table_is_present(&compression))
        return STATUS_OK;
    int64_t codec = flat_table_scalar(&compression, IPC_COMPRESSION_CODEC, 1, IPC_CODEC_LZ4_FRAME);
    int64_t method = flat_table_scalar(&compression, IPC_COMPRESSION_METHOD, 1, 0);
    if ((codec != IPC_CODEC_LZ4_FRAME && codec != IPC_CODEC_ZSTD) || method != 0)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "Arrow batch: compression other than LZ4_FRAME and ZSTD by buffer");
    *out_codec = codec;
    return STATUS_OK;
}

static enum status read_nodes(struct batch_parse *parse, const struct flat_table *table,
                              struct error *error)
{
    struct flat_vector nodes;
    size_t count = parse->source->schema->node_count;
    flat_table_vector(table, IPC_BATCH_NODES, NODE_BYTES, &nodes);
    TRY(flat_reader_check(table->reader, error));
    if (nodes.count != count)
        return fault(error, "it has another number of columns than the schema");
    parse->nodes = NEW_ARRAY(struct arrow_node, size_max(1, count));
    for (size_t i = 0; i < count; i++) {
        parse->nodes[i].length = flat_vector_i64(&nodes, NODE_BYTES * i);
        parse->nodes[i].null_count = flat_vector_i64(&nodes, NODE_BYTES * i + 8);
    }
    return STATUS_OK;
}

/* --- columns -------------------------------------------------------------------------------------- */

static enum status check_fields(struct batch_parse *parse, const struct arrow_field *fields,
                                size_t count, const struct validate_column *parent,
                                struct error *error);

/* Keys of maps are looked up and become keys of objects: they must be there. */
static enum status check_map_keys(const struct batch_parse *parse, size_t map_node,
                                  struct error *error)
{
    const struct arrow_node *entries = &parse->nodes[map_node + 1];
    const struct arrow_node *keys = &parse->nodes[map_node + 2];
    if (entries->null_count > 0 || keys->null_count > 0)
        return fault(error, "a map has a null key or a null entry");
    return STATUS_OK;
}

/* What run ends say is checked when the child that has them is known to be sound. */
static enum status check_runs(const struct batch_parse *parse, size_t run_node, size_t run_buffer,
                              const struct arrow_field *field, struct error *error)
{
    const struct validate_runs runs = {
        .field = field,
        .length = parse->nodes[run_node].length,
        .run_count = parse->nodes[run_node + 1].length,
        .run_nulls = parse->nodes[run_node + 1].null_count,
        .value_count = parse->nodes[run_node + 2].length,
        .ends = &parse->buffers.slices[run_buffer + 1],
    };
    return validate_runs(&runs, error);
}

static struct validate_column open_column(struct batch_parse *parse,
                                          const struct arrow_field *field)
{
    const struct ipc_batch_source *source = parse->source;
    struct validate_column column = {
        .field = field,
        .node = &parse->nodes[parse->node++],
        .buffers = &parse->buffers.slices[parse->buffer],
        .limits = source->limits,
    };
    parse->buffer += arrow_field_layout(field)->count;
    if (field->is_dictionary)
        column.dictionary_rows = source->schema->dictionaries[field->dictionary_index]->rows;
    else if (field->type == ARROW_BINARY_VIEW || field->type == ARROW_UTF8_VIEW) {
        column.parts = &parse->buffers.parts[parse->part];
        column.part_count = parse->buffers.part_counts[parse->view++];
        parse->part += column.part_count;
    }
    return column;
}

static enum status check_field(struct batch_parse *parse, const struct arrow_field *field,
                               int64_t length_min, struct error *error)
{
    size_t node = parse->node;
    struct validate_column column = open_column(parse, field);
    size_t buffer = parse->buffer;
    TRY(validate_column(&column, error));
    parse->allocated += column.allocated;
    if (column.node->length < length_min)
        return fault(error, "a column is shorter than the batch or its parent needs");
    TRY(check_fields(parse, field->children, arrow_field_column_count(field), &column, error));
    if (field->is_dictionary)
        return STATUS_OK;
    if (field->type == ARROW_MAP)
        return check_map_keys(parse, node, error);
    if (field->type == ARROW_RUN_END_ENCODED)
        return check_runs(parse, node, buffer, field, error);
    return STATUS_OK;
}

static enum status check_fields(struct batch_parse *parse, const struct arrow_field *fields,
                                size_t count, const struct validate_column *parent,
                                struct error *error)
{
    bool is_dense = parent->field->type == ARROW_UNION && parent->field->is_dense;
    for (size_t i = 0; i < count; i++)
        TRY(check_field(parse, &fields[i],
                        is_dense ? parent->dense_lengths[i] : parent->child_length, error));
    return STATUS_OK;
}

static enum status check_columns(struct batch_parse *parse, int64_t rows, struct error *error)
{
    const struct arrow_schema *schema = parse->source->schema;
    for (size_t i = 0; i < schema->field_count; i++) {
        size_t node = parse->node;
        TRY(check_field(parse, &schema->fields[i], rows, error));
        if (parse->nodes[node].length != rows)
            return fault(error, "a column has another length than the batch");
    }
    assert(parse->node == schema->node_count && parse->buffer == schema->buffer_count);
    return STATUS_OK;
}

/* What the batch keeps: the body's owner, if any buffer is still there, and what was made. */
static size_t count_owned_bytes(const struct batch_parse *parse)
{
    const struct ipc_batch_source *source = parse->source;
    size_t owned = parse->buffers.allocated + parse->allocated;
    for (size_t i = 0; i < parse->buffers.slice_count && !source->is_mapped; i++) {
        const struct slice *slice = &parse->buffers.slices[i];
        if (slice->owner && slice->owner == source->body.owner)
            return owned + slice->owner->size;
    }
    return owned;
}

enum status ipc_parse_batch(const struct ipc_batch_source *source, const struct flat_table *table,
                            struct arrow_batch **out_batch, struct error *error)
{
    CLEANUP(batch_parse_finish) struct batch_parse parse = {.source = source};
    int64_t rows = flat_table_scalar(table, IPC_BATCH_LENGTH, 8, 0);
    int64_t codec;
    TRY(flat_reader_check(table->reader, error));
    TRY(check_rows(source, rows, error));
    TRY(read_compression(table, &codec, error));
    TRY(read_nodes(&parse, table, error));
    TRY(ipc_read_buffers(source, table, codec, &parse.buffers, error));
    TRY(flat_reader_check(table->reader, error));
    TRY(check_columns(&parse, rows, error));
    *out_batch = arrow_batch_create_sharing(source->schema, rows, parse.nodes, parse.buffers.slices,
                                            count_owned_bytes(&parse));
    parse.buffers.slice_count = 0; /* the batch took the references over */
    return STATUS_OK;
}
