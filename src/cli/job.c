/*
 * job.c — `volley job`: statements that run without somebody waiting for them.
 *
 * A word chooses what is done: submit, wait, status, list, history and cancel are calls of /v1/jobs over
 * HTTP; result is a statement over job('ID'), so that it comes in every format of results. Waiting is asking
 * again and again, each time with the server waiting a while; Ctrl-C ends it and leaves the job alone.
 *
 * Runs on: the main thread. Owns: the connections while it runs. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/connect.h"
#include "cli/job_call.h"
#include "cli/sql_session.h"
#include "cli/standard_output.h"
#include "json/writer.h"

#include <stdio.h>

#define BODY_BYTES_MAX ((size_t)16 << 20)
#define SQL_BYTES_MAX 256
#define PATH_BYTES_MAX 512
#define TAGS_MAX 64
#define JOBS_MAX 1000
#define LISTED_DEFAULT 20
/* How long the server waits before it answers. */
#define WAIT_SECONDS 20
#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static const char *const cache_names[] = {"use", "refresh", "bypass", NULL};
static const char *const state_names[] = {"any",    "queued",    "running", "succeeded",
                                          "failed", "cancelled", "expired", NULL};

enum word { SUBMIT, STATUS, WAIT, RESULT, CANCEL, LIST, HISTORY, WORD_COUNT };

struct job_options {
    enum word word;
    struct server_options server;
    struct positionals rest; /* IDs, or the statement */
    /* of submit */
    uint64_t priority;
    uint64_t slots;
    uint64_t timeout_ms; /* of running; 0: the server's */
    unsigned cache;
    struct positionals tags;
    struct str key;
    bool waits;
    /* of wait */
    uint64_t wait_ms; /* 0: for ever */
    /* of list and history */
    unsigned state;
    struct str tag;
    uint64_t limit;
    unsigned format;
};

/* --- the end of jobs ---------------------------------------------------------------------------- */

static struct str path_of(struct arena *arena, struct str id, const char *query)
{
    return arena_printf(arena, "/v1/jobs/%.*s%s", STR_ARGS(id), query);
}

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
        if (job_call(exchange, STR("GET"), path_of(&exchange->arena, id, query), STR_EMPTY,
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
    json_write_text(&json, str_of(cache_names[options->cache]));
    if (options->timeout_ms > 0) {
        json_write_key(&json, "timeout_ms");
        json_write_unsigned(&json, options->timeout_ms);
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
        if (job_call(exchange, STR("DELETE"), path_of(&exchange->arena, id, ""), STR_EMPTY,
                     STR_EMPTY, &document, &error) == STATUS_OK)
            (void)printf("cancelled %.*s\n", STR_ARGS(id));
        else
            worst = cli_fail(cli_exit_of(&error), &error);
    }
    return worst;
}

/* --- rows --------------------------------------------------------------------------------------- */

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
        struct str path = path_of(&exchange->arena, str_of(options->rest.items[i]), "");
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
        buf_printf(path, "&state=%s", state_names[options->state]);
    else if (options->word == HISTORY)
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

static enum exit_code show(const void *context, struct output *output)
{
    const struct job_options *options = context;
    struct error error = ERROR_NONE;
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    if (options->word == RESULT)
        return show_result(options, output);
    if (http_exchange_open(&exchange, &options->server, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    if (options->word == STATUS)
        return show_status(options, &exchange, output);
    if (list(options, &exchange, output, &error) == STATUS_OK || output->broken)
        return CLI_FINE;
    return cli_fail(cli_exit_of(&error), &error);
}

/* --- the command -------------------------------------------------------------------------------- */

struct word_facts {
    const char *name;
    const char *needs; /* arguments, in words; NULL: none */
    bool takes_several;
    bool prints_rows; /* in a format */
};

static const struct word_facts words[WORD_COUNT] = {
    [SUBMIT] = {"submit", "one SQL statement", false, false},
    [STATUS] = {"status", "the ID of a job", true, true},
    [WAIT] = {"wait", "the ID of a job", true, false},
    [RESULT] = {"result", "the ID of one job", false, true},
    [CANCEL] = {"cancel", "the ID of a job", true, false},
    [LIST] = {"list", NULL, false, true},
    [HISTORY] = {"history", NULL, false, true},
};

static bool find_word(const char *name, enum word *out_word)
{
    for (unsigned i = 0; i < WORD_COUNT; i++) {
        if (strcmp(words[i].name, name) == 0) {
            *out_word = (enum word)i;
            return true;
        }
    }
    return false;
}

static bool check_arguments(const struct job_options *options)
{
    const struct word_facts *word = &words[options->word];
    size_t count = options->rest.count;
    bool fits = word->needs ? count == 1 || (count > 1 && word->takes_several) : count == 0;
    if (!fits) {
        cli_complain("job %s needs %s", word->name, word->needs ? word->needs : "no argument");
        return false;
    }
    for (size_t i = 0; i < count && options->word != SUBMIT; i++) {
        if (!job_is_id(str_of(options->rest.items[i]))) {
            cli_complain("'%s' is no ID of a job; volley job list shows them",
                         options->rest.items[i]);
            return false;
        }
    }
    return true;
}

static enum exit_code run(const struct job_options *options)
{
    if (words[options->word].prints_rows)
        return standard_output_write(options->format, show, options);
    struct error error = ERROR_NONE;
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    if (http_exchange_open(&exchange, &options->server, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    if (options->word == SUBMIT)
        return submit(options, &exchange);
    return options->word == WAIT ? wait_for_all(options, &exchange) : cancel(options, &exchange);
}

/* The flags of the word; *out_count of them go into `table`. */
static void add_flags(struct job_options *options, struct option *table, size_t *count)
{
    const struct option submit_flags[] = {
        {.name = "priority",
         .kind = OPTION_NUMBER,
         .target = &options->priority,
         .min = 1,
         .max = 5},
        {.name = "slots", .kind = OPTION_NUMBER, .target = &options->slots, .min = 1, .max = 1000},
        {.name = "run-timeout",
         .kind = OPTION_DURATION,
         .target = &options->timeout_ms,
         .min = 1,
         .max = 30 * DAY_MS},
        {.name = "result-cache",
         .kind = OPTION_CHOICE,
         .target = &options->cache,
         .choices = cache_names},
        {.name = "add-tag", .kind = OPTION_LIST, .target = &options->tags},
        {.name = "key", .kind = OPTION_TEXT, .target = &options->key},
        {.name = "wait", .kind = OPTION_SWITCH, .target = &options->waits},
    };
    const struct option wait_flags[] = {
        {.name = "timeout",
         .kind = OPTION_DURATION,
         .target = &options->wait_ms,
         .min = 1,
         .max = 30 * DAY_MS},
    };
    const struct option list_flags[] = {
        {.name = "state", .kind = OPTION_CHOICE, .target = &options->state, .choices = state_names},
        {.name = "tag", .kind = OPTION_TEXT, .target = &options->tag},
        {.name = "limit",
         .letter = "n",
         .kind = OPTION_NUMBER,
         .target = &options->limit,
         .min = 1,
         .max = JOBS_MAX},
    };
    const struct option format = {.name = "format",
                                  .letter = "f",
                                  .kind = OPTION_CHOICE,
                                  .target = &options->format,
                                  .choices = result_format_names};
    const struct option *flags = options->word == SUBMIT ? submit_flags
                                 : options->word == WAIT ? wait_flags
                                                         : list_flags;
    size_t flag_count = options->word == SUBMIT ? ARRAY_COUNT(submit_flags)
                        : options->word == WAIT ? ARRAY_COUNT(wait_flags)
                        : options->word >= LIST ? ARRAY_COUNT(list_flags)
                                                : 0;
    for (size_t i = 0; i < flag_count; i++)
        table[(*count)++] = flags[i];
    if (words[options->word].prints_rows)
        table[(*count)++] = format;
}

#define FLAGS_MAX 16

enum exit_code cli_job(char *const *arguments, size_t count)
{
    struct job_options options = {.priority = 1, .slots = 1, .limit = LISTED_DEFAULT};
    if (count == 0 || !find_word(arguments[0], &options.word)) {
        cli_complain("job needs one of the words submit, status, wait, result, cancel, list, "
                     "history");
        return CLI_USAGE;
    }
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct option server_flags[] = {SERVER_OPTIONS(&options.server, &arena)};
    struct option table[FLAGS_MAX];
    memcpy(table, server_flags, sizeof(server_flags));
    size_t table_count = ARRAY_COUNT(server_flags);
    options.tags.items = ARENA_NEW_ARRAY(&arena, const char *, TAGS_MAX);
    options.tags.capacity = TAGS_MAX;
    options.rest.items = ARENA_NEW_ARRAY(&arena, const char *, count);
    options.rest.capacity = count;
    add_flags(&options, table, &table_count);
    struct error error = ERROR_NONE;
    if (options_read(table, table_count, arguments + 1, count - 1, &options.rest, &error) !=
        STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    return check_arguments(&options) ? run(&options) : CLI_USAGE;
}
