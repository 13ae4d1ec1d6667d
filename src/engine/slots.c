/*
 * slots.c — see slots.h. Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/slots.h"

#include <assert.h>

void slots_init(struct slots *slots, unsigned total, size_t waiting_max)
{
    *slots = (struct slots){.total = total, .waiting_max = waiting_max};
    list_init(&slots->line);
}

unsigned slots_units(const struct slots *slots, unsigned wish)
{
    return wish == 0 ? 1 : wish < slots->total ? wish : slots->total;
}

/* Most come last. */
static void insert(struct list *line, struct slot_entry *entry)
{
    struct list *after = line->previous;
    while (after != line && CONTAINER_OF(after, struct slot_entry, link)->rank_ns > entry->rank_ns)
        after = after->previous;
    list_append(after->next, &entry->link);
}

bool slots_enter(struct slots *slots, struct slot_entry *entry, uint64_t now_ns)
{
    bool runs_at_once = slots->waiting == 0 && slots->used + entry->units <= slots->total;
    if (slots->waiting >= slots->waiting_max && !runs_at_once)
        return false;
    uint64_t steps = entry->priority > 1 ? entry->priority - 1 : 0;
    entry->rank_ns = now_ns + steps * SLOTS_AGEING_NS;
    insert(&slots->line, entry);
    slots->waiting++;
    return true;
}

bool slots_leave(struct slots *slots, struct slot_entry *entry)
{
    if (!list_is_linked(&entry->link))
        return false;
    if (slots->line.next == &entry->link)
        slots->line_blocked_ns = 0;
    list_remove(&entry->link);
    slots->waiting--;
    return true;
}

void slots_release(struct slots *slots, unsigned units)
{
    assert(units <= slots->used);
    slots->used -= units;
}

/* One of the two that may have work. */
struct candidate {
    bool is_there;
    unsigned units;
    uint64_t *blocked_ns;
};

static bool fits(const struct slots *slots, const struct candidate *candidate)
{
    return candidate->is_there && slots->used + candidate->units <= slots->total;
}

/* Whether another may pass it. Notes since when it waits for room. */
static bool is_patient(const struct candidate *candidate, uint64_t now_ns)
{
    if (!candidate->is_there)
        return true;
    if (*candidate->blocked_ns == 0)
        *candidate->blocked_ns = now_ns;
    return now_ns - *candidate->blocked_ns < SLOTS_PATIENCE_NS;
}

static struct work *take_from_line(struct slots *slots)
{
    struct slot_entry *entry = LIST_FIRST(&slots->line, struct slot_entry, link);
    list_remove(&entry->link);
    slots->waiting--;
    return entry->work;
}

static struct work *take_from_source(struct slots *slots)
{
    unsigned units = 0;
    unsigned free_units = slots->total - slots->used;
    struct work *work = slots->source->take(slots->source, free_units, &units);
    if (!work)
        return NULL;
    assert(units > 0 && units <= free_units);
    slots->used += units;
    return work;
}

struct work *slots_next(struct slots *slots, uint64_t now_ns)
{
    struct slot_entry *entry = LIST_FIRST(&slots->line, struct slot_entry, link);
    struct candidate line = {entry != NULL, entry ? entry->units : 0, &slots->line_blocked_ns};
    struct candidate source = {.blocked_ns = &slots->source_blocked_ns};
    source.is_there = slots->source && slots->source->peek(slots->source, &source.units);

    bool prefers_source = source.is_there && (slots->is_sources_turn || !line.is_there);
    struct candidate *first = prefers_source ? &source : &line;
    struct candidate *second = prefers_source ? &line : &source;
    struct candidate *chosen = NULL;
    if (fits(slots, first))
        chosen = first;
    else if (is_patient(first, now_ns) && fits(slots, second))
        chosen = second;
    if (!chosen)
        return NULL;
    if (line.is_there && source.is_there && chosen == first)
        slots->is_sources_turn = !prefers_source;
    *chosen->blocked_ns = 0;
    if (chosen == &source)
        return take_from_source(slots);
    slots->used += line.units;
    return take_from_line(slots);
}
