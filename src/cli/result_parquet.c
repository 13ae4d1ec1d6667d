/*
 * result_parquet.c — results as Parquet files, which a Volley makes.
 *
 * The batches go, as they come, to a dataset of the result's own on a second connection; when they are
 * complete the server writes the file over HTTP, and the dataset is dropped. So the statement keeps its
 * session, and nobody here holds the result. A dataset that could not be dropped expires soon.
 *
 * Runs on: the main thread. Owns: per result the second connection and the put.
 * Leaves out: what Parquet is (the server's engine). SPDX-License-Identifier: Apache-2.0
 */
#include "cli/connect.h"
#include "cli/http_dataset.h"
#include "cli/put_sender.h"
#include "cli/result.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

/* Who reads a dataset reads it to its end. */
#define DATASET_TTL STR("10m")

struct parquet {
    struct arena arena;
    struct str name; /* of the dataset */
    struct grpc_client *client;
    struct put_sender sender;
    bool is_put; /* the dataset is there */
};

static enum status start(struct parquet *parquet, struct result *result, struct error *error)
{
    Flight__FlightDescriptor *descriptor;
    TRY(cli_connect(result->server, &parquet->client, error));
    TRY(dataset_descriptor(&parquet->arena, parquet->name, &descriptor, error));
    grpc_client_set_header(parquet->client, STR("volley-mode"), STR("create"));
    grpc_client_set_header(parquet->client, STR("volley-ttl"), DATASET_TTL);
    TRY(put_sender_start(&parquet->sender, parquet->client, error));
    return put_sender_schema(&parquet->sender, descriptor, result->schema, error);
}

static enum status parquet_begin(struct result *result, struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    if (!result->server)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "Parquet is made by a server, of what its statements return");
    struct parquet *parquet = NEW(struct parquet);
    arena_init(&parquet->arena);
    result->state = parquet;
    random_uuid(id);
    parquet->name = arena_printf(&parquet->arena, "volley-sql/%s", id);
    return start(parquet, result, error);
}

/* What the server refused is what its answer says. */
static enum status end_put(struct parquet *parquet, struct error *error)
{
    struct str answer;
    bool was_over = put_sender_is_over(&parquet->sender);
    TRY(put_sender_end(&parquet->sender, &parquet->arena, &answer, error));
    if (was_over)
        return error_set(error, STATUS_INTERNAL, "the server ended the put before its end");
    parquet->is_put = true;
    return STATUS_OK;
}

static enum status parquet_batch(struct result *result, const struct arrow_batch *batch,
                                 struct error *error)
{
    struct parquet *parquet = (struct parquet *)result->state;
    if (put_sender_is_over(&parquet->sender))
        return end_put(parquet, error);
    /* Only the count of references changes; a batch is immutable otherwise. */
    return put_sender_batch(&parquet->sender, (struct arrow_batch *)batch, error);
}

static enum status read_file(struct http_exchange *exchange, struct output *output,
                             struct error *error)
{
    for (bool end = false; !end;) {
        CLEANUP(slices_finish) struct slices bytes;
        slices_init(&bytes);
        TRY(http_client_read(exchange->request, &bytes, &end, error));
        TRY(output_write(output, &bytes, error));
    }
    return STATUS_OK;
}

static enum status fetch_file(struct http_exchange *exchange, struct parquet *parquet,
                              struct output *output, struct error *error)
{
    struct str path = http_exchange_url(exchange, parquet->name);
    struct str url = arena_printf(&exchange->arena, "%.*s?format=parquet", STR_ARGS(path));
    const struct http_header header = {STR("authorization"), exchange->authorization};
    TRY(http_client_start(exchange->client, STR("GET"), url, &header, header.value.len > 0, true,
                          CLOCK_NEVER, &exchange->request, error));
    TRY(http_exchange_check(exchange, error));
    return read_file(exchange, output, error);
}

static enum status parquet_end(struct result *result, struct error *error)
{
    struct parquet *parquet = (struct parquet *)result->state;
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    TRY(end_put(parquet, error));
    TRY(http_exchange_open(&exchange, result->server, error));
    if (!result->interrupt)
        return fetch_file(&exchange, parquet, result->output, error);
    http_exchange_watch(&exchange, result->interrupt);
    enum status status = fetch_file(&exchange, parquet, result->output, error);
    interrupt_set_target(result->interrupt, NULL, NULL);
    return status;
}

static void drop_dataset(struct parquet *parquet)
{
    struct error ignored = ERROR_NONE;
    struct str body = dataset_action_body(&parquet->arena, parquet->name, STR_EMPTY);
    enum status status = dataset_action(parquet->client, "drop", body, NULL, NULL, &ignored);
    (void)status;
}

static void parquet_close(struct result *result)
{
    struct parquet *parquet = (struct parquet *)result->state;
    put_sender_finish(&parquet->sender);
    if (parquet->is_put)
        drop_dataset(parquet);
    grpc_client_close(parquet->client);
    arena_finish(&parquet->arena);
    free(parquet);
}

const struct result_format result_parquet = {
    .name = "parquet",
    .binary = true,
    .begin = parquet_begin,
    .batch = parquet_batch,
    .end = parquet_end,
    .close = parquet_close,
};
