/*
 * load.c — `volley load FILE... TABLE`: rows of files into a table.
 *
 * Arrow goes over Flight SQL: all files are one ingest, which is in the table as a whole or not at all. What
 * the server has to convert goes over HTTP into a dataset of this load's own, from which one statement fills
 * the table; the dataset is dropped, however that ended, and where it cannot be (the process is killed) its
 * time is short.
 *
 * Runs on: the main thread; Ctrl-C is watched by interrupt.c. Owns: the connection while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/memory.h"
#include "base/random.h"
#include "cli/connect.h"
#include "cli/http_transfer.h"
#include "cli/input_set.h"
#include "cli/interrupt.h"
#include "cli/load_table.h"
#include "cli/put_stream.h"
#include "cli/transfer_retry.h"

#include <signal.h>
#include <stdio.h>

/* From the last file on; who reads a dataset reads it to its end. */
#define DATASET_TTL STR("10m")
#define NAME_SIZE (RANDOM_UUID_SIZE + 32)

struct loading {
    const struct load_options *options;
    struct interrupt *interrupt;
    struct grpc_client *session; /* the shell's; NULL: each try has a connection of its own */
    struct progress progress;
    struct progress_state state;
    struct input_set inputs;
    struct transfer_retry retry;
    bool is_sent; /* all of it: what became of it is the server's to tell */
};

static enum status take_client(struct loading *loading, struct grpc_client **out_own,
                               struct grpc_client **out_client, struct error *error)
{
    *out_own = NULL;
    if (!loading->session)
        TRY(cli_connect(&loading->options->put.server, out_own, error));
    loading->retry.is_connected = true;
    *out_client = loading->session ? loading->session : *out_own;
    return STATUS_OK;
}

/* --- Arrow ------------------------------------------------------------------------------------ */

static enum status ingest(struct loading *loading, struct grpc_client *client,
                          struct put_stream *stream, struct error *error)
{
    interrupt_set_client(loading->interrupt, client);
    enum status status = put_stream_run(stream, client, error);
    interrupt_set_client(loading->interrupt, NULL);
    loading->is_sent = stream->is_sent;
    return status;
}

static enum status load_arrow(struct loading *loading, struct error *error)
{
    CLEANUP(grpc_client_close) struct grpc_client *own = NULL;
    CLEANUP(put_stream_finish) struct put_stream stream;
    struct grpc_client *client;
    put_stream_init(&stream, &loading->options->put, &loading->inputs, &loading->progress);
    stream.state.total = loading->inputs.total_bytes;
    TRY(take_client(loading, &own, &client, error));
    struct load_options options = *loading->options;
    options.mode = load_table_mode(client, &options);
    stream.descriptor = load_table_descriptor(&stream.arena, &options);
    TRY(ingest(loading, client, &stream, error));
    loading->state = stream.state;
    return load_table_ingested_rows(stream.id, &loading->state.rows, error);
}

/* --- other formats ---------------------------------------------------------------------------- */

/* Ctrl-C between two requests: the first of them that is to wait sees that it happened. */
static void note_only(void *target)
{
    (void)target;
}

static enum status check_interrupt(const struct loading *loading, struct error *error)
{
    interrupt_set_target(loading->interrupt, note_only, NULL);
    return interrupt_happened(loading->interrupt)
               ? error_set(error, STATUS_CANCELLED, "interrupted")
               : STATUS_OK;
}

static enum status put_files(struct loading *loading, struct str name, struct error *error)
{
    struct put_options put_options = loading->options->put;
    put_options.ttl = DATASET_TTL;
    struct http_put put = {
        .options = &put_options,
        .interrupt = loading->interrupt,
        .progress = &loading->progress,
        .state = {.total = loading->inputs.total_bytes},
    };
    for (size_t i = 0; i < put_options.file_count; i++) {
        CLEANUP(input_close) struct input *input = NULL;
        TRY(check_interrupt(loading, error));
        TRY(input_set_take(&loading->inputs, i, &input, error));
        enum put_mode mode = i == 0 ? PUT_CREATE : PUT_APPEND;
        enum status status = http_put_input(&put, input, name, mode, error);
        loading->retry.is_connected = loading->retry.is_connected || put.is_connected;
        if (status != STATUS_OK && put_options.file_count > 1) {
            struct error plain = *error;
            return error_set(error, plain.status, "%s: %s", put_options.files[i], plain.message);
        }
        TRY(status);
    }
    loading->state = put.state;
    return check_interrupt(loading, error);
}

/* All of the dataset's rows are those of the table. */
static enum status count_rows(struct loading *loading, struct grpc_client *client, struct str name,
                              struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__FlightDescriptor *descriptor;
    Flight__FlightInfo *info;
    TRY(dataset_descriptor(&arena, name, &descriptor, error));
    TRY(dataset_info(client, &arena, descriptor, &info, error));
    loading->state.rows = info->total_records > 0 ? (uint64_t)info->total_records : 0;
    return STATUS_OK;
}

static enum status fill_table(struct loading *loading, struct str name, const char *source,
                              struct error *error)
{
    CLEANUP(grpc_client_close) struct grpc_client *own = NULL;
    struct grpc_client *client;
    TRY(take_client(loading, &own, &client, error));
    TRY(check_interrupt(loading, error));
    interrupt_set_client(loading->interrupt, client);
    enum status status = count_rows(loading, client, name, error);
    loading->is_sent = status == STATUS_OK;
    if (status == STATUS_OK)
        status = load_table_from(client, loading->options, source, error);
    interrupt_set_target(loading->interrupt, note_only, NULL);
    return status;
}

/* What fails here is nobody's loss: the dataset's time is short. */
static void drop_dataset(const struct loading *loading, struct str name)
{
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    CLEANUP(arena_finish) struct arena arena;
    struct error ignored = ERROR_NONE;
    arena_init(&arena);
    enum status status = cli_connect(&loading->options->put.server, &client, &ignored);
    struct str body = dataset_action_body(&arena, name, STR_EMPTY);
    if (status == STATUS_OK)
        status = dataset_action(client, "drop", body, NULL, NULL, &ignored);
    (void)status;
}

static enum status load_converted(struct loading *loading, struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    char name[NAME_SIZE];
    char source[NAME_SIZE];
    random_uuid(id);
    (void)snprintf(name, sizeof(name), "volley-load/%s", id);
    (void)snprintf(source, sizeof(source), "dataset.\"volley-load\".\"%s\"", id);
    enum status status = put_files(loading, str_of(name), error);
    if (status == STATUS_OK)
        status = fill_table(loading, str_of(name), source, error);
    if (loading->retry.is_connected)
        drop_dataset(loading, str_of(name));
    return status;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Of a session nothing begins again: what it had went with its connection. */
static enum status load_until_done(struct loading *loading, struct error *error)
{
    for (unsigned tries = 1;; tries++) {
        loading->is_sent = false;
        enum status status =
            loading->inputs.is_arrow ? load_arrow(loading, error) : load_converted(loading, error);
        const struct transfer_try failed = {
            .number = tries,
            .is_sent = loading->is_sent,
            .is_repeatable = loading->inputs.is_repeatable,
            .may_happen_twice = loading->options->mode == LOAD_REPLACE,
        };
        if (status == STATUS_OK || loading->session ||
            !transfer_retry_next(&loading->retry, &failed, error))
            return status;
    }
}

static enum status load(struct loading *loading, struct error *error)
{
    const struct put_options *put = &loading->options->put;
    const struct input_options input_options = {.format = put->format,
                                                .is_unfinished = put->is_unfinished,
                                                .interrupt = loading->interrupt};
    loading->retry = (struct transfer_retry){
        .retries = put->retries,
        .interrupt = loading->interrupt,
        .progress = &loading->progress,
        .again = "loading it again",
        .unknown = "everything was sent, and only the server knows whether it is in the table: "
                   "look before you load it again",
    };
    progress_start(&loading->progress, loading->options->target.table, put->quiet);
    enum status status =
        input_set_open(&loading->inputs, put->files, put->file_count, &input_options, error);
    if (status == STATUS_OK)
        status = load_until_done(loading, error);
    progress_clear(&loading->progress);
    if (status == STATUS_OK && !put->quiet)
        progress_summarize(&loading->progress, &loading->state, loading->session ? stderr : stdout);
    input_set_close(&loading->inputs);
    return status;
}

enum status load_in_session(const struct load_options *options, struct interrupt *interrupt,
                            struct grpc_client *session, struct error *error)
{
    struct loading loading = {.options = options, .interrupt = interrupt, .session = session};
    enum status status = load(&loading, error);
    interrupt_set_target(interrupt, NULL, NULL);
    return status;
}

static enum exit_code exit_code_of(const struct loading *loading, const struct error *error)
{
    if (interrupt_happened(loading->interrupt))
        return CLI_INTERRUPTED;
    if (loading->retry.is_connected)
        return cli_fail(cli_exit_of(error), error);
    return cli_fail(cli_connect_exit(error), error);
}

enum exit_code cli_load(char *const *arguments, size_t count)
{
    struct error error = ERROR_NONE;
    struct load_options options;
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(interrupt_stop) struct interrupt *interrupt = NULL;
    arena_init(&arena);
    if (load_options_read(&options, &arena, true, arguments, count, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (interrupt_start(&interrupt, &error) != STATUS_OK)
        return cli_fail(CLI_FAILED, &error);
    (void)signal(SIGPIPE, SIG_IGN);
    struct loading loading = {.options = &options, .interrupt = interrupt};
    if (load(&loading, &error) != STATUS_OK)
        return exit_code_of(&loading, &error);
    return CLI_FINE;
}
