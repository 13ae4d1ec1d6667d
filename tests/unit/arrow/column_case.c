/*
 * column_case.c — batches made of given bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "column_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arrow/row_writer.h"
#include "sample.h"

#define BUFFERS_MAX 16

static void write_rows(struct arrow_batch *batch, enum row_format format)
{
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(format, batch->schema, false);
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, (size_t)1 << 20);
    int64_t row = 0;
    row_writer_begin(writer, &out);
    row_writer_rows(writer, batch, &row, (size_t)1 << 19, &out);
    row_writer_end(writer, &out);
}

static void encode(const struct arrow_batch *batch)
{
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    ipc_append_body(&body, batch);
    CLEANUP(slice_finish) struct slice joined = slices_join(&body);
    assert_int_equal(joined.len, batch->body_bytes);
}

void case_read_completely(struct arrow_batch *batch)
{
    write_rows(batch, ROW_JSON);
    write_rows(batch, ROW_CSV);
    int64_t half = batch->rows / 2;
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *part = arrow_batch_slice(batch, half, batch->rows - half);
    encode(part);
    write_rows(part, ROW_NDJSON);
    if (batch->schema->field_count == 0)
        return;
    const size_t last = batch->schema->field_count - 1;
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = arrow_schema_project(batch->schema, &last, 1);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *column = arrow_batch_project(batch, schema, &last, 1);
    encode(column);
}

struct column_case case_open(const struct arrow_batch *batch)
{
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    ipc_append_body(&parts, batch);
    CLEANUP(slice_finish) struct slice body = slices_join(&parts);
    return (struct column_case){
        .schema = batch->schema,
        .header = buffer_create_copy(batch->header.ptr, batch->header.len),
        .body = buffer_create_copy(body.ptr, body.len),
    };
}

void case_close(struct column_case *it)
{
    buffer_unref(it->header);
    buffer_unref(it->body);
}

void case_patch(struct buffer *buffer, size_t at, int64_t value)
{
    assert_true(at + 8 <= buffer->size);
    memcpy(buffer->data + at, &value, 8);
}

enum status case_decode(const struct column_case *it)
{
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    assert_int_equal(ipc_decode(decoder, it->schema->message, SLICE_EMPTY, &batch, NULL), 0);
    struct slice header = slice_make(it->header->data, it->header->size, it->header);
    struct slice body = slice_make(it->body->data, it->body->size, it->body);
    struct error error = ERROR_NONE;
    enum status status = ipc_decode(decoder, header, body, &batch, &error);
    assert_true(status == STATUS_OK || (error.status == status && error.message[0] != '\0'));
    if (status == STATUS_OK)
        case_read_completely(batch);
    return status;
}

enum status case_decode_column(struct arrow_schema *schema, int64_t rows,
                               const struct arrow_node *nodes, const struct str *buffers)
{
    struct slice slices[BUFFERS_MAX] = {SLICE_EMPTY};
    assert_true(schema->buffer_count <= BUFFERS_MAX);
    for (size_t i = 0; i < schema->buffer_count; i++)
        slices[i] = buffers[i].len > 0 ? slice_copy(buffers[i].ptr, buffers[i].len) : SLICE_EMPTY;
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = arrow_batch_create(schema, rows, nodes, slices);
    CLEANUP(case_close) struct column_case it = case_open(batch);
    return case_decode(&it);
}

void case_check_patches(struct arrow_schema *schema, size_t at, const int64_t *values, size_t count)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 20, 1);
    CLEANUP(case_close) struct column_case it = case_open(batch);
    int64_t before;
    memcpy(&before, it.header->data + at, sizeof(before));
    assert_int_equal(case_decode(&it), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        case_patch(it.header, at, values[i]);
        assert_int_not_equal(case_decode(&it), STATUS_OK);
    }
    case_patch(it.header, at, before);
    assert_int_equal(case_decode(&it), STATUS_OK);
}

static void append_rows(struct arrow_batch *batch, struct buf *out)
{
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(ROW_NDJSON, batch->schema, false);
    int64_t row = 0;
    row_writer_rows(writer, batch, &row, SIZE_MAX, out);
    assert_false(out->failed);
}

void case_assert_same_rows(struct arrow_batch *a, struct arrow_batch *b)
{
    CLEANUP(buf_finish) struct buf text_a;
    CLEANUP(buf_finish) struct buf text_b;
    buf_init(&text_a, (size_t)1 << 24);
    buf_init(&text_b, (size_t)1 << 24);
    append_rows(a, &text_a);
    append_rows(b, &text_b);
    assert_true(str_equal(buf_str(&text_a), buf_str(&text_b)));
}
