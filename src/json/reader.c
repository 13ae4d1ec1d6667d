/*
 * reader.c — JSON in, by jansson, behind limits on size, depth and number of values.
 *
 * jansson's own depth limit is far above ours and it has none for the number of values, each of which
 * costs it some 100 bytes; so brackets and commas are counted before it parses. A json_value is a
 * jansson value under a name of our own.
 *
 * Runs on: one thread at a time. Owns: the document. Not done here: numbers beyond int64 and double;
 * jansson refuses them.
 * Spec: RFC 8259. SPDX-License-Identifier: Apache-2.0
 */
#include "json/reader.h"

#include "base/buf.h"
#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

struct json_document {
    json_t *root;
};

static const json_t *jansson(const struct json_value *value)
{
    return (const json_t *)value;
}

struct shape {
    size_t depth;  /* the deepest nesting of brackets */
    size_t values; /* at least as many as there are */
};

/* Counts outside of strings; malformed text has some shape as well. */
static struct shape measure(struct str text)
{
    struct shape shape = {.depth = 0, .values = 1};
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (in_string) {
            i += byte == '\\';
            in_string = byte != '"';
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            shape.values++;
            shape.depth = size_max(shape.depth, ++depth);
        } else if (byte == ',') {
            shape.values++;
        } else if ((byte == '}' || byte == ']') && depth > 0) {
            depth--;
        }
    }
    return shape;
}

static enum status check_limits(struct str text, size_t text_size_max, struct error *error)
{
    if (text.len > text_size_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "the JSON text exceeds %zu bytes",
                         text_size_max);
    struct shape shape = measure(text);
    if (shape.depth > JSON_DEPTH_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the JSON text is nested deeper than %d",
                         JSON_DEPTH_MAX);
    if (shape.values > JSON_VALUES_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "the JSON text has more than %d values",
                         JSON_VALUES_MAX);
    return STATUS_OK;
}

enum status json_parse(struct str text, size_t text_size_max, struct json_document **out_document,
                       struct error *error)
{
    TRY(check_limits(text, text_size_max, error));
    json_error_t fault;
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
    if (!root)
        return error_set(error, STATUS_INVALID_ARGUMENT, "malformed JSON at line %d, column %d: %s",
                         fault.line, fault.column, fault.text);
    struct json_document *document = NEW(struct json_document);
    document->root = root;
    *out_document = document;
    return STATUS_OK;
}

void json_document_destroy(struct json_document *document)
{
    if (!document)
        return;
    json_decref(document->root);
    free(document);
}

const struct json_value *json_root(const struct json_document *document)
{
    return (const struct json_value *)document->root;
}

bool json_value_is_object(const struct json_value *value)
{
    return value && json_typeof(jansson(value)) == JSON_OBJECT;
}

bool json_value_is_array(const struct json_value *value)
{
    return value && json_typeof(jansson(value)) == JSON_ARRAY;
}

const struct json_value *json_member(const struct json_value *object, const char *key)
{
    return (const struct json_value *)json_object_get(jansson(object), key);
}

/* The member of the wanted type; *out_value NULL when it is absent and may be. */
static enum status find_member(const struct json_value *object, const char *key, bool required,
                               bool (*is_type)(const json_t *value), const char *type_name,
                               const json_t **out_value, bool *out_present, struct error *error)
{
    const json_t *value = json_object_get(jansson(object), key);
    bool present = value && json_typeof(value) != JSON_NULL;
    if (!present && required)
        return error_set(error, STATUS_INVALID_ARGUMENT, "field '%s' is required", key);
    if (present && !is_type(value))
        return error_set(error, STATUS_INVALID_ARGUMENT, "field '%s' must be %s", key, type_name);
    if (out_present)
        *out_present = present;
    *out_value = present ? value : NULL;
    return STATUS_OK;
}

static bool is_text(const json_t *value)
{
    return json_typeof(value) == JSON_STRING;
}

static bool is_integer(const json_t *value)
{
    return json_typeof(value) == JSON_INTEGER;
}

static bool is_bool(const json_t *value)
{
    return json_typeof(value) == JSON_TRUE || json_typeof(value) == JSON_FALSE;
}

enum status json_member_text(const struct json_value *object, const char *key, bool required,
                             struct str *out, bool *out_present, struct error *error)
{
    const json_t *value = NULL;
    TRY(find_member(object, key, required, is_text, "a string", &value, out_present, error));
    if (value)
        *out = str_make(json_string_value(value), json_string_length(value));
    return STATUS_OK;
}

enum status json_member_integer(const struct json_value *object, const char *key, bool required,
                                int64_t *out, bool *out_present, struct error *error)
{
    const json_t *value = NULL;
    TRY(find_member(object, key, required, is_integer, "a whole number", &value, out_present,
                    error));
    if (value)
        *out = json_integer_value(value);
    return STATUS_OK;
}

static bool is_number(const json_t *value)
{
    return is_integer(value) || json_typeof(value) == JSON_REAL;
}

enum status json_member_double(const struct json_value *object, const char *key, bool required,
                               double *out, bool *out_present, struct error *error)
{
    const json_t *value = NULL;
    TRY(find_member(object, key, required, is_number, "a number", &value, out_present, error));
    if (value)
        *out = json_number_value(value);
    return STATUS_OK;
}

enum status json_member_bool(const struct json_value *object, const char *key, bool required,
                             bool *out, bool *out_present, struct error *error)
{
    const json_t *value = NULL;
    TRY(find_member(object, key, required, is_bool, "true or false", &value, out_present, error));
    if (value)
        *out = json_typeof(value) == JSON_TRUE;
    return STATUS_OK;
}

size_t json_value_count(const struct json_value *array)
{
    return json_value_is_array(array) ? json_array_size(jansson(array)) : 0;
}

const struct json_value *json_value_at(const struct json_value *array, size_t index)
{
    return (const struct json_value *)json_array_get(jansson(array), index);
}

bool json_value_text(const struct json_value *value, struct str *out)
{
    if (!value || !is_text(jansson(value)))
        return false;
    *out = str_make(json_string_value(jansson(value)), json_string_length(jansson(value)));
    return true;
}

bool json_value_integer(const struct json_value *value, int64_t *out)
{
    if (!value || !is_integer(jansson(value)))
        return false;
    *out = json_integer_value(jansson(value));
    return true;
}

bool json_value_number(const struct json_value *value, double *out)
{
    if (!value || !is_number(jansson(value)))
        return false;
    *out = json_number_value(jansson(value));
    return true;
}

bool json_value_bool(const struct json_value *value, bool *out)
{
    if (!value || !is_bool(jansson(value)))
        return false;
    *out = json_typeof(jansson(value)) == JSON_TRUE;
    return true;
}

char *json_value_print(const struct json_value *value)
{
    char *text = json_dumps(jansson(value), JSON_COMPACT | JSON_ENCODE_ANY);
    assert(text);
    return text;
}

bool json_value_is_null(const struct json_value *value)
{
    return value && json_typeof(jansson(value)) == JSON_NULL;
}

void json_visit_members(const struct json_value *object, void (*visit)(void *context, struct str),
                        void *context)
{
    const char *key;
    size_t size;
    json_t *value;
    json_object_keylen_foreach((json_t *)object, key, size, value)
        visit(context, str_make(key, size));
}

static bool is_known(const char *key, const char *const known[])
{
    for (size_t i = 0; known[i]; i++) {
        if (str_equal(str_of(known[i]), str_of(key)))
            return true;
    }
    return false;
}

enum status json_check_keys(const struct json_value *object, const char *const known[],
                            struct error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (is_known(key, known))
            continue;
        CLEANUP(buf_finish) struct buf names;
        buf_init(&names, 1024);
        for (size_t i = 0; known[i]; i++)
            buf_printf(&names, "%s%s", i ? ", " : "", known[i]);
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "unknown field '%s'; known fields are %.*s", key,
                         STR_ARGS(buf_str(&names)));
    }
    return STATUS_OK;
}
