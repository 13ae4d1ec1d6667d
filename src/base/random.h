/*
 * random.h — unpredictable bytes and identifiers from the kernel (getrandom, buffered per thread).
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t size);
uint64_t random_u64(void);

#define RANDOM_UUID_SIZE 37
/* A version 4 UUID (RFC 9562), lower case, NUL-terminated. */
void random_uuid(char out[RANDOM_UUID_SIZE]);
