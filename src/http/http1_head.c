/*
 * http1_head.c — refuses heads that two HTTP implementations could read differently.
 *
 * The parser behind it forgives more than a server beside a proxy may: a blank before the colon, folded
 * lines, bare line feeds. So the head is looked at as raw bytes first. One rule per function; what
 * passes has exactly one meaning.
 *
 * Pure functions. Leaves out: what the fields say (http1_receive.c, llhttp).
 * Spec: RFC 9112 sections 2.2, 3, 5, 6. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http1_head.h"

#include "base/checked.h"
#include "base/memory.h"

#include <string.h>

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
    size_t at = size_max(start, *scanned);
    bool is_first = str_find(str_slice(bytes, start, at), '\n') < 0;
    for (;;) {
        ptrdiff_t found = str_find(str_slice(bytes, at, bytes.len), '\n');
        if (found < 0)
            break;
        at += (size_t)found;
        if (at == 0 || bytes.ptr[at - 1] != '\r')
            return HTTP1_HEAD_BROKEN;
        struct str before = str_slice(bytes, start, at - 1);
        if (is_first && !is_first_line(before))
            return HTTP1_HEAD_BROKEN;
        is_first = false;
        at++;
        if (str_ends_with(before, STR("\r\n"))) {
            *out_size = at;
            return HTTP1_HEAD_COMPLETE;
        }
    }
    *scanned = size_max(start, bytes.len);
    return HTTP1_HEAD_PARTIAL;
}

const struct http1_fault http1_head_broken = {
    400, "a request is METHOD TARGET HTTP/1.1 and headers, in lines that end in CR LF"};

static bool is_known_method(struct str word)
{
    static const struct str methods[] = {
        STR("GET"),   STR("HEAD"),    STR("POST"),  STR("PUT"),     STR("DELETE"),
        STR("PATCH"), STR("OPTIONS"), STR("TRACE"), STR("CONNECT"),
    };
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        if (str_equal(word, methods[i]))
            return true;
    }
    return false;
}

bool http1_head_is_foreign(struct str bytes)
{
    struct str line = str_split(&bytes, '\n');
    struct str rest = line;
    bool is_empty = str_trim(line).len == 0;
    return !is_empty && !is_known_method(str_split(&rest, ' ')) &&
           str_find_str(line, STR(" HTTP/")) < 0;
}

/* --- whether it is unambiguous ----------------------------------------------------------------- */

/* What a byte may stand in. */
enum {
    IN_TOKEN = 1,
    IN_TARGET = 2,
    IN_HOST = 4,
    IN_VALUE = 8, /* no controls but HTAB, which also excludes CR, LF and NUL */
    IN_URL = IN_TARGET | IN_HOST | IN_VALUE,
    IN_ALL = IN_TOKEN | IN_URL,
};

static const uint8_t byte_classes[256] = {
    ['\t'] = IN_VALUE,
    [' '] = IN_VALUE,
    ['!'] = IN_ALL,
    ['"'] = IN_URL,
    ['#'] = IN_TOKEN | IN_VALUE,
    ['$' ... '\''] = IN_ALL,
    ['(' ... ')'] = IN_URL,
    ['*' ... '+'] = IN_ALL,
    [','] = IN_TARGET | IN_VALUE,
    ['-' ... '.'] = IN_ALL,
    ['/'] = IN_TARGET | IN_VALUE,
    ['0' ... '9'] = IN_ALL,
    [':' ... '>'] = IN_URL,
    ['?' ... '@'] = IN_TARGET | IN_VALUE,
    ['A' ... 'Z'] = IN_ALL,
    ['['] = IN_URL,
    ['\\'] = IN_TARGET | IN_VALUE,
    [']'] = IN_URL,
    ['^' ... 'z'] = IN_ALL,
    ['{'] = IN_URL,
    ['|'] = IN_ALL,
    ['}'] = IN_URL,
    ['~'] = IN_ALL,
    [0x80 ... 0xff] = IN_TARGET | IN_VALUE,
};

static bool has_only(struct str text, uint8_t class)
{
    uint8_t common = class;
    for (size_t i = 0; i < text.len; i++)
        common &= byte_classes[(uint8_t)text.ptr[i]];
    return common == class;
}

static bool is_token(struct str text)
{
    return text.len > 0 && has_only(text, IN_TOKEN);
}

static bool is_value(struct str text)
{
    return has_only(text, IN_VALUE);
}

static bool is_target(struct str text)
{
    return text.len > 0 && has_only(text, IN_TARGET);
}

static bool is_host(struct str text)
{
    return has_only(text, IN_HOST);
}

bool http1_target_is_absolute(struct str target, struct str *out_host, struct str *out_path)
{
    if (target.len > 0 && target.ptr[0] == '/')
        return false;
    size_t scheme = str_starts_with_nocase(target, STR("https://"))  ? strlen("https://")
                    : str_starts_with_nocase(target, STR("http://")) ? strlen("http://")
                                                                     : 0;
    struct str rest = str_slice(target, scheme, target.len);
    ptrdiff_t slash = str_find(rest, '/');
    size_t end = slash < 0 ? rest.len : (size_t)slash;
    *out_host = str_slice(rest, 0, end);
    *out_path = slash < 0 ? STR("/") : str_slice(rest, end, rest.len);
    return scheme > 0 && out_host->len > 0 && is_host(*out_host);
}

/* What is counted over the fields of one head. */
struct framing {
    bool is_1_1;
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
};

static const struct http1_fault no_fault = {0, NULL};

static struct http1_fault fault(unsigned status, const char *text)
{
    return (struct http1_fault){status, text};
}

static struct http1_fault check_target(struct str method, struct str target)
{
    struct str host;
    struct str path;
    if (str_equal(method, STR("CONNECT")))
        return fault(501, "CONNECT is for proxies, and this is none");
    if (!is_target(target))
        return fault(400, "the request target holds a byte that is not allowed in a URL");
    bool is_good = target.ptr[0] == '/' ||
                   (str_equal(method, STR("OPTIONS")) && str_equal(target, STR("*"))) ||
                   http1_target_is_absolute(target, &host, &path);
    return is_good ? no_fault
                   : fault(400, "the request target must be a path, a whole http or https URL, or "
                                "for OPTIONS *");
}

static struct http1_fault check_request_line(struct str line, struct framing *framing)
{
    struct str method = str_split(&line, ' ');
    struct str target = str_split(&line, ' ');
    framing->is_1_1 = str_equal(line, STR("HTTP/1.1"));
    bool is_version = str_starts_with(line, STR("HTTP/")) && line.len == 8;
    if (!is_token(method) || target.len == 0 || !is_version)
        return fault(400, "the request line must be a method, a target and HTTP/1.1 with one space "
                          "between them");
    if (!framing->is_1_1 && !str_equal(line, STR("HTTP/1.0")))
        return fault(505,
                     "the version must be HTTP/1.1 or HTTP/1.0, or HTTP/2 from its preface on");
    return check_target(method, target);
}

static bool is_length(struct str value)
{
    uint64_t length;
    return value.len > 0 && value.len <= 18 && str_to_u64(value, &length);
}

static struct http1_fault check_name(struct str name)
{
    if (name.len > 0 && (name.ptr[0] == ' ' || name.ptr[0] == '\t'))
        return fault(400, "a header line begins with a blank; lines must not be folded");
    if (str_ends_with(name, STR(" ")) || str_ends_with(name, STR("\t")))
        return fault(400, "a blank stands between a header's name and its colon");
    return is_token(name) ? no_fault : fault(400, "a header's name is empty or no token");
}

/* The fields that say where a message ends and whom it is for. */
static struct http1_fault check_value(struct str name, struct str value, struct framing *framing)
{
    if (str_equal_nocase(name, STR("host"))) {
        framing->hosts++;
        return is_host(value) ? no_fault : fault(400, "Host must be a host with or without a port");
    }
    if (str_equal_nocase(name, STR("content-length"))) {
        framing->lengths++;
        return is_length(value) ? no_fault
                                : fault(400, "Content-Length must be one decimal number of at most "
                                             "18 digits");
    }
    if (str_equal_nocase(name, STR("transfer-encoding"))) {
        framing->encodings++;
        return str_equal_nocase(value, STR("chunked"))
                   ? no_fault
                   : fault(501, "Transfer-Encoding must be chunked and nothing else");
    }
    return no_fault;
}

static struct http1_fault check_field(struct str line, struct framing *framing)
{
    ptrdiff_t colon = str_find(line, ':');
    if (colon < 0)
        return fault(400, "a header line has no colon");
    struct str name = str_slice(line, 0, (size_t)colon);
    struct str value = str_slice(line, (size_t)colon + 1, line.len);
    struct http1_fault found = check_name(name);
    if (found.status > 0)
        return found;
    if (!is_value(value))
        return fault(400, "a header's value holds a control byte");
    return check_value(name, str_trim(value), framing);
}

static struct http1_fault check_framing(const struct framing *framing)
{
    if (framing->lengths > 1 || framing->encodings > 1 || framing->hosts > 1)
        return fault(400, "Host, Content-Length and Transfer-Encoding must not be repeated");
    if (framing->lengths > 0 && framing->encodings > 0)
        return fault(400, "Content-Length and Transfer-Encoding exclude each other");
    if (framing->is_1_1 && framing->hosts == 0)
        return fault(400, "HTTP/1.1 needs a Host header");
    if (!framing->is_1_1 && framing->encodings > 0)
        return fault(400, "HTTP/1.0 has no Transfer-Encoding");
    return no_fault;
}

/* The next line without its CRLF; http1_head_find has seen that each LF follows a CR. */
static struct str take_line(struct str *rest)
{
    struct str line = str_split(rest, '\n');
    return str_slice(line, 0, line.len > 0 ? line.len - 1 : 0);
}

struct http1_fault http1_head_check(struct str head)
{
    struct framing framing = {0};
    struct str line = take_line(&head);
    if (line.len == 0)
        line = take_line(&head);
    struct http1_fault found = check_request_line(line, &framing);
    while (found.status == 0) {
        line = take_line(&head);
        if (line.len == 0)
            return check_framing(&framing);
        found = check_field(line, &framing);
    }
    return found;
}
