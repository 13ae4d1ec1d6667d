/*
 * system_view.c — GET /v1/system/{view}: what SQL finds in the catalog `volley`, without SQL.
 *
 * The view's name is looked up as any table's, so that one that does not exist is answered with the nearest
 * one. Runs on a worker; the rows are streamed (stream.c). Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/catalog.h"

#include "base/memory.h"

#define SQL_BYTES_MAX ((size_t)64 << 10)

static const char *const formats[] = {"json", "arrow", "arrow-file", "ndjson", "csv", NULL};
static const char *const int64_forms[] = {"string", "number", NULL};

struct system_wishes {
    unsigned int64_form;
    int64_t limit;
};
static const struct rest_field wish_fields[] = {
    {.name = "format",
     .type = REST_FORMAT,
     .choices = formats,
     .help = "The form of the rows; wins over Accept"},
    {.name = "int64",
     .type = REST_CHOICE,
     REST_INTO(struct system_wishes, int64_form),
     .choices = int64_forms,
     .help = "string: 64-bit integers as texts in JSON"},
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct system_wishes, limit),
     .min = 1,
     .max = 1000000,
     .fallback = "10000",
     .help = "Rows at most"},
};
const struct rest_object rest_system_parameters = {NULL, REST_FIELDS(wish_fields)};
const struct rest_reply_form rest_system_replies[] = {
    {.http_status = 200, .is_rows = true, .help = "The rows of the view"},
    {0},
};

static enum status prepare(struct rest_exchange *exchange, struct str sql, int64_t limit,
                           struct error *error)
{
    const struct rest_options *options = &exchange->rest->options;
    struct query_spec spec = {
        .sql = sql,
        .result = {.row_limit = (uint64_t)limit},
        .transient = true,
        .deadline_ns = CLOCK_NEVER,
        .request_id = exchange->input->id,
        .peer = exchange->input->peer,
        .door = "http",
    };
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(options->engine);
    spec.session = session;
    return query_prepare(options->queries, &spec, &exchange->reply.query, error);
}

enum status rest_system_view(struct rest_exchange *exchange, struct error *error)
{
    struct system_wishes wishes = {0};
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    TRY(rest_negotiate(exchange, STR_EMPTY, &exchange->reply.format, error));
    TRY(rest_read_int64(exchange, error));
    exchange->looked_at = "path.view";
    if (!str_is_utf8(exchange->parameter) || str_find(exchange->parameter, '\0') >= 0)
        return error_set_code(error, STATUS_NOT_FOUND, "TABLE_NOT_FOUND", "there is no such view");
    buf_append_text(&sql, "SELECT * FROM volley.main.");
    engine_append_quoted(&sql, exchange->parameter, '"');
    TRY(buf_check(&sql, "the name of the view", error));
    return prepare(exchange, arena_copy(&exchange->arena, buf_str(&sql)), wishes.limit, error);
}
