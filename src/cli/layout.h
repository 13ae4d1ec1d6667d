/*
 * layout.h — text in a terminal: its width in columns, made harmless.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"

/* Gives the calling thread the character widths of UTF-8, until layout_finish. */
void layout_prepare(void);
void layout_finish(void);
/* Appends the text with control characters and invalid bytes replaced (newline as \n, escape as \x1b),
 * and with `|` as `\|` when `pipes`; returns the columns it takes. */
size_t layout_append(struct str text, bool pipes, struct buf *out);
/* The same without pipes, as far as it fits into so many columns. */
size_t layout_append_cut(struct str text, size_t columns_max, struct buf *out);
/* The same without pipes, for a text of several lines: ends of lines and tabs stay as they are. */
void layout_append_lines(struct str text, struct buf *out);
/* Appends `count` times `byte`. */
void layout_fill(struct buf *out, char byte, size_t count);
