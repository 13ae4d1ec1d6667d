/*
 * query.c — POST /v1/query: a statement in, its rows out at once.
 *
 * The body is the SQL text itself, or a JSON object {"sql": ...}; options come in the object, as query
 * parameters or as Volley-* headers. Parameters that nothing here reads are refused. Runs on a worker,
 * because preparing may block; the rows are then streamed by stream.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/memory.h"
#include "engine/gate.h"
#include "engine/result_options.h"

/* Content types whose body is the SQL text unless it starts with '{'; curl -d sends the last one. */
static const char *const body_types[] = {"application/json", "application/sql", "text/plain",
                                         "application/x-www-form-urlencoded"};

static enum status check_content_type(const struct rest_exchange *exchange, struct error *error)
{
    struct str value = http_headers_get(&exchange->input->headers, STR("content-type"));
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

/* Query parameters beside the options of runs, results and sessions. */
static const char *const parameter_names[] = {"engine", "format", "int64", "keep"};

static enum status check_parameters(const struct http_request *input, struct error *error)
{
    const struct {
        const char *const *names;
        size_t count;
    } parts[] = {
        {parameter_names, ARRAY_COUNT(parameter_names)},
        {run_option_names, run_option_count},
        {result_option_names, result_option_count},
        {session_option_names, ENGINE_SESSION_SETTING_COUNT},
    };
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        count += parts[i].count;
    const char **names = ARENA_NEW_ARRAY(input->arena, const char *, count);
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_COUNT(parts); at += parts[i++].count)
        memcpy(names + at, parts[i].names, parts[i].count * sizeof(*names));
    return rest_check_parameters(input, names, count, error);
}

/* Whether the result is to stay for GET /v1/queries/{id}/result. */
static enum status read_keep(const struct rest_exchange *exchange, bool *out_keep,
                             struct error *error)
{
    struct str text = rest_option(exchange, "keep");
    *out_keep = str_equal_nocase(text, STR("true"));
    if (*out_keep || text.len == 0 || str_equal_nocase(text, STR("false")))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option keep takes true or false, not '%.*s'", STR_ARGS(text));
}

static struct str option_text(const void *exchange, const char *name)
{
    return rest_option(exchange, name);
}

static enum status read_options(const struct rest_exchange *exchange, struct query_spec *spec,
                                struct error *error)
{
    const struct option_source source = {option_text, exchange};
    TRY(result_options_read(&source, &spec->result, error));
    return run_options_read(&source, spec, error);
}

/* The fault of a JSON body is the caller's input, not SQL. */
static enum status validation_error(enum status status, struct error *error)
{
    if (status == STATUS_INVALID_ARGUMENT)
        error->code = "VALIDATION_ERROR";
    return status;
}

static enum status read_object(const struct json_value *object, struct query_spec *spec,
                               struct str *out_format, struct str *out_engine, struct error *error)
{
    static const char *const known[] = {"sql", "format", "timeout_ms", "engine", NULL};
    if (!json_value_is_object(object))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the body must be an object {\"sql\": ...}");
    TRY(json_check_keys(object, known, error));
    TRY(json_member_text(object, "sql", true, &spec->sql, NULL, error));
    TRY(json_member_text(object, "format", false, out_format, NULL, error));
    bool has_engine = false;
    struct str engine = STR_EMPTY;
    TRY(json_member_text(object, "engine", false, &engine, &has_engine, error));
    if (has_engine)
        *out_engine = engine;
    int64_t timeout_ms = 0;
    bool present = false;
    TRY(json_member_integer(object, "timeout_ms", false, &timeout_ms, &present, error));
    if (present && timeout_ms <= 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "field 'timeout_ms' must be above 0");
    if (present)
        spec->timeout_ms = (uint64_t)timeout_ms;
    return STATUS_OK;
}

/* A request is a session: what it leaves open is lost, which its client would not notice. */
static enum status check_transaction(const struct engine_statement *statement, struct error *error)
{
    if (!engine_statement_leaves_transaction(statement))
        return STATUS_OK;
    return error_set_code(
        error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
        "the text begins a transaction and does not end it: a transaction lives no "
        "longer than its request; add COMMIT, or use Flight SQL");
}

static enum status prepare_remote(struct rest_exchange *exchange, struct query_spec *spec,
                                  struct error *error)
{
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        if (option_text(exchange, session_option_names[i]).len > 0)
            return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                                  "option %s is not one of the engine %s", session_option_names[i],
                                  spec->remote->name);
    TRY(spec->remote->methods->check(spec->remote, error));
    TRY(query_prepare(exchange->rest->options.queries, spec, &exchange->reply.query, error));
    if (query_kind(exchange->reply.query) != STATEMENT_QUERY)
        exchange->reply.keep_result = false;
    return STATUS_OK;
}

static enum status prepare(struct rest_exchange *exchange, struct query_spec *spec,
                           struct error *error)
{
    const struct rest_options *options = &exchange->rest->options;
    if (str_trim(spec->sql).len == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "the statement is empty; send SQL text or {\"sql\": ...}");
    if (spec->remote)
        return prepare_remote(exchange, spec, error);
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(options->engine);
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++) {
        struct str text = rest_option(exchange, session_option_names[i]);
        if (text.len > 0)
            TRY(engine_session_set(session, (enum engine_session_setting)i, text, error));
    }
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(engine_prepare(session, spec->sql, &spec->result, &statement, error));
    TRY(check_transaction(statement, error));
    spec->session = session;
    spec->statement = statement;
    TRY(query_prepare(options->queries, spec, &exchange->reply.query, error));
    (void)STEAL(statement);
    /* A statement without rows leaves nothing to be kept. */
    if (query_schema_is_known(exchange->reply.query) &&
        query_schema(exchange->reply.query)->field_count == 0)
        exchange->reply.keep_result = false;
    return STATUS_OK;
}

enum status rest_query(struct rest_exchange *exchange, struct error *error)
{
    TRY(check_content_type(exchange, error));
    TRY(check_parameters(exchange->input, error));
    TRY(rest_read_int64(exchange, error));

    struct query_spec spec = {
        .sql = buf_str(&exchange->body),
        .transient = true,
        .deadline_ns = CLOCK_NEVER,
        .request_id = exchange->input->id,
        .peer = exchange->input->peer,
        .door = "http",
    };
    TRY(read_keep(exchange, &exchange->reply.keep_result, error));
    spec.transient = !exchange->reply.keep_result;
    TRY(read_options(exchange, &spec, error));
    struct str format = STR_EMPTY;
    struct str engine = option_text(exchange, "engine");
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    if (str_starts_with(str_trim(spec.sql), STR("{"))) {
        TRY(validation_error(json_parse(spec.sql, REST_BODY_BYTES_MAX, &document, error), error));
        const struct json_value *object = json_root(document);
        TRY(validation_error(read_object(object, &spec, &format, &engine, error), error));
    }
    TRY(jobs_find_engine(exchange->rest->options.jobs, engine, &spec.remote, error));
    TRY(rest_negotiate(exchange, format, &exchange->reply.format, error));
    /* A dictionary of text may begin anew on the way, which has no place in a file. */
    if (exchange->reply.format == REST_ARROW_FILE &&
        spec.result.dictionaries == ENGINE_DICTIONARIES_ON)
        spec.result.dictionaries = ENGINE_DICTIONARIES_AUTO;
    enum status status = prepare(exchange, &spec, error);
    if (status != STATUS_OK)
        exchange->fingerprint = sql_fingerprint(spec.sql);
    return status;
}
