/*
 * get.c — `volley get NAME`: a dataset to a file, a pipe or the terminal.
 *
 * Batches are written in their order as they come (fetch.c reads ahead). A FILE is written under another
 * name and gets its own when it is whole; when the transfer fails or is interrupted, what came of an Arrow
 * stream or file stays there for --resume, unless the disk is full.
 *
 * A server that is no Volley gives all its rows: those that are not wanted are left out here.
 *
 * Runs on: the main thread; Ctrl-C is watched by interrupt.c. Owns: the output while it runs.
 * Leaves out: Parquet, which the server makes (http_transfer.c). SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "arrow/ipc.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/amount.h"
#include "cli/connect.h"
#include "cli/fetch.h"
#include "cli/get_options.h"
#include "cli/http_transfer.h"
#include "cli/interrupt.h"
#include "cli/layout.h"
#include "cli/listing.h"
#include "cli/progress.h"
#include "cli/target_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)

struct transfer {
    const struct get_options *options;
    struct interrupt *interrupt;
    struct arena arena;
    Flight__FlightInfo *info; /* in the arena */
    struct dataset_range range;
    bool has_positions;
    struct fetch *fetch;
    struct target_file file; /* fd -1: standard output */
    struct output output;
    struct result result;
    bool is_connected;
    bool has_begun;
    uint64_t resumed_rows;
    uint64_t skipped; /* rows that came and were before the first wanted one */
    struct progress progress;
    struct progress_state state;
};

/* --- what to read --------------------------------------------------------------------------------- */

static enum status find_dataset(struct transfer *transfer, struct grpc_client *client,
                                struct error *error)
{
    const struct get_options *options = transfer->options;
    Flight__FlightDescriptor *descriptor;
    TRY(dataset_descriptor(&transfer->arena, options->name, &descriptor, error));
    TRY(dataset_info(client, &transfer->arena, descriptor, &transfer->info, error));
    transfer->has_positions = dataset_info_has_positions(transfer->info);
    int64_t total = transfer->info->total_records;
    TRY(get_rows_parse(options->rows_text, total, &transfer->range, error));
    TRY(get_columns_parse(&transfer->arena, options->columns_text, &transfer->range, error));
    if (options->limit < transfer->range.limit)
        transfer->range.limit = options->limit;
    if (total >= 0) {
        uint64_t from = transfer->range.from;
        uint64_t left = (uint64_t)total > from ? (uint64_t)total - from : 0;
        transfer->state.total = left < transfer->range.limit ? left : transfer->range.limit;
    }
    return STATUS_OK;
}

/* The places of the wanted columns. INVALID_ARGUMENT naming one that is not there. */
static enum status find_columns(struct transfer *transfer, const struct arrow_schema *schema,
                                size_t *out_places, struct error *error)
{
    for (size_t i = 0; i < transfer->range.column_count; i++)
        TRY(arrow_schema_find(schema, transfer->range.columns[i], &out_places[i], error));
    return STATUS_OK;
}

/* The schema that the result will have; one reference. */
static enum status announced_schema(struct transfer *transfer, struct arrow_schema **out_schema,
                                    struct error *error)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = NULL;
    struct str bytes = proto_bytes(transfer->info->schema);
    TRY(ipc_decode_schema(slice_make(bytes.ptr, bytes.len, NULL), &schema, error));
    if (transfer->range.column_count == 0) {
        *out_schema = STEAL(schema);
        return STATUS_OK;
    }
    size_t *places = ARENA_NEW_ARRAY(&transfer->arena, size_t, transfer->range.column_count);
    TRY(find_columns(transfer, schema, places, error));
    *out_schema = arrow_schema_project(schema, places, transfer->range.column_count);
    return STATUS_OK;
}

/* --- where to write ------------------------------------------------------------------------------- */

/* What an earlier run must have wanted for its part to be taken up. */
static uint64_t part_key(const struct transfer *transfer)
{
    const struct get_options *options = transfer->options;
    char numbers[64];
    (void)snprintf(numbers, sizeof(numbers), "%llu %llu", (unsigned long long)transfer->range.from,
                   (unsigned long long)options->limit);
    uint64_t key = target_key_add(TARGET_KEY_START, proto_bytes(transfer->info->app_metadata));
    key = target_key_add(key, str_of(options->format->name));
    key = target_key_add(key, options->columns_text);
    key = target_key_add(key, options->rows_text);
    return target_key_add(key, str_of(numbers));
}

/* Takes up the part of an earlier run; one that does not fit is begun anew. */
static enum status resume(struct transfer *transfer, struct error *error)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = NULL;
    CLEANUP(slice_finish) struct slice written = SLICE_EMPTY;
    struct error reason = ERROR_NONE;
    uint64_t bytes = 0;
    uint64_t rows = 0;
    TRY(target_file_map(&transfer->file, &written, error));
    if (written.len == 0)
        return STATUS_OK;
    enum status status = announced_schema(transfer, &schema, &reason);
    if (status == STATUS_OK)
        status = result_resume(&transfer->result, transfer->options->format, &transfer->output,
                               schema, slice_str(written), &bytes, &rows, &reason);
    if (status != STATUS_OK) {
        progress_say(&transfer->progress, "%s is begun anew: %s", transfer->file.part_path,
                     reason.message);
        return target_file_cut(&transfer->file, 0, error);
    }
    transfer->has_begun = true;
    transfer->resumed_rows = rows;
    transfer->state.done = rows;
    transfer->range.from += rows;
    if (transfer->range.limit < UINT64_MAX)
        transfer->range.limit -= rows < transfer->range.limit ? rows : transfer->range.limit;
    return target_file_cut(&transfer->file, bytes, error);
}

static enum status open_output(struct transfer *transfer, struct error *error)
{
    const struct get_options *options = transfer->options;
    output_init(&transfer->output, STDOUT_FILENO);
    if (options->file.len == 0) {
        /* A larger pipe is fewer turns; where that is refused, it stays as it is. */
        (void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
        return STATUS_OK;
    }
    bool wants_part = options->resume && transfer->has_positions;
    TRY(target_file_open(&transfer->file, options->file, part_key(transfer), wants_part, error));
    transfer->output.fd = transfer->file.fd;
    transfer->output.name = transfer->file.path;
    if (options->resume && !transfer->has_positions)
        progress_say(&transfer->progress,
                     "this server has no positions to go on from; the file is begun anew");
    return wants_part && transfer->file.part_path ? resume(transfer, error) : STATUS_OK;
}

/* --- batches -------------------------------------------------------------------------------------- */

/* Leaves out what a server without positions sent and nobody wants; *batch may become NULL. */
static enum status trim(struct transfer *transfer, struct arrow_batch **batch, struct error *error)
{
    const struct dataset_range *range = &transfer->range;
    if (transfer->has_positions)
        return STATUS_OK;
    CLEANUP(arrow_batch_unref) struct arrow_batch *received = STEAL(*batch);
    uint64_t rows = (uint64_t)received->rows;
    uint64_t skip = range->from - transfer->skipped;
    skip = skip < rows ? skip : rows;
    transfer->skipped += skip;
    uint64_t left = range->limit - transfer->state.rows;
    uint64_t count = rows - skip < left ? rows - skip : left;
    if (count == 0)
        return STATUS_OK;
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *part = arrow_batch_slice(received, (int64_t)skip, (int64_t)count);
    if (range->column_count == 0) {
        *batch = STEAL(part);
        return STATUS_OK;
    }
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    size_t *places = ARENA_NEW_ARRAY(&arena, size_t, range->column_count);
    TRY(find_columns(transfer, part->schema, places, error));
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = arrow_schema_project(part->schema, places, range->column_count);
    *batch = arrow_batch_project(part, schema, places, range->column_count);
    return STATUS_OK;
}

static enum status begin(struct transfer *transfer, struct arrow_schema *schema,
                         struct error *error)
{
    if (transfer->has_begun)
        return STATUS_OK;
    TRY(result_begin(&transfer->result, transfer->options->format, &transfer->output, schema,
                     isatty(transfer->output.fd) != 0, error));
    transfer->has_begun = true;
    return STATUS_OK;
}

static enum status write_batch(struct transfer *transfer, struct arrow_batch **batch,
                               struct error *error)
{
    TRY(trim(transfer, batch, error));
    if (!*batch)
        return STATUS_OK;
    TRY(begin(transfer, (*batch)->schema, error));
    TRY(result_batch(&transfer->result, *batch, error));
    transfer->state.rows += (uint64_t)(*batch)->rows;
    transfer->state.done += (uint64_t)(*batch)->rows;
    transfer->state.bytes += ipc_batch_bytes(*batch);
    return STATUS_OK;
}

/* Whether a server without positions sends more than is wanted. */
static bool has_enough(const struct transfer *transfer)
{
    return !transfer->has_positions && transfer->state.rows >= transfer->range.limit;
}

static enum status finish_result(struct transfer *transfer, struct error *error)
{
    struct arrow_schema *received = fetch_schema(transfer->fetch);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = received ? arrow_schema_ref(received) : NULL;
    if (!transfer->has_begun && (!schema || !transfer->has_positions)) {
        arrow_schema_unref(STEAL(schema));
        TRY(announced_schema(transfer, &schema, error));
    }
    TRY(begin(transfer, schema, error));
    return result_end(&transfer->result, error);
}

static enum status pump(struct transfer *transfer, struct error *error)
{
    char notice[FETCH_NOTICE_SIZE];
    enum fetch_step step = FETCH_WAIT;
    while (step != FETCH_END && !has_enough(transfer)) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(fetch_next(transfer->fetch, progress_due_ns(&transfer->progress), &step, &batch,
                       error));
        if (step == FETCH_BATCH)
            TRY(write_batch(transfer, &batch, error));
        if (fetch_notice(transfer->fetch, notice))
            progress_say(&transfer->progress, "%s", notice);
        progress_draw(&transfer->progress, &transfer->state);
    }
    return finish_result(transfer, error);
}

/* --- the command ---------------------------------------------------------------------------------- */

static void stop_fetch(void *target)
{
    fetch_stop((struct fetch *)target);
}

/* Takes the connection over. */
static enum status read_all(struct transfer *transfer, struct grpc_client *client,
                            struct error *error)
{
    const struct fetch_options options = {
        .server = &transfer->options->server,
        .info = transfer->info,
        .range = transfer->range,
        .parallel = (unsigned)transfer->options->parallel,
        .retries = (unsigned)transfer->options->retries,
        .client = client,
    };
    TRY(fetch_start(&options, &transfer->fetch, error));
    interrupt_set_target(transfer->interrupt, stop_fetch, transfer->fetch);
    enum status status = pump(transfer, error);
    interrupt_set_target(transfer->interrupt, NULL, NULL);
    return status;
}

static enum status get(struct transfer *transfer, struct error *error)
{
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    TRY(cli_connect(&transfer->options->server, &client, error));
    transfer->is_connected = true;
    interrupt_set_client(transfer->interrupt, client);
    enum status status = find_dataset(transfer, client, error);
    if (status == STATUS_NOT_FOUND)
        listing_suggest(client, transfer->options->name, error);
    interrupt_set_client(transfer->interrupt, NULL);
    TRY(status);
    TRY(open_output(transfer, error));
    TRY(read_all(transfer, STEAL(client), error));
    return transfer->file.path ? target_file_commit(&transfer->file, error) : STATUS_OK;
}

/* Keeps what --resume can take up again, and tells; anything else goes. */
static void leave_part(struct transfer *transfer)
{
    uint64_t rows = transfer->resumed_rows + transfer->state.rows;
    bool keep = transfer->file.part_path && transfer->has_positions &&
                transfer->options->format->resume && rows > 0 && !transfer->output.is_full;
    char count[AMOUNT_TEXT_SIZE];
    if (keep)
        cli_complain("%s rows are in %s; the same command with --resume goes on there",
                     amount_of_count(rows, count), transfer->file.part_path);
    target_file_close(&transfer->file, keep);
}

static enum exit_code exit_code_of(struct transfer *transfer, const struct error *error)
{
    progress_clear(&transfer->progress);
    if (transfer->output.broken)
        return CLI_FINE;
    if (interrupt_happened(transfer->interrupt))
        return CLI_INTERRUPTED;
    return cli_fail(transfer->is_connected ? cli_exit_of(error) : cli_connect_exit(error), error);
}

static enum exit_code run(const struct get_options *options, struct interrupt *interrupt)
{
    struct error error = ERROR_NONE;
    struct transfer transfer = {
        .options = options,
        .interrupt = interrupt,
        .file = {.fd = -1},
        .range = DATASET_RANGE_ALL,
    };
    arena_init(&transfer.arena);
    output_init(&transfer.output, STDOUT_FILENO);
    progress_start(&transfer.progress, options->name,
                   options->quiet || (options->file.len == 0 && isatty(STDOUT_FILENO)));
    enum exit_code code = CLI_FINE;
    if (get(&transfer, &error) == STATUS_OK)
        progress_end(&transfer.progress, &transfer.state);
    else
        code = exit_code_of(&transfer, &error);
    leave_part(&transfer);
    fetch_destroy(transfer.fetch);
    result_close(&transfer.result);
    output_finish(&transfer.output);
    arena_finish(&transfer.arena);
    return code;
}

enum exit_code cli_get(char *const *arguments, size_t count)
{
    struct error error = ERROR_NONE;
    struct get_options options;
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(interrupt_stop) struct interrupt *interrupt = NULL;
    arena_init(&arena);
    if (get_options_read(&options, &arena, arguments, count, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (interrupt_start(&interrupt, &error) != STATUS_OK)
        return cli_fail(CLI_FAILED, &error);
    layout_prepare();
    (void)signal(SIGPIPE, SIG_IGN);
    enum exit_code code =
        options.is_parquet ? http_get_parquet(&options, interrupt) : run(&options, interrupt);
    layout_finish();
    return code;
}
