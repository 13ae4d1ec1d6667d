/*
 * trace.c — reads a traceparent.
 *
 * The value is version-trace-span-flags in lower-case hexadecimal. Version ff is forbidden, 00 has
 * exactly this form, later ones may go on after another '-'. All-zero ids are invalid.
 *
 * Runs on: any thread. Owns: nothing. Leaves out: tracestate, which nothing here would change.
 * Spec: W3C Trace Context, level 1, section 3.2. SPDX-License-Identifier: Apache-2.0
 */
#include "http/trace.h"

#define VERSION_DIGITS 2
#define TRACE_DIGITS 32
#define SPAN_DIGITS 16
#define FLAGS_DIGITS 2
#define TRACEPARENT_LEN (VERSION_DIGITS + 1 + TRACE_DIGITS + 1 + SPAN_DIGITS + 1 + FLAGS_DIGITS)

static bool is_hexadecimal(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (!(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'f'))
            return false;
    }
    return true;
}

static bool is_zero(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0')
            return false;
    }
    return true;
}

/* Takes `digits` of them from the front of `rest`, and the '-' behind them where there is one. */
static bool take(struct str *rest, size_t digits, struct str *out)
{
    if (rest->len < digits)
        return false;
    *out = str_slice(*rest, 0, digits);
    *rest = str_slice(*rest, digits, rest->len);
    if (rest->len > 0) {
        if (rest->ptr[0] != '-')
            return false;
        *rest = str_slice(*rest, 1, rest->len);
    }
    return is_hexadecimal(*out);
}

bool http_trace_parse(struct str value, struct str *out_trace_id, struct str *out_span_id)
{
    struct str rest = value;
    struct str version;
    struct str trace_id;
    struct str span_id;
    struct str flags;
    if (!take(&rest, VERSION_DIGITS, &version) || !take(&rest, TRACE_DIGITS, &trace_id) ||
        !take(&rest, SPAN_DIGITS, &span_id) || !take(&rest, FLAGS_DIGITS, &flags))
        return false;
    bool is_first_version = str_equal(version, STR("00"));
    if (str_equal(version, STR("ff")) || (is_first_version && value.len != TRACEPARENT_LEN) ||
        is_zero(trace_id) || is_zero(span_id))
        return false;
    *out_trace_id = trace_id;
    *out_span_id = span_id;
    return true;
}
