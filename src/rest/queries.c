/*
 * queries.c — GET /v1/queries and DELETE /v1/queries/{id}: see and stop what runs.
 * Runs on the loop. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/clock.h"

void rest_write_query(struct json_writer *json, struct query *query)
{
    struct query_facts facts;
    query_facts(query, &facts);
    json_write_begin_object(json);
    json_write_key(json, "id");
    json_write_text(json, str_of(facts.id));
    json_write_key(json, "state");
    json_write_text(json, str_of(query_state_name(facts.state)));
    json_write_key(json, "kind");
    json_write_text(json, str_of(statement_kind_name(facts.kind)));
    json_write_key(json, "door");
    json_write_text(json, str_of(facts.door));
    json_write_key(json, "sql");
    json_write_text(json, facts.sql);
    json_write_key(json, "request_id");
    json_write_text(json, facts.request_id);
    json_write_key(json, "peer");
    json_write_text(json, facts.peer);
    json_write_time_or_null(json, "created_at", facts.created_us);
    json_write_time_or_null(json, "started_at", facts.started_us);
    json_write_time_or_null(json, "ended_at", facts.ended_us);
    json_write_progress(json, "progress", facts.progress);
    json_write_key(json, "rows");
    json_write_integer(json, facts.rows);
    json_write_key(json, "bytes");
    json_write_unsigned(json, facts.bytes);
    json_write_text_or_null(json, "error", facts.error);
    json_write_end_object(json);
}

static void write_query(void *context, struct query *query)
{
    rest_write_query(context, query);
}

enum status rest_queries_list(struct rest_exchange *exchange, struct error *error)
{
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "queries");
    json_write_begin_array(&json);
    queries_visit(exchange->rest->options.queries, write_query, &json);
    json_write_end_array(&json);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_queries_delete(struct rest_exchange *exchange, struct error *error)
{
    CLEANUP(query_unref) struct query *query = NULL;
    TRY(queries_find(exchange->rest->options.queries, exchange->parameter, &query, error));
    struct error reason = ERROR_NONE;
    error_set_code(&reason, STATUS_CANCELLED, "QUERY_CANCELLED", "stopped by an operator");
    if (!query_cancel(query, &reason))
        return error_set(error, STATUS_FAILED_PRECONDITION, "query '%.*s' is over: %s",
                         STR_ARGS(exchange->parameter), query_state_name(query_state(query)));
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "id");
    json_write_text(&json, query_id(query));
    json_write_key(&json, "state");
    json_write_text(&json, STR("cancelled"));
    json_write_end_object(&json);
    return STATUS_OK;
}
