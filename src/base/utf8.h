/*
 * utf8.h — one UTF-8 sequence at a time (RFC 3629: no overlong forms, no surrogates).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

/* The length (1 to 4) of the valid sequence at the start of `bytes`, or 0: none starts there. */
size_t utf8_sequence_length(const char *bytes, size_t size);
/* The largest size <= `size` at which the text can be cut without leaving half a sequence at its
 * end. Looks at the last bytes only. */
size_t utf8_cut(const char *bytes, size_t size);

/* What stands for bytes that are no UTF-8: U+FFFD. */
#define UTF8_REPLACEMENT "\xEF\xBF\xBD"
