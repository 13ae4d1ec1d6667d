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

#include <poll.h>
#include <signal.h>
#include <stdio.h>

#define FIRST_DELAY_MS 200
#define DELAY_MS_MAX 10000
#define JITTER_PERCENT 20

/* A put under way, over either door. */
struct putting {
    const struct put_options *options;
    struct interrupt *interrupt;
    struct progress progress;
    struct input_set inputs;
    bool is_connected;
};

/* --- trying again --------------------------------------------------------------------------------- */

/* False when Ctrl-C ended the pause. */
static bool pause_for(const struct putting *putting, uint64_t delay_ms)
{
    struct pollfd watched = {.fd = interrupt_descriptor(putting->interrupt), .events = POLLIN};
    return poll(&watched, 1, (int)delay_ms) <= 0;
}

static enum status unknown_outcome(struct error *error)
{
    struct error plain = *error;
    return error_set(error, plain.status,
                     "%s; everything was sent, and whether it was kept only the server knows: "
                     "look with volley list before you put it again",
                     plain.message);
}

/* Whether a failed try is followed by another; waits before it says so, and completes the error if not. */
static bool may_go_on(struct putting *putting, unsigned tries, bool is_sent, bool is_repeatable,
                      enum put_mode mode, struct error *error)
{
    const struct grpc_retry retry = {.tries_max = (unsigned)putting->options->retries + 1,
                                     .first_delay_ms = FIRST_DELAY_MS,
                                     .delay_ms_max = DELAY_MS_MAX,
                                     .jitter_percent = JITTER_PERCENT};
    uint64_t delay_ms;
    if (error->status != STATUS_UNAVAILABLE || !putting->is_connected ||
        interrupt_happened(putting->interrupt))
        return false;
    if (is_sent && mode != PUT_REPLACE) {
        (void)unknown_outcome(error);
        return false;
    }
    if (!is_repeatable) {
        struct error plain = *error;
        (void)error_set(error, plain.status,
                        "%s; nothing was kept, and the input cannot be read again", plain.message);
        return false;
    }
    if (!grpc_retry_next(&retry, tries, GRPC_IDEMPOTENT, error, &delay_ms))
        return false;
    progress_say(&putting->progress, "%s; %sputting it again in %.1f s", error->message,
                 is_sent ? "" : "nothing was kept, ", (double)delay_ms / 1000);
    return pause_for(putting, delay_ms);
}

/* --- over Flight ---------------------------------------------------------------------------------- */

static enum status try_stream(struct putting *putting, struct put_stream *stream,
                              struct error *error)
{
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    TRY(cli_connect(&putting->options->server, &client, error));
    putting->is_connected = true;
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
        if (status == STATUS_OK ||
            !may_go_on(putting, tries, stream.is_sent, putting->inputs.is_repeatable,
                       putting->options->mode, error))
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
        putting->is_connected = put->is_connected;
        if (!may_go_on(putting, tries, put->is_sent, is_repeatable, mode, error))
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
    return cli_fail(putting->is_connected ? cli_exit_of(error) : cli_connect_exit(error), error);
}

static enum exit_code run(const struct put_options *options, struct interrupt *interrupt)
{
    struct error error = ERROR_NONE;
    struct putting putting = {.options = options, .interrupt = interrupt};
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
