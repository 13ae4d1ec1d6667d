/*
 * drop.c — `volley drop NAME...`: datasets go, now or after a time.
 *
 * One that cannot be dropped does not keep the others; the command then fails at its end.
 *
 * Runs on: the main thread. Owns: the connection while it runs. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/memory.h"
#include "cli/connect.h"
#include "cli/dataset.h"
#include "cli/listing.h"
#include "json/reader.h"

#include <stdio.h>

#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define EXPIRES_SIZE 64

/* Where the answer tells, when the dataset will be gone. */
static enum status read_expiry(void *context, struct str body, struct error *error)
{
    char *expires = context;
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    struct str text = STR_EMPTY;
    TRY(json_parse(body, ANSWER_BYTES_MAX, &document, error));
    TRY(json_member_text(json_root(document), "expires_at", false, &text, NULL, error));
    (void)snprintf(expires, EXPIRES_SIZE, "%.*s", STR_ARGS(text));
    return STATUS_OK;
}

/* The time is read by the server, like those of puts. */
static enum status drop_one(struct grpc_client *client, struct str name, struct str ttl,
                            struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__FlightDescriptor *ignored;
    char expires[EXPIRES_SIZE] = "";
    TRY(dataset_descriptor(&arena, name, &ignored, error));
    struct str body = dataset_action_body(&arena, name, ttl);
    if (ttl.len == 0)
        return dataset_action(client, "drop", body, NULL, NULL, error);
    TRY(dataset_action(client, "set-ttl", body, read_expiry, expires, error));
    (void)printf("%.*s %s\n", STR_ARGS(name), expires);
    return STATUS_OK;
}

struct drop_options {
    struct server_options server;
    struct str ttl;
};

static enum exit_code drop(const struct drop_options *options, const struct positionals *names)
{
    struct error error = ERROR_NONE;
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    if (cli_connect(&options->server, &client, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    enum exit_code code = CLI_FINE;
    for (size_t i = 0; i < names->count; i++) {
        struct str name = str_of(names->items[i]);
        struct error failure = ERROR_NONE;
        if (drop_one(client, name, options->ttl, &failure) == STATUS_OK)
            continue;
        listing_suggest(client, name, &failure);
        code = cli_fail(cli_exit_of(&failure), &failure);
        if (code == CLI_UNREACHABLE)
            return code;
    }
    return code;
}

enum exit_code cli_drop(char *const *arguments, size_t count)
{
    struct drop_options options = {0};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct option table[] = {
        SERVER_OPTIONS(&options.server, &arena),
        {.name = "ttl", .kind = OPTION_TEXT, .target = &options.ttl},
    };
    struct positionals names = {
        .items = ARENA_NEW_ARRAY(&arena, const char *, count + 1),
        .capacity = count,
    };
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &names, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (names.count == 0) {
        cli_complain("drop needs the NAME of a dataset; volley list shows them");
        return CLI_USAGE;
    }
    return drop(&options, &names);
}
