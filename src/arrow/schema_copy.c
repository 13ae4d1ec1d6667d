/*
 * schema_copy.c — schemas made of other schemas: copied, with other dictionaries, with fewer fields.
 *
 * Fields are copied deeply, so that each schema owns its texts. Any thread: the schemas copied from are
 * sealed. Owns what it makes until it is handed over. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/schema.h"

#include "arrow/batch.h"
#include "base/memory.h"

#include <assert.h>

static const struct arrow_key_value *copy_pairs(struct arrow_schema *schema,
                                                const struct arrow_key_value *from, size_t count)
{
    if (count == 0)
        return NULL;
    struct arrow_key_value *pairs = ARENA_NEW_ARRAY(&schema->arena, struct arrow_key_value, count);
    for (size_t i = 0; i < count; i++) {
        pairs[i].key = arena_copy(&schema->arena, from[i].key);
        pairs[i].value = arena_copy(&schema->arena, from[i].value);
    }
    return pairs;
}

void arrow_field_copy(struct arrow_schema *schema, struct arrow_field *field,
                      const struct arrow_field *from)
{
    *field = *from;
    field->name = arena_copy(&schema->arena, from->name);
    field->timezone = arena_copy(&schema->arena, from->timezone);
    field->metadata = copy_pairs(schema, from->metadata, from->metadata_count);
    if (from->type_ids && from->child_count > 0) {
        int32_t *type_ids = ARENA_NEW_ARRAY(&schema->arena, int32_t, from->child_count);
        memcpy(type_ids, from->type_ids, from->child_count * sizeof(*type_ids));
        field->type_ids = type_ids;
    }
    arrow_field_add_children(schema, field, from->child_count);
    for (size_t i = 0; i < from->child_count; i++)
        arrow_field_copy(schema, &field->children[i], &from->children[i]);
}

static void copy_schema_metadata(struct arrow_schema *schema, const struct arrow_schema *from)
{
    schema->metadata = copy_pairs(schema, from->metadata, from->metadata_count);
    schema->metadata_count = from->metadata_count;
}

struct arrow_schema *arrow_schema_with_dictionaries(const struct arrow_schema *schema,
                                                    struct arrow_batch *const *dictionaries)
{
    struct arrow_schema *copy = arrow_schema_create(schema->field_count);
    for (size_t i = 0; i < schema->field_count; i++)
        arrow_field_copy(copy, &copy->fields[i], &schema->fields[i]);
    copy_schema_metadata(copy, schema);
    size_t count = schema->dictionary_count;
    struct arrow_batch **kept = NEW_ARRAY(struct arrow_batch *, count + 1);
    for (size_t i = 0; i < count; i++)
        kept[i] = arrow_batch_ref(dictionaries[i]);
    arrow_schema_seal(copy, kept);
    free(kept);
    return copy;
}

size_t arrow_field_dictionaries(const struct arrow_schema *schema, const struct arrow_field *field,
                                struct arrow_batch **out)
{
    size_t count = 0;
    for (size_t i = 0; i < field->child_count; i++)
        count += arrow_field_dictionaries(schema, &field->children[i], out + count);
    if (field->is_dictionary)
        out[count++] = arrow_batch_ref(schema->dictionaries[field->dictionary_index]);
    return count;
}

struct arrow_schema *arrow_schema_project(const struct arrow_schema *schema, const size_t *columns,
                                          size_t count)
{
    struct arrow_schema *part = arrow_schema_create(count);
    struct arrow_batch **dictionaries =
        NEW_ARRAY(struct arrow_batch *, schema->dictionary_count + 1);
    bool *taken = NEW_ARRAY(bool, schema->field_count + 1);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        assert(columns[i] < schema->field_count && !taken[columns[i]]);
        taken[columns[i]] = true;
        const struct arrow_field *field = &schema->fields[columns[i]];
        arrow_field_copy(part, &part->fields[i], field);
        found += arrow_field_dictionaries(schema, field, dictionaries + found);
    }
    free(taken);
    copy_schema_metadata(part, schema);
    arrow_schema_seal(part, dictionaries);
    free(dictionaries);
    return part;
}
