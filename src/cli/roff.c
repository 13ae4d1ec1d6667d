/*
 * roff.c — text as the language of man pages wants it (man(7) macros, groff and mandoc alike).
 *
 * Runs on: any thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/roff.h"

#include <ctype.h>

static const char *escape_of(char byte)
{
    switch (byte) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '`':
        return "\\(ga";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    default:
        return NULL;
    }
}

/* A point at the beginning of a line would be a request. */
static void write_escaped(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool begins_line = out->len == 0 || out->ptr[out->len - 1] == '\n';
        const char *escape = escape_of(byte);
        if (byte == '.' && begins_line)
            buf_append_text(out, "\\&");
        if (escape)
            buf_append_text(out, escape);
        else
            buf_append_byte(out, (uint8_t)byte);
    }
}

void roff_write_title(const char *name, const char *section, struct buf *out)
{
    buf_append_text(out, ".TH ");
    for (const char *byte = name; *byte; byte++)
        buf_append_byte(out, (uint8_t)toupper((unsigned char)*byte));
    buf_printf(out, " %s \"\" \"volley " VOLLEY_VERSION "\" \"Volley\"\n.nh\n", section);
}

void roff_write_heading(const char *heading, struct buf *out)
{
    buf_printf(out, ".SH %s\n", heading);
}

void roff_write_subheading(const char *heading, struct buf *out)
{
    buf_printf(out, ".SS %s\n", heading);
}

void roff_write_text(struct str text, struct buf *out)
{
    while (text.len > 0) {
        ptrdiff_t end = str_find_str(text, STR("\n\n"));
        size_t len = end < 0 ? text.len : (size_t)end;
        write_escaped(str_slice(text, 0, len), out);
        buf_append_byte(out, '\n');
        text = str_slice(text, end < 0 ? len : len + 2, text.len);
        if (text.len > 0)
            buf_append_text(out, ".PP\n");
    }
}

void roff_write_term(const char *term, const char *value, struct buf *out)
{
    buf_append_text(out, ".TP\n\\fB");
    write_escaped(str_of(term), out);
    buf_append_text(out, "\\fR");
    if (value) {
        buf_append_text(out, " \\fI");
        write_escaped(str_of(value), out);
        buf_append_text(out, "\\fR");
    }
    buf_append_byte(out, '\n');
}

void roff_write_literal(const char *const *lines, struct buf *out)
{
    buf_append_text(out, ".nf\n.RS 4\n");
    for (size_t i = 0; lines[i]; i++) {
        write_escaped(str_of(lines[i]), out);
        buf_append_byte(out, '\n');
    }
    buf_append_text(out, ".RE\n.fi\n");
}
