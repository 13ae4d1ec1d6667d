/*
 * ipc_file_test.c — files: written, read in any order, cut, and with footers that lie.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arrow/flat_writer.h"
#include "arrow/ipc.h"
#include "arrow/ipc_encode.h"
#include "arrow/ipc_format.h"
#include "base/checked.h"
#include "base/memory.h"
#include "column_case.h"
#include "sample.h"

#define BATCHES 5

static struct slice create_file(struct arrow_schema *schema)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    struct ipc_file file;
    ipc_file_begin(&file, &out, schema);
    for (int64_t i = 0; i < BATCHES; i++) {
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = sample_batch_create(schema, 3 * i, (uint64_t)i);
        ipc_file_batch(&file, &out, batch);
    }
    assert_int_equal(ipc_file_end(&file, &out, NULL), STATUS_OK);
    ipc_file_finish(&file);
    return slices_join(&out);
}

static enum status read_all(struct slice file, bool is_mapping, size_t *out_batches)
{
    CLEANUP(ipc_file_reader_close) struct ipc_file_reader *reader = NULL;
    struct error error = ERROR_NONE;
    enum status status =
        ipc_file_reader_open(file, is_mapping, &ipc_limits_default, &reader, &error);
    assert_true(status == STATUS_OK || (error.status == status && error.message[0]));
    TRY(status);
    *out_batches = ipc_file_reader_batch_count(reader);
    for (size_t i = 0; i < *out_batches; i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_file_reader_batch(reader, i, &batch, NULL));
        case_read_completely(batch);
    }
    return STATUS_OK;
}

static void batches_are_read_in_any_order(void **state)
{
    static const size_t order[] = {4, 0, 2, 2, 1, 3};
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(slice_finish) struct slice file = create_file(schema);
    CLEANUP(ipc_file_reader_close) struct ipc_file_reader *reader = NULL;
    assert_true(ipc_is_file(slice_str(file)));
    assert_int_equal(ipc_file_reader_open(file, true, &ipc_limits_default, &reader, NULL), 0);
    assert_int_equal(ipc_file_reader_batch_count(reader), BATCHES);
    assert_true(arrow_schema_equal(ipc_file_reader_schema(reader), schema));
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *expected = sample_batch_create(schema, 3 * (int64_t)order[i], order[i]);
        assert_int_equal(ipc_file_reader_batch(reader, order[i], &batch, NULL), STATUS_OK);
        assert_true(sample_batches_equal(batch, expected));
        assert_ptr_equal(batch->schema, ipc_file_reader_schema(reader));
    }
}

static void mappings_are_not_copied_and_not_charged(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_BINARY, NULL);
    CLEANUP(slice_finish) struct slice file = create_file(schema);
    for (int mapped = 0; mapped < 2; mapped++) {
        CLEANUP(ipc_file_reader_close) struct ipc_file_reader *reader = NULL;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        assert_int_equal(ipc_file_reader_open(file, mapped, &ipc_limits_default, &reader, NULL), 0);
        assert_int_equal(ipc_file_reader_batch(reader, 1, &batch, NULL), STATUS_OK);
        /* A small part of something in memory is copied, so that it does not keep all of it. */
        assert_int_equal(batch->buffers[1].owner == file.owner, mapped);
        assert_true(batch->memory_bytes < file.len);
    }
}

static void files_without_batches(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    struct ipc_file writer;
    ipc_file_begin(&writer, &out, schema);
    assert_int_equal(ipc_file_end(&writer, &out, NULL), STATUS_OK);
    ipc_file_finish(&writer);
    CLEANUP(slice_finish) struct slice file = slices_join(&out);
    size_t batches = 1;
    assert_int_equal(read_all(file, true, &batches), STATUS_OK);
    assert_int_equal(batches, 0);
}

static void cut_files_are_refused(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create_part(10, 4);
    CLEANUP(slice_finish) struct slice file = create_file(schema);
    size_t batches;
    for (size_t size = 0; size < file.len; size++) {
        CLEANUP(slice_finish) struct slice part = slice_copy(file.ptr, size);
        part.len = size;
        assert_int_equal(read_all(part, true, &batches), STATUS_INVALID_ARGUMENT);
    }
    assert_false(ipc_is_file(STR("ARROW")));
    assert_false(ipc_is_file(STR("\xFF\xFF\xFF\xFF\x10\0\0\0")));
}

static void flipped_files_do_no_harm(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create_part(46, 3);
    CLEANUP(slice_finish) struct slice file = create_file(schema);
    CLEANUP(buffer_unref) struct buffer *copy = buffer_create_copy(file.ptr, file.len);
    struct slice bytes = slice_make(copy->data, copy->size, copy);
    size_t refused = 0;
    for (size_t i = 0; i < copy->size; i++) {
        static const uint8_t masks[] = {0x01, 0x80, 0xFF};
        for (size_t j = 0; j < sizeof(masks); j++) {
            size_t batches;
            copy->data[i] ^= masks[j];
            refused += read_all(bytes, true, &batches) != STATUS_OK;
            copy->data[i] ^= masks[j];
        }
    }
    assert_true(refused > copy->size / 4);
}

/* --- footers ---------------------------------------------------------------------------------------- */

/* A file with one batch of the sample and a footer with any blocks. */
static enum status read_with_blocks(const struct ipc_block *batches, size_t count,
                                    const struct ipc_block *dictionaries, size_t dictionary_count,
                                    bool no_schema)
{
    static const uint8_t slots[] = {2, 4, 4, 4};
    static const uint8_t slots_without_schema[] = {2, 0, 4, 4};
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_BOOL, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 9, 0);
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    struct ipc_file file;
    ipc_file_begin(&file, &out, schema);
    ipc_file_batch(&file, &out, batch);
    ipc_file_finish(&file);
    CLEANUP(flat_writer_finish) struct flat_writer writer;
    flat_writer_init(&writer);
    size_t footer = flat_writer_table(&writer, no_schema ? slots_without_schema : slots, 4);
    flat_writer_point_structs(&writer, footer, IPC_FOOTER_DICTIONARIES, dictionaries,
                              sizeof(*dictionaries), dictionary_count);
    flat_writer_point_structs(&writer, footer, IPC_FOOTER_BATCHES, batches, sizeof(*batches),
                              count);
    if (!no_schema)
        flat_writer_point_table(&writer, footer, IPC_FOOTER_SCHEMA,
                                ipc_write_schema(&writer, schema));
    flat_writer_pad(&writer);
    int32_t size = (int32_t)writer.bytes.len;
    slices_append_copy(&out, writer.bytes.ptr, writer.bytes.len);
    slices_append_copy(&out, &size, sizeof(size));
    slices_append_copy(&out, IPC_FILE_MAGIC, IPC_FILE_MAGIC_BYTES);
    CLEANUP(slice_finish) struct slice bytes = slices_join(&out);
    size_t found;
    return read_all(bytes, true, &found);
}

/* Where the one batch is. */
static struct ipc_block find_block(void)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_BOOL, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 9, 0);
    return (struct ipc_block){
        .offset = (int64_t)(IPC_FILE_HEAD_BYTES + IPC_PREFIX_BYTES + schema->message.len),
        .metadata_bytes = (int32_t)(IPC_PREFIX_BYTES + batch->header.len),
        .body_bytes = (int64_t)batch->body_bytes};
}

static void blocks_are_checked(void **state)
{
    const struct ipc_block good = find_block();
    assert_int_equal(read_with_blocks(&good, 1, NULL, 0, false), STATUS_OK);
    assert_int_equal(read_with_blocks(NULL, 0, NULL, 0, false), STATUS_OK);
    assert_int_equal(read_with_blocks(&good, 1, NULL, 0, true), STATUS_INVALID_ARGUMENT);
    /* Twice the same. */
    const struct ipc_block twice[] = {good, good, good, good};
    assert_int_equal(read_with_blocks(twice, 4, NULL, 0, false), STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_with_blocks(&good, 1, &good, 1, false), STATUS_INVALID_ARGUMENT);
    static const int64_t offsets[] = {0, 8, -8, 4, INT64_MAX, INT64_MIN, INT64_MAX - 7, 1 << 20};
    for (size_t i = 0; i < ARRAY_COUNT(offsets); i++) {
        struct ipc_block block = good;
        block.offset = offsets[i];
        assert_int_equal(read_with_blocks(&block, 1, NULL, 0, false), STATUS_INVALID_ARGUMENT);
        block = good;
        block.body_bytes = offsets[i];
        if (offsets[i] != good.body_bytes)
            assert_int_equal(read_with_blocks(&block, 1, NULL, 0, false), STATUS_INVALID_ARGUMENT);
        block = good;
        block.metadata_bytes = (int32_t)offsets[i];
        assert_int_equal(read_with_blocks(&block, 1, NULL, 0, false), STATUS_INVALID_ARGUMENT);
    }
}

/* --- dictionaries ------------------------------------------------------------------------------------- */

static void fill_dictionary(struct arrow_schema *schema, struct arrow_field *field)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = 8;
}

static enum status write_batches(struct arrow_schema *const *schemas, size_t count, bool noted,
                                 struct slices *out)
{
    struct ipc_file file;
    ipc_file_begin(&file, out, schemas[0]);
    for (size_t i = 0; i < count; i++) {
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = sample_batch_create(schemas[i], 20, i);
        if (noted)
            ipc_file_note_batch(&file, batch);
        else
            ipc_file_batch(&file, out, batch);
    }
    enum status status = ipc_file_end(&file, out, NULL);
    ipc_file_finish(&file);
    return status;
}

static void dictionaries_may_grow_but_not_change(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    struct arrow_batch *values = schema->dictionaries[0];
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *other = sample_batch_create(values->schema, 11, 1);
    CLEANUP(arrow_batch_unref) struct arrow_batch *none = arrow_batch_slice(values, 0, 0);
    size_t bytes;
    CLEANUP(arrow_batch_unref) struct arrow_batch *grown = arrow_batch_grow(values, values, &bytes);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *larger = arrow_schema_with_dictionaries(schema, &grown);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *replaced = arrow_schema_with_dictionaries(schema, &other);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *empty = arrow_schema_with_dictionaries(schema, &none);
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    struct arrow_schema *const grows[] = {empty, schema, larger, larger};
    struct arrow_schema *const changes[] = {schema, replaced};
    assert_int_equal(write_batches(changes, 2, false, &out), STATUS_FAILED_PRECONDITION);
    assert_int_equal(write_batches(changes, 2, true, &out), STATUS_FAILED_PRECONDITION);
    /* Who appends the batches by other means would have to append dictionaries too. */
    assert_int_equal(write_batches(grows + 1, 2, true, &out), STATUS_FAILED_PRECONDITION);
    slices_consume(&out, out.bytes);
    assert_int_equal(write_batches(grows + 1, 3, false, &out), STATUS_OK);
    CLEANUP(slice_finish) struct slice file = slices_join(&out);
    size_t batches = 0;
    assert_int_equal(read_all(file, true, &batches), STATUS_OK);
    assert_int_equal(batches, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_read_in_any_order),
        cmocka_unit_test(mappings_are_not_copied_and_not_charged),
        cmocka_unit_test(files_without_batches),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(flipped_files_do_no_harm),
        cmocka_unit_test(blocks_are_checked),
        cmocka_unit_test(dictionaries_may_grow_but_not_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
