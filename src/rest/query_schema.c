/*
 * query_schema.c — POST /query/schema and POST /query/metadata: what a statement would answer, not executed.
 *
 * Runs on workers: preparing may block. Owns nothing. Contracts section 3.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/job_view.h"
#include "rest/query_service.h"

static const struct rest_field schema_fields[] = {
    {.name = "columns", .type = REST_LIST, .required = true, .object = &rest_columns_object},
};
static const struct rest_object schema_object = {.name = "QuerySchema", REST_FIELDS(schema_fields)};
const struct rest_reply_form rest_query_schema_replies[] = {
    {.http_status = 200, .help = "the columns", .object = &schema_object},
    {0},
};

static const struct rest_field metadata_fields[] = {
    {.name = "columns", .type = REST_LIST, .required = true, .object = &rest_columns_object},
    {.name = "num_rows", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "num_columns", .type = REST_INTEGER, .required = true},
    {.name = "cached", .type = REST_BOOL, .required = true},
    {.name = "file_size", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "last_modified", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "key",
     .type = REST_TEXT,
     .required = true,
     .help = "of the object: query-cache/<sha256>.arrow or .json.gz"},
};
static const struct rest_object metadata_object = {.name = "QueryMetadata",
                                                   REST_FIELDS(metadata_fields)};
const struct rest_reply_form rest_query_metadata_replies[] = {
    {.http_status = 200, .help = "the columns, and what is cached", .object = &metadata_object},
    {0},
};

/* Prepares the statement of the body, whose columns have to be known before it runs. */
static enum status prepare(struct rest_exchange *exchange, struct rest_sql_request *request,
                           struct engine_statement **out_statement, struct error *error)
{
    static const struct engine_result_options options = {0};
    TRY(rest_request_read(exchange, NULL, request, error));
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(exchange->rest->options.engine);
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(engine_prepare(session, request->sql, &options, &statement, error));
    if (engine_statement_is_late(statement))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the columns are known only once the statements before the last one "
                              "have run; ask for them one by one");
    if (engine_statement_kind(statement) == STATEMENT_QUERY &&
        engine_statement_parameter_count(statement) > 0 &&
        engine_statement_schema(statement)->field_count == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the columns depend on parameters, which have no values here: cast "
                              "them to what they are, as in $1::INTEGER");
    *out_statement = STEAL(statement);
    return STATUS_OK;
}

enum status rest_query_schema(struct rest_exchange *exchange, struct error *error)
{
    struct rest_sql_request request = {0};
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(prepare(exchange, &request, &statement, error));
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "columns");
    rest_write_columns(&json, engine_statement_schema(statement));
    json_write_end_object(&json);
    return STATUS_OK;
}

/* --- POST /query/metadata ---------------------------------------------------------------------- */

enum status rest_query_metadata(struct rest_exchange *exchange, struct error *error)
{
    static const struct engine_result_options options = {0};
    struct rest_sql_request request = {0};
    struct cache_key key;
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(prepare(exchange, &request, &statement, error));
    struct arrow_schema *schema = engine_statement_schema(statement);
    cache_key_make(request.sql, STR_EMPTY, &options, NULL, &key);
    CLEANUP(result_unref) struct result *result = cache_find(exchange->rest->options.cache, &key);
    struct result_facts facts = {.format = STR("arrow")};
    if (result)
        result_facts(result, &facts);
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "columns");
    rest_write_columns(&json, schema);
    json_write_integer_or_null(&json, "num_rows", facts.rows, result);
    json_write_key(&json, "num_columns");
    json_write_unsigned(&json, schema->field_count);
    json_write_key(&json, "cached");
    json_write_bool(&json, result);
    json_write_integer_or_null(&json, "file_size", facts.bytes, result);
    json_write_time_or_null(&json, "last_modified", facts.completed_us);
    json_write_key(&json, "key");
    json_write_text(&json, cache_object_name(&exchange->arena, &key, facts.format));
    json_write_end_object(&json);
    return STATUS_OK;
}
