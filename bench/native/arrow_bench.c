/*
 * arrow_bench.c — how fast batches are validated, compressed and decompressed, on one core.
 *
 *     arrow_bench [NAME]     all cases, or those whose name begins with NAME; "compress": only these
 *
 * Each case is a batch of one column whose body is larger than the caches; it is decoded again and again
 * for a while, and the best round counts, in CPU time. Compression is held against the library's own speed
 * over the same bytes, 2 MiB of them. meson compile -C build arrow_bench makes it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow_columns.h"

#include "arrow/ipc.h"
#include "base/memory.h"

#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#define ROUND_SECONDS 0.02
#define CASE_SECONDS 0.6

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* others may use the machine as well */
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct slice join_body(const struct arrow_batch *batch)
{
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    ipc_append_body(&parts, batch);
    struct buffer *buffer = buffer_create(parts.bytes);
    size_t at = 0;
    for (size_t i = 0; i < parts.count; i++) {
        const struct slice *part = slices_at(&parts, i);
        memcpy(buffer->data + at, part->ptr, part->len);
        at += part->len;
    }
    return slice_make(buffer->data, at, buffer);
}

static struct ipc_decoder *open_decoder(const struct arrow_schema *schema)
{
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    struct arrow_batch *none;
    if (ipc_decode(decoder, schema->message, SLICE_EMPTY, &none, NULL) != STATUS_OK)
        abort();
    for (size_t i = 0; i < schema->dictionary_count; i++) {
        CLEANUP(slice_finish) struct slice message = ipc_dictionary_message(schema, i);
        CLEANUP(slice_finish) struct slice body = join_body(schema->dictionaries[i]);
        if (ipc_decode(decoder, message, body, &none, NULL) != STATUS_OK)
            abort();
    }
    return decoder;
}

struct work {
    struct ipc_decoder *decoder;
    struct ipc_compressor *compressor;
    const struct arrow_batch *batch;
    struct slice message;
    struct slice body;
    enum ipc_compression compression;
    uint8_t *scratch;
    size_t scratch_size;
    size_t packed_sizes[COLUMN_BUFFERS_MAX];
    void *library;
};

static void decode(struct work *work)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    struct error error = ERROR_NONE;
    if (ipc_decode(work->decoder, work->message, work->body, &batch, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
}

/* GB/s of the best round. */
static double measure(void (*run)(struct work *work), struct work *work, size_t bytes)
{
    double best = 1e9;
    double start = now();
    do {
        double begin = now();
        int count = 0;
        do {
            run(work);
            count++;
        } while (now() - begin < ROUND_SECONDS);
        double took = (now() - begin) / count;
        best = took < best ? took : best;
    } while (now() - start < CASE_SECONDS);
    return (double)bytes / best / 1e9;
}

static void bench_validation(size_t index)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = column_case_schema(index);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = column_case_batch(index, schema);
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = open_decoder(schema);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    struct work work = {.decoder = decoder, .message = batch->header, .body = body};
    printf("validate   %-32s %8.2f GB/s\n", column_case_name(index),
           measure(decode, &work, body.len));
    fflush(stdout);
}

/* --- compression -------------------------------------------------------------------------------- */

static void compress(struct work *work)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (ipc_compress_batch(work->compressor, work->batch, &message, &body, NULL) != STATUS_OK)
        abort();
}

/* Frame after frame into the scratch memory, whose second half is for decompressing. */
static void library_compress(struct work *work)
{
    uint8_t *at = work->scratch;
    size_t room = work->scratch_size / 2;
    for (size_t i = 0; i < work->batch->schema->buffer_count; i++) {
        struct slice plain = work->batch->buffers[i];
        if (plain.len == 0)
            continue;
        if (work->compression == IPC_COMPRESSION_ZSTD)
            work->packed_sizes[i] =
                ZSTD_compressCCtx(work->library, at, room, plain.ptr, plain.len, 1);
        else
            work->packed_sizes[i] = LZ4F_compressFrame(at, room, plain.ptr, plain.len, NULL);
        at += work->packed_sizes[i];
        room -= work->packed_sizes[i];
    }
}

static void library_decompress(struct work *work)
{
    const uint8_t *at = work->scratch;
    uint8_t *out = work->scratch + work->scratch_size / 2;
    for (size_t i = 0; i < work->batch->schema->buffer_count; i++) {
        size_t packed = work->packed_sizes[i];
        size_t size = work->batch->buffers[i].len;
        if (size > 0 && work->compression == IPC_COMPRESSION_ZSTD) {
            ZSTD_decompress(out, size, at, packed);
        } else if (size > 0) {
            LZ4F_dctx *context = NULL;
            LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
            LZ4F_decompress(context, out, &size, at, &packed, NULL);
            LZ4F_freeDecompressionContext(context);
        }
        at += packed;
        out += size;
    }
}

/* The same batch when nothing is compressed. */
static double measure_plain(const struct work *compressed)
{
    struct work work = *compressed;
    CLEANUP(slice_finish) struct slice body = join_body(work.batch);
    work.message = work.batch->header;
    work.body = body;
    return measure(decode, &work, work.batch->body_bytes);
}

static void bench_compression(size_t index, enum ipc_compression compression, const char *name)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = column_case_schema(index);
    CLEANUP(arrow_batch_unref) struct arrow_batch *all = column_case_batch(index, schema);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = arrow_batch_slice(all, 0, all->rows / 16);
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = open_decoder(schema);
    CLEANUP(ipc_compressor_destroy)
    struct ipc_compressor *compressor = ipc_compressor_create(compression, 0);
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (ipc_compress_batch(compressor, batch, &message, &body, NULL) != STATUS_OK)
        abort();
    CLEANUP(slice_finish) struct slice joined = slices_join(&body);
    struct work work = {.decoder = decoder,
                        .compressor = compressor,
                        .batch = batch,
                        .message = message,
                        .body = joined,
                        .compression = compression,
                        .scratch_size = 4 * batch->body_bytes,
                        .library = ZSTD_createCCtx()};
    work.scratch = memory_new(work.scratch_size);
    double library = measure(library_compress, &work, batch->body_bytes);
    printf("%-10s %-32s %8.2f GB/s (library %.2f), to %.0f %%\n", name, column_case_name(index),
           measure(compress, &work, batch->body_bytes), library,
           100.0 * (double)joined.len / (double)batch->body_bytes);
    library = measure(library_decompress, &work, batch->body_bytes);
    double decoding = measure(decode, &work, batch->body_bytes);
    double plain = measure_plain(&work);
    printf("un%-8s %-32s %8.2f GB/s (library %.2f, then the plain path %.2f)\n", name,
           column_case_name(index), decoding, library, 1 / (1 / library + 1 / plain));
    fflush(stdout);
    ZSTD_freeCCtx(work.library);
    free(work.scratch);
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < column_case_count(); i++) {
        if (strncmp(column_case_name(i), wanted, strlen(wanted)) == 0)
            bench_validation(i);
    }
    if (*wanted && strcmp(wanted, "compress") != 0)
        return 0;
    for (size_t i = 0; i < column_case_count(); i++) {
        if (strcmp(column_case_name(i), "fixed int64") != 0 &&
            strcmp(column_case_name(i), "utf8 ASCII, 12 bytes") != 0)
            continue;
        bench_compression(i, IPC_COMPRESSION_LZ4, "lz4");
        bench_compression(i, IPC_COMPRESSION_ZSTD, "zstd");
    }
    return 0;
}
