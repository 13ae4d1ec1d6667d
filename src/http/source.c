/*
 * source.c — where contents come from: slices in memory, and files.
 *
 * A file is read with the kernel's promise not to wait for the disk. What is not in the page cache is
 * asked for and looked for again; a file system that cannot promise, and one that does not come up with
 * the bytes after many tries, is read in the ordinary way.
 *
 * Runs on the request's loop. Owns the slices, the descriptor. SPDX-License-Identifier: Apache-2.0
 */
#include "http/content.h"

#include "base/checked.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

/* With a millisecond between them. */
#define TRIES_MAX 100

/* --- slices ------------------------------------------------------------------------------------ */

struct slices_source {
    struct slices bytes; /* what comes at `offset` and after it */
    uint64_t offset;
};

static enum status slices_read(void *context, uint64_t offset, size_t size_max, struct slices *out,
                               struct error *error)
{
    struct slices_source *source = context;
    slices_consume(&source->bytes, (size_t)(offset - source->offset));
    source->offset = offset;
    while (size_max > 0 && source->bytes.bytes > 0) {
        struct slice slice = slice_ref(*slices_at(&source->bytes, 0));
        slice.len = size_min(slice.len, size_max);
        size_max -= slice.len;
        source->offset += slice.len;
        slices_consume(&source->bytes, slice.len);
        slices_append(out, slice);
    }
    return STATUS_OK;
}

static void slices_release(void *context)
{
    struct slices_source *source = context;
    slices_finish(&source->bytes);
    free(source);
}

struct http_source http_source_slices(struct slices *bytes)
{
    struct slices_source *source = NEW(struct slices_source);
    slices_init(&source->bytes);
    slices_move(&source->bytes, bytes);
    return (struct http_source){
        .size = source->bytes.bytes,
        .context = source,
        .read = slices_read,
        .release = slices_release,
    };
}

/* --- files ------------------------------------------------------------------------------------- */

struct file_source {
    int fd;
    unsigned tries; /* since bytes last came */
    bool may_block; /* the file system has no other way */
};

static ssize_t read_now(struct file_source *source, struct buffer *buffer, uint64_t offset)
{
    struct iovec part = {.iov_base = buffer->data, .iov_len = buffer->size};
    bool may_block = source->may_block || source->tries >= TRIES_MAX;
    ssize_t size = preadv2(source->fd, &part, 1, (off_t)offset, may_block ? 0 : RWF_NOWAIT);
    if (size < 0 && errno == EOPNOTSUPP && !may_block) {
        source->may_block = true;
        size = preadv2(source->fd, &part, 1, (off_t)offset, 0);
    }
    return size;
}

static enum status file_read(void *context, uint64_t offset, size_t size_max, struct slices *out,
                             struct error *error)
{
    struct file_source *source = context;
    CLEANUP(buffer_unref) struct buffer *buffer = buffer_create(size_max);
    ssize_t size = read_now(source, buffer, offset);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        source->tries++;
        (void)posix_fadvise(source->fd, (off_t)offset, (off_t)size_max, POSIX_FADV_WILLNEED);
        return error_set(error, STATUS_UNAVAILABLE, "the file is being read");
    }
    if (size < 0)
        return error_set_errno(error, errno, "cannot read the file at byte %llu",
                               (unsigned long long)offset);
    if (size == 0)
        return error_set(error, STATUS_DATA_LOSS, "the file ends at byte %llu, before its size",
                         (unsigned long long)offset);
    source->tries = 0;
    const uint8_t *bytes = buffer->data;
    slices_append(out, slice_make(bytes, (size_t)size, STEAL(buffer)));
    return STATUS_OK;
}

static void file_release(void *context)
{
    struct file_source *source = context;
    (void)close(source->fd);
    free(source);
}

struct http_source http_source_file(int fd, uint64_t size)
{
    struct file_source *source = NEW(struct file_source);
    source->fd = fd;
    return (struct http_source){
        .size = size,
        .context = source,
        .read = file_read,
        .release = file_release,
    };
}
