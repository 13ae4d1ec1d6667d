/*
 * http_put.c — a file that the server converts, as the body of a PUT or POST.
 *
 * Runs on: the main thread. Owns: the connection while it runs. Leaves out: trying again
 * (put.c). SPDX-License-Identifier: Apache-2.0
 */
#include "cli/http_transfer.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/http_dataset.h"

#define READ_BYTES ((size_t)1 << 20)
#define HEADERS_MAX 5

static struct str media_type(enum input_format format)
{
    static const char *const types[] = {
        [INPUT_ARROW] = "application/octet-stream",
        [INPUT_PARQUET] = "application/vnd.apache.parquet",
        [INPUT_CSV] = "text/csv",
        [INPUT_JSON] = "application/json",
        [INPUT_NDJSON] = "application/x-ndjson",
        [INPUT_TSV] = "text/csv", /* input_read makes it that */
    };
    return str_of(types[format]);
}

static enum status start(struct http_put *put, struct http_exchange *exchange,
                         const struct input *input, struct str name, enum put_mode mode,
                         struct error *error)
{
    const struct put_options *options = put->options;
    struct http_header headers[HEADERS_MAX] = {
        {.name = STR("content-type"), .value = media_type(input_format(input))},
        {.name = STR("volley-mode"), .value = str_of(put_mode_names[mode])},
    };
    size_t count = 2;
    if (options->ttl.len > 0)
        headers[count++] = (struct http_header){STR("volley-ttl"), options->ttl};
    if (options->durability.len > 0)
        headers[count++] = (struct http_header){STR("volley-durability"), options->durability};
    if (exchange->authorization.len > 0)
        headers[count++] = (struct http_header){STR("authorization"), exchange->authorization};
    bool makes_anew = mode == PUT_CREATE || mode == PUT_REPLACE;
    return http_client_start(exchange->client, makes_anew ? STR("PUT") : STR("POST"),
                             http_exchange_url(exchange, name), headers, count, false, CLOCK_NEVER,
                             &exchange->request, error);
}

static enum status send_body(struct http_put *put, struct http_exchange *exchange,
                             struct input *input, struct error *error)
{
    for (;;) {
        CLEANUP(slices_finish) struct slices bytes;
        slices_init(&bytes);
        struct buffer *buffer = buffer_create(READ_BYTES);
        struct slice slice = slice_make(buffer->data, 0, buffer);
        enum status status = input_read(input, buffer->data, buffer->size, &slice.len, error);
        put->state.bytes += slice.len;
        put->state.done = put->state.bytes < put->state.total ? put->state.bytes : put->state.total;
        bool end = status == STATUS_OK && slice.len == 0;
        if (status == STATUS_OK && !end)
            slices_append(&bytes, slice);
        else
            buffer_unref(buffer);
        TRY(status);
        if (end || http_client_is_over(exchange->request))
            break;
        TRY(http_client_write(exchange->request, &bytes, error));
        progress_draw(put->progress, &put->state);
    }
    put->is_sent = !http_client_is_over(exchange->request);
    return http_client_end(exchange->request, error);
}

/* The rows are for people to see: the put stands without them. */
static void count_rows(struct http_put *put, struct http_exchange *exchange)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    struct error ignored = ERROR_NONE;
    int64_t rows = 0;
    if (http_exchange_read(exchange, &document, &ignored) == STATUS_OK &&
        json_member_integer(json_root(document), "rows", false, &rows, NULL, &ignored) ==
            STATUS_OK &&
        rows > 0)
        put->state.rows += (uint64_t)rows;
}

enum status http_put_input(struct http_put *put, struct input *input, struct str name,
                           enum put_mode mode, struct error *error)
{
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    put->is_sent = false;
    TRY(http_exchange_open(&exchange, &put->options->server, error));
    put->is_connected = true;
    http_exchange_watch(&exchange, put->interrupt);
    enum status status = start(put, &exchange, input, name, mode, error);
    if (status == STATUS_OK)
        status = send_body(put, &exchange, input, error);
    if (status == STATUS_OK)
        status = http_exchange_check(&exchange, error);
    if (status == STATUS_OK)
        count_rows(put, &exchange);
    interrupt_set_target(put->interrupt, NULL, NULL);
    return status;
}
