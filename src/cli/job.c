/*
 * job.c — `volley job`: statements that run without somebody waiting for them.
 *
 * A word (job_options.c) chooses what is done. Here are those that do something, submit, wait and cancel, as
 * calls of /v1/jobs over HTTP; job_show.c has those that print rows. Waiting is asking again and again, each
 * time with the server waiting a while; Ctrl-C ends it and leaves the job alone.
 *
 * Runs on: the main thread. Owns: the connection while it runs. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/connect.h"
#include "cli/job_call.h"
#include "cli/standard_output.h"
#include "json/writer.h"

#include <stdio.h>

#define BODY_BYTES_MAX ((size_t)16 << 20)
/* How long the server waits before it answers. */
#define WAIT_SECONDS 20

/* --- the end of jobs ---------------------------------------------------------------------------- */

/* Empty where there is none. */
static struct str text_of(const struct json_value *object, const char *name)
{
    struct str text = STR_EMPTY;
    const struct json_value *value = object ? json_member(object, name) : NULL;
    return value && json_value_text(value, &text) ? text : STR_EMPTY;
}

/* What an ended job means for the command; tells of one that did not succeed. */
static enum exit_code judge(const struct json_value *job, struct str id)
{
    struct str state = text_of(job, "state");
    if (str_equal(state, STR("succeeded")) || str_equal(state, STR("expired")))
        return CLI_FINE;
    struct str detail = text_of(json_member(job, "error"), "detail");
    cli_complain("job %.*s %.*s%s%.*s", STR_ARGS(id), STR_ARGS(state), detail.len > 0 ? ": " : "",
                 STR_ARGS(detail));
    return CLI_STATEMENT;
}

static bool is_over(const struct json_value *job)
{
    struct str state = text_of(job, "state");
    return !str_equal(state, STR("queued")) && !str_equal(state, STR("running"));
}

/* Asks until the job is over or `deadline_ns` has passed. */
static enum exit_code wait_for(struct http_exchange *exchange, struct str id, uint64_t deadline_ns)
{
    while (true) {
        CLEANUP(json_document_destroy) struct json_document *document = NULL;
        struct error error = ERROR_NONE;
        uint64_t now_ns = clock_now_ns();
        uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        double seconds = (double)left_ns / (double)NANOSECONDS_PER_SECOND;
        char query[64];
        (void)snprintf(query, sizeof(query), "?wait=%.3f",
                       seconds < WAIT_SECONDS ? seconds : WAIT_SECONDS);
        if (job_call(exchange, STR("GET"), job_path(&exchange->arena, id, query), STR_EMPTY,
                     STR_EMPTY, &document, &error) != STATUS_OK)
            return cli_fail(cli_exit_of(&error), &error);
        if (is_over(json_root(document)))
            return judge(json_root(document), id);
        if (left_ns == 0) {
            cli_complain("job %.*s is not over", STR_ARGS(id));
            return CLI_FAILED;
        }
    }
}

static uint64_t deadline_of(uint64_t wait_ms)
{
    return wait_ms > 0 ? clock_now_ns() + wait_ms * NANOSECONDS_PER_MILLISECOND : CLOCK_NEVER;
}

/* --- words -------------------------------------------------------------------------------------- */

static void write_tags(const struct positionals *tags, struct json_writer *json)
{
    json_write_key(json, "tags");
    json_write_begin_array(json);
    for (size_t i = 0; i < tags->count; i++)
        json_write_text(json, str_of(tags->items[i]));
    json_write_end_array(json);
}

static enum status write_body(const struct job_options *options, struct buf *body,
                              struct error *error)
{
    struct json_writer json;
    json_writer_init(&json, body);
    json_write_begin_object(&json);
    json_write_key(&json, "sql");
    json_write_text(&json, str_of(options->rest.items[0]));
    json_write_key(&json, "priority");
    json_write_unsigned(&json, options->priority);
    json_write_key(&json, "slots");
    json_write_unsigned(&json, options->slots);
    json_write_key(&json, "result_cache");
    json_write_text(&json, str_of(job_cache_names[options->cache]));
    if (options->timeout_ms > 0) {
        json_write_key(&json, "timeout_ms");
        json_write_unsigned(&json, options->timeout_ms);
    }
    if (options->engine.len > 0) {
        json_write_key(&json, "engine");
        json_write_text(&json, options->engine);
    }
    if (options->tags.count > 0)
        write_tags(&options->tags, &json);
    json_write_end_object(&json);
    return buf_check(body, "the statement", error);
}

static enum exit_code submit(const struct job_options *options, struct http_exchange *exchange)
{
    struct error error = ERROR_NONE;
    CLEANUP(buf_finish) struct buf body;
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    struct str id = STR_EMPTY;
    buf_init(&body, BODY_BYTES_MAX);
    if (write_body(options, &body, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    enum status status = job_call(exchange, STR("POST"), STR("/v1/jobs"), options->key,
                                  buf_str(&body), &document, &error);
    if (status == STATUS_INVALID_ARGUMENT)
        return cli_fail(CLI_STATEMENT, &error);
    if (status != STATUS_OK ||
        json_member_text(json_root(document), "id", true, &id, NULL, &error) != STATUS_OK)
        return cli_fail(cli_exit_of(&error), &error);
    (void)printf("%.*s\n", STR_ARGS(id));
    (void)fflush(stdout);
    return options->waits ? wait_for(exchange, id, CLOCK_NEVER) : CLI_FINE;
}

static enum exit_code wait_for_all(const struct job_options *options,
                                   struct http_exchange *exchange)
{
    uint64_t deadline_ns = deadline_of(options->wait_ms);
    enum exit_code worst = CLI_FINE;
    for (size_t i = 0; i < options->rest.count && worst != CLI_UNREACHABLE; i++) {
        enum exit_code code = wait_for(exchange, str_of(options->rest.items[i]), deadline_ns);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static enum exit_code cancel(const struct job_options *options, struct http_exchange *exchange)
{
    enum exit_code worst = CLI_FINE;
    for (size_t i = 0; i < options->rest.count && worst != CLI_UNREACHABLE; i++) {
        CLEANUP(json_document_destroy) struct json_document *document = NULL;
        struct error error = ERROR_NONE;
        struct str id = str_of(options->rest.items[i]);
        if (job_call(exchange, STR("DELETE"), job_path(&exchange->arena, id, ""), STR_EMPTY,
                     STR_EMPTY, &document, &error) == STATUS_OK)
            (void)printf("cancelled %.*s\n", STR_ARGS(id));
        else
            worst = cli_fail(cli_exit_of(&error), &error);
    }
    return worst;
}

/* --- the command -------------------------------------------------------------------------------- */

static enum exit_code run(const struct job_options *options)
{
    if (job_word_prints_rows(options->word))
        return standard_output_write(options->format, job_show, options);
    struct error error = ERROR_NONE;
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    if (http_exchange_open(&exchange, &options->server, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    if (options->word == JOB_SUBMIT)
        return submit(options, &exchange);
    return options->word == JOB_WAIT ? wait_for_all(options, &exchange)
                                     : cancel(options, &exchange);
}

enum exit_code cli_job(char *const *arguments, size_t count)
{
    CLEANUP(arena_finish) struct arena arena;
    struct job_options options;
    arena_init(&arena);
    return job_options_read(&options, arguments, count, &arena) ? run(&options) : CLI_USAGE;
}
