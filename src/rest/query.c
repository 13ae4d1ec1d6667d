/*
 * query.c — POST /v1/query: a statement in, its rows out at once.
 *
 * The body is the SQL text itself, or a JSON object {"sql": ...}; options come in the object, as query
 * parameters or as Volley-* headers. Runs on a worker, because preparing may block; the rows are then
 * streamed by stream.c. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/checked.h"
#include "base/memory.h"

/* Content types whose body is the SQL text unless it starts with '{'; curl -d sends the last one. */
static const char *const body_types[] = {"application/json", "application/sql", "text/plain",
                                         "application/x-www-form-urlencoded"};

static enum status check_content_type(const struct rest_exchange *exchange, struct error *error)
{
    struct str value = http_headers_get(&exchange->request->headers, STR("content-type"));
    struct str type = str_trim(str_split(&value, ';'));
    if (type.len == 0)
        return STATUS_OK;
    for (size_t i = 0; i < ARRAY_COUNT(body_types); i++) {
        if (str_equal_nocase(type, str_of(body_types[i])))
            return STATUS_OK;
    }
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE",
                          "content-type '%.*s' is not taken; send the statement as text/plain or "
                          "application/sql, or {\"sql\": ...} as application/json",
                          STR_ARGS(type));
}

/* The names of an option: in JSON, as a query parameter, as a header. */
struct option_names {
    const char *member;
    const char *parameter;
    const char *header;
};
static const struct option_names timeout_names = {"timeout_ms", "timeout-ms", "volley-timeout-ms"};
static const struct option_names message_names = {"max_message_bytes", "max-message-bytes",
                                                  "volley-max-message-bytes"};

/* A whole number from the JSON object, the query string or a header, in this order; 0 when absent. */
static enum status read_number(const struct rest_exchange *exchange,
                               const struct json_value *object, const struct option_names *names,
                               uint64_t *out, struct error *error)
{
    int64_t value = 0;
    bool present = false;
    if (object)
        TRY(json_member_integer(object, names->member, false, &value, &present, error));
    if (present && value <= 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "field '%s' must be above 0", names->member);
    *out = (uint64_t)value;
    if (present)
        return STATUS_OK;
    struct str text;
    if (!http_query_get(exchange->request, str_of(names->parameter), &text))
        text = http_headers_get(&exchange->request->headers, str_of(names->header));
    if (text.len == 0)
        return STATUS_OK;
    if (str_to_u64(text, out) && *out > 0)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option %s must be a whole number above 0, not '%.*s'", names->parameter,
                          STR_ARGS(text));
}

/* The fault of a JSON body is the caller's input, not SQL. */
static enum status validation_error(enum status status, struct error *error)
{
    if (status == STATUS_INVALID_ARGUMENT)
        error->code = "VALIDATION_ERROR";
    return status;
}

static enum status read_object(const struct json_value *object, struct query_spec *spec,
                               struct error *error)
{
    static const char *const known[] = {"sql", "timeout_ms", "max_message_bytes", NULL};
    if (!json_value_is_object(object))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the body must be an object {\"sql\": ...}");
    TRY(json_check_keys(object, known, error));
    return json_member_text(object, "sql", true, &spec->sql, NULL, error);
}

static enum status read_options(const struct rest_exchange *exchange,
                                const struct json_value *object, struct query_spec *spec,
                                struct error *error)
{
    uint64_t message_bytes = 0;
    TRY(read_number(exchange, object, &timeout_names, &spec->timeout_ms, error));
    TRY(read_number(exchange, object, &message_names, &message_bytes, error));
    spec->result.message_bytes_max = size_min(message_bytes, (size_t)64 << 20);
    return STATUS_OK;
}

static enum status prepare(struct rest_exchange *exchange, const struct json_value *object,
                           struct query_spec *spec, struct error *error)
{
    const struct rest_options *options = &exchange->rest->options;
    TRY(read_options(exchange, object, spec, error));
    if (str_trim(spec->sql).len == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "the statement is empty; send SQL text or {\"sql\": ...}");
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(options->engine);
    spec->session = session;
    return query_prepare(options->queries, spec, &exchange->reply.query, error);
}

enum status rest_query(struct rest_exchange *exchange, struct error *error)
{
    TRY(check_content_type(exchange, error));
    TRY(rest_negotiate(exchange, &exchange->reply.format, error));
    struct str int64_form;
    if (http_query_get(exchange->request, STR("int64"), &int64_form))
        exchange->reply.integers_as_text = str_equal(int64_form, STR("string"));

    struct query_spec spec = {
        .sql = buf_str(&exchange->body),
        .transient = true,
        .deadline_ns = CLOCK_NEVER,
        .request_id = exchange->request->id,
        .peer = exchange->request->peer,
        .door = "http",
    };
    if (!str_starts_with(str_trim(spec.sql), STR("{")))
        return prepare(exchange, NULL, &spec, error);
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    TRY(validation_error(json_parse(spec.sql, REST_BODY_BYTES_MAX, &document, error), error));
    const struct json_value *object = json_root(document);
    TRY(validation_error(read_object(object, &spec, error), error));
    return prepare(exchange, object, &spec, error);
}
