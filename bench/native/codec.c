/*
 * codec.c — what LZ4 and ZSTD themselves cost: the floor below every compressed batch.
 *
 * usage: codec lz4|zstd FILE PIECE
 *
 * Compresses the file in pieces of PIECE bytes, each into a frame of its own as Arrow's buffers are, at
 * the libraries' default levels for Arrow (LZ4 frames as they come, ZSTD 1), and decompresses them. Prints
 * the CPU seconds of both for a gigabyte of what is not compressed, and the compressed share, as JSON.
 *
 * One thread; owns its buffers. SPDX-License-Identifier: Apache-2.0
 */
#include <lz4frame.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#define ZSTD_LEVEL 1

struct piece {
    size_t size;
    unsigned char *packed;
};

static int fail(const char *what)
{
    fprintf(stderr, "codec: %s\n", what);
    return 1;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static size_t lz4_pack(void *out, size_t room, const void *in, size_t size)
{
    size_t packed = LZ4F_compressFrame(out, room, in, size, NULL);
    return LZ4F_isError(packed) ? 0 : packed;
}

static bool lz4_unpack(void *out, size_t room, const void *in, size_t size)
{
    static LZ4F_dctx *context;
    if (!context && LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return false;
    return LZ4F_decompress(context, out, &room, in, &size, NULL) == 0;
}

static size_t zstd_pack(void *out, size_t room, const void *in, size_t size)
{
    static ZSTD_CCtx *context;
    if (!context)
        context = ZSTD_createCCtx();
    size_t packed = ZSTD_compressCCtx(context, out, room, in, size, ZSTD_LEVEL);
    return ZSTD_isError(packed) ? 0 : packed;
}

static bool zstd_unpack(void *out, size_t room, const void *in, size_t size)
{
    static ZSTD_DCtx *context;
    if (!context)
        context = ZSTD_createDCtx();
    return ZSTD_decompressDCtx(context, out, room, in, size) == room;
}

static unsigned char *read_file(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    *out_size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*out_size);
    if (bytes && fread(bytes, 1, *out_size, file) != *out_size)
        bytes = NULL;
    fclose(file);
    return bytes;
}

static int measure(bool is_lz4, const unsigned char *bytes, size_t size, size_t piece)
{
    size_t count = size / piece;
    size_t room = is_lz4 ? LZ4F_compressFrameBound(piece, NULL) : ZSTD_compressBound(piece);
    struct piece *pieces = calloc(count, sizeof(*pieces));
    unsigned char *unpacked = malloc(piece);
    size_t packed_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        pieces[i].packed = malloc(room);
        memset(pieces[i].packed, 1, room);
    }
    memset(unpacked, 1, piece);
    double start = cpu_seconds();
    for (size_t i = 0; i < count; i++) {
        pieces[i].size =
            (is_lz4 ? lz4_pack : zstd_pack)(pieces[i].packed, room, bytes + i * piece, piece);
        if (pieces[i].size == 0)
            return fail("not compressed");
        packed_bytes += pieces[i].size;
    }
    double middle = cpu_seconds();
    for (size_t i = 0; i < count; i++)
        if (!(is_lz4 ? lz4_unpack : zstd_unpack)(unpacked, piece, pieces[i].packed, pieces[i].size))
            return fail("not decompressed");
    double gigabytes = (double)(count * piece) / 1e9;
    printf("{\"compress\": %.6f, \"decompress\": %.6f, \"share\": %.4f}\n",
           (middle - start) / gigabytes, (cpu_seconds() - middle) / gigabytes,
           (double)packed_bytes / (double)(count * piece));
    return 0;
}

int main(int argc, char **argv)
{
    size_t size = 0;
    if (argc != 4)
        return fail("usage: codec lz4|zstd FILE PIECE");
    unsigned char *bytes = read_file(argv[2], &size);
    size_t piece = (size_t)strtoull(argv[3], NULL, 10);
    if (!bytes || piece == 0 || size < piece)
        return fail(argv[2]);
    return measure(strcmp(argv[1], "lz4") == 0, bytes, size, piece);
}
