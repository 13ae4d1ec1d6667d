/*
 * arrow_bench.c — how fast batches are validated, compressed and decompressed.
 *
 *     arrow_bench [NAME]     all cases, or those whose name begins with NAME
 *
 * Each case is a batch of one column whose body is larger than the caches; it is decoded again and again
 * for a while, and the best round counts. Compression is held against the library's own speed over the
 * same bytes, 2 MiB of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "arrow/column.h"
#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "sample.h"

#define BODY_BYTES ((size_t)32 << 20)
#define ROUND_SECONDS 0.02
#define CASE_SECONDS 0.6

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* others may use the machine as well */
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* --- columns ------------------------------------------------------------------------------------ */

struct column {
    int64_t rows;
    struct arrow_node nodes[4];
    struct slice buffers[8];
};

static uint8_t *make(struct column *column, size_t index, size_t size)
{
    struct buffer *buffer = buffer_create(size);
    memset(buffer->data, 0, size);
    column->buffers[index] = slice_make(buffer->data, size, buffer);
    return buffer->data;
}

static void make_nulls(struct column *column)
{
    uint64_t state = 1;
    uint8_t *bits = make(column, 0, ((size_t)column->rows + 7) / 8);
    for (int64_t i = 0; i < column->rows; i++) {
        bool valid = next_random(&state) % 10 != 0;
        bits[i / 8] |= (uint8_t)(valid << (i % 8));
        column->nodes[0].null_count += !valid;
    }
}

static void make_int64(struct column *column, int argument)
{
    uint64_t state = 3;
    column->rows = (int64_t)(BODY_BYTES / 8);
    int64_t *values = (int64_t *)(void *)make(column, 1, BODY_BYTES);
    for (int64_t i = 0; i < column->rows; i++)
        values[i] = (int64_t)(next_random(&state) % 100000);
    if (argument)
        make_nulls(column);
}

static void make_decimal(struct column *column, int argument)
{
    size_t width = (size_t)argument / 8;
    column->rows = (int64_t)(BODY_BYTES / width);
    uint8_t *values = make(column, 1, BODY_BYTES);
    for (int64_t i = 0; i < column->rows; i++)
        memset(values + (size_t)i * width, i % 2 ? 0xFF : 0, width);
}

static void make_indices(struct column *column, int argument)
{
    uint64_t state = 5;
    column->rows = (int64_t)(BODY_BYTES / 4);
    int32_t *values = (int32_t *)(void *)make(column, 1, BODY_BYTES);
    for (int64_t i = 0; i < column->rows; i++)
        values[i] = (int32_t)(next_random(&state) % 11);
    if (argument)
        make_nulls(column);
}

static const char *const words[] = {
    "The quick brown fox jumps over the lazy dog, and over a number of other things again. ",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich; dafür gab es Öl. ",
    "色は匂へど散りぬるを我が世誰ぞ常ならむ有為の奥山今日越えて浅き夢見じ酔ひもせず",
    "😀😁😂🤣😃😄😅😆😉😊😋😎😍😘😗😙😚🙂🤗🤩🤔",
};

/* Length of the character at a place of a text. */
static size_t character_bytes(const char *at)
{
    uint8_t byte = (uint8_t)*at;
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/* Values of about 1 to 2 * `length` bytes of words[kind]. */
static void make_text(struct column *column, int length, size_t kind)
{
    uint64_t state = 7;
    const char *text = words[kind];
    column->rows = (int64_t)(BODY_BYTES / (size_t)(length + 4));
    int32_t *offsets = (int32_t *)(void *)make(column, 1, ((size_t)column->rows + 1) * 4);
    uint8_t *bytes = make(column, 2, (size_t)column->rows * (2 * (size_t)length + 4));
    size_t at = 0;
    size_t from = 0;
    for (int64_t i = 0; i < column->rows; i++) {
        size_t end = at + 1 + next_random(&state) % (2 * (uint64_t)length - 1);
        while (at < end) {
            size_t size = character_bytes(text + from);
            memcpy(bytes + at, text + from, size);
            at += size;
            from = text[from + size] ? from + size : 0;
        }
        offsets[i + 1] = (int32_t)at;
        if (next_random(&state) % 4 == 0)
            from = 0;
    }
    column->buffers[2].len = at;
}

static void make_ascii(struct column *column, int argument)
{
    make_text(column, argument, 0);
}

static void make_german(struct column *column, int argument)
{
    make_text(column, argument, 1);
}

static void make_japanese(struct column *column, int argument)
{
    make_text(column, argument, 2);
}

static void make_faces(struct column *column, int argument)
{
    make_text(column, argument, 3);
}

static void make_ascii_with_nulls(struct column *column, int argument)
{
    make_text(column, argument, 0);
    make_nulls(column);
}

static void make_views(struct column *column, int argument)
{
    struct column text = {.rows = 0};
    make_text(&text, argument, 0);
    column->rows = text.rows;
    column->buffers[2] = text.buffers[2];
    const int32_t *offsets = (const int32_t *)(const void *)text.buffers[1].ptr;
    struct arrow_view *views =
        (struct arrow_view *)(void *)make(column, 1, (size_t)text.rows * sizeof(*views));
    for (int64_t i = 0; i < text.rows; i++) {
        const uint8_t *value = text.buffers[2].ptr + offsets[i];
        int32_t size = offsets[i + 1] - offsets[i];
        views[i].size = size;
        memcpy(views[i].inlined, value, size <= ARROW_VIEW_INLINE_MAX ? (size_t)size : 4);
        if (size > ARROW_VIEW_INLINE_MAX)
            views[i].offset = offsets[i];
    }
    slice_finish(&text.buffers[1]);
}

static void make_list(struct column *column, int argument)
{
    column->rows = (int64_t)(BODY_BYTES / 16);
    int32_t *offsets = (int32_t *)(void *)make(column, 1, ((size_t)column->rows + 1) * 4);
    for (int64_t i = 0; i <= column->rows; i++)
        offsets[i] = (int32_t)(i * argument);
    column->nodes[1].length = column->rows * argument;
    make(column, 3, (size_t)column->nodes[1].length * 4);
}

/* --- fields ------------------------------------------------------------------------------------- */

static void fill_int64(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 64;
    field->is_signed = true;
}

static void fill_decimal128(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 128;
    field->precision = 38;
}

static void fill_decimal256(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 256;
    field->precision = 76;
}

static void fill_time(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 64;
    field->unit = ARROW_MICROSECOND;
}

static void fill_dictionary(struct arrow_schema *schema, struct arrow_field *field)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = 32;
}

static void fill_list(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_INT);
    field->children[0].bit_width = 32;
}

static const struct bench_case {
    const char *name;
    enum arrow_type type;
    void (*fill)(struct arrow_schema *schema, struct arrow_field *field);
    void (*make)(struct column *column, int argument);
    int argument;
} cases[] = {
    {"fixed int64", ARROW_INT, fill_int64, make_int64, 0},
    {"fixed int64, nulls", ARROW_INT, fill_int64, make_int64, 1},
    {"fixed time64", ARROW_TIME, fill_time, make_int64, 0},
    {"fixed decimal128", ARROW_DECIMAL, fill_decimal128, make_decimal, 128},
    {"fixed decimal256", ARROW_DECIMAL, fill_decimal256, make_decimal, 256},
    {"fixed dictionary index", ARROW_UTF8, fill_dictionary, make_indices, 0},
    {"fixed dictionary index, nulls", ARROW_UTF8, fill_dictionary, make_indices, 1},
    {"list of int32, 3 each", ARROW_LIST, fill_list, make_list, 3},
    {"utf8 ASCII, 5 bytes", ARROW_UTF8, NULL, make_ascii, 5},
    {"utf8 ASCII, 12 bytes", ARROW_UTF8, NULL, make_ascii, 12},
    {"utf8 ASCII, 12 bytes, nulls", ARROW_UTF8, NULL, make_ascii_with_nulls, 12},
    {"utf8 ASCII, 100 bytes", ARROW_UTF8, NULL, make_ascii, 100},
    {"utf8 German, 12 bytes", ARROW_UTF8, NULL, make_german, 12},
    {"utf8 German, 100 bytes", ARROW_UTF8, NULL, make_german, 100},
    {"utf8 Japanese, 30 bytes", ARROW_UTF8, NULL, make_japanese, 30},
    {"utf8 emoji, 30 bytes", ARROW_UTF8, NULL, make_faces, 30},
    {"binary, 12 bytes", ARROW_BINARY, NULL, make_german, 12},
    {"view ASCII, 8 bytes", ARROW_UTF8_VIEW, NULL, make_views, 8},
    {"view ASCII, 30 bytes", ARROW_UTF8_VIEW, NULL, make_views, 30},
};

/* --- measuring ---------------------------------------------------------------------------------- */

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
    size_t packed_sizes[ARRAY_COUNT(((struct column *)NULL)->buffers)];
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

static struct arrow_batch *create_batch(struct arrow_schema *schema, const struct bench_case *it)
{
    struct column column = {0};
    it->make(&column, it->argument);
    column.nodes[0].length = column.rows;
    return arrow_batch_create(schema, column.rows, column.nodes, column.buffers);
}

static void bench_validation(const struct bench_case *it)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), it->type, it->fill);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_batch(schema, it);
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = open_decoder(schema);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    struct work work = {.decoder = decoder, .message = batch->header, .body = body};
    printf("validate   %-32s %8.2f GB/s\n", it->name, measure(decode, &work, body.len));
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
    }
}

static void bench_compression(const struct bench_case *it, enum ipc_compression compression,
                              const char *name)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), it->type, it->fill);
    CLEANUP(arrow_batch_unref) struct arrow_batch *all = create_batch(schema, it);
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
    printf("%-10s %-32s %8.2f GB/s (library %.2f), to %.0f %%\n", name, it->name,
           measure(compress, &work, batch->body_bytes),
           measure(library_compress, &work, batch->body_bytes),
           100.0 * (double)joined.len / (double)batch->body_bytes);
    printf("un%-8s %-32s %8.2f GB/s (library %.2f)\n", name, it->name,
           measure(decode, &work, batch->body_bytes),
           measure(library_decompress, &work, batch->body_bytes));
    fflush(stdout);
    ZSTD_freeCCtx(work.library);
    free(work.scratch);
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (strncmp(cases[i].name, wanted, strlen(wanted)) == 0)
            bench_validation(&cases[i]);
    }
    if (*wanted && strcmp(wanted, "compress") != 0)
        return 0;
    bench_compression(&cases[0], IPC_COMPRESSION_LZ4, "lz4");
    bench_compression(&cases[0], IPC_COMPRESSION_ZSTD, "zstd");
    bench_compression(&cases[9], IPC_COMPRESSION_LZ4, "lz4");
    bench_compression(&cases[9], IPC_COMPRESSION_ZSTD, "zstd");
    return 0;
}
