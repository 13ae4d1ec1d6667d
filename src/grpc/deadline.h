/*
 * deadline.h — the header grpc-timeout.
 * Threads: any. Source: grpc/doc/PROTOCOL-HTTP2.md, "Timeout". SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* "250m" is 250 ms. At most 8 digits and one of H M S m u n; what does not fit 64 bits of nanoseconds
 * is UINT64_MAX. False when the text is malformed. */
bool deadline_parse(struct str text, uint64_t *out_timeout_ns);

#define DEADLINE_TEXT_SIZE 16
/* Writes the text of a time-out (NUL-terminated, rounded up to what 8 digits can say); returns its
 * length. */
size_t deadline_format(uint64_t timeout_ms, char out[DEADLINE_TEXT_SIZE]);
/* now + timeout, CLOCK_NEVER when that is beyond the clock. */
uint64_t deadline_after(uint64_t now_ns, uint64_t timeout_ns);
