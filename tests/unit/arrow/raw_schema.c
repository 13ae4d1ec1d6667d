/*
 * raw_schema.c — Schema messages as they are told. SPDX-License-Identifier: Apache-2.0
 */
#include "raw_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arrow/flat_writer.h"
#include "arrow/ipc_format.h"

static void write_fields(struct flat_writer *writer, size_t table, size_t slot,
                         const struct raw_field *fields, size_t count);

static size_t write_type(struct flat_writer *writer, const struct raw_field *field)
{
    if (field->kind == ARROW_UNION) {
        const uint8_t sizes[] = {2, field->type_ids ? 4 : 0};
        size_t table = flat_writer_table(writer, sizes, 2);
        flat_writer_set(writer, table, 0, 2, field->scalars[0]);
        if (field->type_ids) {
            flat_writer_point(writer, table, 1);
            flat_writer_int32s(writer, field->type_ids, field->type_id_count);
        }
        return table;
    }
    size_t table = flat_writer_table(writer, field->scalar_sizes, RAW_SCALARS_MAX);
    for (size_t i = 0; i < RAW_SCALARS_MAX; i++) {
        if (field->scalar_sizes[i])
            flat_writer_set(writer, table, i, field->scalar_sizes[i], field->scalars[i]);
    }
    return table;
}

static void write_pairs(struct flat_writer *writer, size_t table, const struct raw_field *field)
{
    static const uint8_t pair_slots[] = {4, 4};
    flat_writer_point(writer, table, IPC_FIELD_METADATA);
    size_t first = flat_writer_references(writer, field->pair_count);
    size_t pair = flat_writer_table(writer, pair_slots, 2);
    for (size_t i = 0; i < field->pair_count; i++)
        flat_writer_point_element(writer, first, i, pair);
    flat_writer_point(writer, pair, 0);
    flat_writer_string(writer, STR("ARROW:extension:metadata"));
    flat_writer_point(writer, pair, 1);
    flat_writer_string(writer, field->pair_value);
}

static size_t write_field(struct flat_writer *writer, const struct raw_field *field)
{
    static const uint8_t dictionary_slots[] = {8};
    const uint8_t sizes[] = {field->name ? 4 : 0,
                             1,
                             1,
                             field->no_type ? 0 : 4,
                             field->is_dictionary ? 4 : 0,
                             field->no_children ? 0 : 4,
                             field->pair_count > 0 ? 4 : 0};
    size_t table = flat_writer_table(writer, sizes, sizeof(sizes));
    flat_writer_set(writer, table, IPC_FIELD_TYPE_KIND, 1, field->kind);
    if (field->name) {
        size_t size = field->name_size ? field->name_size : strlen(field->name);
        flat_writer_point(writer, table, IPC_FIELD_NAME);
        flat_writer_string(writer, str_make(field->name, size));
    }
    if (!field->no_type)
        flat_writer_point_table(writer, table, IPC_FIELD_TYPE, write_type(writer, field));
    if (field->is_dictionary) {
        size_t dictionary = flat_writer_table(writer, dictionary_slots, 1);
        flat_writer_set(writer, dictionary, 0, 8, field->dictionary_id);
        flat_writer_point_table(writer, table, IPC_FIELD_DICTIONARY, dictionary);
    }
    if (!field->no_children)
        write_fields(writer, table, IPC_FIELD_CHILDREN, field->children, field->child_count);
    if (field->pair_count > 0)
        write_pairs(writer, table, field);
    return table;
}

static void write_fields(struct flat_writer *writer, size_t table, size_t slot,
                         const struct raw_field *fields, size_t count)
{
    flat_writer_point(writer, table, slot);
    size_t first = flat_writer_references(writer, count);
    for (size_t i = 0; i < count; i++)
        flat_writer_point_element(writer, first, i, write_field(writer, &fields[i]));
}

enum status raw_schema_decode(const struct raw_schema *schema)
{
    struct error error = ERROR_NONE;
    enum status status = raw_schema_explain(schema, &error);
    assert_true(status == STATUS_OK || error.message[0] != '\0');
    return status;
}

enum status raw_schema_explain(const struct raw_schema *schema, struct error *error)
{
    const uint8_t message_slots[] = {2, 1, schema->no_header ? 0 : 4, 8};
    const uint8_t schema_slots[] = {2, schema->no_fields ? 0 : 4};
    CLEANUP(flat_writer_finish) struct flat_writer writer;
    flat_writer_init(&writer);
    size_t message = flat_writer_table(&writer, message_slots, 4);
    flat_writer_set(&writer, message, IPC_MESSAGE_VERSION, 2, schema->version);
    flat_writer_set(&writer, message, IPC_MESSAGE_KIND, 1, schema->kind);
    size_t table = flat_writer_table(&writer, schema_slots, 2);
    if (!schema->no_header)
        flat_writer_point_table(&writer, message, IPC_MESSAGE_HEADER, table);
    flat_writer_set(&writer, table, IPC_SCHEMA_ENDIANNESS, 2, schema->endianness);
    if (!schema->no_fields)
        write_fields(&writer, table, IPC_SCHEMA_FIELDS, schema->fields, schema->field_count);
    flat_writer_pad(&writer);
    CLEANUP(slice_finish) struct slice bytes = slice_copy(writer.bytes.ptr, writer.bytes.len);
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    struct arrow_batch *batch = NULL;
    enum status status = ipc_decode(decoder, bytes, SLICE_EMPTY, &batch, error);
    assert_true((ipc_decoder_schema(decoder) != NULL) == (status == STATUS_OK));
    return status;
}
