/*
 * input.c — opens what is put, finds out what it is, reads its batches.
 *
 * Files are mapped, so that their bodies go to the socket from the page cache; a file that another program
 * makes shorter meanwhile ends this one (SIGBUS), with nothing put. Pipes are read as streams, also an
 * Arrow file: its messages stand in it as in a stream, behind 8 bytes. While a pipe has nothing, Ctrl-C is
 * watched too.
 *
 * Runs on: the main thread. Owns: the descriptor, the mapping, the reader.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/input.h"

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "cli/tsv_to_csv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEEK_BYTES ((size_t)8)
#define READ_BYTES ((size_t)1 << 20)

struct input {
    char *name;
    struct input_options options;
    int fd;
    bool is_regular;
    uint64_t size_bytes;
    enum input_format format;
    bool is_arrow_file;
    uint8_t
        peeked[PEEK_BYTES]; /* read to tell the format; those of a pipe are still to be given out */
    size_t peeked_bytes;
    size_t given_bytes; /* of them */
    struct tsv_to_csv tsv;
    bool tsv_is_over;
    /* Of Arrow: */
    struct slice mapping;
    struct ipc_file_reader *file;
    size_t next_batch;
    struct ipc_stream_reader *stream;
};

/* --- bytes ---------------------------------------------------------------------------------------- */

static enum status await_bytes(const struct input *input, struct error *error)
{
    struct pollfd watched[] = {
        {.fd = input->fd, .events = POLLIN},
        {.fd = interrupt_descriptor(input->options.interrupt), .events = POLLIN},
    };
    while (poll(watched, ARRAY_COUNT(watched), -1) < 0) {
        if (errno != EINTR)
            return error_set_errno(error, errno, "%s", input->name);
    }
    return watched[1].revents ? error_set(error, STATUS_CANCELLED, "interrupted") : STATUS_OK;
}

static enum status read_bytes(struct input *input, uint8_t *bytes, size_t size, size_t *out_size,
                              struct error *error)
{
    if (!input->is_regular && input->given_bytes < input->peeked_bytes) {
        size_t count = size_min(size, input->peeked_bytes - input->given_bytes);
        memcpy(bytes, input->peeked + input->given_bytes, count);
        input->given_bytes += count;
        *out_size = count;
        return STATUS_OK;
    }
    for (;;) {
        TRY(await_bytes(input, error));
        ssize_t count = read(input->fd, bytes, size);
        if (count < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (count < 0)
            return error_set_errno(error, errno, "%s", input->name);
        *out_size = (size_t)count;
        return STATUS_OK;
    }
}

/* The bytes are read to the end of the room for what they become, so that this never overtakes them. */
static enum status read_tsv(struct input *input, uint8_t *bytes, size_t size, size_t *out_size,
                            struct error *error)
{
    size_t part = size / (TSV_TO_CSV_GROWTH + 1);
    uint8_t *raw = bytes + size - part;
    *out_size = 0;
    while (*out_size == 0 && !input->tsv_is_over) {
        size_t count;
        TRY(read_bytes(input, raw, part, &count, error));
        input->tsv_is_over = count == 0;
        *out_size = count > 0 ? tsv_to_csv_convert(&input->tsv, raw, count, bytes)
                              : tsv_to_csv_end(&input->tsv, bytes);
    }
    return STATUS_OK;
}

enum status input_read(struct input *input, uint8_t *bytes, size_t size, size_t *out_size,
                       struct error *error)
{
    assert(size >= INPUT_READ_BYTES_MIN);
    return input->format == INPUT_TSV ? read_tsv(input, bytes, size, out_size, error)
                                      : read_bytes(input, bytes, size, out_size, error);
}

/* --- what it is ----------------------------------------------------------------------------------- */

static enum status peek(struct input *input, struct error *error)
{
    if (input->is_regular) {
        ssize_t size = pread(input->fd, input->peeked, PEEK_BYTES, 0);
        if (size < 0)
            return error_set_errno(error, errno, "%s", input->name);
        input->peeked_bytes = (size_t)size;
        return STATUS_OK;
    }
    while (input->peeked_bytes < PEEK_BYTES) {
        size_t size;
        input->given_bytes = input->peeked_bytes;
        TRY(read_bytes(input, input->peeked + input->peeked_bytes, PEEK_BYTES - input->peeked_bytes,
                       &size, error));
        if (size == 0)
            break;
        input->peeked_bytes += size;
    }
    input->given_bytes = 0;
    return STATUS_OK;
}

static enum input_format format_of_content(const struct input *input)
{
    static const struct {
        struct str beginning;
        enum input_format format;
    } known[] = {
        {{"ARROW1", 6}, INPUT_ARROW},
        {{"\xff\xff\xff\xff", 4}, INPUT_ARROW},
        {{"PAR1", 4}, INPUT_PARQUET},
    };
    struct str content = str_make(input->peeked, input->peeked_bytes);
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (str_starts_with(content, known[i].beginning))
            return known[i].format;
    }
    return INPUT_FORMAT_UNKNOWN;
}

static enum input_format format_of_name(struct str name)
{
    static const struct {
        const char *suffix;
        enum input_format format;
    } known[] = {
        {".csv", INPUT_CSV},       {".tsv", INPUT_TSV},       {".json", INPUT_JSON},
        {".ndjson", INPUT_NDJSON}, {".jsonl", INPUT_NDJSON},  {".parquet", INPUT_PARQUET},
        {".pq", INPUT_PARQUET},    {".arrow", INPUT_ARROW},   {".arrows", INPUT_ARROW},
        {".ipc", INPUT_ARROW},     {".feather", INPUT_ARROW},
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (str_ends_with(name, str_of(known[i].suffix)))
            return known[i].format;
    }
    return INPUT_FORMAT_UNKNOWN;
}

static enum status recognise(struct input *input, struct error *error)
{
    TRY(peek(input, error));
    input->format = input->options.format;
    if (input->format == INPUT_FORMAT_UNKNOWN)
        input->format = format_of_content(input);
    if (input->format == INPUT_FORMAT_UNKNOWN)
        input->format = format_of_name(str_of(input->name));
    input->is_arrow_file = ipc_is_file(str_make(input->peeked, input->peeked_bytes));
    if (input->format != INPUT_FORMAT_UNKNOWN)
        return STATUS_OK;
    return error_set(
        error, STATUS_INVALID_ARGUMENT,
        "%s: cannot tell what is in it; give --format arrow, parquet, csv, tsv, json or "
        "ndjson",
        input->name);
}

/* --- Arrow ---------------------------------------------------------------------------------------- */

static void unmap(struct buffer *buffer)
{
    (void)munmap(buffer->data, buffer->size);
    free(buffer);
}

static enum status map(struct input *input, struct error *error)
{
    if (input->size_bytes == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s is empty", input->name);
    size_t size = (size_t)input->size_bytes;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, input->fd, 0);
    if (bytes == MAP_FAILED)
        return error_set_errno(error, errno, "%s", input->name);
    (void)madvise(bytes, size, MADV_SEQUENTIAL);
    struct buffer *buffer = NEW(struct buffer);
    *buffer = (struct buffer){.references = 1, .data = bytes, .size = size, .release = unmap};
    input->mapping = slice_make(bytes, size, buffer);
    return STATUS_OK;
}

/* What a user's own file may have: more than what a stranger may send. */
static struct ipc_limits generous_limits(void)
{
    struct ipc_limits limits = ipc_limits_default;
    limits.body_bytes_max = (size_t)64 << 30;
    limits.decoded_bytes_max = (size_t)64 << 30;
    limits.dictionary_bytes_max = (size_t)8 << 30;
    limits.rows_max = INT64_C(1) << 40;
    limits.cells_max = INT64_C(1) << 48;
    return limits;
}

static enum status open_arrow(struct input *input, struct error *error)
{
    const struct ipc_limits limits = generous_limits();
    if (input->is_regular)
        TRY(map(input, error));
    if (input->is_regular && input->is_arrow_file)
        return ipc_file_reader_open(input->mapping, true, &limits, &input->file, error);
    input->stream = ipc_stream_reader_create(&limits);
    if (input->is_regular) {
        ipc_stream_reader_use_mappings(input->stream);
        ipc_stream_reader_feed_slice(input->stream, slice_ref(input->mapping));
    } else if (input->is_arrow_file) {
        input->given_bytes = PEEK_BYTES; /* the rest is a stream, and a footer behind its end */
    }
    return STATUS_OK;
}

/* An error of the reader, with the name of what was read. */
static enum status name_error(const struct input *input, enum status status, struct error *error)
{
    if (status == STATUS_OK || status == STATUS_CANCELLED)
        return status;
    struct error plain = *error;
    return error_set(error, plain.status, "%s: %s", input->name, plain.message);
}

static enum status next_of_file(struct input *input, struct arrow_batch **out_batch, bool *out_end,
                                struct error *error)
{
    *out_end = input->next_batch == ipc_file_reader_batch_count(input->file);
    if (*out_end)
        return STATUS_OK;
    return ipc_file_reader_batch(input->file, input->next_batch++, out_batch, error);
}

/* Whoever writes into the pipe is not cut off by the end of the stream in it. */
static enum status drain(struct input *input, struct error *error)
{
    uint8_t bytes[PEEK_BYTES * 512];
    size_t size = 1;
    while (!input->is_regular && size > 0)
        TRY(input_read(input, bytes, sizeof(bytes), &size, error));
    return STATUS_OK;
}

static enum status feed(struct input *input, bool *out_fed, struct error *error)
{
    *out_fed = false;
    if (input->is_regular)
        return STATUS_OK;
    CLEANUP(buffer_unref) struct buffer *buffer = buffer_create(READ_BYTES);
    size_t size;
    TRY(input_read(input, buffer->data, buffer->size, &size, error));
    *out_fed = size > 0;
    if (size > 0)
        ipc_stream_reader_feed_slice(input->stream,
                                     slice_make(buffer->data, size, buffer_ref(buffer)));
    return STATUS_OK;
}

static enum status next_of_stream(struct input *input, struct arrow_batch **out_batch,
                                  bool *out_end, struct error *error)
{
    for (;;) {
        enum ipc_stream_step step;
        bool fed;
        TRY(ipc_stream_reader_next(input->stream, &step, out_batch, error));
        if (step == IPC_STREAM_BATCH)
            return STATUS_OK;
        *out_end = step == IPC_STREAM_END;
        if (*out_end)
            return drain(input, error);
        TRY(feed(input, &fed, error));
        if (fed)
            continue;
        *out_end = input->options.is_unfinished;
        if (*out_end && input_schema(input))
            return STATUS_OK;
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the Arrow stream has no end: it was cut off; --unfinished takes its "
                         "whole batches");
    }
}

enum status input_next(struct input *input, struct arrow_batch **out_batch, bool *out_end,
                       struct error *error)
{
    *out_end = false;
    *out_batch = NULL;
    if (!input->file && !input->stream)
        TRY(name_error(input, open_arrow(input, error), error));
    enum status status = input->file ? next_of_file(input, out_batch, out_end, error)
                                     : next_of_stream(input, out_batch, out_end, error);
    return name_error(input, status, error);
}

struct arrow_schema *input_schema(const struct input *input)
{
    return input->file ? ipc_file_reader_schema(input->file)
                       : ipc_stream_reader_schema(input->stream);
}

/* --- open and close ------------------------------------------------------------------------------- */

static enum status open_descriptor(struct input *input, const char *name, struct error *error)
{
    struct stat facts;
    bool is_standard = str_equal(str_of(name), STR("-"));
    input->name = str_copy(is_standard ? STR("standard input") : str_of(name));
    input->fd = is_standard ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &facts) != 0)
        return error_set_errno(error, errno, "%s", input->name);
    if (S_ISDIR(facts.st_mode))
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s is a folder", input->name);
    /* Standard input that somebody read from already is not at its beginning. */
    input->is_regular = S_ISREG(facts.st_mode) && lseek(input->fd, 0, SEEK_CUR) == 0;
    input->size_bytes = input->is_regular ? (uint64_t)facts.st_size : 0;
    return STATUS_OK;
}

enum status input_open(const char *name, const struct input_options *options,
                       struct input **out_input, struct error *error)
{
    CLEANUP(input_close) struct input *input = NEW(struct input);
    input->options = *options;
    input->fd = -1;
    TRY(open_descriptor(input, name, error));
    TRY(recognise(input, error));
    *out_input = STEAL(input);
    return STATUS_OK;
}

void input_close(struct input *input)
{
    if (!input)
        return;
    ipc_file_reader_close(input->file);
    ipc_stream_reader_destroy(input->stream);
    slice_finish(&input->mapping);
    if (input->fd >= 0)
        (void)close(input->fd);
    free(input->name);
    free(input);
}

const char *input_name(const struct input *input)
{
    return input->name;
}

enum input_format input_format(const struct input *input)
{
    return input->format;
}

uint64_t input_size(const struct input *input)
{
    return input->size_bytes;
}

bool input_is_repeatable(const struct input *input)
{
    return input->is_regular;
}
