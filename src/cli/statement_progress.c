/*
 * statement_progress.c — draws the line of a statement that takes its time.
 *
 * The share comes from PollFlightInfo with the statement's id, which a Volley takes; a server that does not
 * know it is not asked again. While the server is asked nothing is drawn: it answers within a second.
 *
 * Runs on: a thread of its own; the other functions on the client's. Owns: the thread, its connection.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/statement_progress.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/amount.h"
#include "cli/progress.h"
#include "event/lock.h"
#include "event/thread.h"
#include "proto/flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_NS NANOSECONDS_PER_SECOND
#define INTERVAL_NS (NANOSECONDS_PER_SECOND / 5)
#define ID_SIZE 64
#define LINE_SIZE 160

struct statement_progress {
    const struct grpc_client_options *options;
    struct thread *thread;
    uint64_t start_ns;
    struct grpc_client *client; /* the thread's; stop interrupts it */
    bool is_unable;             /* the server does not tell */
    double share;               /* 0..1; below 0: not known */
    struct {
        struct lock lock;
        struct condition changed;
        bool is_stopped;
        bool is_paused;
        char id[ID_SIZE];
        uint64_t rows;
        uint64_t bytes;
        size_t drawn_width;
        struct grpc_client *asking; /* set while the server is asked */
    } locked;
};

/* --- asking ----------------------------------------------------------------------------------- */

static enum status ask(struct statement_progress *progress, const char *id, struct error *error)
{
    if (!progress->client)
        TRY(grpc_client_connect(progress->options, &progress->client, error));
    Flight__FlightDescriptor descriptor = FLIGHT__FLIGHT_DESCRIPTOR__INIT;
    descriptor.type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__CMD;
    descriptor.cmd = proto_binary(str_of(id));
    CLEANUP(slices_finish) struct slices request;
    slices_init(&request);
    proto_append(&request, &descriptor);
    lock_take(&progress->locked.lock);
    bool is_stopped = progress->locked.is_stopped;
    progress->locked.asking = progress->client;
    lock_give(&progress->locked.lock);
    if (is_stopped)
        return STATUS_CANCELLED;
    CLEANUP(slice_finish) struct slice response = SLICE_EMPTY;
    enum status status = grpc_client_unary(
        progress->client, STR("/arrow.flight.protocol.FlightService/PollFlightInfo"), 0, false,
        &request, &response, error);
    lock_take(&progress->locked.lock);
    progress->locked.asking = NULL;
    lock_give(&progress->locked.lock);
    TRY(status);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__PollInfo *poll;
    TRY(proto_unpack(&arena, &flight__poll_info__descriptor, response, &poll, error));
    if (poll->progress_presence_case)
        progress->share = poll->progress;
    return STATUS_OK;
}

/* --- drawing: with the lock ------------------------------------------------------------------- */

/* With the "^C" that a terminal may have shown behind it. */
static void erase(struct statement_progress *progress)
{
    if (progress->locked.drawn_width == 0)
        return;
    size_t width = size_min(progress->locked.drawn_width + 2, progress_width_max());
    (void)fprintf(stderr, "\r%*s\r", (int)width, "");
    (void)fflush(stderr);
    progress->locked.drawn_width = 0;
}

static void draw(struct statement_progress *progress)
{
    char line[LINE_SIZE];
    char rows[AMOUNT_TEXT_SIZE];
    char bytes[AMOUNT_TEXT_SIZE];
    char share[16] = "";
    uint64_t elapsed_ns = clock_now_ns() - progress->start_ns;
    if (progress->share >= 0)
        (void)snprintf(share, sizeof(share), "  %.0f %%", 100 * progress->share);
    int size = snprintf(line, sizeof(line), "%.1f s%s  %s rows  %s  (Ctrl-C stops it)",
                        (double)elapsed_ns / (double)NANOSECONDS_PER_SECOND, share,
                        amount_of_count(progress->locked.rows, rows),
                        amount_of_bytes(progress->locked.bytes, bytes));
    size_t width = size_min((size_t)size, progress_width_max());
    erase(progress);
    (void)fprintf(stderr, "\r%.*s", (int)width, line);
    (void)fflush(stderr);
    progress->locked.drawn_width = width;
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Waits a moment; false when it is over. *out_id is empty when the server is not to be asked. */
static bool wait_a_moment(struct statement_progress *progress, uint64_t until_ns,
                          char out_id[ID_SIZE])
{
    LOCKED(&progress->locked.lock);
    while (!progress->locked.is_stopped &&
           condition_wait_until(&progress->locked.changed, &progress->locked.lock, until_ns))
        ;
    if (progress->locked.is_stopped)
        return false;
    memcpy(out_id, progress->locked.id, ID_SIZE);
    if (!progress->locked.is_paused)
        draw(progress);
    else
        out_id[0] = '\0';
    return true;
}

static void run(void *argument)
{
    struct statement_progress *progress = (struct statement_progress *)argument;
    uint64_t until_ns = progress->start_ns + FIRST_NS;
    char id[ID_SIZE];
    while (wait_a_moment(progress, until_ns, id)) {
        struct error error = ERROR_NONE;
        if (id[0] && !progress->is_unable && ask(progress, id, &error) != STATUS_OK)
            progress->is_unable = true;
        until_ns = clock_now_ns() + INTERVAL_NS;
    }
}

/* --- the client's thread ---------------------------------------------------------------------- */

static bool can_draw(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && terminal && !str_equal(str_of(terminal), STR("dumb"));
}

struct statement_progress *statement_progress_start(const struct grpc_client_options *options)
{
    if (!can_draw())
        return NULL;
    struct statement_progress *progress = NEW(struct statement_progress);
    progress->options = options;
    progress->start_ns = clock_now_ns();
    progress->share = -1;
    lock_init(&progress->locked.lock);
    condition_init(&progress->locked.changed);
    struct error error = ERROR_NONE;
    if (thread_start("progress", 0, run, progress, &progress->thread, &error) != STATUS_OK)
        progress->thread = NULL;
    return progress;
}

void statement_progress_stop(struct statement_progress *progress)
{
    if (!progress)
        return;
    lock_take(&progress->locked.lock);
    progress->locked.is_stopped = true;
    erase(progress);
    if (progress->locked.asking)
        grpc_client_interrupt(progress->locked.asking);
    condition_broadcast(&progress->locked.changed);
    lock_give(&progress->locked.lock);
    if (progress->thread)
        thread_join(progress->thread);
    grpc_client_close(progress->client);
    condition_finish(&progress->locked.changed);
    lock_finish(&progress->locked.lock);
    free(progress);
}

void statement_progress_name(struct statement_progress *progress, struct str id)
{
    if (!progress || id.len >= ID_SIZE)
        return;
    LOCKED(&progress->locked.lock);
    memcpy(progress->locked.id, id.len ? id.ptr : "", id.len);
    progress->locked.id[id.len] = '\0';
}

void statement_progress_note(struct statement_progress *progress, uint64_t rows, uint64_t bytes)
{
    if (!progress)
        return;
    LOCKED(&progress->locked.lock);
    progress->locked.rows = rows;
    progress->locked.bytes = bytes;
}

static void set_paused(struct statement_progress *progress, bool is_paused)
{
    if (!progress)
        return;
    LOCKED(&progress->locked.lock);
    progress->locked.is_paused = is_paused;
    if (is_paused)
        erase(progress);
}

void statement_progress_pause(struct statement_progress *progress)
{
    set_paused(progress, true);
}

void statement_progress_resume(struct statement_progress *progress)
{
    set_paused(progress, false);
}
