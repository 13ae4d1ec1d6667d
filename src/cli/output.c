/*
 * output.c — write results to a file descriptor.
 *
 * SIGPIPE is ignored by the command, so a reader that went away shows as EPIPE, which ends the command
 * without a message, as a pipe into `head` is meant to.
 *
 * Runs on: the main thread. Owns: the collected bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/output.h"

#include "base/checked.h"
#include "cli/layout.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pieces of a batch that go out in one call. */
#define VECTORS_MAX ((size_t)256)

void output_init(struct output *output, int fd)
{
    *output = (struct output){.fd = fd};
    buf_init(&output->buf, OUTPUT_BYTES_MAX);
}

void output_finish(struct output *output)
{
    buf_finish(&output->buf);
}

static enum status failure(struct output *output, int cause, struct error *error)
{
    output->is_full = cause == ENOSPC || cause == EDQUOT;
    if (cause == EPIPE) {
        output->broken = true;
        return error_set(error, STATUS_CANCELLED, "nobody reads the output");
    }
    return error_set_errno(error, cause, "cannot write %s",
                           output->name ? output->name : "the output");
}

static enum status write_bytes(struct output *output, const uint8_t *bytes, size_t size,
                               struct error *error)
{
    while (size > 0) {
        ssize_t written = write(output->fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return failure(output, errno, error);
        bytes += written;
        size -= (size_t)written;
    }
    return STATUS_OK;
}

static enum status write_harmless(struct output *output, struct error *error)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 4 * OUTPUT_BYTES_MAX);
    layout_append_lines(buf_str(&output->buf), &text);
    TRY(buf_check(&text, "the output of a row", error));
    return write_bytes(output, text.ptr, text.len, error);
}

enum status output_flush(struct output *output, struct error *error)
{
    TRY(buf_check(&output->buf, "the output of a row", error));
    if (output->before_write && output->buf.len > 0)
        output->before_write(output, output->before_write_context);
    TRY(output->shows_controls ? write_harmless(output, error)
                               : write_bytes(output, output->buf.ptr, output->buf.len, error));
    buf_clear(&output->buf);
    return STATUS_OK;
}

enum status output_settle(struct output *output, struct error *error)
{
    if (output->buf.len < OUTPUT_TARGET_BYTES && !output->buf.failed)
        return STATUS_OK;
    return output_flush(output, error);
}

enum status output_write(struct output *output, struct slices *slices, struct error *error)
{
    TRY(output_flush(output, error));
    while (slices->count > 0) {
        struct iovec vectors[VECTORS_MAX];
        size_t count = size_min(slices->count, VECTORS_MAX);
        for (size_t i = 0; i < count; i++) {
            const struct slice *slice = slices_at(slices, i);
            vectors[i] =
                (struct iovec){.iov_base = (void *)(uintptr_t)slice->ptr, .iov_len = slice->len};
        }
        ssize_t written = writev(output->fd, vectors, (int)count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return failure(output, errno, error);
        slices_consume(slices, (size_t)written);
    }
    return STATUS_OK;
}
