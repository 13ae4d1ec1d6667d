/*
 * transfer_retry.c — puts and loads begin again when the connection broke and nothing of them was kept.
 *
 * When it broke after all was sent, only the server knows; then only what may be done twice begins again.
 *
 * Runs on: the main thread; Ctrl-C ends the pause. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/transfer_retry.h"

#include "grpc/client.h"

#include <poll.h>

#define FIRST_DELAY_MS 200
#define DELAY_MS_MAX 10000
#define JITTER_PERCENT 20

/* False when Ctrl-C ended the pause. */
static bool pause_for(const struct transfer_retry *retry, uint64_t delay_ms)
{
    struct pollfd watched = {.fd = interrupt_descriptor(retry->interrupt), .events = POLLIN};
    return poll(&watched, 1, (int)delay_ms) <= 0;
}

static void complete(struct error *error, const char *text)
{
    struct error plain = *error;
    enum status status = error_set(error, plain.status, "%s; %s", plain.message, text);
    (void)status;
}

bool transfer_retry_next(const struct transfer_retry *retry, const struct transfer_try *failed,
                         struct error *error)
{
    const struct grpc_retry pauses = {.tries_max = (unsigned)retry->retries + 1,
                                      .first_delay_ms = FIRST_DELAY_MS,
                                      .delay_ms_max = DELAY_MS_MAX,
                                      .jitter_percent = JITTER_PERCENT};
    uint64_t delay_ms;
    if (error->status != STATUS_UNAVAILABLE || !retry->is_connected ||
        interrupt_happened(retry->interrupt))
        return false;
    if (failed->is_sent && !failed->may_happen_twice) {
        complete(error, retry->unknown);
        return false;
    }
    if (!failed->is_repeatable) {
        complete(error, "nothing was kept, and the input cannot be read again");
        return false;
    }
    if (!grpc_retry_next(&pauses, failed->number, GRPC_IDEMPOTENT, error, &delay_ms))
        return false;
    progress_say(retry->progress, "%s; %s%s in %.1f s", error->message,
                 failed->is_sent ? "" : "nothing was kept, ", retry->again,
                 (double)delay_ms / 1000);
    return pause_for(retry, delay_ms);
}
