/*
 * date.h — HTTP's dates: seconds since 1970 UTC as text and back.
 *
 * Source: RFC 9110 section 5.6.7. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define HTTP_DATE_SIZE 30

/* "Sun, 06 Nov 1994 08:49:37 GMT"; years 0 to 9999. */
struct str http_date_format(int64_t seconds, char out[HTTP_DATE_SIZE]);
/* Reads that form and the two older ones ("Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994").
 * A year of two digits is the one closest to `now_seconds` that is not over 50 years ahead. False for
 * anything else. The name of the day is not looked at. */
bool http_date_parse(struct str text, int64_t now_seconds, int64_t *out_seconds);
