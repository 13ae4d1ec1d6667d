/*
 * pager.c — starts a pager for output that is higher or wider than the terminal.
 *
 * The first piece of a result tells: tables collect a thousand rows before they write. A pager that cannot
 * be started leaves the output where it was. less gets the options that keep colours and wide lines and let
 * it end by itself.
 *
 * Runs on: the main thread. Owns: the process. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/pager.h"

#include "base/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Columns of a line in which colours are marked; they take none. */
static size_t columns_of(struct str line)
{
    size_t columns = 0;
    bool is_mark = false;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char byte = (unsigned char)line.ptr[i];
        if (byte == 0x1b)
            is_mark = true;
        else if (!is_mark && (byte & 0xc0) != 0x80)
            columns++;
        else if (byte == 'm')
            is_mark = false;
    }
    return columns;
}

static bool fits(struct str text, const struct winsize *size)
{
    size_t lines = 0;
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        if (columns_of(line) > size->ws_col || ++lines + 1 > size->ws_row)
            return false;
    }
    return true;
}

static const char *pager_command(void)
{
    const char *command = getenv("PAGER");
    return command && *command ? command : "less";
}

static void start(struct pager *pager, struct output *output)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    (void)setenv("LESS", "-SRFX", 0);
    pager->pid = program_start(pager_command(), ends[0], -1);
    (void)close(ends[0]);
    if (pager->pid == 0) {
        (void)close(ends[1]);
        return;
    }
    pager->terminal_fd = output->fd;
    output->fd = ends[1];
}

static void before_write(struct output *output, void *context)
{
    struct pager *pager = (struct pager *)context;
    struct winsize size;
    output->before_write = NULL;
    if (ioctl(output->fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        return;
    if (!fits(buf_str(&output->buf), &size))
        start(pager, output);
}

void pager_watch(struct pager *pager, struct output *output)
{
    if (!pager->is_on || !isatty(output->fd))
        return;
    output->before_write = before_write;
    output->before_write_context = pager;
}

void pager_end(struct pager *pager, struct output *output)
{
    output->before_write = NULL;
    if (pager->pid == 0)
        return;
    (void)close(output->fd);
    output->fd = pager->terminal_fd;
    output->broken = false;
    (void)program_wait(pager->pid);
    pager->pid = 0;
}
