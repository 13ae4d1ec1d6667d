/*
 * options.c — what a call's metadata asks for, `volley-<option>`, and where it says nothing its session.
 *
 * Runs on: a worker. Owns: nothing; texts are the request's or the session's. Leaves out: what an option
 * means (option_table.h, engine/result_options.c, wishes.c). Source: design section 8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"
#include "base/nearest.h"
#include "engine/remote.h"
#include "engine/result_options.h"
#include "flight/option_table.h"

#include <stdio.h>

/* What FlightData, the IPC header and gRPC add to a body stays below this. */
#define MESSAGE_OVERHEAD_BYTES ((size_t)64 << 10)

struct str flight_option(const struct flight_call *call, const char *name)
{
    char header[64];
    int size = snprintf(header, sizeof(header), "volley-%s", name);
    struct str text =
        str_trim(http_headers_get(&call->call->metadata, str_make(header, (size_t)size)));
    size_t option;
    if (text.len > 0 || !call->options || !option_find(str_of(name), &option))
        return text;
    return option_set_value(call->options, option);
}

/* Metadata beside the options. */
static bool is_other_metadata(struct str name)
{
    return str_equal(name, STR("volley-queue"));
}

static enum status unknown_option(struct str name, struct error *error)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = ENGINE_SESSION_SETTING_COUNT; i < option_count(); i++)
        nearest_offer(&nearest, str_of(option_name(i)));
    if (nearest.best.len == 0)
        return error_set_code(
            error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
            "there is no option %.*s (metadata volley-%.*s); GetSessionOptions lists them",
            STR_ARGS(name), STR_ARGS(name));
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "there is no option %.*s (metadata volley-%.*s); did you mean %.*s?",
                          STR_ARGS(name), STR_ARGS(name), STR_ARGS(nearest.best));
}

enum status flight_check_metadata(const struct flight_call *call, struct error *error)
{
    const struct str prefix = STR("volley-");
    for (size_t i = 0; i < call->call->metadata.count; i++) {
        struct str name = call->call->metadata.items[i].name;
        size_t option;
        if (!str_starts_with(name, prefix) || is_other_metadata(name))
            continue;
        name = str_slice(name, prefix.len, name.len);
        if (!option_find(name, &option))
            return unknown_option(name, error);
        if (option < ENGINE_SESSION_SETTING_COUNT)
            return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                                  "option %.*s belongs to a session: set it by SetSessionOptions",
                                  STR_ARGS(name));
    }
    return STATUS_OK;
}

static struct str option_text(const void *context, const char *name)
{
    return flight_option(context, name);
}

enum status flight_result_options(struct flight_call *call,
                                  struct engine_result_options *out_options, struct error *error)
{
    const struct option_source source = {option_text, call};
    struct engine_result_options options = {.description = ENGINE_DESCRIBES_RESULTS};
    TRY(result_options_read(&source, &options, error));
    *out_options = options;
    return STATUS_OK;
}

enum status flight_endpoint_count(const struct flight_call *call, size_t *out_count,
                                  struct error *error)
{
    return option_read_endpoints(flight_option(call, "parallel-endpoints"), out_count, error);
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
    enum compression_option compression;
    TRY(option_read_compression(flight_option(call, "compression"), &compression, error));
    *out_compressor = NULL;
    if (compression == COMPRESSION_OPTION_LZ4)
        *out_compressor = ipc_compressor_create(IPC_COMPRESSION_LZ4, 0);
    else if (compression == COMPRESSION_OPTION_ZSTD)
        *out_compressor = ipc_compressor_create(IPC_COMPRESSION_ZSTD, 0);
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

static enum status prepare(struct flight_call *call, struct str sql,
                           struct engine_statement *statement, struct remote_engine *remote,
                           struct query **out_query, struct error *error)
{
    struct query_spec spec = {
        .session = session_engine(call->session),
        .statement = statement,
        .remote = remote,
        .sql = sql,
        .discard_rows = call->discards_rows,
        .deadline_ns = CLOCK_NEVER,
        .request_id = call->call->id,
        .peer = call->call->peer,
        .door = "flight",
    };
    TRY(flight_result_options(call, &spec.result, error));
    TRY(run_options_read(&(struct option_source){option_text, call}, &spec, error));
    enum status status = query_prepare(call->flight->options.queries, &spec, out_query, error);
    if (status != STATUS_OK)
        flight_call_name_statement(call, sql);
    return status;
}

enum status flight_prepare(struct flight_call *call, struct str sql,
                           struct engine_statement *statement, struct query **out_query,
                           struct error *error)
{
    return prepare(call, sql, statement, NULL, out_query, error);
}

enum status flight_check_own_engine(const struct flight_call *call, const char *what,
                                    struct error *error)
{
    bool is_remote = false;
    TRY(option_read_engine(flight_option(call, "engine"), &is_remote, error));
    if (!is_remote)
        return STATUS_OK;
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "%s is not for the engine clickhouse (option engine): send the text of the "
                     "statement, with its values in it",
                     what);
}

static enum status check_remote(const struct flight_call *call, struct error *error)
{
    struct remote_engine *remote = call->flight->options.remote;
    if (!remote)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNKNOWN_ENGINE",
                              "there is no engine 'clickhouse' (setting clickhouse-host)");
    if (engine_session_in_transaction(session_engine(call->session)))
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "a transaction is open, in which the engine clickhouse has no part: end "
                         "it first");
    return remote->methods->check(remote, error);
}

enum status flight_prepare_text(struct flight_call *call, struct str sql, struct query **out_query,
                                struct error *error)
{
    bool is_remote = false;
    TRY(option_read_engine(flight_option(call, "engine"), &is_remote, error));
    if (!is_remote)
        return prepare(call, sql, NULL, NULL, out_query, error);
    TRY(check_remote(call, error));
    return prepare(call, sql, NULL, call->flight->options.remote, out_query, error);
}

enum status flight_prepare_over(struct flight_call *call, struct str sql, struct str input_id,
                                struct query **out_query, struct error *error)
{
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    struct engine_result_options options;
    TRY(flight_check_own_engine(call, "a statement over rows that are sent", error));
    TRY(flight_result_options(call, &options, error));
    TRY(engine_prepare_over(session_engine(call->session), sql, input_id, &options, &statement,
                            error));
    TRY(flight_prepare(call, sql, statement, out_query, error));
    (void)STEAL(statement);
    return STATUS_OK;
}
