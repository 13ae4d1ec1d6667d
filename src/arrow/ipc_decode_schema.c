/*
 * ipc_decode_schema.c — a Schema message into a schema, trusting nothing.
 *
 * One recursive walk over the fields with budgets for fields, depth and text (a FlatBuffer may refer
 * to one table many times). What a type is made of is in ipc_decode_type. Runs on the thread that
 * decodes. Owns the schema until it is handed over. Big-endian schemas are refused: UNIMPLEMENTED.
 * Follows Arrow format/Schema.fbs. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_decode_type.h"
#include "arrow/ipc_format.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

/* Each dictionary has a schema of its own, so that what is in several of them is there several times. */
#define DICTIONARY_DEPTH_MAX 4
/* The tables and references of a dictionary column that nothing shares take more. */
#define DICTIONARY_BYTES_MIN 64
#define TEXT_REPEATED_MAX 2 /* writers may share a string between a few fields */

struct schema_parse {
    struct arrow_schema *schema;
    int64_t *dictionary_ids;
    const struct arrow_field **dictionary_fields;
    size_t dictionary_count;
    size_t dictionary_capacity;
    size_t dictionaries_max;
    size_t fields_max;
    size_t fields_left;
    size_t depth_max;
    size_t text_left; /* bytes of names and metadata that may still be copied */
};

static void schema_parse_finish(struct schema_parse *parse)
{
    arrow_schema_unref(parse->schema);
    free(parse->dictionary_ids);
    free(parse->dictionary_fields);
}
CLEANUP_IN_PLACE(struct schema_parse, schema_parse_finish)

void ipc_schema_finish(struct ipc_schema *schema)
{
    arrow_schema_unref(schema->schema);
    free(schema->dictionary_ids);
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

static size_t count_dictionaries(const struct arrow_field *fields, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found +=
            fields[i].is_dictionary + count_dictionaries(fields[i].children, fields[i].child_count);
    return found;
}

/* Whether the first field with a dictionary of that id has the same type, and the same dictionaries in its
 * values; those of either stand directly before it. */
static bool may_share(const struct schema_parse *parse, const struct arrow_field *field, int64_t id)
{
    size_t first = 0;
    while (first < parse->dictionary_count && parse->dictionary_ids[first] != id)
        first++;
    if (first == parse->dictionary_count)
        return true;
    if (!arrow_field_values_equal(parse->dictionary_fields[first], field))
        return false;
    size_t inner = count_dictionaries(field->children, field->child_count);
    for (size_t i = 1; i <= inner; i++) {
        if (parse->dictionary_ids[first - i] != parse->dictionary_ids[parse->dictionary_count - i])
            return false;
    }
    return true;
}

static void keep_dictionary(struct schema_parse *parse, const struct arrow_field *field, int64_t id)
{
    if (parse->dictionary_count == parse->dictionary_capacity) {
        parse->dictionary_capacity = size_max(8, 2 * parse->dictionary_capacity);
        parse->dictionary_ids = memory_resize(parse->dictionary_ids, parse->dictionary_capacity,
                                              sizeof(*parse->dictionary_ids));
        parse->dictionary_fields =
            memory_resize(parse->dictionary_fields, parse->dictionary_capacity,
                          sizeof(*parse->dictionary_fields));
    }
    parse->dictionary_ids[parse->dictionary_count] = id;
    parse->dictionary_fields[parse->dictionary_count++] = field;
}

/* How many dictionaries are in each other, from a field on. */
static size_t dictionary_depth(const struct arrow_field *field)
{
    size_t deepest = 0;
    for (size_t i = 0; i < field->child_count; i++)
        deepest = size_max(deepest, dictionary_depth(&field->children[i]));
    return deepest + field->is_dictionary;
}

static enum status parse_dictionary(struct schema_parse *parse, const struct flat_table *table,
                                    struct arrow_field *field, struct error *error)
{
    struct flat_table index = flat_table_child(table, IPC_DICTIONARY_INDEX_TYPE);
    int64_t id = flat_table_scalar(table, IPC_DICTIONARY_ID, 8, 0);
    bool is_signed = true;
    field->is_dictionary = true;
    field->dictionary_bit_width = 32;
    field->dictionary_is_ordered = flat_table_scalar(table, IPC_DICTIONARY_IS_ORDERED, 1, 0) != 0;
    if (flat_table_is_present(&index))
        TRY(ipc_parse_integer_type(&index, &field->dictionary_bit_width, &is_signed, field, error));
    field->dictionary_is_unsigned = !is_signed;
    if (dictionary_depth(field) > DICTIONARY_DEPTH_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: more than %d dictionaries in each other are not taken",
                         DICTIONARY_DEPTH_MAX);
    if (parse->dictionary_count == parse->dictionaries_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: it repeats more dictionaries than the message has");
    if (!may_share(parse, field, id))
        return ipc_field_fault(field, error, "shares a dictionary with a field of another type");
    keep_dictionary(parse, field, id);
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
                         "Arrow schema: more than %zu fields are not taken", parse->fields_max);
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
    if (depth > parse->depth_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: nested deeper than %zu levels", parse->depth_max);
    parse->fields_left -= vector->count;
    for (size_t i = 0; i < vector->count; i++) {
        struct flat_table table = flat_vector_table(vector, i);
        TRY(flat_reader_check(vector->reader, error));
        TRY(parse_field(parse, &table, &fields[i], depth, error));
    }
    return STATUS_OK;
}

/* --- the schema ---------------------------------------------------------------------------------- */

/* The values of a dictionary that has not come: none. `inner` are the dictionaries within them. */
static struct arrow_batch *create_empty_values(const struct arrow_field *field,
                                               struct arrow_batch **inner)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_copy(schema, &schema->fields[0], field);
    schema->fields[0].is_dictionary = false;
    schema->fields[0].metadata_count = 0;
    size_t inner_count = count_dictionaries(field->children, field->child_count);
    for (size_t i = 0; i < inner_count; i++)
        arrow_batch_ref(inner[i]);
    arrow_schema_seal(schema, inner);
    struct arrow_node *nodes = NEW_ARRAY(struct arrow_node, schema->node_count);
    struct slice *buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1);
    struct arrow_batch *values = arrow_batch_create(schema, 0, nodes, buffers);
    free(nodes);
    free(buffers);
    return values;
}

static void seal(struct schema_parse *parse)
{
    size_t count = parse->dictionary_count;
    struct arrow_batch **dictionaries = NEW_ARRAY(struct arrow_batch *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct arrow_field *field = parse->dictionary_fields[i];
        size_t inner = count_dictionaries(field->children, field->child_count);
        dictionaries[i] = create_empty_values(field, &dictionaries[i - inner]);
    }
    arrow_schema_seal(parse->schema, dictionaries);
    free(dictionaries);
}

enum status ipc_parse_schema(const struct flat_table *table, size_t metadata_bytes,
                             const struct ipc_limits *limits, struct ipc_schema *out,
                             struct error *error)
{
    size_t fields_max = size_min(limits->fields_max, ARROW_FIELDS_MAX);
    if (flat_table_scalar(table, IPC_SCHEMA_ENDIANNESS, 2, 0) != 0)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "Arrow schema: its data is big-endian; only little-endian is taken");
    struct flat_vector fields;
    bool has_fields = flat_table_vector(table, IPC_SCHEMA_FIELDS, 4, &fields);
    TRY(flat_reader_check(table->reader, error));
    if (!has_fields)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow schema: it has no fields vector");
    if (fields.count > fields_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow schema: more than %zu fields are not taken", fields_max);
    CLEANUP(schema_parse_finish)
    struct schema_parse parse = {
        .schema = arrow_schema_create(fields.count),
        .fields_max = fields_max,
        .fields_left = fields_max,
        .depth_max = size_min(limits->depth_max, ARROW_DEPTH_MAX),
        .dictionaries_max = metadata_bytes / DICTIONARY_BYTES_MIN,
        .text_left = TEXT_REPEATED_MAX * metadata_bytes,
    };
    TRY(parse_fields(&parse, &fields, parse.schema->fields, 1, error));
    TRY(parse_metadata(&parse, table, IPC_SCHEMA_METADATA, &parse.schema->metadata,
                       &parse.schema->metadata_count, error));
    TRY(flat_reader_check(table->reader, error));
    seal(&parse);
    *out = (struct ipc_schema){.schema = STEAL(parse.schema),
                               .dictionary_ids = STEAL(parse.dictionary_ids)};
    return STATUS_OK;
}
