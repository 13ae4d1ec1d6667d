/*
 * checksum.c — CRC32C, 8 bytes at a time by instruction, else bit by bit.
 *
 * All processors of the last fifteen years have the instruction; the slow way is for the rest.
 *
 * Runs on: any thread. Owns: nothing. Source: RFC 3720, appendix B.4. SPDX-License-Identifier: Apache-2.0
 */
#include "store/checksum.h"

#include <stdbool.h>
#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

#define POLYNOMIAL UINT32_C(0x82F63B78) /* reflected */

static uint32_t by_bits(uint32_t crc, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
    }
    return crc;
}

#if defined(__x86_64__)

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes,
                                                                 size_t size)
{
    uint64_t wide = crc;
    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (size_t i = 0; i < size; i++)
        crc = __builtin_ia32_crc32qi(crc, bytes[i]);
    return crc;
}

#elif defined(__aarch64__)

#define HARDWARE_CRC32 (UINT64_C(1) << 7)

static bool has_instruction(void)
{
    return (getauxval(AT_HWCAP) & HARDWARE_CRC32) != 0;
}

__attribute__((target("+crc"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes,
                                                               size_t size)
{
    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes, sizeof(word));
        crc = __crc32cd(crc, word);
    }
    for (size_t i = 0; i < size; i++)
        crc = __crc32cb(crc, bytes[i]);
    return crc;
}

#else

static bool has_instruction(void)
{
    return false;
}

static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t size)
{
    return by_bits(crc, bytes, size);
}

#endif

uint32_t checksum_crc32c(uint32_t checksum, const void *bytes, size_t size)
{
    uint32_t crc = ~checksum;
    crc = has_instruction() ? by_instruction(crc, bytes, size) : by_bits(crc, bytes, size);
    return ~crc;
}
