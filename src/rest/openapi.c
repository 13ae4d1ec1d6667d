/*
 * openapi.c — GET /openapi.json: the API as an OpenAPI 3.1 document, written from the table of routes.
 *
 * Paths come from the routes' patterns, parameters, bodies and answers from the tables that the routes name
 * (fields.h), the same ones that requests are held against. Objects with a name become schemas of their own.
 *
 * Runs on the loop. Owns nothing that outlives a call.
 * Spec: OpenAPI Specification 3.1.0. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/fields.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

#define SCHEMAS_MAX 128
#define NAME_BYTES_MAX 256

/* --- what every route may answer with ---------------------------------------------------------- */

static const struct rest_field fault_fields[] = {
    {.name = "loc", .type = REST_LIST, .required = true, .help = "Where: the place, then the name"},
    {.name = "msg",
     .type = REST_TEXT,
     .required = true,
     .help = "What is wrong, and what would be right"},
    {.name = "type",
     .type = REST_TEXT,
     .required = true,
     .help = "The kind of fault, for programs"},
};
static const struct rest_object fault_object = {.name = "Fault", REST_FIELDS(fault_fields)};

static const struct rest_field problem_fields[] = {
    {.name = "type", .type = REST_TEXT, .required = true},
    {.name = "title", .type = REST_TEXT, .required = true},
    {.name = "status", .type = REST_INTEGER, .required = true},
    {.name = "detail", .type = REST_TEXT, .required = true, .help = "What is wrong, for people"},
    {.name = "code", .type = REST_TEXT, .required = true, .help = "The same for programs"},
    {.name = "request_id", .type = REST_TEXT, .required = true},
    {.name = "sqlstate", .type = REST_TEXT},
    {.name = "position", .type = REST_INTEGER, .help = "Byte of the statement, from 0"},
    {.name = "line", .type = REST_INTEGER},
    {.name = "column", .type = REST_INTEGER},
    {.name = "nearest", .type = REST_TEXT, .help = "The existing name nearest to a wrong one"},
    {.name = "errors", .type = REST_LIST, .object = &fault_object},
};
static const struct rest_object problem_object = {.name = "Problem", REST_FIELDS(problem_fields)};

static const struct rest_field error_fields[] = {
    {.name = "detail", .type = REST_TEXT, .required = true, .help = "What is wrong, for people"},
    {.name = "error_code", .type = REST_TEXT, .required = true, .help = "The same for programs"},
    {.name = "timestamp", .type = REST_TIME, .required = true},
    {.name = "errors", .type = REST_LIST, .object = &fault_object},
};
static const struct rest_object error_object = {.name = "Error", REST_FIELDS(error_fields)};

static const struct rest_field column_fields[] = {
    {.name = "name", .type = REST_TEXT, .required = true},
    {.name = "type", .type = REST_TEXT, .required = true},
};
static const struct rest_object column_object = {.name = "Column", REST_FIELDS(column_fields)};
static const struct rest_field rows_fields[] = {
    {.name = "columns", .type = REST_LIST, .object = &column_object},
    {.name = "data", .type = REST_LIST, .help = "An object per row"},
    {.name = "rows", .type = REST_INTEGER},
    {.name = "statement", .type = REST_TEXT, .help = "Of one without rows: its kind"},
    {.name = "rows_changed", .type = REST_INTEGER, .nullable = true, .help = "Of one without rows"},
};
static const struct rest_object rows_object = {.name = "Rows", REST_FIELDS(rows_fields)};

/* --- schemas ----------------------------------------------------------------------------------- */

struct document {
    struct json_writer json;
    /* Named ones that were referred to. */
    struct {
        const struct rest_object *object;
        bool is_strict; /* of a request: it takes no other members */
    } schemas[SCHEMAS_MAX];
    size_t schema_count;
};

static void write_member(struct json_writer *json, const char *key, const char *text)
{
    json_write_key(json, key);
    json_write_text(json, str_of(text));
}

static void note_schema(struct document *document, const struct rest_object *object, bool is_strict)
{
    for (size_t i = 0; i < document->schema_count; i++) {
        if (strcmp(document->schemas[i].object->name, object->name) == 0)
            return;
    }
    assert(document->schema_count < SCHEMAS_MAX);
    document->schemas[document->schema_count].object = object;
    document->schemas[document->schema_count++].is_strict = is_strict;
}

static void write_object(struct document *document, const struct rest_object *object,
                         bool is_strict);

/* A reference to a named object, or the object itself. */
static void write_schema(struct document *document, const struct rest_object *object,
                         bool is_strict)
{
    struct json_writer *json = &document->json;
    if (!object->name) {
        write_object(document, object, is_strict);
        return;
    }
    char reference[NAME_BYTES_MAX];
    (void)snprintf(reference, sizeof(reference), "#/components/schemas/%s", object->name);
    note_schema(document, object, is_strict);
    json_write_begin_object(json);
    write_member(json, "$ref", reference);
    json_write_end_object(json);
}

static const char *type_name(enum rest_field_type type)
{
    static const char *const names[] = {
        [REST_TEXT] = "string",   [REST_INTEGER] = "integer", [REST_NUMBER] = "number",
        [REST_BOOL] = "boolean",  [REST_CHOICE] = "string",   [REST_TIME] = "string",
        [REST_OBJECT] = "object", [REST_LIST] = "array",
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

static void write_field_schema(struct document *document, const struct rest_field *field,
                               bool is_strict)
{
    struct json_writer *json = &document->json;
    if (field->type == REST_OBJECT && field->object && !field->nullable) {
        write_schema(document, field->object, is_strict);
        return;
    }
    json_write_begin_object(json);
    if (field->type == REST_OBJECT && field->object) {
        json_write_key(json, "anyOf");
        json_write_begin_array(json);
        write_schema(document, field->object, is_strict);
        json_write_raw(json, STR("{\"type\":\"null\"}"));
        json_write_end_array(json);
    } else {
        write_type(json, field);
    }
    if (field->type == REST_LIST && field->object) {
        json_write_key(json, "items");
        write_schema(document, field->object, is_strict);
    }
    if (field->type == REST_TIME)
        write_member(json, "format", "date-time");
    write_bounds(json, field);
    write_choices(json, field);
    write_default(json, field);
    if (field->help)
        write_member(json, "description", field->help);
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

static void write_members(struct document *document, const struct rest_object *object,
                          bool is_strict)
{
    struct json_writer *json = &document->json;
    json_write_begin_object(json);
    write_member(json, "type", "object");
    json_write_key(json, "properties");
    json_write_begin_object(json);
    for (size_t i = 0; i < object->count; i++) {
        json_write_key(json, object->fields[i].name);
        write_field_schema(document, &object->fields[i], is_strict);
    }
    json_write_end_object(json);
    write_required(json, object);
    if (is_strict) {
        json_write_key(json, "additionalProperties");
        json_write_bool(json, false);
    }
    json_write_end_object(json);
}

static void write_object(struct document *document, const struct rest_object *object,
                         bool is_strict)
{
    struct json_writer *json = &document->json;
    if (object->items_max == 0) {
        write_members(document, object, is_strict);
        return;
    }
    json_write_begin_object(json);
    write_member(json, "type", "array");
    json_write_key(json, "maxItems");
    json_write_unsigned(json, object->items_max);
    json_write_key(json, "items");
    write_members(document, object, is_strict);
    json_write_end_object(json);
}

/* --- operations -------------------------------------------------------------------------------- */

/* "/v1/datasets/{path...}" without the dots, which OpenAPI does not have. */
static struct str plain_pattern(struct arena *arena, const char *pattern)
{
    struct str text = str_of(pattern);
    if (!rest_pattern_is_open(text))
        return text;
    return arena_printf(arena, "%.*s}", (int)(text.len - strlen("...}")), text.ptr);
}

/* "get_v1_datasets_path". */
static void write_operation_id(struct document *document, struct arena *arena,
                               const struct rest_route *route)
{
    CLEANUP(buf_finish) struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    for (const char *c = route->method; *c; c++)
        buf_append_byte(&name, (uint8_t)(*c | 0x20));
    struct str pattern = plain_pattern(arena, route->pattern);
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        if (c == '{' || c == '}')
            continue;
        buf_append_byte(&name, c == '/' || c == '.' || c == '-' ? '_' : (uint8_t)c);
    }
    json_write_key(&document->json, "operationId");
    json_write_text(&document->json, buf_str(&name));
}

/* What the first segments are about: "v1/jobs" and "jobs" are told apart. */
static void write_tag(struct json_writer *json, const struct rest_route *route)
{
    struct str rest = str_slice(str_of(route->pattern), 1, SIZE_MAX);
    struct str tag = str_split(&rest, '/');
    if (str_equal(tag, STR("v1"))) {
        struct str second = str_split(&rest, '/');
        tag = str_make(tag.ptr, (size_t)(second.ptr + second.len - tag.ptr));
    }
    json_write_key(json, "tags");
    json_write_begin_array(json);
    json_write_text(json, route->is_exported || tag.len == 0 ? STR("server") : tag);
    json_write_end_array(json);
}

static void write_path_parameter(struct json_writer *json, struct str pattern)
{
    ptrdiff_t brace = str_find(pattern, '{');
    if (brace < 0)
        return;
    struct str name = str_slice(pattern, (size_t)brace + 1, (size_t)str_find(pattern, '}'));
    json_write_begin_object(json);
    json_write_key(json, "name");
    json_write_text(json, name);
    write_member(json, "in", "path");
    json_write_key(json, "required");
    json_write_bool(json, true);
    json_write_key(json, "schema");
    json_write_raw(json, STR("{\"type\":\"string\",\"minLength\":1}"));
    json_write_end_object(json);
}

static void write_parameter(struct document *document, const struct rest_field *field)
{
    struct json_writer *json = &document->json;
    struct rest_field schema = *field;
    schema.help = NULL;
    json_write_begin_object(json);
    write_member(json, "name", field->name);
    write_member(json, "in", "query");
    if (field->help)
        write_member(json, "description", field->help);
    json_write_key(json, "required");
    json_write_bool(json, field->required);
    json_write_key(json, "schema");
    write_field_schema(document, &schema, true);
    json_write_end_object(json);
}

static void write_parameters(struct document *document, struct arena *arena,
                             const struct rest_route *route)
{
    struct json_writer *json = &document->json;
    json_write_key(json, "parameters");
    json_write_begin_array(json);
    write_path_parameter(json, plain_pattern(arena, route->pattern));
    for (size_t i = 0; route->parameters && i < route->parameters->count; i++)
        write_parameter(document, &route->parameters->fields[i]);
    json_write_end_array(json);
}

/* A content of each of the types; `object` tells what is in the JSON among them. */
static void write_content(struct document *document, struct str types,
                          const struct rest_object *object, bool is_strict)
{
    struct json_writer *json = &document->json;
    json_write_key(json, "content");
    json_write_begin_object(json);
    while (types.len > 0) {
        struct str type = str_trim(str_split(&types, ','));
        char key[NAME_BYTES_MAX];
        (void)snprintf(key, sizeof(key), "%.*s", STR_ARGS(type));
        json_write_key(json, key);
        json_write_begin_object(json);
        json_write_key(json, "schema");
        if (object && str_ends_with(type, STR("json")) && !str_ends_with(type, STR("ndjson")))
            write_schema(document, object, is_strict);
        else
            json_write_raw(json, STR("{}"));
        json_write_end_object(json);
    }
    json_write_end_object(json);
}

static void write_body(struct document *document, const struct rest_route *route)
{
    struct json_writer *json = &document->json;
    if (!route->body && !route->body_types)
        return;
    struct str types = str_of(route->body_types ? route->body_types : "application/json");
    json_write_key(json, "requestBody");
    json_write_begin_object(json);
    json_write_key(json, "required");
    json_write_bool(json, true);
    write_content(document, types, route->body, route->problem_json);
    json_write_end_object(json);
}

static void write_reply_content(struct document *document, const struct rest_reply_form *form)
{
    static const struct str row_types =
        STR("application/json, application/vnd.apache.arrow.stream, "
            "application/vnd.apache.arrow.file, application/x-ndjson, text/csv, "
            "application/vnd.apache.parquet");
    if (form->is_rows)
        write_content(document, row_types, form->object ? form->object : &rows_object, false);
    else if (form->media_type)
        write_content(document, str_of(form->media_type), form->object, false);
    else if (form->object)
        write_content(document, STR("application/json"), form->object, false);
}

static void write_reply(struct document *document, const struct rest_reply_form *form)
{
    struct json_writer *json = &document->json;
    char status[16];
    (void)snprintf(status, sizeof(status), "%u", form->http_status);
    json_write_key(json, status);
    json_write_begin_object(json);
    write_member(json, "description", form->help ? form->help : "All went well");
    write_reply_content(document, form);
    json_write_end_object(json);
}

static void write_replies(struct document *document, const struct rest_route *route)
{
    static const struct rest_reply_form unknown[] = {
        {.http_status = 200, .media_type = "application/json"}, {0}};
    static const struct rest_reply_form socket[] = {
        {.http_status = 101, .help = "The conversation begins"},
        {.http_status = 400, .help = "The client's part is faulty", .media_type = "text/plain"},
        {.http_status = 426, .help = "This is a WebSocket", .media_type = "text/plain"},
        {0}};
    struct json_writer *json = &document->json;
    json_write_key(json, "responses");
    json_write_begin_object(json);
    const struct rest_reply_form *form = route->replies ? route->replies : unknown;
    form = route->is_websocket ? socket : form;
    for (; form->http_status != 0; form++)
        write_reply(document, form);
    json_write_key(json, "default");
    json_write_raw(json, route->problem_json ? STR("{\"$ref\":\"#/components/responses/Problem\"}")
                                             : STR("{\"$ref\":\"#/components/responses/Error\"}"));
    json_write_end_object(json);
}

static void write_operation(struct document *document, struct arena *arena,
                            const struct rest_route *route)
{
    struct json_writer *json = &document->json;
    char method[16];
    size_t size = 0;
    for (const char *c = route->method; *c && size + 1 < sizeof(method); c++)
        method[size++] = (char)(*c | 0x20);
    method[size] = '\0';
    json_write_key(json, method);
    json_write_begin_object(json);
    write_member(json, "summary", route->summary);
    write_operation_id(document, arena, route);
    write_tag(json, route);
    write_parameters(document, arena, route);
    write_body(document, route);
    write_replies(document, route);
    json_write_end_object(json);
}

/* Whether a route before this one has its path: then it was written with that one. */
static bool is_written(const struct rest_route *route)
{
    for (const struct rest_route *earlier = rest_routes; earlier < route; earlier++) {
        if (strcmp(earlier->pattern, route->pattern) == 0)
            return true;
    }
    return false;
}

static void write_path(struct document *document, struct arena *arena,
                       const struct rest_route *first)
{
    struct json_writer *json = &document->json;
    struct str path = plain_pattern(arena, first->pattern);
    json_write_key(json, arena_copy(arena, path).ptr);
    json_write_begin_object(json);
    const struct rest_route *end = rest_routes + rest_route_count;
    for (const struct rest_route *route = first; route < end; route++) {
        if (strcmp(route->pattern, first->pattern) == 0)
            write_operation(document, arena, route);
    }
    json_write_end_object(json);
}

/* --- the document ------------------------------------------------------------------------------ */

static void write_error_response(struct document *document, const char *name, struct str types,
                                 const struct rest_object *object)
{
    struct json_writer *json = &document->json;
    json_write_key(json, name);
    json_write_begin_object(json);
    write_member(json, "description", "What went wrong");
    write_content(document, types, object, false);
    json_write_end_object(json);
}

/* Writing a schema may refer to others, which come behind it. */
static void write_components(struct document *document)
{
    struct json_writer *json = &document->json;
    json_write_key(json, "components");
    json_write_begin_object(json);
    json_write_key(json, "responses");
    json_write_begin_object(json);
    write_error_response(document, "Problem", STR("application/problem+json"), &problem_object);
    write_error_response(document, "Error", STR("application/json"), &error_object);
    json_write_end_object(json);
    json_write_key(json, "schemas");
    json_write_begin_object(json);
    for (size_t i = 0; i < document->schema_count; i++) {
        json_write_key(json, document->schemas[i].object->name);
        write_object(document, document->schemas[i].object, document->schemas[i].is_strict);
    }
    json_write_end_object(json);
    json_write_end_object(json);
}

static void write_info(struct json_writer *json, const char *version)
{
    json_write_key(json, "info");
    json_write_begin_object(json);
    write_member(json, "title", "Volley");
    write_member(json, "version", version);
    write_member(json, "description",
                 "SQL in, Arrow out. Errors below /v1 are problem documents (RFC 9457), elsewhere "
                 "`{\"detail\", \"error_code\", \"timestamp\"}`.");
    json_write_key(json, "license");
    json_write_raw(json, STR("{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}"));
    json_write_end_object(json);
}

void rest_openapi_write(const char *version, struct arena *arena, struct buf *out)
{
    struct document document = {.schema_count = 0};
    struct json_writer *json = &document.json;
    json_writer_init(json, out);
    json_write_begin_object(json);
    write_member(json, "openapi", "3.1.0");
    write_info(json, version);
    json_write_key(json, "servers");
    json_write_raw(json, STR("[{\"url\":\"/\"}]"));
    json_write_key(json, "paths");
    json_write_begin_object(json);
    for (size_t i = 0; i < rest_route_count; i++) {
        if (!rest_routes[i].is_page && !is_written(&rest_routes[i]))
            write_path(&document, arena, &rest_routes[i]);
    }
    json_write_end_object(json);
    write_components(&document);
    json_write_end_object(json);
}

enum status rest_openapi(struct rest_exchange *exchange, struct error *error)
{
    const struct rest_options *options = &exchange->rest->options;
    TRY(rest_docs_check(exchange, error));
    rest_add_header(exchange, STR("cache-control"), STR("no-cache"));
    rest_openapi_write(options->version, &exchange->arena, &exchange->reply.text);
    return STATUS_OK;
}
