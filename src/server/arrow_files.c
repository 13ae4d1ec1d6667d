/*
 * arrow_files.c — maps Arrow IPC files and streams and keeps their batches as datasets.
 *
 *      map -> read and validate each message -> batches that refer to the mapping -> put
 *
 * No byte is copied but those of compressed bodies and what cutting large batches takes, so a file costs
 * memory only as far as the system caches it. It must not be cut while it is served. A stream may lack its
 * end marker, but not end in the middle of a message.
 *
 * Runs at start. A mapping lives as long as its batches. SPDX-License-Identifier: Apache-2.0
 */
#include "server/arrow_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "store/name.h"
#include "store/put.h"

/* As long as the server lives, and a date that every client can show. */
#define FILE_TTL_MS (UINT64_C(100) * 365 * 24 * 3600 * 1000)
/* Larger batches are cut, so that readers get messages of a size that they take. */
#define FILE_BATCH_BYTES_MAX ((size_t)8 << 20)
/* The operator's own file may hold batches of any size; this still fits all arithmetic. */
#define FILE_DECODED_BYTES_MAX ((size_t)1 << 40)

static const uint8_t end_of_stream[] = {0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};

/* --- mapping ------------------------------------------------------------------------------------ */

/* The buffer tells no size: what refers to it is not charged with it. */
struct mapping {
    struct buffer buffer;
    size_t size;
};

static void unmap(struct buffer *buffer)
{
    struct mapping *mapping = CONTAINER_OF(buffer, struct mapping, buffer);
    if (mapping->size > 0)
        munmap(buffer->data, mapping->size);
    free(mapping);
}

static void mapping_unref(struct mapping *mapping)
{
    buffer_unref(&mapping->buffer);
}
CLEANUP_FUNCTION(struct mapping *, mapping_unref)

static enum status map_descriptor(int fd, struct mapping **out_mapping, struct error *error)
{
    struct stat facts;
    if (fstat(fd, &facts) < 0)
        return error_set_errno(error, errno, "cannot be read");
    if (!S_ISREG(facts.st_mode))
        return error_set(error, STATUS_INVALID_ARGUMENT, "is no regular file");
    size_t size = (size_t)facts.st_size;
    void *address = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (address == MAP_FAILED)
        return error_set_errno(error, errno, "cannot be mapped");
    struct mapping *mapping = NEW(struct mapping);
    atomic_init(&mapping->buffer.references, 1);
    mapping->buffer.data = address;
    mapping->buffer.release = unmap;
    mapping->size = size;
    *out_mapping = mapping;
    return STATUS_OK;
}

static enum status map_file(struct str path, struct mapping **out_mapping, struct error *error)
{
    char *name = str_copy(path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    int saved_errno = errno;
    free(name);
    if (fd < 0)
        return error_set_errno(error, saved_errno, "cannot be opened");
    enum status status = map_descriptor(fd, out_mapping, error);
    close(fd);
    return status;
}

/* --- loading ------------------------------------------------------------------------------------ */

struct loader {
    struct store *store;
    struct str path; /* of the dataset */
    struct put *put; /* NULL until the schema is known */
};

static enum status loader_begin(struct loader *loader, struct arrow_schema *schema,
                                struct error *error)
{
    const struct put_options options = {
        .path = loader->path,
        .mode = PUT_CREATE,
        .ttl_ms = FILE_TTL_MS,
        .durability = DATASET_IN_MEMORY,
        .schema = schema,
    };
    return loader->put ? STATUS_OK : put_begin(loader->store, &options, &loader->put, error);
}

/* Takes the batch over, in pieces where it is large. */
static enum status loader_add(struct loader *loader, struct arrow_batch *batch, struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *whole = batch;
    size_t pieces = whole->body_bytes / FILE_BATCH_BYTES_MAX + 1;
    int64_t step = whole->rows / (int64_t)pieces + 1;
    TRY(loader_begin(loader, whole->schema, error));
    if (pieces == 1)
        return put_append(loader->put, STEAL(whole), error);
    for (int64_t row = 0; row < whole->rows; row += step) {
        int64_t count = whole->rows - row < step ? whole->rows - row : step;
        TRY(put_append(loader->put, arrow_batch_slice(whole, row, count), error));
    }
    return STATUS_OK;
}

static enum status load_stream(struct loader *loader, struct slice bytes,
                               const struct ipc_limits *limits, struct error *error)
{
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(limits);
    enum ipc_stream_step step = IPC_STREAM_BATCH;
    bool has_marker = false;
    ipc_stream_reader_use_mappings(reader);
    ipc_stream_reader_feed_slice(reader, slice_ref(bytes));
    while (step != IPC_STREAM_END) {
        struct arrow_batch *batch = NULL;
        TRY(ipc_stream_reader_next(reader, &step, &batch, error));
        if (batch)
            TRY(loader_add(loader, batch, error));
        if (step != IPC_STREAM_MORE)
            continue;
        if (has_marker)
            return error_set(error, STATUS_DATA_LOSS, "ends in the middle of a message");
        ipc_stream_reader_feed(reader, end_of_stream, sizeof(end_of_stream));
        has_marker = true;
    }
    struct arrow_schema *schema = ipc_stream_reader_schema(reader);
    if (!schema)
        return error_set(error, STATUS_INVALID_ARGUMENT, "holds no schema: it is no Arrow stream");
    return loader_begin(loader, schema, error);
}

static enum status load_file(struct loader *loader, struct slice bytes,
                             const struct ipc_limits *limits, struct error *error)
{
    CLEANUP(ipc_file_reader_close) struct ipc_file_reader *reader = NULL;
    TRY(ipc_file_reader_open(bytes, true, limits, &reader, error));
    for (size_t i = 0; i < ipc_file_reader_batch_count(reader); i++) {
        struct arrow_batch *batch = NULL;
        TRY(ipc_file_reader_batch(reader, i, &batch, error));
        TRY(loader_add(loader, batch, error));
    }
    return loader_begin(loader, ipc_file_reader_schema(reader), error);
}

static enum status load_bytes(struct loader *loader, struct slice bytes, struct error *error)
{
    struct ipc_limits limits = ipc_limits_default;
    struct put_result result;
    limits.body_bytes_max = size_max(limits.body_bytes_max, bytes.len);
    limits.decoded_bytes_max = FILE_DECODED_BYTES_MAX;
    limits.dictionary_bytes_max = FILE_DECODED_BYTES_MAX;
    limits.rows_max = INT64_C(1) << 40;
    limits.cells_max = INT64_C(1) << 40;
    if (ipc_is_file(slice_str(bytes)))
        TRY(load_file(loader, bytes, &limits, error));
    else
        TRY(load_stream(loader, bytes, &limits, error));
    return put_commit(loader->put, &result, error);
}

/* The file's name without folders and ending, as a path of one element. */
static enum status name_dataset(struct arena *arena, struct str path, struct str *out_path,
                                struct error *error)
{
    size_t start = path.len;
    size_t end = path.len;
    while (start > 0 && path.ptr[start - 1] != '/')
        start--;
    while (end > start && path.ptr[end - 1] != '.')
        end--;
    struct str element = str_slice(path, start, end > start ? end - 1 : path.len);
    return dataset_path_join(arena, &element, 1, out_path, error);
}

static enum status load(struct store *store, struct arena *arena, struct engine_file *file,
                        struct error *error)
{
    CLEANUP(mapping_unref) struct mapping *mapping = NULL;
    struct loader loader = {.store = store};
    TRY(name_dataset(arena, file->path, &loader.path, error));
    TRY(map_file(file->path, &mapping, error));
    struct slice bytes = slice_make(mapping->buffer.data, mapping->size, &mapping->buffer);
    enum status status = load_bytes(&loader, bytes, error);
    put_destroy(loader.put);
    if (status == STATUS_OK)
        file->dataset = loader.path;
    return status;
}

enum status arrow_files_load(struct store *store, struct arena *arena, struct engine_file *files,
                             size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct error cause = ERROR_NONE;
        if (!engine_file_is_arrow(files[i].path) ||
            load(store, arena, &files[i], &cause) == STATUS_OK)
            continue;
        return error_set_code(error, cause.status, cause.code, "file '%.*s': %.*s",
                              STR_ARGS(files[i].path), (int)sizeof(cause.message) - 200,
                              cause.message);
    }
    return STATUS_OK;
}
