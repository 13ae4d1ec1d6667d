/*
 * openapi_schema.c — the tables of fields.h as JSON Schema, for the OpenAPI document.
 *
 * Objects with a name become schemas of their own, written once and referred to. Runs on the loop. Owns
 * nothing. Spec: JSON Schema 2020-12. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/openapi.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

#define NAME_BYTES_MAX 256

void openapi_write_member(struct json_writer *json, const char *key, const char *text)
{
    json_write_key(json, key);
    json_write_text(json, str_of(text));
}

static void note_schema(struct openapi *document, const struct rest_object *object,
                        enum openapi_place place)
{
    for (size_t i = 0; i < document->schema_count; i++) {
        if (strcmp(document->schemas[i].object->name, object->name) == 0)
            return;
    }
    assert(document->schema_count < OPENAPI_SCHEMAS_MAX);
    document->schemas[document->schema_count].object = object;
    document->schemas[document->schema_count++].place = place;
}

static void write_object(struct openapi *document, const struct rest_object *object,
                         enum openapi_place place);

void openapi_write_schema(struct openapi *document, const struct rest_object *object,
                          enum openapi_place place)
{
    struct json_writer *json = &document->json;
    if (!object->name) {
        write_object(document, object, place);
        return;
    }
    char reference[NAME_BYTES_MAX];
    (void)snprintf(reference, sizeof(reference), "#/components/schemas/%s", object->name);
    note_schema(document, object, place);
    json_write_begin_object(json);
    openapi_write_member(json, "$ref", reference);
    json_write_end_object(json);
}

static const char *type_name(enum rest_field_type type)
{
    static const char *const names[] = {
        [REST_TEXT] = "string",  [REST_INTEGER] = "integer", [REST_NUMBER] = "number",
        [REST_BOOL] = "boolean", [REST_CHOICE] = "string",   [REST_FORMAT] = "string",
        [REST_TIME] = "string",  [REST_OBJECT] = "object",   [REST_LIST] = "array",
    };
    return type < ARRAY_COUNT(names) ? names[type] : NULL;
}

static void write_type(struct json_writer *json, const struct rest_field *field)
{
    const char *name = type_name(field->type);
    if (!name)
        return;
    json_write_key(json, "type");
    if (!field->nullable) {
        json_write_text(json, str_of(name));
        return;
    }
    json_write_begin_array(json);
    json_write_text(json, str_of(name));
    json_write_text(json, STR("null"));
    json_write_end_array(json);
}

static void write_bounds(struct json_writer *json, const struct rest_field *field)
{
    bool is_text = field->type == REST_TEXT;
    bool has_bounds = field->min != 0 || field->max != 0;
    if (!has_bounds || (!is_text && field->type != REST_INTEGER && field->type != REST_NUMBER))
        return;
    json_write_key(json, is_text ? "minLength" : "minimum");
    json_write_integer(json, field->min);
    if (field->max < field->min || field->max == INT64_MAX)
        return;
    json_write_key(json, is_text ? "maxLength" : "maximum");
    json_write_integer(json, field->max);
}

static void write_choices(struct json_writer *json, const struct rest_field *field)
{
    if (!field->choices)
        return;
    json_write_key(json, "enum");
    json_write_begin_array(json);
    for (size_t i = 0; field->choices[i]; i++)
        json_write_text(json, str_of(field->choices[i]));
    if (field->nullable)
        json_write_null(json);
    json_write_end_array(json);
}

static void write_default(struct json_writer *json, const struct rest_field *field)
{
    if (!field->fallback)
        return;
    json_write_key(json, "default");
    if (field->type == REST_TEXT || field->type == REST_CHOICE)
        json_write_text(json, str_of(field->fallback));
    else
        json_write_raw(json, str_of(field->fallback));
}

void openapi_write_field(struct openapi *document, const struct rest_field *field,
                         enum openapi_place place)
{
    struct json_writer *json = &document->json;
    if (field->type == REST_OBJECT && field->object && !field->nullable) {
        openapi_write_schema(document, field->object, place);
        return;
    }
    json_write_begin_object(json);
    if (field->type == REST_OBJECT && field->object) {
        json_write_key(json, "anyOf");
        json_write_begin_array(json);
        openapi_write_schema(document, field->object, place);
        json_write_raw(json, STR("{\"type\":\"null\"}"));
        json_write_end_array(json);
    } else {
        write_type(json, field);
    }
    if (field->type == REST_LIST && field->object) {
        json_write_key(json, "items");
        openapi_write_schema(document, field->object, place);
    }
    if (field->type == REST_TIME)
        openapi_write_member(json, "format", "date-time");
    write_bounds(json, field);
    write_choices(json, field);
    write_default(json, field);
    if (field->help)
        openapi_write_member(json, "description", field->help);
    if (field->example) {
        json_write_key(json, "examples");
        json_write_begin_array(json);
        json_write_raw(json, str_of(field->example));
        json_write_end_array(json);
    }
    json_write_end_object(json);
}

static void write_required(struct json_writer *json, const struct rest_object *object)
{
    size_t count = 0;
    for (size_t i = 0; i < object->count; i++)
        count += object->fields[i].required;
    if (count == 0)
        return;
    json_write_key(json, "required");
    json_write_begin_array(json);
    for (size_t i = 0; i < object->count; i++) {
        if (object->fields[i].required)
            json_write_text(json, str_of(object->fields[i].name));
    }
    json_write_end_array(json);
}

/* A member of an object: what a request need not have may be null. */
static void write_own_field(struct openapi *document, const struct rest_field *field,
                            enum openapi_place place)
{
    struct rest_field own = *field;
    own.nullable |= place != OPENAPI_REPLY && !field->required;
    openapi_write_field(document, &own, place);
}

static void write_members(struct openapi *document, const struct rest_object *object,
                          enum openapi_place place)
{
    struct json_writer *json = &document->json;
    json_write_begin_object(json);
    openapi_write_member(json, "type", "object");
    json_write_key(json, "properties");
    json_write_begin_object(json);
    for (size_t i = 0; i < object->count; i++) {
        json_write_key(json, object->fields[i].name);
        write_own_field(document, &object->fields[i], place);
    }
    json_write_end_object(json);
    write_required(json, object);
    if (place == OPENAPI_STRICT_REQUEST) {
        json_write_key(json, "additionalProperties");
        json_write_bool(json, false);
    }
    json_write_end_object(json);
}

static void write_object(struct openapi *document, const struct rest_object *object,
                         enum openapi_place place)
{
    struct json_writer *json = &document->json;
    if (object->items_max == 0) {
        write_members(document, object, place);
        return;
    }
    json_write_begin_object(json);
    openapi_write_member(json, "type", "array");
    json_write_key(json, "maxItems");
    json_write_unsigned(json, object->items_max);
    json_write_key(json, "items");
    write_members(document, object, place);
    json_write_end_object(json);
}

/* Writing one may refer to others, which come behind it. */
void openapi_write_schemas(struct openapi *document)
{
    struct json_writer *json = &document->json;
    json_write_begin_object(json);
    for (size_t i = 0; i < document->schema_count; i++) {
        json_write_key(json, document->schemas[i].object->name);
        write_object(document, document->schemas[i].object, document->schemas[i].place);
    }
    json_write_end_object(json);
}
