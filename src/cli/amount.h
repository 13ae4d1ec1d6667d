/*
 * amount.h — sizes, counts and times as people read them: "1.0 GiB", "10,000,000", "2 min 5 s".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#define AMOUNT_TEXT_SIZE 32

/* Each writes to `out` and returns it. */
const char *amount_of_bytes(uint64_t bytes, char out[AMOUNT_TEXT_SIZE]);
const char *amount_of_count(uint64_t count, char out[AMOUNT_TEXT_SIZE]);
const char *amount_of_seconds(uint64_t seconds, char out[AMOUNT_TEXT_SIZE]);
