/*
 * job_show.c — what `volley job` prints as rows: status, list, history, result.
 *
 * The first three are calls of /v1/jobs, whose objects become rows; a result is a statement over job('ID'),
 * so that it comes in every format of results.
 *
 * Runs on: the main thread. Owns: the connections while it runs. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/job_call.h"
#include "cli/sql_session.h"

#include <stdio.h>

#define SQL_BYTES_MAX 256
#define PATH_BYTES_MAX 512

static enum exit_code show_status(const struct job_options *options, struct http_exchange *exchange,
                                  struct output *output)
{
    struct error error = ERROR_NONE;
    struct json_document **documents =
        ARENA_NEW_ARRAY(&exchange->arena, struct json_document *, options->rest.count);
    const struct json_value **jobs =
        ARENA_NEW_ARRAY(&exchange->arena, const struct json_value *, options->rest.count);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < options->rest.count && status == STATUS_OK; i++) {
        struct str path = job_path(&exchange->arena, str_of(options->rest.items[i]), "");
        status = job_call(exchange, STR("GET"), path, STR_EMPTY, STR_EMPTY, &documents[i], &error);
        jobs[i] = status == STATUS_OK ? json_root(documents[i]) : NULL;
    }
    if (status == STATUS_OK)
        status = job_print(jobs, options->rest.count, &options->server,
                           result_format_at(options->format), output, &error);
    for (size_t i = 0; i < options->rest.count; i++)
        json_document_destroy(documents[i]);
    return status == STATUS_OK || output->broken ? CLI_FINE : cli_fail(cli_exit_of(&error), &error);
}

static void append_escaped(struct buf *path, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        buf_printf(path, "%%%02X", (unsigned char)text.ptr[i]);
}

static enum status write_list_path(const struct job_options *options, struct buf *path,
                                   struct error *error)
{
    buf_printf(path, "/v1/jobs?limit=%llu", (unsigned long long)options->limit);
    if (options->state > 0)
        buf_printf(path, "&state=%s", job_state_names[options->state]);
    else if (options->word == JOB_HISTORY)
        buf_append_text(path, "&state=succeeded,failed,cancelled,expired");
    if (options->tag.len > 0) {
        buf_append_text(path, "&tag=");
        append_escaped(path, options->tag);
    }
    return buf_check(path, "the tag", error);
}

static enum status list(const struct job_options *options, struct http_exchange *exchange,
                        struct output *output, struct error *error)
{
    CLEANUP(buf_finish) struct buf path;
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    buf_init(&path, PATH_BYTES_MAX);
    TRY(write_list_path(options, &path, error));
    TRY(job_call(exchange, STR("GET"), buf_str(&path), STR_EMPTY, STR_EMPTY, &document, error));
    const struct json_value *found = json_member(json_root(document), "jobs");
    size_t count = json_value_count(found);
    const struct json_value **jobs =
        ARENA_NEW_ARRAY(&exchange->arena, const struct json_value *, count + 1);
    for (size_t i = 0; i < count; i++)
        jobs[i] = json_value_at(found, i);
    return job_print(jobs, count, &options->server, result_format_at(options->format), output,
                     error);
}

static enum exit_code show_result(const struct job_options *options, struct output *output)
{
    struct error error = ERROR_NONE;
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    if (cli_connect(&options->server, &client, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    char sql[SQL_BYTES_MAX];
    (void)snprintf(sql, sizeof(sql), "FROM job('%s')", options->rest.items[0]);
    struct sql_session session = {
        .client = client,
        .server = options->server,
        .output = output,
        .format = result_format_at(options->format),
        .footer = true,
    };
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    enum status status = sql_query_open(client, str_of(sql), true, &query, &error);
    if (status == STATUS_OK)
        status = sql_session_print(&session, query, &error);
    if (status == STATUS_OK || output->broken)
        return CLI_FINE;
    return cli_fail(error.status == STATUS_UNAVAILABLE ? CLI_UNREACHABLE : CLI_STATEMENT, &error);
}

enum exit_code job_show(const void *context, struct output *output)
{
    const struct job_options *options = context;
    struct error error = ERROR_NONE;
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    if (options->word == JOB_RESULT)
        return show_result(options, output);
    if (http_exchange_open(&exchange, &options->server, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    if (options->word == JOB_STATUS)
        return show_status(options, &exchange, output);
    if (list(options, &exchange, output, &error) == STATUS_OK || output->broken)
        return CLI_FINE;
    return cli_fail(cli_exit_of(&error), &error);
}
