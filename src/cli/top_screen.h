/*
 * top_screen.h — the picture of `volley top`.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/top_facts.h"

struct top_screen {
    const char *server;
    const struct top_facts *facts;
    const struct top_facts *before; /* a moment ago, for rates; NULL: none */
    enum top_list list;
    size_t rows; /* of the terminal; 0: as many as there are */
    size_t columns;
    size_t selected;
    size_t first;        /* row of the list at the top; kept so that the selected one is seen */
    const char *message; /* below; NULL: the keys */
    bool is_live;        /* a terminal: rows overwrite what stands there */
};

/* Draws it at the end of `out`. */
void top_screen_draw(struct top_screen *screen, struct buf *out);
