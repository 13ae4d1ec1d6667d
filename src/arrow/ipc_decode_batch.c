/*
 * ipc_decode_batch.c — a RecordBatch table and its body into a validated batch.
 *
 * First the shape: lengths, as many nodes and buffers as the schema has, each buffer inside the body
 * and behind the one before (no overlap, so that a small body cannot become large), decompressed where
 * the batch says so. Then each column, depth first, by validate. Buffers refer to the body. Runs on the
 * thread that decodes. Owns nodes and slices until the batch takes them. Leaves out variadic buffers.
 * Follows Arrow format/Message.fbs. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_format.h"
#include "arrow/layout.h"
#include "arrow/validate.h"
#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

/* Rows times fields: what a reader of columns that take no bytes may have to write. */
#define CELLS_MAX ((int64_t)1 << 31)
#define NO_COMPRESSION (-1)
#define NODE_BYTES 16

struct batch_parse {
    const struct ipc_batch_source *source;
    struct arrow_node *nodes;
    struct slice *buffers;
    size_t node; /* cursors */
    size_t buffer;
    int64_t codec;
    size_t body_end; /* of the buffers read so far */
    size_t decoded_bytes_left;
};

static void batch_parse_finish(struct batch_parse *parse)
{
    for (size_t i = 0; parse->buffers && i < parse->source->schema->buffer_count; i++)
        slice_finish(&parse->buffers[i]);
    free(parse->buffers);
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
    if (!checked_mul(rows, (int64_t)source->schema->node_count, &cells) || cells > CELLS_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow batch: rows times columns exceed 2^31");
    return STATUS_OK;
}

static enum status read_compression(struct batch_parse *parse, const struct flat_table *table,
                                    struct error *error)
{
    struct flat_table compression = flat_table_child(table, IPC_BATCH_COMPRESSION);
    parse->codec = NO_COMPRESSION;
    if (!flat_table_is_present(&compression))
        return STATUS_OK;
    int64_t codec = flat_table_scalar(&compression, IPC_COMPRESSION_CODEC, 1, IPC_CODEC_LZ4_FRAME);
    int64_t method = flat_table_scalar(&compression, IPC_COMPRESSION_METHOD, 1, 0);
    if ((codec != IPC_CODEC_LZ4_FRAME && codec != IPC_CODEC_ZSTD) || method != 0)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "Arrow batch: compression other than LZ4_FRAME and ZSTD by buffer");
    parse->codec = codec;
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

static enum status read_buffer(struct batch_parse *parse, int64_t offset, int64_t length,
                               struct slice *out, struct error *error)
{
    struct slice body = parse->source->body;
    if (offset < 0 || length < 0)
        return fault(error, "a buffer has a negative offset or length");
    if (length == 0)
        return STATUS_OK;
    if (offset % IPC_ALIGNMENT != 0)
        return fault(error, "a buffer does not start at a multiple of 8");
    if ((uint64_t)offset > body.len || (uint64_t)length > body.len - (uint64_t)offset)
        return fault(error, "a buffer is outside the body");
    if ((size_t)offset < parse->body_end)
        return fault(error, "its buffers overlap or are out of order");
    parse->body_end = (size_t)offset + (size_t)length;
    struct slice bytes = slice_make(body.ptr + offset, (size_t)length, body.owner);
    if (parse->codec != NO_COMPRESSION)
        return ipc_decompress(parse->source->decompressor, parse->codec, bytes,
                              &parse->decoded_bytes_left, out, error);
    *out = slice_ref(bytes);
    return STATUS_OK;
}

static enum status read_buffers(struct batch_parse *parse, const struct flat_table *table,
                                struct error *error)
{
    struct flat_vector buffers;
    struct flat_vector variadic;
    size_t count = parse->source->schema->buffer_count;
    flat_table_vector(table, IPC_BATCH_BUFFERS, NODE_BYTES, &buffers);
    flat_table_vector(table, IPC_BATCH_VARIADIC_COUNTS, 8, &variadic);
    TRY(flat_reader_check(table->reader, error));
    if (buffers.count != count)
        return fault(error, "it has another number of buffers than the schema needs");
    if (variadic.count > 0)
        return error_set(error, STATUS_UNIMPLEMENTED, "Arrow batch: variadic buffers");
    parse->buffers = NEW_ARRAY(struct slice, size_max(1, count));
    for (size_t i = 0; i < count; i++) {
        int64_t offset = flat_vector_i64(&buffers, NODE_BYTES * i);
        int64_t length = flat_vector_i64(&buffers, NODE_BYTES * i + 8);
        TRY(read_buffer(parse, offset, length, &parse->buffers[i], error));
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

static enum status check_field(struct batch_parse *parse, const struct arrow_field *field,
                               int64_t length_min, struct error *error)
{
    const struct ipc_batch_source *source = parse->source;
    size_t node = parse->node++;
    struct validate_column column = {
        .field = field,
        .node = &parse->nodes[node],
        .buffers = &parse->buffers[parse->buffer],
        .unbacked_length_max = source->limits->rows_max,
    };
    if (field->is_dictionary) {
        column.dictionary = source->schema->dictionaries[field->dictionary_index];
        column.dictionary_field = &source->dictionaries[field->dictionary_index];
    }
    parse->buffer += arrow_field_layout(field)->count;
    TRY(validate_column(&column, error));
    if (column.node->length < length_min)
        return fault(error, "a column is shorter than the batch or its parent needs");
    TRY(check_fields(parse, field->children, field->child_count, &column, error));
    if (field->type == ARROW_MAP)
        return check_map_keys(parse, node, error);
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

enum status ipc_parse_batch(const struct ipc_batch_source *source, const struct flat_table *table,
                            struct arrow_batch **out_batch, struct error *error)
{
    CLEANUP(batch_parse_finish)
    struct batch_parse parse = {
        .source = source,
        .decoded_bytes_left = source->limits->decoded_bytes_max,
    };
    int64_t rows = flat_table_scalar(table, IPC_BATCH_LENGTH, 8, 0);
    TRY(flat_reader_check(table->reader, error));
    TRY(check_rows(source, rows, error));
    TRY(read_compression(&parse, table, error));
    TRY(read_nodes(&parse, table, error));
    TRY(read_buffers(&parse, table, error));
    TRY(flat_reader_check(table->reader, error));
    TRY(check_columns(&parse, rows, error));
    *out_batch = arrow_batch_create(source->schema, rows, parse.nodes, parse.buffers);
    /* The batch took the references over; only the array is left. */
    free(parse.buffers);
    parse.buffers = NULL;
    return STATUS_OK;
}
