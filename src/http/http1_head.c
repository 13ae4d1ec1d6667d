/*
 * http1_head.c — refuses heads that two HTTP implementations could read differently.
 *
 * The parser behind it forgives more than a server beside a proxy may: a blank before the colon, folded
 * lines, bare line feeds. So the head is looked at as raw bytes first. One rule per function; what
 * passes has exactly one meaning.
 *
 * Pure functions. Leaves out: what the fields say (http1.c, llhttp).
 * Spec: RFC 9112 sections 2.2, 3, 5, 6. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http1_head.h"

#include <stdbool.h>

/* The empty lines that a client may send before a request line, and no more. */
#define LEADING_LINES_MAX 1

/* --- where it ends ----------------------------------------------------------------------------- */

static bool is_upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

/* A first line that does not end in a version is not HTTP (RFC 9112 has no HTTP/0.9). */
static bool is_first_line(struct str line)
{
    return line.len > 9 && str_starts_with(str_slice(line, line.len - 9, line.len), STR(" HTTP/"));
}

enum http1_head_state http1_head_find(struct str bytes, size_t *scanned, size_t *out_size)
{
    size_t start = 0;
    for (unsigned i = 0; i < LEADING_LINES_MAX; i++) {
        if (bytes.len >= start + 2 && bytes.ptr[start] == '\r' && bytes.ptr[start + 1] == '\n')
            start += 2;
    }
    if (bytes.len > start && !is_upper(bytes.ptr[start]) && bytes.ptr[start] != '\r')
        return HTTP1_HEAD_BROKEN;
    bool is_first = *scanned <= start;
    size_t at = is_first ? start : *scanned;
    for (; at < bytes.len; at++) {
        if (bytes.ptr[at] != '\n')
            continue;
        if (at == 0 || bytes.ptr[at - 1] != '\r')
            return HTTP1_HEAD_BROKEN;
        struct str before = str_slice(bytes, start, at - 1);
        if (str_find(before, '\n') < 0 && !is_first_line(before))
            return HTTP1_HEAD_BROKEN;
        if (str_ends_with(before, STR("\r\n"))) {
            *out_size = at + 1;
            return HTTP1_HEAD_COMPLETE;
        }
    }
    *scanned = at;
    return HTTP1_HEAD_PARTIAL;
}

/* --- whether it is unambiguous ----------------------------------------------------------------- */

static bool is_token_byte(unsigned char byte)
{
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
        (byte >= 'A' && byte <= 'Z'))
        return true;
    return byte > 0x20 && byte < 0x7f && str_find(STR("!#$%&'*+-.^_`|~"), (char)byte) >= 0;
}

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte((unsigned char)text.ptr[i]))
            return false;
    }
    return text.len > 0;
}

/* No controls but HTAB, which also excludes a CR or LF within a line, and NUL. */
static bool is_value(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

static bool is_target(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte <= 0x20 || byte == 0x7f || byte == '#')
            return false;
    }
    return text.len > 0;
}

static bool is_host(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte <= 0x20 || byte >= 0x7f || str_find(STR(",/?#@\\"), (char)byte) >= 0)
            return false;
    }
    return true;
}

/* What is counted over the fields of one head. */
struct framing {
    bool is_1_1;
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
};

static unsigned check_request_line(struct str line, struct framing *framing)
{
    struct str method = str_split(&line, ' ');
    struct str target = str_split(&line, ' ');
    if (!is_token(method) || !is_target(target))
        return 400;
    framing->is_1_1 = str_equal(line, STR("HTTP/1.1"));
    if (framing->is_1_1 || str_equal(line, STR("HTTP/1.0")))
        return 0;
    return str_starts_with(line, STR("HTTP/")) && line.len == 8 ? 505 : 400;
}

static bool is_length(struct str value)
{
    uint64_t length;
    return value.len > 0 && value.len <= 18 && str_to_u64(value, &length);
}

static unsigned check_field(struct str line, struct framing *framing)
{
    ptrdiff_t colon = str_find(line, ':');
    if (colon < 0)
        return 400;
    struct str name = str_slice(line, 0, (size_t)colon);
    struct str value = str_slice(line, (size_t)colon + 1, line.len);
    if (!is_token(name) || !is_value(value))
        return 400;
    value = str_trim(value);
    if (str_equal_nocase(name, STR("host"))) {
        framing->hosts++;
        return is_host(value) ? 0 : 400;
    }
    if (str_equal_nocase(name, STR("content-length"))) {
        framing->lengths++;
        return is_length(value) ? 0 : 400;
    }
    if (str_equal_nocase(name, STR("transfer-encoding"))) {
        framing->encodings++;
        return str_equal_nocase(value, STR("chunked")) ? 0 : 501;
    }
    return 0;
}

static unsigned check_framing(const struct framing *framing)
{
    if (framing->lengths > 1 || framing->encodings > 1 || framing->hosts > 1)
        return 400;
    if (framing->lengths > 0 && framing->encodings > 0)
        return 400;
    if (framing->is_1_1)
        return framing->hosts == 1 ? 0 : 400;
    return framing->encodings == 0 ? 0 : 400;
}

/* The next line without its CRLF; http1_head_find has seen that each LF follows a CR. */
static struct str take_line(struct str *rest)
{
    struct str line = str_split(rest, '\n');
    return str_slice(line, 0, line.len > 0 ? line.len - 1 : 0);
}

unsigned http1_head_check(struct str head)
{
    struct framing framing = {0};
    struct str line = take_line(&head);
    if (line.len == 0)
        line = take_line(&head);
    unsigned status = check_request_line(line, &framing);
    while (status == 0) {
        line = take_line(&head);
        if (line.len == 0)
            return check_framing(&framing);
        status = check_field(line, &framing);
    }
    return status;
}
