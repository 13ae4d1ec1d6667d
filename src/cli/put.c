/*
 * put.c — `volley put FILE... NAME`: files become a dataset.
 *
 * Arrow goes over Flight: all files are one put, which is seen as a whole or not at all. What the server has
 * to convert goes over HTTP, a file at a time, each seen as a whole; files after the first are appended.
 *
 * When the connection breaks, nothing of a put was kept: it begins again if its input can be read again.
 * When it breaks after all was sent, only the server knows; then only a put that may be done twice begins
 * again.
 *
 * Runs on: the main thread; Ctrl-C is watched by interrupt.c. Owns: the connection while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/connect.h"
#include "cli/http_transfer.h"
#include "cli/input_set.h"
#include "cli/interrupt.h"
#include "cli/listing.h"
#include "cli/put_stream.h"
#include "cli/transfer_retry.h"

#include <signal.h>
#include <stdio.h>

/* A put under way, over either door. */
struct putting {
    const struct put_options *options;
    struct interrupt *interrupt;
    struct progress progress;
    struct input_set inputs;
    struct transfer_retry retry;
};

/* --- over Flight ---------------------------------------------------------------------------------- */

static enum status try_stream(struct putting *putting, struct put_stream *stream,
                              struct error *error)
{
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    TRY(cli_connect(&putting->options->server, &client, error));
    putting->retry.is_connected = true;
    interrupt_set_client(putting->interrupt, client);
    enum status status = put_stream_run(stream, client, error);
    interrupt_set_client(putting->interrupt, NULL);
    if (status == STATUS_NOT_FOUND)
        listing_suggest(client, putting->options->name, error);
    return status;
}

static enum status put_arrow(struct putting *putting, struct error *error)
{
    CLEANUP(put_stream_finish) struct put_stream stream;
    put_stream_init(&stream, putting->options, &putting->inputs, &putting->progress);
    stream.state.total = putting->inputs.total_bytes;
    enum status status;
    for (unsigned tries = 1;; tries++) {
        status = try_stream(putting, &stream, error);
        const struct transfer_try failed = {
            .number = tries,
            .is_sent = stream.is_sent,
            .is_repeatable = putting->inputs.is_repeatable,
            .may_happen_twice = putting->options->mode == PUT_REPLACE,
        };
        if (status == STATUS_OK || !transfer_retry_next(&putting->retry, &failed, error))
            break;
    }
    TRY(status);
    progress_end(&putting->progress, &stream.state);
    struct str name = putting->options->name.len > 0 ? putting->options->name : stream.id;
    (void)printf("%.*s\n", STR_ARGS(name));
    return STATUS_OK;
}

/* --- over HTTP ------------------------------------------------------------------------------------ */

static enum status put_file(struct putting *putting, struct http_put *put, size_t index,
                            struct str name, enum put_mode mode, struct error *error)
{
    uint64_t bytes = put->state.bytes;
    for (unsigned tries = 1;; tries++) {
        CLEANUP(input_close) struct input *input = NULL;
        TRY(input_set_take(&putting->inputs, index, &input, error));
        bool is_repeatable = input_is_repeatable(input);
        put->state.bytes = bytes;
        if (http_put_input(put, input, name, mode, error) == STATUS_OK)
            return STATUS_OK;
        putting->retry.is_connected = put->is_connected;
        const struct transfer_try failed = {
            .number = tries,
            .is_sent = put->is_sent,
            .is_repeatable = is_repeatable,
            .may_happen_twice = mode == PUT_REPLACE,
        };
        if (!transfer_retry_next(&putting->retry, &failed, error))
            return error->status;
    }
}

/* The error of one of several files tells which are there already. */
static enum status name_file(const struct put_options *options, size_t index, struct error *error)
{
    struct error plain = *error;
    if (index == 0)
        return plain.status;
    return error_set(error, plain.status, "%s: %s (%zu of %zu files are put)",
                     options->files[index], plain.message, index, options->file_count);
}

static enum status put_converted(struct putting *putting, struct error *error)
{
    const struct put_options *options = putting->options;
    struct http_put put = {
        .options = options,
        .interrupt = putting->interrupt,
        .progress = &putting->progress,
        .state = {.total = putting->inputs.total_bytes},
    };
    char id[RANDOM_UUID_SIZE];
    random_uuid(id);
    struct str name = options->name.len > 0 ? options->name : str_of(id);
    for (size_t i = 0; i < options->file_count; i++) {
        enum put_mode mode = i == 0 ? options->mode : PUT_APPEND;
        if (put_file(putting, &put, i, name, mode, error) != STATUS_OK)
            return name_file(options, i, error);
    }
    progress_end(&putting->progress, &put.state);
    (void)printf("%.*s\n", STR_ARGS(name));
    return STATUS_OK;
}

/* --- the command ---------------------------------------------------------------------------------- */

static enum exit_code fail(struct putting *putting, const struct error *error)
{
    progress_clear(&putting->progress);
    if (interrupt_happened(putting->interrupt))
        return CLI_INTERRUPTED;
    return cli_fail(putting->retry.is_connected ? cli_exit_of(error) : cli_connect_exit(error),
                    error);
}

static enum exit_code run(const struct put_options *options, struct interrupt *interrupt)
{
    struct error error = ERROR_NONE;
    struct putting putting = {.options = options, .interrupt = interrupt};
    putting.retry = (struct transfer_retry){
        .retries = options->retries,
        .interrupt = interrupt,
        .progress = &putting.progress,
        .again = "putting it again",
        .unknown = "everything was sent, and whether it was kept only the server knows: look with "
                   "volley list before you put it again",
    };
    const struct input_options input_options = {
        .format = options->format, .is_unfinished = options->is_unfinished, .interrupt = interrupt};
    progress_start(&putting.progress, options->name.len > 0 ? options->name : STR("put"),
                   options->quiet);
    enum exit_code code = CLI_FINE;
    if (input_set_open(&putting.inputs, options->files, options->file_count, &input_options,
                       &error) != STATUS_OK)
        code = interrupt_happened(interrupt) ? CLI_INTERRUPTED : cli_fail(CLI_USAGE, &error);
    else if ((putting.inputs.is_arrow ? put_arrow(&putting, &error)
                                      : put_converted(&putting, &error)) != STATUS_OK)
        code = fail(&putting, &error);
    input_set_close(&putting.inputs);
    return code;
}

enum exit_code cli_put(char *const *arguments, size_t count)
{
    struct error error = ERROR_NONE;
    struct put_options options;
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(interrupt_stop) struct interrupt *interrupt = NULL;
    arena_init(&arena);
    if (put_options_read(&options, &arena, arguments, count, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (interrupt_start(&interrupt, &error) != STATUS_OK)
        return cli_fail(CLI_FAILED, &error);
    (void)signal(SIGPIPE, SIG_IGN);
    return run(&options, interrupt);
}
