/*
 * checksum.h — CRC32C (Castagnoli), by the processor's instruction where it has one.
 *
 * Threads: any. Source: RFC 3720, section 12.1 and appendix B.4. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Goes on from `checksum` (0 at first). */
uint32_t checksum_crc32c(uint32_t checksum, const void *bytes, size_t size);
