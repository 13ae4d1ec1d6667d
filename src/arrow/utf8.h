/*
 * utf8.h — is it UTF-8, many bytes at a time.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum utf8_kind { UTF8_INVALID, UTF8_ASCII, UTF8_VALID };

/* As RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
enum utf8_kind utf8_check(const uint8_t *bytes, size_t size);

/* False where a character begins, in bytes that are UTF-8. */
static inline bool utf8_is_inside(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}
