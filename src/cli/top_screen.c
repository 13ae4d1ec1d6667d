/*
 * top_screen.c — draws the numbers above and a list below, cut to the terminal.
 *
 * Each line overwrites the one that stood there, so that nothing flickers. What the server sent is made
 * harmless (layout.c). The selected row is marked and shown reversed.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/top_screen.h"

#include "base/checked.h"
#include "base/clock.h"
#include "cli/amount.h"
#include "cli/layout.h"

#include <stdio.h>

#define NUMBER_LINES 7 /* with the empty line below */
#define HEAD_LINES 1   /* of the list */
#define FOOT_LINES 1
#define LINE_MAX ((size_t)16 << 10)
#define FLEXIBLE_MIN 20
#define WIDE_COLUMNS 140
#define ID_COLUMNS 8
#define REVERSED "\x1b[7m"
#define PLAIN "\x1b[0m"

/* One line, cut to the terminal's width. */
static void end_line(const struct top_screen *screen, struct str line, const char *style,
                     struct buf *out)
{
    if (style && screen->is_live)
        buf_append_text(out, style);
    size_t columns = layout_append_cut(line, screen->columns, out);
    if (style && screen->is_live) {
        layout_fill(out, ' ', screen->columns - size_min(columns, screen->columns));
        buf_append_text(out, PLAIN);
    }
    buf_append_text(out, screen->is_live ? "\x1b[K\r\n" : "\n");
}

static void write_line(const struct top_screen *screen, struct buf *out, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void write_line(const struct top_screen *screen, struct buf *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    end_line(screen, str_of(line), NULL, out);
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* How much a number that only grows grew in a second. */
static double rate_of(const struct top_screen *screen, enum top_number number)
{
    if (!screen->before || screen->facts->taken_ns <= screen->before->taken_ns)
        return 0;
    double seconds = (double)(screen->facts->taken_ns - screen->before->taken_ns) /
                     (double)NANOSECONDS_PER_SECOND;
    double grown = (double)(screen->facts->numbers[number] - screen->before->numbers[number]);
    return grown > 0 ? grown / seconds : 0;
}

static uint64_t number_of(const struct top_screen *screen, enum top_number number)
{
    int64_t value = screen->facts->numbers[number];
    return value > 0 ? (uint64_t)value : 0;
}

static void write_numbers(const struct top_screen *screen, struct buf *out)
{
    char a[AMOUNT_TEXT_SIZE];
    char b[AMOUNT_TEXT_SIZE];
    char c[AMOUNT_TEXT_SIZE];
    char d[AMOUNT_TEXT_SIZE];
    char now[CLOCK_TEXT_SIZE];
    (void)clock_format(clock_wall_us(), now);
    write_line(screen, out, "volley top - %s - %.8s UTC", screen->server, now + 11);
    write_line(screen, out, "queries  %s running, %s queued; %.1f/s, %s since the start",
               amount_of_count(number_of(screen, TOP_RUNNING), a),
               amount_of_count(number_of(screen, TOP_QUEUED), b), rate_of(screen, TOP_STATEMENTS),
               amount_of_count(number_of(screen, TOP_STATEMENTS), c));
    write_line(screen, out, "clients  %s connections, %s sessions, %s in a transaction",
               amount_of_count(number_of(screen, TOP_CONNECTIONS), a),
               amount_of_count(number_of(screen, TOP_SESSIONS), b),
               amount_of_count(number_of(screen, TOP_TRANSACTIONS), c));
    write_line(screen, out, "network  sent %s/s, received %s/s; %s and %s since the start",
               amount_of_bytes((uint64_t)rate_of(screen, TOP_SENT_BYTES), a),
               amount_of_bytes((uint64_t)rate_of(screen, TOP_RECEIVED_BYTES), b),
               amount_of_bytes(number_of(screen, TOP_SENT_BYTES), c),
               amount_of_bytes(number_of(screen, TOP_RECEIVED_BYTES), d));
    write_line(screen, out, "memory   engine %s, datasets and results %s; on disk %s and %s",
               amount_of_bytes(number_of(screen, TOP_ENGINE_MEMORY_BYTES), a),
               amount_of_bytes(number_of(screen, TOP_DATASET_MEMORY_BYTES), b),
               amount_of_bytes(number_of(screen, TOP_ENGINE_DISK_BYTES), c),
               amount_of_bytes(number_of(screen, TOP_DATASET_DISK_BYTES), d));
    write_line(screen, out, "data     %s datasets, %s results of statements",
               amount_of_count(number_of(screen, TOP_DATASETS), a),
               amount_of_count(number_of(screen, TOP_RESULTS), b));
}

/* As many lines of the numbers as leave a row of the list in sight. */
static size_t number_lines(const struct top_screen *screen)
{
    size_t others = HEAD_LINES + 1 + FOOT_LINES;
    if (screen->rows == 0)
        return NUMBER_LINES;
    return size_min(NUMBER_LINES, screen->rows > others ? screen->rows - others : 0);
}

static void write_top(const struct top_screen *screen, struct buf *out)
{
    CLEANUP(buf_finish) struct buf lines;
    buf_init(&lines, NUMBER_LINES * LINE_MAX);
    write_numbers(screen, &lines);
    end_line(screen, STR_EMPTY, NULL, &lines);
    struct str left = buf_str(&lines);
    for (size_t i = 0; i < number_lines(screen); i++) {
        buf_append_str(out, str_split(&left, '\n'));
        buf_append_byte(out, '\n');
    }
}

/* --- the list --------------------------------------------------------------------------------- */

/* An id is told by its beginning where there is little room. */
static size_t width_of(const struct top_screen *screen, const struct top_column *column)
{
    bool is_id = str_equal(str_of(column->head), STR("ID"));
    return is_id && screen->columns < WIDE_COLUMNS ? ID_COLUMNS : column->width;
}

/* What the column of no width of its own has. */
static size_t flexible_width(const struct top_screen *screen)
{
    size_t taken = 1;
    for (size_t i = 0; i < TOP_CELLS_MAX; i++) {
        const struct top_column *column = &top_lists[screen->list].columns[i];
        taken += column->head ? width_of(screen, column) + 1 : 0;
    }
    return size_max(FLEXIBLE_MIN, screen->columns > taken ? screen->columns - taken : 0);
}

static void write_cell(const struct top_screen *screen, const struct top_column *column,
                       struct str text, struct buf *line)
{
    CLEANUP(buf_finish) struct buf cell;
    buf_init(&cell, LINE_MAX);
    size_t width = column->width > 0 ? width_of(screen, column) : flexible_width(screen);
    size_t columns = layout_append_cut(text, width, &cell);
    if (column->is_right)
        layout_fill(line, ' ', width - columns);
    buf_append_str(line, buf_str(&cell));
    if (!column->is_right && column->width > 0)
        layout_fill(line, ' ', width - columns);
    buf_append_byte(line, ' ');
}

static void write_head(const struct top_screen *screen, struct buf *out)
{
    CLEANUP(buf_finish) struct buf line;
    buf_init(&line, LINE_MAX);
    buf_append_byte(&line, ' ');
    for (size_t i = 0; i < TOP_CELLS_MAX; i++) {
        const struct top_column *column = &top_lists[screen->list].columns[i];
        if (column->head)
            write_cell(screen, column, str_of(column->head), &line);
    }
    end_line(screen, buf_str(&line), REVERSED, out);
}

static void write_row(const struct top_screen *screen, size_t index, struct buf *out)
{
    CLEANUP(buf_finish) struct buf line;
    buf_init(&line, LINE_MAX);
    bool is_selected = screen->is_live && index == screen->selected;
    buf_append_byte(&line, is_selected ? '>' : ' ');
    for (size_t i = 0; i < TOP_CELLS_MAX; i++) {
        const struct top_column *column = &top_lists[screen->list].columns[i];
        if (column->head)
            write_cell(screen, column, screen->facts->rows[index].cells[i], &line);
    }
    end_line(screen, buf_str(&line), is_selected ? REVERSED : NULL, out);
}

/* The rows that there is room for, the selected one among them. */
static size_t settle_rows(struct top_screen *screen)
{
    size_t count = screen->facts->row_count;
    if (screen->rows == 0)
        return count;
    size_t taken = number_lines(screen) + HEAD_LINES + FOOT_LINES;
    size_t room = screen->rows > taken ? screen->rows - taken : 0;
    if (screen->selected >= count)
        screen->selected = count > 0 ? count - 1 : 0;
    if (room == 0)
        return 0;
    if (screen->selected < screen->first)
        screen->first = screen->selected;
    if (screen->selected >= screen->first + room)
        screen->first = screen->selected - room + 1;
    return size_min(room, count - size_min(count, screen->first));
}

void top_screen_draw(struct top_screen *screen, struct buf *out)
{
    size_t count = settle_rows(screen);
    if (screen->is_live)
        buf_append_text(out, "\x1b[H");
    write_top(screen, out);
    if (screen->rows != HEAD_LINES)
        write_head(screen, out);
    for (size_t i = 0; i < count; i++)
        write_row(screen, screen->first + i, out);
    if (!screen->is_live)
        return;
    buf_append_text(out, "\x1b[J");
    buf_printf(out, "\x1b[%zu;1H", screen->rows);
    (void)layout_append_cut(
        str_of(screen->message
                   ? screen->message
                   : "q leave  Tab queries, datasets, sessions  up/down select  k kill  p pause"),
        screen->columns > 0 ? screen->columns - 1 : 0, out);
    buf_append_text(out, "\x1b[K");
}
