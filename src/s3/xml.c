/*
 * xml.c — a reader for the few forms of XML that S3 answers with.
 *
 * One pass over the text, which the caller has bounded. The path of the open elements and the text of the
 * innermost one are kept, each within a bound; so nothing in the text makes the reader recurse or allocate
 * more. What such answers never have (DTD, CDATA, entities of one's own) is refused.
 *
 * Runs on: any thread. Owns: nothing beyond the call. Source: XML 1.0. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/xml.h"

#include "base/buf.h"

#include <stdlib.h>

#define PATH_BYTES_MAX 512

struct xml {
    struct str rest;
    struct buf path;  /* "A/B" */
    struct buf value; /* of the innermost element */
    unsigned depth;
    bool has_root;
    enum status (*on_element)(void *context, struct str path, struct str value,
                              struct error *error);
    void *context;
};

static enum status wrong(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "the XML is not well-formed: %s", what);
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_name(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' || byte == ':';
}

static void advance(struct xml *xml, size_t count)
{
    xml->rest = str_slice(xml->rest, count, xml->rest.len);
}

static void skip_space(struct xml *xml)
{
    size_t count = 0;
    while (count < xml->rest.len && is_space(xml->rest.ptr[count]))
        count++;
    advance(xml, count);
}

static struct str take_name(struct xml *xml)
{
    size_t count = 0;
    while (count < xml->rest.len && is_name(xml->rest.ptr[count]))
        count++;
    struct str name = str_slice(xml->rest, 0, count);
    advance(xml, count);
    return name;
}

/* --- text ----------------------------------------------------------------------------------------- */

static void append_code_point(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_append_byte(out, (uint8_t)code);
        return;
    }
    if (code < 0x800) {
        buf_append_byte(out, (uint8_t)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            buf_append_byte(out, (uint8_t)(0xe0 | code >> 12));
        } else {
            buf_append_byte(out, (uint8_t)(0xf0 | code >> 18));
            buf_append_byte(out, (uint8_t)(0x80 | (code >> 12 & 63)));
        }
        buf_append_byte(out, (uint8_t)(0x80 | (code >> 6 & 63)));
    }
    buf_append_byte(out, (uint8_t)(0x80 | (code & 63)));
}

/* The digits behind "&#" or "&#x". */
static bool read_number(struct str digits, unsigned base, uint32_t *out)
{
    uint32_t code = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char byte = digits.ptr[i];
        unsigned digit = byte >= '0' && byte <= '9'   ? (unsigned)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (unsigned)(byte - 'a' + 10)
                         : byte >= 'A' && byte <= 'F' ? (unsigned)(byte - 'A' + 10)
                                                      : 99;
        if (digit >= base)
            return false;
        code = code * base + digit;
        if (code > 0x10ffff)
            return false;
    }
    *out = code;
    return digits.len > 0 && code != 0 && (code < 0xd800 || code > 0xdfff);
}

static bool append_entity(struct buf *out, struct str name)
{
    static const struct {
        struct str name;
        char byte;
    } entities[] = {{{"lt", 2}, '<'},
                    {{"gt", 2}, '>'},
                    {{"amp", 3}, '&'},
                    {{"quot", 4}, '"'},
                    {{"apos", 4}, '\''}};
    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (str_equal(name, entities[i].name)) {
            buf_append_byte(out, (uint8_t)entities[i].byte);
            return true;
        }
    }
    uint32_t code = 0;
    bool is_hexadecimal = str_starts_with(name, STR("#x"));
    if (!str_starts_with(name, STR("#")) ||
        !read_number(str_slice(name, is_hexadecimal ? 2 : 1, name.len), is_hexadecimal ? 16 : 10,
                     &code))
        return false;
    append_code_point(out, code);
    return true;
}

#define ENTITY_BYTES_MAX 10

static enum status take_text(struct xml *xml, struct error *error)
{
    ptrdiff_t end = str_find(xml->rest, '<');
    struct str text = str_slice(xml->rest, 0, end < 0 ? xml->rest.len : (size_t)end);
    advance(xml, text.len);
    if (xml->depth == 0)
        return str_trim(text).len == 0 ? STATUS_OK : wrong(error, "text outside of the root");
    while (text.len > 0) {
        ptrdiff_t ampersand = str_find(text, '&');
        struct str plain = str_slice(text, 0, ampersand < 0 ? text.len : (size_t)ampersand);
        buf_append_str(&xml->value, plain);
        text = str_slice(text, plain.len, text.len);
        if (text.len == 0)
            break;
        ptrdiff_t semicolon = str_find(text, ';');
        if (semicolon < 0 || semicolon > ENTITY_BYTES_MAX ||
            !append_entity(&xml->value, str_slice(text, 1, (size_t)semicolon)))
            return wrong(error, "an unknown entity");
        text = str_slice(text, (size_t)semicolon + 1, text.len);
    }
    return buf_check(&xml->value, "the text of an XML element", error);
}

/* --- elements ------------------------------------------------------------------------------------- */

static enum status open_element(struct xml *xml, struct str name, struct error *error)
{
    if (xml->depth == 0 && xml->has_root)
        return wrong(error, "two roots");
    if (xml->depth == XML_DEPTH_MAX)
        return wrong(error, "too deep");
    if (xml->depth > 0)
        buf_append_byte(&xml->path, '/');
    buf_append_str(&xml->path, name);
    xml->depth++;
    xml->has_root = true;
    buf_clear(&xml->value);
    return buf_check(&xml->path, "the path of an XML element", error);
}

static enum status close_element(struct xml *xml, struct error *error)
{
    TRY(xml->on_element(xml->context, buf_str(&xml->path), buf_str(&xml->value), error));
    while (xml->path.len > 0 && xml->path.ptr[--xml->path.len] != '/')
        ;
    buf_clear(&xml->value);
    xml->depth--;
    return STATUS_OK;
}

static enum status skip_attributes(struct xml *xml, struct error *error)
{
    for (;;) {
        bool had_space = xml->rest.len > 0 && is_space(xml->rest.ptr[0]);
        skip_space(xml);
        if (xml->rest.len == 0 || !is_name(xml->rest.ptr[0]))
            return STATUS_OK;
        (void)take_name(xml);
        skip_space(xml);
        if (!had_space || !str_starts_with(xml->rest, STR("=")))
            return wrong(error, "an attribute without value");
        advance(xml, 1);
        skip_space(xml);
        char quote = xml->rest.len > 0 ? xml->rest.ptr[0] : '\0';
        if (quote != '"' && quote != '\'')
            return wrong(error, "an attribute without quotes");
        advance(xml, 1);
        ptrdiff_t end = str_find(xml->rest, quote);
        if (end < 0 || str_find(str_slice(xml->rest, 0, (size_t)end), '<') >= 0)
            return wrong(error, "an attribute without end");
        advance(xml, (size_t)end + 1);
    }
}

static enum status take_start(struct xml *xml, struct error *error)
{
    struct str name = take_name(xml);
    if (name.len == 0)
        return wrong(error, "a tag without name");
    TRY(skip_attributes(xml, error));
    bool is_empty = str_starts_with(xml->rest, STR("/"));
    advance(xml, is_empty ? 1 : 0);
    if (!str_starts_with(xml->rest, STR(">")))
        return wrong(error, "a tag without end");
    advance(xml, 1);
    TRY(open_element(xml, name, error));
    return is_empty ? close_element(xml, error) : STATUS_OK;
}

static struct str innermost(const struct xml *xml)
{
    size_t begin = xml->path.len;
    while (begin > 0 && xml->path.ptr[begin - 1] != '/')
        begin--;
    return str_slice(buf_str(&xml->path), begin, xml->path.len);
}

static enum status take_end(struct xml *xml, struct error *error)
{
    struct str name = take_name(xml);
    skip_space(xml);
    if (xml->depth == 0 || !str_equal(name, innermost(xml)) ||
        !str_starts_with(xml->rest, STR(">")))
        return wrong(error, "an end that does not match");
    advance(xml, 1);
    return close_element(xml, error);
}

static enum status take_comment(struct xml *xml, struct error *error)
{
    ptrdiff_t end = str_find_str(xml->rest, STR("-->"));
    if (end < 0)
        return wrong(error, "a comment without end");
    advance(xml, (size_t)end + 3);
    return STATUS_OK;
}

static enum status take_tag(struct xml *xml, struct error *error)
{
    advance(xml, 1);
    if (str_starts_with(xml->rest, STR("!--")))
        return take_comment(xml, error);
    if (str_starts_with(xml->rest, STR("/"))) {
        advance(xml, 1);
        return take_end(xml, error);
    }
    return take_start(xml, error);
}

static enum status skip_declaration(struct xml *xml, struct error *error)
{
    skip_space(xml);
    if (!str_starts_with(xml->rest, STR("<?xml")))
        return STATUS_OK;
    ptrdiff_t end = str_find_str(xml->rest, STR("?>"));
    if (end < 0)
        return wrong(error, "a declaration without end");
    advance(xml, (size_t)end + 2);
    return STATUS_OK;
}

static enum status read_all(struct xml *xml, struct error *error)
{
    if (!str_is_utf8(xml->rest) || str_find(xml->rest, '\0') >= 0)
        return wrong(error, "it is no UTF-8 text");
    TRY(skip_declaration(xml, error));
    while (xml->rest.len > 0) {
        TRY(take_text(xml, error));
        if (xml->rest.len > 0)
            TRY(take_tag(xml, error));
    }
    return xml->has_root && xml->depth == 0 ? STATUS_OK : wrong(error, "it ends early");
}

enum status xml_read(struct str text,
                     enum status (*on_element)(void *context, struct str path, struct str value,
                                               struct error *error),
                     void *context, struct error *error)
{
    struct xml xml = {.rest = text, .on_element = on_element, .context = context};
    buf_init(&xml.path, PATH_BYTES_MAX);
    buf_init(&xml.value, XML_VALUE_BYTES_MAX);
    enum status status = read_all(&xml, error);
    buf_finish(&xml.path);
    buf_finish(&xml.value);
    return status;
}
