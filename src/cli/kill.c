/*
 * kill.c — `volley kill ID`: stop a statement, over HTTP.
 *
 * Runs on: the main thread. Owns: the connection while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/kill.h"

#include "cli/command.h"

#include "base/clock.h"
#include "base/memory.h"
#include "http/client.h"
#include "http/url.h"
#include "json/reader.h"

#include <ctype.h>
#include <stdio.h>

#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define PATH_SIZE 256
#define TIMEOUT_NS (10 * NANOSECONDS_PER_SECOND)

/* The answer's "detail", or what the status alone says. */
static void explain(unsigned status, struct str body, struct str id, struct error *error)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    struct str detail = STR_EMPTY;
    struct error ignored = ERROR_NONE;
    if (json_parse(body, ANSWER_BYTES_MAX, &document, &ignored) == STATUS_OK &&
        json_member_text(json_root(document), "detail", false, &detail, NULL, &ignored) ==
            STATUS_OK &&
        detail.len > 0)
        (void)error_set(error, STATUS_NOT_FOUND, "%.*s", STR_ARGS(detail));
    else
        (void)error_set(error, STATUS_UNKNOWN, "the server answered %u to killing '%.*s'", status,
                        STR_ARGS(id));
}

static enum status read_answer(struct http_client_request *request, struct slices *body,
                               unsigned *out_status, struct error *error)
{
    const struct http_headers *headers;
    bool end = false;
    TRY(http_client_head(request, out_status, &headers, error));
    if (str_starts_with(http_headers_get(headers, STR("content-type")), STR("application/grpc")))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "the server does not stop statements by their IDs: it is no Volley");
    while (!end && body->bytes < ANSWER_BYTES_MAX)
        TRY(http_client_read(request, body, &end, error));
    return STATUS_OK;
}

static enum status connect_to(const struct server_options *server, struct http_client **out_client,
                              struct error *error)
{
    CLEANUP(tls_context_unref) struct tls_context *tls = NULL;
    TRY(options_tls(server, &tls, error));
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct http_url url;
    TRY(http_url_parse(&arena, options_server_url(server), &url, error));
    const struct http_client_options options = {.address = url.address, .tls = tls};
    return http_client_connect(&options, out_client, error);
}

static enum status kill_statement(struct http_client *client, const struct server_options *server,
                                  struct str id, struct error *error)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "/v1/queries/%.*s", STR_ARGS(id));
    CLEANUP(http_client_finish) struct http_client_request *request = NULL;
    const struct http_header header = {STR("authorization"), server->authorization};
    TRY(http_client_start(client, STR("DELETE"), str_of(path), &header,
                          header.value.len > 0 ? 1 : 0, true, clock_now_ns() + TIMEOUT_NS, &request,
                          error));
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    unsigned status = 0;
    TRY(read_answer(request, &body, &status, error));
    if (status >= 200 && status < 300)
        return STATUS_OK;
    CLEANUP(slice_finish) struct slice joined = slices_join(&body);
    explain(status, slice_str(joined), id, error);
    return error->status;
}

/* What can stand in a path as it is. */
static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        unsigned char byte = (unsigned char)id.ptr[i];
        if (!isalnum(byte) && byte != '-' && byte != '_' && byte != '.')
            return false;
    }
    return id.len > 0 && id.len <= 128 && id.ptr[0] != '.';
}

enum status kill_run(const struct server_options *server, struct str id, struct error *error)
{
    CLEANUP(http_client_close) struct http_client *client = NULL;
    if (!is_id(id))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "kill needs the ID of a statement: SELECT id FROM volley.queries");
    TRY(connect_to(server, &client, error));
    return kill_statement(client, server, id, error);
}

static enum exit_code exit_code_of(const struct error *error)
{
    if (error->status == STATUS_INVALID_ARGUMENT)
        return CLI_USAGE;
    return error->status == STATUS_UNAVAILABLE ? CLI_UNREACHABLE : CLI_FAILED;
}

enum exit_code cli_kill(char *const *arguments, size_t count)
{
    struct server_options server = {0};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct option table[] = {SERVER_OPTIONS(&server, &arena)};
    const char *id_text = "";
    struct positionals ids = {.items = &id_text, .capacity = 1};
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &ids, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    struct str id = str_trim(str_of(id_text));
    if (kill_run(&server, id, &error) != STATUS_OK)
        return cli_fail(exit_code_of(&error), &error);
    (void)printf("killed %.*s\n", STR_ARGS(id));
    return CLI_FINE;
}
