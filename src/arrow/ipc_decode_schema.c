/*
 * ipc_decode_schema.c — a Schema message into a schema, trusting nothing.
 *
 * One recursive walk over the fields with budgets for fields, depth and text (a FlatBuffer may refer
 * to one table many times). What a type is made of is in ipc_decode_type. Runs on the thread that
 * decodes. Owns the schema until it is handed over. Leaves out views, run-end encoding and
 * dictionaries of nested values: UNIMPLEMENTED, by name.
 * Follows Arrow format/Schema.fbs. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_decode_type.h"
#include "arrow/ipc_format.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

#define TEXT_BYTES_MAX ((size_t)1 << 30) /* never met: far beyond the metadata limit */
#define TEXT_REPEATED_MAX 2              /* writers may share a string between a few fields */

struct schema_parse {
    struct arrow_schema *schema;
    struct ipc_dictionary_field *dictionaries;
    const struct arrow_field **dictionary_fields;
    size_t dictionary_count;
    size_t dictionary_capacity;
    size_t fields_left;
    size_t text_left; /* bytes of names and metadata that may still be copied */
};

static void schema_parse_finish(struct schema_parse *parse)
{
    arrow_schema_unref(parse->schema);
    free(parse->dictionaries);
    free(parse->dictionary_fields);
}
CLEANUP_IN_PLACE(struct schema_parse, schema_parse_finish)

void ipc_schema_finish(struct ipc_schema *schema)
{
    arrow_schema_unref(schema->schema);
    free(schema->dictionaries);
    *schema = (struct ipc_schema){0};
}

/* Copies text out of the message, against the budget. */
static enum status take_text(struct schema_parse *parse, struct str text, struct str *out,
                             struct error *error)
{
    if (text.len > parse->text_left)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: names and metadata repeat more text than the message has");
    parse->text_left -= text.len;
    *out = arena_copy(&parse->schema->arena, text);
    return STATUS_OK;
}

static enum status take_utf8(struct schema_parse *parse, struct str text, struct str *out,
                             struct error *error)
{
    if (!str_is_utf8(text))
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow schema: a name is not valid UTF-8");
    return take_text(parse, text, out, error);
}

static enum status parse_metadata(struct schema_parse *parse, const struct flat_table *table,
                                  size_t slot, const struct arrow_key_value **out_pairs,
                                  size_t *out_count, struct error *error)
{
    struct flat_vector vector;
    if (!flat_table_vector(table, slot, 4, &vector) || vector.count == 0)
        return STATUS_OK;
    if (vector.count > ARROW_FIELDS_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: %zu pairs of metadata, at most %d are taken", vector.count,
                         ARROW_FIELDS_MAX);
    struct arrow_key_value *pairs =
        ARENA_NEW_ARRAY(&parse->schema->arena, struct arrow_key_value, vector.count);
    for (size_t i = 0; i < vector.count; i++) {
        struct flat_table pair = flat_vector_table(&vector, i);
        struct str key;
        struct str value;
        flat_table_string(&pair, 0, &key);
        flat_table_string(&pair, 1, &value);
        TRY(flat_reader_check(table->reader, error));
        TRY(take_utf8(parse, key, &pairs[i].key, error));
        TRY(take_text(parse, value, &pairs[i].value, error));
    }
    *out_pairs = pairs;
    *out_count = vector.count;
    return STATUS_OK;
}

/* --- dictionaries ------------------------------------------------------------------------------- */

/* Indices are kept signed and at most 32 bits wide: the least such type that holds all of the wire's
 * (dictionaries have far fewer than 2^31 values). */
static int32_t kept_bit_width(int32_t wire_bit_width, bool wire_signed)
{
    if (wire_bit_width >= 32)
        return 32;
    return wire_signed ? wire_bit_width : wire_bit_width * 2;
}

static bool same_type(const struct arrow_field *a, const struct arrow_field *b)
{
    struct arrow_field plain_a = *a;
    struct arrow_field plain_b = *b;
    plain_a.is_dictionary = plain_b.is_dictionary = false;
    CLEANUP(buf_finish) struct buf text_a;
    CLEANUP(buf_finish) struct buf text_b;
    buf_init(&text_a, TEXT_BYTES_MAX);
    buf_init(&text_b, TEXT_BYTES_MAX);
    arrow_field_type_text(&plain_a, &text_a);
    arrow_field_type_text(&plain_b, &text_b);
    return str_equal(buf_str(&text_a), buf_str(&text_b));
}

static void keep_dictionary(struct schema_parse *parse, const struct arrow_field *field,
                            const struct ipc_dictionary_field *dictionary)
{
    if (parse->dictionary_count == parse->dictionary_capacity) {
        parse->dictionary_capacity = size_max(8, 2 * parse->dictionary_capacity);
        parse->dictionaries = memory_resize(parse->dictionaries, parse->dictionary_capacity,
                                            sizeof(*parse->dictionaries));
        parse->dictionary_fields =
            memory_resize(parse->dictionary_fields, parse->dictionary_capacity,
                          sizeof(*parse->dictionary_fields));
    }
    parse->dictionaries[parse->dictionary_count] = *dictionary;
    parse->dictionary_fields[parse->dictionary_count++] = field;
}

static enum status parse_dictionary(struct schema_parse *parse, const struct flat_table *table,
                                    struct arrow_field *field, struct error *error)
{
    struct flat_table index = flat_table_child(table, IPC_DICTIONARY_INDEX_TYPE);
    struct ipc_dictionary_field dictionary = {
        .wire_id = flat_table_scalar(table, IPC_DICTIONARY_ID, 8, 0),
        .wire_bit_width = 32,
        .wire_signed = true,
    };
    if (flat_table_is_present(&index))
        TRY(ipc_parse_integer_type(&index, &dictionary.wire_bit_width, &dictionary.wire_signed,
                                   field, error));
    if (ipc_type_find(field->type)->child_count != 0)
        return ipc_field_unimplemented(field, error, "a dictionary of nested values");
    field->is_dictionary = true;
    field->dictionary_bit_width = kept_bit_width(dictionary.wire_bit_width, dictionary.wire_signed);
    for (size_t i = 0; i < parse->dictionary_count; i++) {
        if (parse->dictionaries[i].wire_id == dictionary.wire_id &&
            !same_type(parse->dictionary_fields[i], field))
            return ipc_field_fault(field, error,
                                   "shares a dictionary with a field of another type");
    }
    keep_dictionary(parse, field, &dictionary);
    return STATUS_OK;
}

/* --- fields -------------------------------------------------------------------------------------- */

static enum status parse_fields(struct schema_parse *parse, const struct flat_vector *vector,
                                struct arrow_field *fields, size_t depth, struct error *error);

static enum status parse_children(struct schema_parse *parse, const struct flat_table *table,
                                  struct arrow_field *field, size_t depth, struct error *error)
{
    struct flat_vector children;
    flat_table_vector(table, IPC_FIELD_CHILDREN, 4, &children);
    TRY(flat_reader_check(table->reader, error));
    size_t expected = ipc_type_find(field->type)->child_count;
    if (expected != IPC_ANY_CHILDREN && children.count != expected)
        return ipc_field_fault(field, error, "has a wrong number of children for its type");
    if (children.count > parse->fields_left)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: more than %d fields are not taken", ARROW_FIELDS_MAX);
    arrow_field_add_children(parse->schema, field, children.count);
    return parse_fields(parse, &children, field->children, depth + 1, error);
}

static enum status parse_type(struct schema_parse *parse, const struct flat_table *table,
                              struct arrow_field *field, size_t depth, struct error *error)
{
    int64_t kind = flat_table_scalar(table, IPC_FIELD_TYPE_KIND, 1, 0);
    struct flat_table type = flat_table_child(table, IPC_FIELD_TYPE);
    TRY(flat_reader_check(table->reader, error));
    const struct ipc_type_row *row = ipc_type_find(kind);
    if (!row)
        return ipc_field_fault(field, error, "has an unknown type");
    if (row->is_unimplemented)
        return ipc_field_unimplemented(field, error, row->name);
    if (!flat_table_is_present(&type))
        return ipc_field_fault(field, error, "has a type without its description");
    field->type = (enum arrow_type)kind;
    /* Before the type's parameters: maps and unions look at their children. */
    TRY(parse_children(parse, table, field, depth, error));
    if (row->parse)
        TRY(row->parse(&parse->schema->arena, &type, field, error));
    TRY(flat_reader_check(table->reader, error));
    return take_utf8(parse, field->timezone, &field->timezone, error);
}

static enum status parse_field(struct schema_parse *parse, const struct flat_table *table,
                               struct arrow_field *field, size_t depth, struct error *error)
{
    struct str name;
    flat_table_string(table, IPC_FIELD_NAME, &name);
    TRY(take_utf8(parse, name, &field->name, error));
    field->nullable = flat_table_scalar(table, IPC_FIELD_NULLABLE, 1, 0) != 0;
    struct flat_table dictionary = flat_table_child(table, IPC_FIELD_DICTIONARY);
    TRY(parse_type(parse, table, field, depth, error));
    if (flat_table_is_present(&dictionary))
        TRY(parse_dictionary(parse, &dictionary, field, error));
    TRY(parse_metadata(parse, table, IPC_FIELD_METADATA, &field->metadata, &field->metadata_count,
                       error));
    return flat_reader_check(table->reader, error);
}

static enum status parse_fields(struct schema_parse *parse, const struct flat_vector *vector,
                                struct arrow_field *fields, size_t depth, struct error *error)
{
    if (vector->count == 0)
        return STATUS_OK;
    if (depth > ARROW_DEPTH_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: nested deeper than %d levels", ARROW_DEPTH_MAX);
    parse->fields_left -= vector->count;
    for (size_t i = 0; i < vector->count; i++) {
        struct flat_table table = flat_vector_table(vector, i);
        TRY(flat_reader_check(vector->reader, error));
        TRY(parse_field(parse, &table, &fields[i], depth, error));
    }
    return STATUS_OK;
}

/* --- the schema ---------------------------------------------------------------------------------- */

/* The values of a dictionary that has not come: none. */
static struct arrow_batch *create_empty_values(const struct arrow_field *field)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_copy(schema, &schema->fields[0], field);
    schema->fields[0].is_dictionary = false;
    schema->fields[0].metadata_count = 0;
    arrow_schema_seal(schema, NULL);
    struct arrow_node node = {0};
    struct slice buffers[ARROW_LAYOUT_BUFFERS_MAX] = {SLICE_EMPTY};
    return arrow_batch_create(schema, 0, &node, buffers);
}

static void seal(struct schema_parse *parse)
{
    struct arrow_batch **dictionaries =
        parse->dictionary_count > 0 ? NEW_ARRAY(struct arrow_batch *, parse->dictionary_count)
                                    : NULL;
    for (size_t i = 0; i < parse->dictionary_count; i++)
        dictionaries[i] = create_empty_values(parse->dictionary_fields[i]);
    arrow_schema_seal(parse->schema, dictionaries);
    free(dictionaries);
}

enum status ipc_parse_schema(const struct flat_table *table, size_t metadata_bytes,
                             struct ipc_schema *out, struct error *error)
{
    if (flat_table_scalar(table, IPC_SCHEMA_ENDIANNESS, 2, 0) != 0)
        return error_set(error, STATUS_UNIMPLEMENTED, "Arrow schema: big-endian is not taken");
    struct flat_vector fields;
    bool has_fields = flat_table_vector(table, IPC_SCHEMA_FIELDS, 4, &fields);
    TRY(flat_reader_check(table->reader, error));
    if (!has_fields)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow schema: it has no fields vector");
    if (fields.count > ARROW_FIELDS_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: more than %d fields are not taken", ARROW_FIELDS_MAX);
    CLEANUP(schema_parse_finish)
    struct schema_parse parse = {
        .schema = arrow_schema_create(fields.count),
        .fields_left = ARROW_FIELDS_MAX,
        .text_left = TEXT_REPEATED_MAX * metadata_bytes,
    };
    TRY(parse_fields(&parse, &fields, parse.schema->fields, 1, error));
    TRY(parse_metadata(&parse, table, IPC_SCHEMA_METADATA, &parse.schema->metadata,
                       &parse.schema->metadata_count, error));
    TRY(flat_reader_check(table->reader, error));
    seal(&parse);
    *out = (struct ipc_schema){.schema = STEAL(parse.schema),
                               .dictionaries = STEAL(parse.dictionaries)};
    return STATUS_OK;
}
