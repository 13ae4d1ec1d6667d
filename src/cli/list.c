/*
 * list.c — `volley list [PREFIX]`: the datasets of a server.
 *
 * The list becomes a record batch, so that it is printed by the formats of results. For people sizes and
 * times are written as they are read; for programs as numbers and RFC 3339.
 *
 * Runs on: the main thread. Owns: the connection while it runs. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "arrow/builder.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/amount.h"
#include "cli/connect.h"
#include "cli/listing.h"
#include "cli/result.h"
#include "cli/standard_output.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME, ROWS, BYTES, EXPIRES, DURABILITY, OWNER, COLUMN_COUNT };

/* --- as a batch ----------------------------------------------------------------------------------- */

static struct arrow_schema *make_schema(bool for_people)
{
    static const char *const names[COLUMN_COUNT] = {"name",    "rows",       "bytes",
                                                    "expires", "durability", "owner"};
    struct arrow_schema *schema = arrow_schema_create(COLUMN_COUNT);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        bool is_number = i == ROWS || (i == BYTES && !for_people);
        arrow_field_init(schema, &schema->fields[i], str_of(names[i]),
                         is_number ? ARROW_INT : ARROW_UTF8);
        schema->fields[i].bit_width = is_number ? 64 : 0;
        schema->fields[i].is_signed = is_number;
    }
    if (for_people)
        schema->fields[BYTES].name = STR("size");
    arrow_schema_seal(schema, NULL);
    return schema;
}

static void append_number(struct builder_column *column, int64_t number)
{
    if (number < 0)
        builder_append_null(column);
    else
        builder_append_integer(column, number);
}

/* What the server did not tell: nothing for people, NULL for programs. */
static void append_text(struct builder_column *column, struct str text, bool for_people)
{
    if (text.len == 0 && !for_people)
        builder_append_null(column);
    else
        builder_append_bytes(column, text);
}

/* Sizes stand right, so that they can be compared at a glance. */
static void append_size(struct builder_column *column, int64_t bytes)
{
    char text[AMOUNT_TEXT_SIZE];
    char padded[AMOUNT_TEXT_SIZE];
    if (bytes < 0) {
        builder_append_null(column);
        return;
    }
    (void)snprintf(padded, sizeof(padded), "%10s", amount_of_bytes((uint64_t)bytes, text));
    builder_append_bytes(column, str_of(padded));
}

/* "in 52 min 3 s" of an RFC 3339 time in UTC. */
static void append_remaining(struct builder_column *column, struct str expires)
{
    struct tm parts = {0};
    char text[CLOCK_TEXT_SIZE];
    char amount[AMOUNT_TEXT_SIZE];
    char out[AMOUNT_TEXT_SIZE + 4];
    (void)snprintf(text, sizeof(text), "%.*s", STR_ARGS(str_slice(expires, 0, sizeof(text) - 1)));
    if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &parts)) {
        builder_append_bytes(column, expires);
        return;
    }
    int64_t seconds = (int64_t)timegm(&parts) - clock_wall_us() / 1000000;
    (void)snprintf(out, sizeof(out), "in %s",
                   amount_of_seconds(seconds > 0 ? (uint64_t)seconds : 0, amount));
    builder_append_bytes(column, str_of(out));
}

static void append_item(struct batch_builder *builder, const struct listed *item, bool for_people)
{
    struct builder_column *columns[COLUMN_COUNT];
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        columns[i] = batch_builder_column(builder, i);
    builder_append_bytes(columns[NAME], item->name);
    append_number(columns[ROWS], item->rows);
    if (for_people) {
        append_size(columns[BYTES], item->bytes);
        append_remaining(columns[EXPIRES], item->expires);
    } else {
        append_number(columns[BYTES], item->bytes);
        append_text(columns[EXPIRES], item->expires, false);
    }
    append_text(columns[DURABILITY], item->durability, for_people);
    append_text(columns[OWNER], item->owner, for_people);
}

static enum status print(const struct listing *listing, const struct server_options *server,
                         const struct result_format *format, struct output *output,
                         struct error *error)
{
    static const struct builder_limits limits = {.rows_max = 4096, .bytes_max = (size_t)1 << 20};
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema(format->for_people);
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    CLEANUP(result_close) struct result result = {.server = server};
    TRY(result_begin(&result, format, output, schema, isatty(output->fd) != 0, error));
    for (size_t i = 0; i < listing->count; i++) {
        append_item(builder, &listing->items[i], format->for_people);
        if (!batch_builder_is_full(builder) && i + 1 < listing->count)
            continue;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
        TRY(result_batch(&result, batch, error));
    }
    return result_end(&result, error);
}

/* --- the command ---------------------------------------------------------------------------------- */

struct list_options {
    struct server_options server;
    struct str prefix;
    unsigned format;
};

static enum exit_code list(const void *context, struct output *output)
{
    const struct list_options *options = context;
    struct error error = ERROR_NONE;
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    CLEANUP(listing_finish) struct listing listing;
    listing_init(&listing);
    if (cli_connect(&options->server, &client, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    enum status status = listing_read(&listing, client, options->prefix, &error);
    if (status != STATUS_OK)
        return cli_fail(cli_exit_of(&error), &error);
    status = print(&listing, &options->server, result_format_at(options->format), output, &error);
    if (status == STATUS_OK || output->broken)
        return CLI_FINE;
    return cli_fail(CLI_FAILED, &error);
}

enum exit_code cli_list(char *const *arguments, size_t count)
{
    struct list_options options = {0};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct option table[] = {
        SERVER_OPTIONS(&options.server, &arena),
        {.name = "format",
         .letter = "f",
         .kind = OPTION_CHOICE,
         .target = &options.format,
         .choices = result_format_names},
    };
    const char *prefix = "";
    struct positionals prefixes = {.items = &prefix, .capacity = 1};
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &prefixes, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    options.prefix = str_of(prefix);
    return standard_output_write(options.format, list, &options);
}
