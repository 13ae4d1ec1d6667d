/*
 * ipc_encode_schema.c — a schema as a bare IPC Schema message.
 *
 * One pass over the fields, depth first, with flat_writer: each field's table is written before what
 * it refers to. Runs once per schema, on the thread that seals it. Owns nothing; the returned slice
 * owns its bytes. Leaves out `features` (optional). Writes an
 * empty children vector where there are none, which some readers need. Follows Arrow
 * format/Schema.fbs and Message.fbs, version V5. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_encode.h"

#include "arrow/flat_writer.h"
#include "arrow/ipc_format.h"

#include <assert.h>

static void write_metadata(struct flat_writer *writer, size_t table, size_t slot,
                           const struct arrow_key_value *pairs, size_t count)
{
    static const uint8_t pair_slots[] = {4, 4};
    flat_writer_point(writer, table, slot);
    size_t first = flat_writer_references(writer, count);
    for (size_t i = 0; i < count; i++) {
        size_t pair = flat_writer_table(writer, pair_slots, 2);
        flat_writer_point_element(writer, first, i, pair);
        flat_writer_point(writer, pair, 0);
        flat_writer_string(writer, pairs[i].key);
        flat_writer_point(writer, pair, 1);
        flat_writer_string(writer, pairs[i].value);
    }
}

/* A scalar in the table of a type. Enums whose defaults are not 0 are always written. */
struct scalar {
    uint8_t size;
    int64_t value;
};

static size_t write_scalars(struct flat_writer *writer, const struct scalar *scalars, size_t count)
{
    uint8_t sizes[FLAT_SLOTS_MAX] = {0};
    for (size_t i = 0; i < count; i++)
        sizes[i] = scalars[i].size;
    size_t table = flat_writer_table(writer, sizes, count);
    for (size_t i = 0; i < count; i++)
        flat_writer_set(writer, table, i, scalars[i].size, scalars[i].value);
    return table;
}

static size_t write_timestamp(struct flat_writer *writer, const struct arrow_field *field)
{
    const uint8_t sizes[] = {2, field->timezone.len > 0 ? 4 : 0};
    size_t table = flat_writer_table(writer, sizes, 2);
    flat_writer_set(writer, table, 0, 2, field->unit);
    if (field->timezone.len > 0) {
        flat_writer_point(writer, table, 1);
        flat_writer_string(writer, field->timezone);
    }
    return table;
}

static size_t write_union(struct flat_writer *writer, const struct arrow_field *field)
{
    static const uint8_t sizes[] = {2, 4};
    size_t table = flat_writer_table(writer, sizes, 2);
    flat_writer_set(writer, table, 0, 2, field->is_dense);
    flat_writer_point(writer, table, 1);
    flat_writer_int32s(writer, field->type_ids, field->child_count);
    return table;
}

static int64_t float_precision(int32_t bit_width)
{
    return bit_width == 16   ? IPC_PRECISION_HALF
           : bit_width == 32 ? IPC_PRECISION_SINGLE
                             : IPC_PRECISION_DOUBLE;
}

#define SCALARS(...)                                                                               \
    write_scalars(writer, (const struct scalar[]){__VA_ARGS__},                                    \
                  sizeof((const struct scalar[]){__VA_ARGS__}) / sizeof(struct scalar))

static size_t write_int(struct flat_writer *writer, int32_t bit_width, bool is_signed)
{
    return SCALARS({4, bit_width}, {1, is_signed});
}

static size_t write_type(struct flat_writer *writer, const struct arrow_field *field)
{
    switch (field->type) {
    case ARROW_INT:
        return write_int(writer, field->bit_width, field->is_signed);
    case ARROW_FLOAT:
        return SCALARS({2, float_precision(field->bit_width)});
    case ARROW_DECIMAL:
        return SCALARS({4, field->precision}, {4, field->scale}, {4, field->bit_width});
    case ARROW_DATE:
        return SCALARS({2, field->unit == ARROW_DAY ? IPC_DATE_DAY : IPC_DATE_MILLISECOND});
    case ARROW_TIME:
        return SCALARS({2, field->unit}, {4, field->bit_width});
    case ARROW_TIMESTAMP:
        return write_timestamp(writer, field);
    case ARROW_INTERVAL:
        return SCALARS({2, field->interval_unit});
    case ARROW_UNION:
        return write_union(writer, field);
    case ARROW_FIXED_BINARY:
        return SCALARS({4, field->byte_width});
    case ARROW_FIXED_LIST:
        return SCALARS({4, field->list_size});
    case ARROW_MAP:
        return SCALARS({1, field->keys_sorted});
    case ARROW_DURATION:
        return SCALARS({2, field->unit});
    default:
        return flat_writer_table(writer, NULL, 0);
    }
}

static void write_dictionary(struct flat_writer *writer, size_t field_table,
                             const struct arrow_field *field)
{
    static const uint8_t sizes[] = {
        [IPC_DICTIONARY_ID] = 8, [IPC_DICTIONARY_INDEX_TYPE] = 4, [IPC_DICTIONARY_IS_ORDERED] = 1};
    size_t table = flat_writer_table(writer, sizes, sizeof(sizes));
    flat_writer_point_table(writer, field_table, IPC_FIELD_DICTIONARY, table);
    flat_writer_set(writer, table, IPC_DICTIONARY_ID, 8, field->dictionary_id);
    flat_writer_set(writer, table, IPC_DICTIONARY_IS_ORDERED, 1, field->dictionary_is_ordered);
    size_t index = write_int(writer, field->dictionary_bit_width, !field->dictionary_is_unsigned);
    flat_writer_point_table(writer, table, IPC_DICTIONARY_INDEX_TYPE, index);
}

static void write_fields(struct flat_writer *writer, size_t table, size_t slot,
                         const struct arrow_field *fields, size_t count);

static size_t write_field(struct flat_writer *writer, const struct arrow_field *field)
{
    const uint8_t sizes[] = {
        [IPC_FIELD_NAME] = 4,
        [IPC_FIELD_NULLABLE] = 1,
        [IPC_FIELD_TYPE_KIND] = 1,
        [IPC_FIELD_TYPE] = 4,
        [IPC_FIELD_DICTIONARY] = field->is_dictionary ? 4 : 0,
        [IPC_FIELD_CHILDREN] = 4,
        [IPC_FIELD_METADATA] = field->metadata_count > 0 ? 4 : 0,
    };
    size_t table = flat_writer_table(writer, sizes, sizeof(sizes));
    flat_writer_set(writer, table, IPC_FIELD_NULLABLE, 1, field->nullable);
    flat_writer_set(writer, table, IPC_FIELD_TYPE_KIND, 1, field->type);
    flat_writer_point(writer, table, IPC_FIELD_NAME);
    flat_writer_string(writer, field->name);
    size_t type = write_type(writer, field);
    flat_writer_point_table(writer, table, IPC_FIELD_TYPE, type);
    if (field->is_dictionary)
        write_dictionary(writer, table, field);
    write_fields(writer, table, IPC_FIELD_CHILDREN, field->children, field->child_count);
    if (field->metadata_count > 0)
        write_metadata(writer, table, IPC_FIELD_METADATA, field->metadata, field->metadata_count);
    return table;
}

static void write_fields(struct flat_writer *writer, size_t table, size_t slot,
                         const struct arrow_field *fields, size_t count)
{
    flat_writer_point(writer, table, slot);
    size_t first = flat_writer_references(writer, count);
    for (size_t i = 0; i < count; i++)
        flat_writer_point_element(writer, first, i, write_field(writer, &fields[i]));
}

size_t ipc_write_schema(struct flat_writer *writer, const struct arrow_schema *schema)
{
    const uint8_t slots[] = {2, 4, schema->metadata_count > 0 ? 4 : 0};
    size_t table = flat_writer_table(writer, slots, sizeof(slots));
    write_fields(writer, table, IPC_SCHEMA_FIELDS, schema->fields, schema->field_count);
    if (schema->metadata_count > 0)
        write_metadata(writer, table, IPC_SCHEMA_METADATA, schema->metadata,
                       schema->metadata_count);
    return table;
}

struct slice ipc_encode_schema(const struct arrow_schema *schema)
{
    static const uint8_t message_slots[] = {2, 1, 4, 8};
    CLEANUP(flat_writer_finish) struct flat_writer writer;
    flat_writer_init(&writer);
    size_t message = flat_writer_table(&writer, message_slots, sizeof(message_slots));
    flat_writer_set(&writer, message, IPC_MESSAGE_VERSION, 2, IPC_VERSION_V5);
    flat_writer_set(&writer, message, IPC_MESSAGE_KIND, 1, IPC_KIND_SCHEMA);
    size_t table = ipc_write_schema(&writer, schema);
    flat_writer_point_table(&writer, message, IPC_MESSAGE_HEADER, table);
    flat_writer_pad(&writer);
    assert(!writer.bytes.failed);
    return slice_copy(writer.bytes.ptr, writer.bytes.len);
}
