/*
 * top.c — `volley top`: a live view of a server; without a terminal one picture of it.
 *
 * The terminal is taken over (an alternate screen, keys as they are pressed) and given back at the end,
 * whatever the end was. Between two pictures keys are waited for. When the server is gone the last picture
 * stays, with what went wrong, and it is asked again.
 *
 * Runs on: the main thread; Ctrl-C is watched by interrupt.c. Owns: the connection, the terminal's mode.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/connect.h"
#include "cli/interrupt.h"
#include "cli/kill.h"
#include "cli/layout.h"
#include "cli/output.h"
#include "cli/top_screen.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define INTERVAL_MS_DEFAULT 2000
#define INTERVAL_MS_MIN 100
#define INTERVAL_MS_MAX 3600000
#define COLUMNS_DEFAULT 160
#define PAGE_ROWS 10
#define ENTER_SCREEN "\x1b[?1049h\x1b[?25l\x1b[2J"
#define LEAVE_SCREEN "\x1b[?25h\x1b[?1049l"

struct top_options {
    struct server_options server;
    uint64_t interval_ms;
    bool once;
};

struct top {
    const struct top_options *options;
    struct interrupt *interrupt;
    struct grpc_client *client; /* NULL: not connected */
    struct output output;
    struct top_screen screen;
    struct top_facts facts[2]; /* now, and before */
    size_t now;
    bool has_before;
    bool is_paused;
    bool is_over;
    struct str killing; /* the id that is to be confirmed; in killing_text */
    char killing_text[64];
    char message[ERROR_MESSAGE_MAX];
    bool has_message;
    bool has_failed; /* the last look at the server: the message tells why */
};

/* --- asking ----------------------------------------------------------------------------------- */

static enum status connect_again(struct top *top, struct error *error)
{
    if (top->client && grpc_client_is_connected(top->client))
        return STATUS_OK;
    grpc_client_close(STEAL(top->client));
    return cli_connect(&top->options->server, &top->client, error);
}

static enum status look(struct top *top, struct error *error)
{
    TRY(connect_again(top, error));
    size_t next = 1 - top->now;
    top_facts_finish(&top->facts[next]);
    interrupt_set_client(top->interrupt, top->client);
    enum status status = top_facts_read(&top->facts[next], top->client, top->screen.list, error);
    interrupt_set_target(top->interrupt, NULL, NULL);
    TRY(status);
    top->screen.before = top->has_before ? &top->facts[top->now] : NULL;
    top->screen.facts = &top->facts[next];
    top->now = next;
    top->has_before = true;
    return STATUS_OK;
}

static void say(struct top *top, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct top *top, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(top->message, sizeof(top->message), format, arguments);
    va_end(arguments);
    top->has_message = true;
}

static void look_again(struct top *top)
{
    struct error error = ERROR_NONE;
    bool has_failed = look(top, &error) != STATUS_OK;
    if (top->has_failed && !has_failed)
        top->has_message = false;
    top->has_failed = has_failed;
    if (has_failed && !interrupt_happened(top->interrupt))
        say(top, "%s", error.message);
}

/* --- drawing ---------------------------------------------------------------------------------- */

static enum status draw(struct top *top, struct error *error)
{
    struct winsize size = {0};
    struct top_screen *screen = &top->screen;
    screen->columns = COLUMNS_DEFAULT;
    if (screen->is_live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        screen->columns = size.ws_col;
        screen->rows = size.ws_row;
    }
    screen->message = top->has_message ? top->message : NULL;
    top_screen_draw(screen, &top->output.buf);
    return output_flush(&top->output, error);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void ask_to_kill(struct top *top)
{
    const struct top_facts *facts = top->screen.facts;
    if (top->screen.list != TOP_LIST_QUERIES || top->screen.selected >= facts->row_count) {
        say(top, "k stops the query that is selected: choose one of the list of queries");
        return;
    }
    struct str id = facts->rows[top->screen.selected].cells[0];
    if (id.len >= sizeof(top->killing_text))
        return;
    memcpy(top->killing_text, id.ptr, id.len);
    top->killing = str_make(top->killing_text, id.len);
    say(top, "Kill %.*s? y/n", STR_ARGS(id));
}

static void answer_kill(struct top *top, char key)
{
    struct error error = ERROR_NONE;
    struct str id = top->killing;
    top->killing = STR_EMPTY;
    top->has_message = false;
    if (key != 'y' && key != 'Y')
        return;
    if (kill_run(&top->options->server, id, &error) == STATUS_OK)
        say(top, "killed %.*s", STR_ARGS(id));
    else
        say(top, "%s", error.message);
    look_again(top);
}

static void choose_list(struct top *top, enum top_list list)
{
    top->screen.list = list;
    top->screen.selected = 0;
    top->screen.first = 0;
    look_again(top);
}

static void move(struct top *top, long rows)
{
    size_t *selected = &top->screen.selected;
    if (rows < 0)
        *selected -= size_min(*selected, (size_t)-rows);
    else if (top->screen.facts->row_count > 0)
        *selected = size_min(*selected + (size_t)rows, top->screen.facts->row_count - 1);
}

static void take_key(struct top *top, char key)
{
    top->has_message = false;
    switch (key) {
    case 'q':
    case 'Q':
    case 4: /* Ctrl-D */
        top->is_over = true;
        break;
    case '\t':
        choose_list(top, (top->screen.list + 1) % TOP_LISTS);
        break;
    case '1':
    case '2':
    case '3':
        choose_list(top, (enum top_list)(key - '1'));
        break;
    case 'k':
    case 'K':
        ask_to_kill(top);
        break;
    case 'p':
    case ' ':
        top->is_paused = !top->is_paused;
        if (top->is_paused)
            say(top, "paused; p goes on");
        break;
    case 'r':
        look_again(top);
        break;
    default:
        break;
    }
}

/* Arrows and their like come as several bytes. */
static size_t take_sequence(struct top *top, struct str keys)
{
    static const struct {
        const char *bytes;
        long rows;
    } sequences[] = {
        {"\x1b[A", -1},
        {"\x1bOA", -1},
        {"\x1b[B", 1},
        {"\x1bOB", 1},
        {"\x1b[5~", -PAGE_ROWS},
        {"\x1b[6~", PAGE_ROWS},
        {"\x1b[H", -TOP_ROWS_MAX},
        {"\x1b[F", TOP_ROWS_MAX},
    };
    for (size_t i = 0; i < ARRAY_COUNT(sequences); i++) {
        struct str bytes = str_of(sequences[i].bytes);
        if (!str_starts_with(keys, bytes))
            continue;
        top->has_message = false;
        move(top, sequences[i].rows);
        return bytes.len;
    }
    return keys.len;
}

static void take_keys(struct top *top, struct str keys)
{
    while (keys.len > 0 && !top->is_over) {
        size_t used = 1;
        if (keys.ptr[0] == '\x1b')
            used = take_sequence(top, keys);
        else if (top->killing.len > 0)
            answer_kill(top, keys.ptr[0]);
        else
            take_key(top, keys.ptr[0]);
        keys = str_slice(keys, used, keys.len);
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Waits for keys until it is time to look again; true when it is. */
static bool wait_for_keys(struct top *top, uint64_t until_ns)
{
    struct pollfd watched[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = interrupt_descriptor(top->interrupt), .events = POLLIN},
    };
    uint64_t now_ns = clock_now_ns();
    if (now_ns >= until_ns)
        return true;
    int wait_ms = (int)((until_ns - now_ns) / NANOSECONDS_PER_MILLISECOND) + 1;
    if (poll(watched, ARRAY_COUNT(watched), wait_ms) <= 0)
        return clock_now_ns() >= until_ns;
    top->is_over = watched[1].revents != 0;
    if (!watched[0].revents || top->is_over)
        return false;
    char keys[64];
    ssize_t size = read(STDIN_FILENO, keys, sizeof(keys));
    if (size > 0)
        take_keys(top, str_make(keys, (size_t)size));
    else
        top->is_over = true;
    return false;
}

static enum status watch(struct top *top, struct error *error)
{
    uint64_t interval_ns = top->options->interval_ms * NANOSECONDS_PER_MILLISECOND;
    uint64_t until_ns = clock_now_ns() + interval_ns;
    while (!top->is_over) {
        TRY(draw(top, error));
        if (!wait_for_keys(top, until_ns))
            continue;
        until_ns = clock_now_ns() + interval_ns;
        if (!top->is_paused && top->killing.len == 0)
            look_again(top);
    }
    return STATUS_OK;
}

/* That it came is enough: it ends the wait, and the picture is drawn in the new size. */
static void on_resize(int signal)
{
    (void)signal;
}

/* The terminal as the picture needs it, and back. */
static enum status take_over(struct top *top, struct error *error)
{
    struct termios before;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return error_set(error, STATUS_INTERNAL, "standard input is no terminal; use --once");
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    const struct sigaction resized = {.sa_handler = on_resize};
    (void)sigaction(SIGWINCH, &resized, NULL);
    buf_append_text(&top->output.buf, ENTER_SCREEN);
    interrupt_stay(top->interrupt);
    enum status status = watch(top, error);
    buf_clear(&top->output.buf);
    buf_append_text(&top->output.buf, LEAVE_SCREEN);
    struct error ignored = ERROR_NONE;
    enum status left = output_flush(&top->output, &ignored);
    (void)left;
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return status;
}

static enum exit_code show(struct top *top)
{
    struct error error = ERROR_NONE;
    if (cli_connect(&top->options->server, &top->client, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    if (look(top, &error) != STATUS_OK)
        return interrupt_happened(top->interrupt) ? CLI_INTERRUPTED
                                                  : cli_fail(cli_exit_of(&error), &error);
    top->screen.is_live = !top->options->once && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    enum status status = top->screen.is_live ? take_over(top, &error) : draw(top, &error);
    if (status != STATUS_OK && !top->output.broken)
        return cli_fail(CLI_FAILED, &error);
    return CLI_FINE;
}

enum exit_code cli_top(char *const *arguments, size_t count)
{
    struct top_options options = {.interval_ms = INTERVAL_MS_DEFAULT};
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(interrupt_stop) struct interrupt *interrupt = NULL;
    arena_init(&arena);
    const struct option table[] = {
        SERVER_OPTIONS(&options.server, &arena),
        {.name = "interval",
         .letter = "i",
         .kind = OPTION_DURATION,
         .target = &options.interval_ms,
         .min = INTERVAL_MS_MIN,
         .max = INTERVAL_MS_MAX},
        {.name = "once", .kind = OPTION_SWITCH, .target = &options.once},
    };
    struct positionals none = {0};
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &none, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (interrupt_start(&interrupt, &error) != STATUS_OK)
        return cli_fail(CLI_FAILED, &error);
    (void)signal(SIGPIPE, SIG_IGN);
    layout_prepare();
    struct top *top = NEW(struct top);
    top->options = &options;
    top->interrupt = interrupt;
    top->screen.server = arena_copy(&arena, options_server_url(&options.server)).ptr;
    output_init(&top->output, STDOUT_FILENO);
    enum exit_code code = show(top);
    top_facts_finish(&top->facts[0]);
    top_facts_finish(&top->facts[1]);
    grpc_client_close(top->client);
    output_finish(&top->output);
    free(top);
    layout_finish();
    return code;
}
