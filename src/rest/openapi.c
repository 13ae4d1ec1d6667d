/*
 * openapi.c — GET /openapi.json: the API as an OpenAPI 3.1 document, written from the table of routes.
 *
 * Paths come from the routes' patterns, parameters, bodies and answers from the tables that the routes name
 * (fields.h), the same ones that requests are held against. Objects with a name become schemas of their own.
 *
 * Runs on the loop. Owns nothing that outlives a call.
 * Spec: OpenAPI Specification 3.1.0. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/openapi.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

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
static void write_operation_id(struct openapi *document, struct arena *arena,
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
    openapi_write_member(json, "in", "path");
    json_write_key(json, "required");
    json_write_bool(json, true);
    json_write_key(json, "schema");
    json_write_raw(json, STR("{\"type\":\"string\",\"minLength\":1}"));
    json_write_end_object(json);
}

static void write_parameter(struct openapi *document, const struct rest_field *field)
{
    struct json_writer *json = &document->json;
    struct rest_field schema = *field;
    schema.help = NULL;
    json_write_begin_object(json);
    openapi_write_member(json, "name", field->name);
    openapi_write_member(json, "in", "query");
    if (field->help)
        openapi_write_member(json, "description", field->help);
    json_write_key(json, "required");
    json_write_bool(json, field->required);
    json_write_key(json, "schema");
    openapi_write_field(document, &schema, OPENAPI_REPLY);
    json_write_end_object(json);
}

static void write_parameters(struct openapi *document, struct arena *arena,
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

/* Rows as JSON are an object; a reply may be another one as well. */
static void write_rows_schema(struct openapi *document, const struct rest_object *other)
{
    struct json_writer *json = &document->json;
    if (!other) {
        openapi_write_schema(document, &rows_object, OPENAPI_REPLY);
        return;
    }
    json_write_begin_object(json);
    json_write_key(json, "anyOf");
    json_write_begin_array(json);
    openapi_write_schema(document, other, OPENAPI_REPLY);
    openapi_write_schema(document, &rows_object, OPENAPI_REPLY);
    json_write_end_array(json);
    json_write_end_object(json);
}

/* A content of each of the types; `object` tells what is in the JSON among them. */
static void write_content(struct openapi *document, struct str types,
                          const struct rest_object *object, enum openapi_place place)
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
            openapi_write_schema(document, object, place);
        else
            json_write_raw(json, STR("{}"));
        json_write_end_object(json);
    }
    json_write_end_object(json);
}

static void write_body(struct openapi *document, const struct rest_route *route)
{
    struct json_writer *json = &document->json;
    if (!route->body && !route->body_types)
        return;
    struct str types = str_of(route->body_types ? route->body_types : "application/json");
    json_write_key(json, "requestBody");
    json_write_begin_object(json);
    json_write_key(json, "required");
    json_write_bool(json, true);
    write_content(document, types, route->body,
                  route->problem_json ? OPENAPI_STRICT_REQUEST : OPENAPI_REQUEST);
    json_write_end_object(json);
}

static void write_rows_content(struct openapi *document, const struct rest_object *other)
{
    static const char *const types[] = {"application/vnd.apache.arrow.stream",
                                        "application/vnd.apache.arrow.file", "application/x-ndjson",
                                        "text/csv", "application/vnd.apache.parquet"};
    struct json_writer *json = &document->json;
    json_write_key(json, "content");
    json_write_begin_object(json);
    json_write_key(json, "application/json");
    json_write_begin_object(json);
    json_write_key(json, "schema");
    write_rows_schema(document, other);
    json_write_end_object(json);
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        json_write_key(json, types[i]);
        json_write_raw(json, STR("{\"schema\":{}}"));
    }
    json_write_end_object(json);
}

static void write_reply_content(struct openapi *document, const struct rest_reply_form *form)
{
    if (form->is_rows)
        write_rows_content(document, form->object);
    else if (form->media_type)
        write_content(document, str_of(form->media_type), form->object, OPENAPI_REPLY);
    else if (form->object)
        write_content(document, STR("application/json"), form->object, OPENAPI_REPLY);
}

static void write_reply(struct openapi *document, const struct rest_reply_form *form)
{
    struct json_writer *json = &document->json;
    char status[16];
    (void)snprintf(status, sizeof(status), "%u", form->http_status);
    json_write_key(json, status);
    json_write_begin_object(json);
    openapi_write_member(json, "description", form->help ? form->help : "All went well");
    write_reply_content(document, form);
    json_write_end_object(json);
}

static void write_replies(struct openapi *document, const struct rest_route *route)
{
    static const struct rest_reply_form unknown[] = {
        {.http_status = 200, .media_type = "application/json"}, {0}};
    static const struct rest_reply_form socket[] = {
        {.http_status = 101, .help = "The conversation begins"},
        {.http_status = 400,
         .help = "The client's part is faulty",
         .media_type = "application/json"},
        {.http_status = 426, .help = "This is a WebSocket", .media_type = "application/json"},
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

static void write_operation(struct openapi *document, struct arena *arena,
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
    openapi_write_member(json, "summary", route->summary);
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

static void write_path(struct openapi *document, struct arena *arena,
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

static void write_error_response(struct openapi *document, const char *name, struct str types,
                                 const struct rest_object *object)
{
    struct json_writer *json = &document->json;
    json_write_key(json, name);
    json_write_begin_object(json);
    openapi_write_member(json, "description", "What went wrong");
    write_content(document, types, object, OPENAPI_REPLY);
    json_write_end_object(json);
}

static void write_components(struct openapi *document)
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
    openapi_write_schemas(document);
    json_write_end_object(json);
}

static void write_info(struct json_writer *json, const char *version)
{
    json_write_key(json, "info");
    json_write_begin_object(json);
    openapi_write_member(json, "title", "Volley");
    openapi_write_member(json, "version", version);
    openapi_write_member(
        json, "description",
        "SQL in, Arrow out. Errors below /v1 are problem documents (RFC 9457), elsewhere "
        "`{\"detail\", \"error_code\", \"timestamp\"}`.");
    json_write_key(json, "license");
    json_write_raw(json, STR("{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}"));
    json_write_end_object(json);
}

void rest_openapi_write(const char *version, struct arena *arena, struct buf *out)
{
    struct openapi document = {.schema_count = 0};
    struct json_writer *json = &document.json;
    json_writer_init(json, out);
    json_write_begin_object(json);
    openapi_write_member(json, "openapi", "3.1.0");
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
