/*
 * slots.h — who of what waits runs next: a number of units, one line of statements, and one other source.
 *
 * Each piece of work takes some units for as long as it runs; one that asks for more than there are takes
 * all and so runs alone. Statements wait in a line; the source (the jobs) has an order of its own and is
 * asked for its first piece when there is room. Where both wait, they take turns, whatever their widths.
 *
 * The line is in the order of arrival, an entry of a lower priority as if it had come SLOTS_AGEING_NS later
 * for each step. Nobody else overtakes within the line, nor within the source. Whose turn it is but who
 * finds too few units free may be overtaken by the other for SLOTS_PATIENCE_NS; after that units that come
 * free are kept for it.
 *
 * Threads: one at a time (queries.c has the lock); no thread, no clock of its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "event/workers.h"

#define SLOTS_PATIENCE_NS NANOSECONDS_PER_SECOND
#define SLOTS_AGEING_NS (30 * NANOSECONDS_PER_SECOND)

/* Work that waits in the line. */
struct slot_entry {
    struct list link;
    struct work *work;
    unsigned units;
    unsigned priority; /* 1 first; 0: 1 */
    uint64_t rank_ns;
};

/* Who else has work; called with the lock of the slots, so it must not call back. */
struct slot_source {
    /* The piece that shall run next and its units (slots_units); false: none may run now. */
    bool (*peek)(struct slot_source *source, unsigned *out_units);
    /* Takes that piece, if it, or what has come before it meanwhile, needs no more than `units_max`: then
     * *out_units it is; else NULL, and queries_dispatch follows. */
    struct work *(*take)(struct slot_source *source, unsigned units_max, unsigned *out_units);
};

struct slots {
    unsigned total;
    unsigned used;
    size_t waiting_max;
    size_t waiting;             /* length of `line` */
    struct list line;           /* slot_entry.link */
    struct slot_source *source; /* NULL: none */
    bool is_sources_turn;
    uint64_t line_blocked_ns; /* since when its first finds no room; 0: it does not wait for that */
    uint64_t source_blocked_ns;
};

void slots_init(struct slots *slots, unsigned total, size_t waiting_max);
/* The units that such a wish takes: between 1 and all. */
unsigned slots_units(const struct slots *slots, unsigned wish);
/* Puts an entry into the line; false when that is full. One that finds nobody waiting and room may always
 * enter: slots_next gives it at once. */
bool slots_enter(struct slots *slots, struct slot_entry *entry, uint64_t now_ns);
/* Takes an entry out of the line; false when it is not in it. */
bool slots_leave(struct slots *slots, struct slot_entry *entry);
/* The next work that may run now, whose units are taken with it; NULL: none. */
struct work *slots_next(struct slots *slots, uint64_t now_ns);
/* Gives units back. */
void slots_release(struct slots *slots, unsigned units);
