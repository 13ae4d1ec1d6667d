/*
 * time_zones.c — the values of the type TIME_ZONE: a dictionary that all zone columns share.
 *
 * Made once when the engine is opened, constant afterwards. Owns the dictionary's batch; the names lie
 * in it. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/type.h"

struct arrow_batch *dictionary_of_texts(const struct str *texts, size_t count)
{
    struct builder_limits limits = {.rows_max = count + 1, .bytes_max = SIZE_MAX};
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("value"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    struct builder_column *column = batch_builder_column(builder, 0);
    for (size_t i = 0; i < count; i++)
        builder_append_bytes(column, texts[i]);
    return batch_builder_seal(builder);
}

void time_zones_init(struct time_zones *zones, const struct str *names, size_t count)
{
    zones->dictionary = dictionary_of_texts(names, count);
    zones->names = NEW_ARRAY(struct str, count + 1);
    zones->count = count;
    const int32_t *offsets = (const int32_t *)zones->dictionary->buffers[1].ptr;
    const uint8_t *bytes = zones->dictionary->buffers[2].ptr;
    for (size_t i = 0; i < count; i++)
        zones->names[i] = str_make(bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
}

void time_zones_finish(struct time_zones *zones)
{
    arrow_batch_unref(zones->dictionary);
    free(zones->names);
    *zones = (struct time_zones){0};
}

struct str time_zones_find(const struct time_zones *zones, struct str name)
{
    for (size_t i = 0; i < zones->count; i++)
        if (str_equal_nocase(zones->names[i], name))
            return zones->names[i];
    return STR_EMPTY;
}

bool enum_value_is(duckdb_logical_type type, size_t index, struct str name)
{
    char *value = duckdb_enum_dictionary_value(type, index);
    bool same = str_equal(str_of(value), name);
    duckdb_free(value);
    return same;
}

bool time_zones_match(const struct time_zones *zones, duckdb_logical_type type)
{
    size_t count = duckdb_enum_dictionary_size(type);
    if (!zones->dictionary || count != zones->count)
        return false;
    return enum_value_is(type, 0, zones->names[0]) &&
           enum_value_is(type, count / 2, zones->names[count / 2]) &&
           enum_value_is(type, count - 1, zones->names[count - 1]);
}
