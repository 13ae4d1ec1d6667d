/*
 * http_get.c — `volley get --format parquet`: the file that the server makes, written as it comes.
 *
 * A Parquet file ends with its footer, so that one that was cut off is worth nothing: it is begun anew.
 *
 * Runs on: the main thread. Owns: the connection and the output while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/http_transfer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/connect.h"
#include "cli/http_dataset.h"
#include "cli/listing.h"
#include "cli/target_file.h"

#include <unistd.h>

#define QUERY_BYTES_MAX ((size_t)64 << 10)

struct parquet {
    const struct get_options *options;
    struct target_file file; /* fd -1: standard output */
    struct output output;
    struct progress progress;
    struct progress_state state;
    bool is_connected;
};

/* --- the request ---------------------------------------------------------------------------------- */

/* A name in the list of columns is escaped once for the list and once for the URL. */
static void append_column(struct buf *url, struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        buf_printf(url, "%%25%02X", (unsigned char)name.ptr[i]);
}

static enum status make_url(struct http_exchange *exchange, const struct get_options *options,
                            bool is_suffix, struct str *out_url, struct error *error)
{
    struct dataset_range range = DATASET_RANGE_ALL;
    CLEANUP(buf_finish) struct buf url;
    buf_init(&url, QUERY_BYTES_MAX);
    buf_append_str(&url, http_exchange_url(exchange, options->name));
    buf_append_text(&url, "?format=parquet");
    TRY(get_columns_parse(&exchange->arena, options->columns_text, &range, error));
    for (size_t i = 0; i < range.column_count; i++) {
        buf_append_text(&url, i == 0 ? "&columns=" : ",");
        append_column(&url, range.columns[i]);
    }
    if (!is_suffix)
        TRY(get_rows_parse(options->rows_text, -1, &range, error));
    uint64_t limit = options->limit < range.limit ? options->limit : range.limit;
    if (range.from > 0)
        buf_printf(&url, "&offset=%llu", (unsigned long long)range.from);
    if (limit < UINT64_MAX)
        buf_printf(&url, "&limit=%llu", (unsigned long long)limit);
    TRY(buf_check(&url, "the list of columns", error));
    *out_url = arena_copy(&exchange->arena, buf_str(&url));
    return STATUS_OK;
}

static enum status start(struct http_exchange *exchange, const struct get_options *options,
                         struct error *error)
{
    bool is_suffix = str_starts_with(options->rows_text, STR("-"));
    struct str url;
    if (is_suffix && options->limit < UINT64_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "--rows -COUNT and --limit cannot be had together as Parquet");
    TRY(make_url(exchange, options, is_suffix, &url, error));
    struct http_header headers[2];
    size_t count = 0;
    if (exchange->authorization.len > 0)
        headers[count++] = (struct http_header){STR("authorization"), exchange->authorization};
    if (is_suffix)
        headers[count++] = (struct http_header){
            STR("range"),
            arena_printf(&exchange->arena, "rows=%.*s", STR_ARGS(options->rows_text)),
        };
    return http_client_start(exchange->client, STR("GET"), url, headers, count, true, CLOCK_NEVER,
                             &exchange->request, error);
}

/* --- the answer ----------------------------------------------------------------------------------- */

static enum status write_body(struct parquet *parquet, struct http_exchange *exchange,
                              struct error *error)
{
    for (bool end = false; !end;) {
        CLEANUP(slices_finish) struct slices bytes;
        slices_init(&bytes);
        TRY(http_client_read(exchange->request, &bytes, &end, error));
        parquet->state.bytes += bytes.bytes;
        TRY(output_write(&parquet->output, &bytes, error));
        progress_draw(&parquet->progress, &parquet->state);
    }
    return STATUS_OK;
}

static enum status transfer(struct parquet *parquet, struct http_exchange *exchange,
                            struct error *error)
{
    const struct get_options *options = parquet->options;
    TRY(start(exchange, options, error));
    TRY(http_exchange_check(exchange, error));
    if (options->file.len > 0) {
        uint64_t key = target_key_add(TARGET_KEY_START, options->name);
        TRY(target_file_open(&parquet->file, options->file, key, false, error));
        parquet->output.fd = parquet->file.fd;
        parquet->output.name = parquet->file.path;
    }
    TRY(write_body(parquet, exchange, error));
    return parquet->file.path ? target_file_commit(&parquet->file, error) : STATUS_OK;
}

/* The name that may have been meant is looked for over Flight, on the same port. */
static void suggest(const struct get_options *options, struct error *error)
{
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    if (error->status == STATUS_NOT_FOUND &&
        cli_connect(&options->server, &client, NULL) == STATUS_OK)
        listing_suggest(client, options->name, error);
}

static enum status get(struct parquet *parquet, struct interrupt *interrupt, struct error *error)
{
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    TRY(http_exchange_open(&exchange, &parquet->options->server, error));
    parquet->is_connected = true;
    http_exchange_watch(&exchange, interrupt);
    enum status status = transfer(parquet, &exchange, error);
    interrupt_set_target(interrupt, NULL, NULL);
    if (status != STATUS_OK && !interrupt_happened(interrupt))
        suggest(parquet->options, error);
    return status;
}

static enum exit_code fail(struct parquet *parquet, const struct interrupt *interrupt,
                           const struct error *error)
{
    progress_clear(&parquet->progress);
    if (parquet->output.broken)
        return CLI_FINE;
    if (interrupt_happened(interrupt))
        return CLI_INTERRUPTED;
    return cli_fail(parquet->is_connected ? cli_exit_of(error) : cli_connect_exit(error), error);
}

enum exit_code http_get_parquet(const struct get_options *options, struct interrupt *interrupt)
{
    struct error error = ERROR_NONE;
    struct parquet parquet = {.options = options, .file = {.fd = -1}};
    enum exit_code code = CLI_FINE;
    output_init(&parquet.output, STDOUT_FILENO);
    progress_start(&parquet.progress, options->name, options->quiet);
    if (get(&parquet, interrupt, &error) == STATUS_OK)
        progress_end(&parquet.progress, &parquet.state);
    else
        code = fail(&parquet, interrupt, &error);
    target_file_close(&parquet.file, false);
    output_finish(&parquet.output);
    return code;
}
