/*
 * get.c — reads an object, or a part of it, and goes on where a connection broke off.
 *
 * The first answer says what the object is. If the rest does not come, it is asked for with a range and on
 * the condition that the object is still that one (its ETag); so a reader gets the bytes of one object or an
 * error, never a mixture. Breaks are counted while nothing comes: an attempt that brought bytes is for free.
 *
 * Runs on: any thread that may block. Owns: nothing beyond the call.
 * Source: Amazon S3 API, GetObject; RFC 9110 section 14. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include "base/checked.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BREAKS_MAX 3
#define TOTAL_TIMEOUT_MS (UINT64_C(3600) * 1000)
#define RANGE_SIZE 64

struct get {
    const struct s3_sink *sink;
    struct s3_object object;
    uint64_t offset; /* of the first byte that is wanted */
    uint64_t end;    /* behind the last; 0: not known */
    uint64_t done;   /* bytes that the sink has */
    bool is_known;   /* object is filled in */
    bool is_refused; /* by the sink, or as not the same object */
};

static enum status refuse(struct get *get, enum status status)
{
    get->is_refused = status != STATUS_OK;
    return status;
}

/* "bytes 5-9/100": where the answer begins. */
static bool begins_at(const struct fetch_response *response, uint64_t wanted)
{
    struct str range = fetch_response_header(response, STR("content-range"));
    uint64_t begin = 0;
    if (range.len == 0)
        return wanted == 0;
    if (!str_starts_with_nocase(range, STR("bytes ")))
        return false;
    range = str_slice(range, 6, range.len);
    return str_to_u64(str_trim(str_split(&range, '-')), &begin) && begin == wanted;
}

static enum status on_begin(void *context, const struct fetch_response *response,
                            struct error *error)
{
    struct get *get = context;
    struct s3_object object;
    s3_answer_object(response, &object);
    if (!begins_at(response, get->offset + get->done) ||
        (get->is_known && strcmp(object.etag, get->object.etag) != 0))
        return refuse(get, error_set(error, STATUS_DATA_LOSS,
                                     "the service sent other bytes than those asked for"));
    if (get->is_known)
        return STATUS_OK;
    get->is_known = true;
    get->object = object;
    if (get->end == 0 || get->end > object.size_bytes)
        get->end = object.size_bytes;
    const struct s3_sink *sink = get->sink;
    return sink->begin ? refuse(get, sink->begin(sink->context, &object, error)) : STATUS_OK;
}

static enum status on_write(void *context, struct str bytes, struct error *error)
{
    struct get *get = context;
    get->done += bytes.len;
    if (get->offset + get->done > get->end)
        return refuse(get, error_set(error, STATUS_DATA_LOSS,
                                     "the service sent more bytes than it announced"));
    return refuse(get, get->sink->write(get->sink->context, bytes, error));
}

/* Of what is still wanted; empty: all. */
static struct str write_range(const struct get *get, char out[RANGE_SIZE])
{
    uint64_t from = get->offset + get->done;
    if (from == 0 && get->end == 0)
        return STR_EMPTY;
    int length = get->end > 0
                     ? snprintf(out, RANGE_SIZE, "bytes=%" PRIu64 "-%" PRIu64, from, get->end - 1)
                     : snprintf(out, RANGE_SIZE, "bytes=%" PRIu64 "-", from);
    return str_make(out, (size_t)length);
}

static enum status run(struct get *get, struct s3 *s3, struct str key,
                       const struct s3_get_options *options, struct error *error)
{
    struct fetch_sink sink = {.begin = on_begin, .write = on_write, .context = get};
    struct s3_call call = {.s3 = s3,
                           .operation = "get",
                           .method = "GET",
                           .key = key,
                           .sink = &sink,
                           .total_timeout_ms = TOTAL_TIMEOUT_MS,
                           .cancel = options->cancel};
    char range_text[RANGE_SIZE];
    struct str range = write_range(get, range_text);
    if (range.len > 0)
        s3_call_add_header(&call, "range", range);
    struct str etag = get->is_known ? str_of(get->object.etag) : options->etag;
    if (etag.len > 0)
        s3_call_add_header(&call, "if-match", etag);
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    TRY(s3_call_run(&call, &response, error));
    if (get->is_known && get->offset + get->done < get->end)
        return error_set(error, STATUS_UNAVAILABLE, "the object '%.*s' ended early",
                         (int)size_min(key.len, 200), key.ptr);
    return STATUS_OK;
}

/* An object that cannot be told from another is not read in pieces. */
static bool can_go_on(const struct get *get, enum status status)
{
    return status == STATUS_UNAVAILABLE && get->is_known && !get->is_refused &&
           get->object.etag[0] != '\0' && get->offset + get->done < get->end;
}

enum status s3_get(struct s3 *s3, struct str key, const struct s3_get_options *options,
                   const struct s3_sink *sink, struct s3_object *out_object, struct error *error)
{
    static const struct s3_get_options all = {.offset = 0};
    options = options ? options : &all;
    TRY(s3_check_key(key, error));
    struct get get = {.sink = sink, .offset = options->offset};
    if (options->size > 0 && !checked_add(options->offset, options->size, &get.end))
        return error_set(error, STATUS_INVALID_ARGUMENT, "the range of bytes is too large");
    enum status status = STATUS_OK;
    uint64_t done = 0;
    for (unsigned breaks = 0; breaks <= BREAKS_MAX; breaks++) {
        done = get.done;
        status = run(&get, s3, key, options, error);
        if (!can_go_on(&get, status))
            break;
        if (get.done > done)
            breaks = 0;
    }
    if (s3->bytes_received)
        metric_add(s3->bytes_received, (double)get.done);
    if (status == STATUS_OK && out_object)
        *out_object = get.object;
    return status;
}

/* --- into memory, into a file --------------------------------------------------------------------- */

static enum status write_to_buf(void *context, struct str bytes, struct error *error)
{
    struct buf *out = context;
    buf_append_str(out, bytes);
    return buf_check(out, "the object", error);
}

enum status s3_get_bytes(struct s3 *s3, struct str key, const struct s3_get_options *options,
                         struct buf *out, struct s3_object *out_object, struct error *error)
{
    struct s3_sink sink = {.write = write_to_buf, .context = out};
    return s3_get(s3, key, options, &sink, out_object, error);
}

struct get_file {
    int fd;
    off_t offset;
};

static enum status write_to_file(void *context, struct str bytes, struct error *error)
{
    struct get_file *file = context;
    while (bytes.len > 0) {
        ssize_t size = pwrite(file->fd, bytes.ptr, bytes.len, file->offset);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return error_set_errno(error, size < 0 ? errno : EIO, "cannot write the object");
        file->offset += size;
        bytes = str_slice(bytes, (size_t)size, bytes.len);
    }
    return STATUS_OK;
}

enum status s3_get_file(struct s3 *s3, struct str key, const struct s3_get_options *options, int fd,
                        struct s3_object *out_object, struct error *error)
{
    struct get_file file = {.fd = fd};
    struct s3_sink sink = {.write = write_to_file, .context = &file};
    return s3_get(s3, key, options, &sink, out_object, error);
}
