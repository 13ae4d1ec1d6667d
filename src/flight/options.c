/*
 * options.c — what a call's metadata asks for: `volley-<option>`.
 *
 * Runs on: a worker. Owns: nothing; texts are the request's. Leaves out: what an option means
 * (engine/result_options.c, wishes.c). Source: design section 8. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"
#include "engine/result_options.h"

#include <stdio.h>

/* What FlightData, the IPC header and gRPC add to a body stays below this. */
#define MESSAGE_OVERHEAD_BYTES ((size_t)64 << 10)

struct str flight_option(const struct flight_call *call, const char *name)
{
    char header[64];
    int size = snprintf(header, sizeof(header), "volley-%s", name);
    return str_trim(http_headers_get(&call->call->metadata, str_make(header, (size_t)size)));
}

enum status flight_result_options(struct flight_call *call,
                                  struct engine_result_options *out_options, struct error *error)
{
    struct engine_result_options options = {.description = ENGINE_DESCRIBES_RESULTS};
    for (size_t i = 0; i < result_option_count; i++) {
        struct str text = flight_option(call, result_option_names[i]);
        if (text.len > 0)
            TRY(result_option_set(&options, i, text, error));
    }
    *out_options = options;
    return STATUS_OK;
}

static enum status read_timeout(struct flight_call *call, uint64_t *out_timeout_ms,
                                struct error *error)
{
    struct str text = flight_option(call, "timeout-ms");
    if (text.len == 0 || (str_to_u64(text, out_timeout_ms) && *out_timeout_ms > 0))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "option timeout-ms takes a number of milliseconds above 0, not '%.*s'",
                     STR_ARGS(text));
}

enum status flight_endpoint_count(const struct flight_call *call, size_t *out_count,
                                  struct error *error)
{
    struct str text = flight_option(call, "parallel-endpoints");
    uint64_t count = 1;
    if (text.len > 0 && (!str_to_u64(text, &count) || count < 1 || count > FLIGHT_ENDPOINTS_MAX))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "option parallel-endpoints takes a number from 1 to %d, not '%.*s'",
                              FLIGHT_ENDPOINTS_MAX, STR_ARGS(text));
    *out_count = (size_t)count;
    return STATUS_OK;
}

enum status flight_put_wishes(const struct flight_call *call, struct put_wishes *out_wishes,
                              struct error *error)
{
    *out_wishes = (struct put_wishes){0};
    for (size_t i = 0; i < PUT_WISH_COUNT; i++) {
        struct str text = flight_option(call, put_wish_names[i]);
        if (text.len > 0)
            TRY(put_wish_set(out_wishes, i, text, error));
    }
    return STATUS_OK;
}

enum status flight_compressor(const struct flight_call *call,
                              struct ipc_compressor **out_compressor, struct error *error)
{
    struct str text = flight_option(call, "compression");
    *out_compressor = NULL;
    if (str_equal_nocase(text, STR("lz4")))
        *out_compressor = ipc_compressor_create(IPC_COMPRESSION_LZ4, 0);
    else if (str_equal_nocase(text, STR("zstd")))
        *out_compressor = ipc_compressor_create(IPC_COMPRESSION_ZSTD, 0);
    else if (text.len > 0 && !str_equal_nocase(text, STR("none")))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "option compression takes lz4, zstd or none, not '%.*s'",
                              STR_ARGS(text));
    return STATUS_OK;
}

enum status flight_body_bytes_max(struct flight_call *call, size_t *out_bytes, struct error *error)
{
    struct engine_result_options options;
    TRY(flight_result_options(call, &options, error));
    size_t bytes = options.message_bytes_max;
    if (bytes == 0)
        *out_bytes = call->flight->options.body_bytes_max;
    else
        *out_bytes =
            bytes > 2 * MESSAGE_OVERHEAD_BYTES ? bytes - MESSAGE_OVERHEAD_BYTES : bytes / 2 + 1;
    return STATUS_OK;
}

enum status flight_prepare(struct flight_call *call, struct str sql,
                           struct engine_statement *statement, struct query **out_query,
                           struct error *error)
{
    struct query_spec spec = {
        .session = session_engine(call->session),
        .statement = statement,
        .sql = sql,
        .discard_rows = call->discards_rows,
        .deadline_ns = CLOCK_NEVER,
        .request_id = call->call->id,
        .peer = call->call->peer,
        .door = "flight",
    };
    TRY(flight_result_options(call, &spec.result, error));
    TRY(read_timeout(call, &spec.timeout_ms, error));
    return query_prepare(call->flight->options.queries, &spec, out_query, error);
}

enum status flight_prepare_over(struct flight_call *call, struct str sql, struct str input_id,
                                struct query **out_query, struct error *error)
{
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    struct engine_result_options options;
    TRY(flight_result_options(call, &options, error));
    TRY(engine_prepare_over(session_engine(call->session), sql, input_id, &options, &statement,
                            error));
    TRY(flight_prepare(call, sql, statement, out_query, error));
    (void)STEAL(statement);
    return STATUS_OK;
}
