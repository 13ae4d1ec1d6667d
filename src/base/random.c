/*
 * random.c — unpredictable bytes from the kernel, a few thousand at a time.
 *
 * Each thread keeps a small stock, and wipes what it gives out: a byte is never handed out twice and
 * does not stay behind in memory.
 *
 * Runs on: any thread. Owns: the stock of each thread. Not done here: reproducible sequences.
 * Spec: RFC 9562, section 5.4 (UUID version 4). SPDX-License-Identifier: Apache-2.0
 */
#include "base/random.h"

#include "base/checked.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#define STOCK_BYTES 4096

struct stock {
    uint8_t bytes[STOCK_BYTES];
    size_t left; /* the last `left` bytes are unused */
};

static void read_kernel(uint8_t *out, size_t size)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = getrandom(out + filled, size - filled, 0);
        if (got < 0 && errno == EINTR)
            continue;
        assert(got > 0);
        filled += (size_t)got;
    }
}

void random_bytes(void *out, size_t size)
{
    static _Thread_local struct stock stock;
    if (size > STOCK_BYTES / 16) {
        read_kernel(out, size);
        return;
    }
    if (stock.left < size) {
        read_kernel(stock.bytes, STOCK_BYTES);
        stock.left = STOCK_BYTES;
    }
    uint8_t *from = stock.bytes + (STOCK_BYTES - stock.left);
    memcpy(out, from, size);
    explicit_bzero(from, size);
    stock.left -= size;
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

static inline char *put_hexadecimal(char *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0x0F];
    }
    return out + 2 * count;
}

void random_uuid(char out[RANDOM_UUID_SIZE])
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    char *end = put_hexadecimal(out, bytes, 4);
    *end++ = '-';
    end = put_hexadecimal(end, bytes + 4, 2);
    *end++ = '-';
    end = put_hexadecimal(end, bytes + 6, 2);
    *end++ = '-';
    end = put_hexadecimal(end, bytes + 8, 2);
    *end++ = '-';
    end = put_hexadecimal(end, bytes + 10, 6);
    *end = '\0';
}
