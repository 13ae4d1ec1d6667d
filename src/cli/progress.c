/*
 * progress.c — draws the line of a transfer.
 *
 * The rate is that of the last seconds, weighted towards the present; what remains follows from it. A
 * transfer of less than half a second shows no line.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/progress.h"

#include "base/checked.h"
#include "base/clock.h"
#include "cli/amount.h"
#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_SIZE 256
#define NAME_COLUMNS_MAX 32
#define WIDTH_DEFAULT 80
#define FIRST_NS (NANOSECONDS_PER_SECOND / 2)
#define INTERVAL_NS (NANOSECONDS_PER_SECOND / 10)
/* The share of the newest interval in the rate. */
#define RATE_WEIGHT 0.15

static bool can_draw(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && terminal && !str_equal(str_of(terminal), STR("dumb"));
}

void progress_start(struct progress *progress, struct str name, bool quiet)
{
    uint64_t now_ns = clock_now_ns();
    *progress = (struct progress){
        .is_shown = !quiet && can_draw(),
        .name = name.len > NAME_COLUMNS_MAX ? str_slice(name, name.len - NAME_COLUMNS_MAX, name.len)
                                            : name,
        .start_ns = now_ns,
        .drawn_ns = now_ns + FIRST_NS - INTERVAL_NS,
        .rated_ns = now_ns,
    };
}

uint64_t progress_due_ns(const struct progress *progress)
{
    return progress->is_shown ? progress->drawn_ns + INTERVAL_NS : CLOCK_NEVER;
}

size_t progress_width_max(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        return size_min(size.ws_col - 1, LINE_SIZE - 1);
    return WIDTH_DEFAULT - 1;
}

static void update_rate(struct progress *progress, uint64_t now_ns, uint64_t bytes)
{
    double seconds = (double)(now_ns - progress->rated_ns) / (double)NANOSECONDS_PER_SECOND;
    uint64_t moved = bytes > progress->rated_bytes ? bytes - progress->rated_bytes : 0;
    double rate = seconds > 0 ? (double)moved / seconds : 0;
    progress->rate =
        progress->rated_bytes == 0 ? rate : progress->rate + RATE_WEIGHT * (rate - progress->rate);
    progress->rated_ns = now_ns;
    progress->rated_bytes = bytes;
}

/* Seconds that remain, by the share that is done; false when nobody can tell. */
static bool remaining_s(const struct progress *progress, const struct progress_state *state,
                        uint64_t *out_seconds)
{
    if (state->total == 0 || state->done == 0 || progress->rate < 1)
        return false;
    double share = (double)state->done / (double)state->total;
    double left_bytes = (double)state->bytes / share - (double)state->bytes;
    double seconds = left_bytes / progress->rate;
    if (!(seconds >= 0 && seconds < 1e9))
        return false;
    *out_seconds = (uint64_t)(seconds + 0.999);
    return true;
}

static size_t make_line(const struct progress *progress, const struct progress_state *state,
                        char line[LINE_SIZE])
{
    char bytes[AMOUNT_TEXT_SIZE];
    char rate[AMOUNT_TEXT_SIZE];
    char left[AMOUNT_TEXT_SIZE];
    char share[16] = "";
    uint64_t seconds;
    (void)amount_of_bytes(state->bytes, bytes);
    (void)amount_of_bytes((uint64_t)progress->rate, rate);
    if (state->total > 0 && state->done <= state->total)
        (void)snprintf(share, sizeof(share), "  %3.0f %%",
                       100 * (double)state->done / (double)state->total);
    bool has_left = remaining_s(progress, state, &seconds);
    int size = snprintf(line, LINE_SIZE, "%.*s%s  %s  %s/s%s%s%s", STR_ARGS(progress->name), share,
                        bytes, rate, has_left ? "  " : "",
                        has_left ? amount_of_seconds(seconds, left) : "", has_left ? " left" : "");
    return size_min((size_t)size, progress_width_max());
}

/* Overwrites what stands there, and leaves the cursor behind the line. */
static void show(struct progress *progress, const char *line, size_t width)
{
    size_t blank = progress->drawn_width > width ? progress->drawn_width - width : 0;
    (void)fprintf(stderr, "\r%.*s%*s", (int)width, line, (int)blank, "");
    for (size_t i = 0; i < blank; i++)
        (void)fputc('\b', stderr);
    (void)fflush(stderr);
    progress->drawn_width = width;
}

void progress_draw(struct progress *progress, const struct progress_state *state)
{
    uint64_t now_ns = progress->is_shown ? clock_now_ns() : 0;
    if (!progress->is_shown || now_ns < progress_due_ns(progress))
        return;
    char line[LINE_SIZE];
    update_rate(progress, now_ns, state->bytes);
    progress->drawn_ns = now_ns;
    size_t width = make_line(progress, state, line);
    show(progress, line, width);
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn_width == 0)
        return;
    show(progress, "", 0);
    (void)fputc('\r', stderr);
}

void progress_say(struct progress *progress, const char *format, ...)
{
    char message[2 * ERROR_MESSAGE_MAX];
    progress_clear(progress);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    cli_complain("%s", message);
}

void progress_summarize(const struct progress *progress, const struct progress_state *state,
                        FILE *stream)
{
    double seconds = (double)(clock_now_ns() - progress->start_ns) / (double)NANOSECONDS_PER_SECOND;
    char rows[AMOUNT_TEXT_SIZE];
    char bytes[AMOUNT_TEXT_SIZE];
    char rate[AMOUNT_TEXT_SIZE];
    (void)fprintf(
        stream, "%.*s: %s row%s, %s in %.1f s, %s/s\n", STR_ARGS(progress->name),
        amount_of_count(state->rows, rows), state->rows == 1 ? "" : "s",
        amount_of_bytes(state->bytes, bytes), seconds,
        amount_of_bytes((uint64_t)((double)state->bytes / (seconds > 0 ? seconds : 1)), rate));
}

void progress_end(struct progress *progress, const struct progress_state *state)
{
    progress_clear(progress);
    if (progress->is_shown)
        progress_summarize(progress, state, stderr);
}
