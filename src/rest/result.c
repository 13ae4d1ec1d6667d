/*
 * result.c — GET /v1/queries/{id}/result: the rows of a statement that is done, once more.
 *
 * A result can be had for as long as its dataset is kept: those of Flight, and those of POST /v1/query
 * with `keep`. Its bytes are the same each time, so it has an entity tag; as Arrow its size is known and any
 * range of it can be asked for. Runs on a worker, because finding the sizes goes through all batches.
 * Contracts section 5. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/memory.h"

static const char *const parameter_names[] = {"format", "int64"};

/* Not done yet, or not well: then the statement's error is the answer. */
static enum status check_done(struct rest_exchange *exchange, const struct query *query,
                              struct error *error)
{
    enum query_state state = query_state(query);
    if (state == QUERY_DONE)
        return STATUS_OK;
    if (state == QUERY_FAILED || state == QUERY_CANCELLED) {
        int64_t rows;
        return query_outcome(query, &rows, error);
    }
    rest_add_header(exchange, STR("retry-after"), STR("1"));
    return error_set_code(error, STATUS_FAILED_PRECONDITION, "RESULT_NOT_READY",
                          "query '%.*s' is %s; its result can be had when it is done",
                          STR_ARGS(query_id(query)), query_state_name(state));
}

static void describe(struct rest_exchange *exchange, struct query *query)
{
    struct rest_reply *reply = &exchange->reply;
    struct query_facts facts;
    query_facts(query, &facts);
    reply->content_type = rest_format_media_type(reply->format);
    reply->modified_seconds = facts.ended_us / 1000000;
    reply->etag =
        arena_printf(&exchange->arena, "%.*s-%s%s", STR_ARGS(query_id(query)),
                     rest_format_name(reply->format), reply->integers_as_text ? "-string" : "");
    rest_add_header(exchange, STR("vary"), STR("accept"));
}

static bool is_arrow(enum rest_format format)
{
    return format == REST_ARROW || format == REST_ARROW_FILE;
}

enum status rest_query_result(struct rest_exchange *exchange, struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    TRY(rest_check_parameters(exchange->input, parameter_names, ARRAY_COUNT(parameter_names),
                              error));
    TRY(rest_read_int64(exchange, error));
    TRY(rest_negotiate(exchange, STR_EMPTY, &reply->format, error));
    CLEANUP(query_unref) struct query *query = NULL;
    TRY(queries_find(exchange->rest->options.queries, exchange->parameter, &query, error));
    TRY(check_done(exchange, query, error));
    if (query_schema(query)->field_count == 0)
        return error_set(error, STATUS_NOT_FOUND, "query '%.*s' is a statement without rows",
                         STR_ARGS(exchange->parameter));
    reply->integers_as_text &= !is_arrow(reply->format);
    describe(exchange, query);
    if (is_arrow(reply->format)) {
        rest_add_header(exchange, STR("volley-query-id"),
                        arena_copy(&exchange->arena, query_id(query)));
        struct error failure = ERROR_NONE;
        enum status status = rest_result_source(query, reply->format, &reply->source, &failure);
        /* Dictionaries that change have no place in bytes of known offsets: such a result goes as a
         * stream. */
        if (status != STATUS_UNIMPLEMENTED)
            return status == STATUS_OK ? STATUS_OK : error_copy(error, &failure);
    }
    TRY(rest_result_check(query, error));
    reply->keep_result = true;
    reply->query = STEAL(query);
    return STATUS_OK;
}
