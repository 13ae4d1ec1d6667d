/*
 * roff.h — text as the language of man pages wants it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"

/* Title line: name and section; words are not divided in what follows. */
void roff_write_title(const char *name, const char *section, struct buf *out);
void roff_write_heading(const char *heading, struct buf *out);
void roff_write_subheading(const char *heading, struct buf *out);
/* Escaped; an empty line begins a paragraph; ends with the end of a line. */
void roff_write_text(struct str text, struct buf *out);
/* A term in bold, with `value` in italics behind it (NULL: none); its text is written next. */
void roff_write_term(const char *term, const char *value, struct buf *out);
/* Lines as they are, below a heading. */
void roff_write_literal(const char *const *lines, struct buf *out);
