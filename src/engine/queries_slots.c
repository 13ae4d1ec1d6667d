/*
 * queries_slots.c — admission: what waits for the query threads, statements and the other source's work.
 *
 * slots.c decides; here are its lock and the hand-over to the threads. Work that was given units is on its
 * way to a thread and may for a moment be neither in the line nor in the threads' queue: whoever stops it
 * then leaves its end to the thread.
 *
 * Threads: any. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/query_state.h"

#include <assert.h>

static struct work *next_work(struct queries *queries)
{
    LOCKED(&queries->admission.lock);
    return slots_next(&queries->admission.slots, clock_now_ns());
}

void queries_dispatch(struct queries *queries)
{
    struct work *work;
    while ((work = next_work(queries))) {
        /* There is room for all who have units. */
        enum status status = workers_submit(queries->threads, work, NULL);
        assert(status == STATUS_OK);
    }
}

static bool enter(struct queries *queries, struct query *query)
{
    LOCKED(&queries->admission.lock);
    return slots_enter(&queries->admission.slots, &query->entry, clock_now_ns());
}

enum status queries_admit(struct queries *queries, struct query *query, struct error *error)
{
    if (enter(queries, query)) {
        queries_dispatch(queries);
        return STATUS_OK;
    }
    error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL",
                   "the %u query slots are busy and %zu statements wait: the queue is full; try "
                   "again later",
                   queries->admission.slots.total, queries->admission.slots.waiting_max);
    error->retry_after_ms = QUERY_RETRY_AFTER_MS;
    return STATUS_RESOURCE_EXHAUSTED;
}

bool queries_withdraw(struct queries *queries, struct query *query, unsigned *out_units)
{
    {
        LOCKED(&queries->admission.lock);
        *out_units = 0;
        if (slots_leave(&queries->admission.slots, &query->entry))
            return true;
    }
    *out_units = query->entry.units;
    return workers_cancel(queries->threads, &query->work);
}

void queries_release(struct queries *queries, unsigned units)
{
    {
        LOCKED(&queries->admission.lock);
        slots_release(&queries->admission.slots, units);
    }
    queries_dispatch(queries);
}

void queries_attach(struct queries *queries, struct slot_source *source)
{
    LOCKED(&queries->admission.lock);
    queries->admission.slots.source = source;
}

void queries_slots(struct queries *queries, struct queries_slots *out_slots)
{
    LOCKED(&queries->admission.lock);
    const struct slots *slots = &queries->admission.slots;
    *out_slots = (struct queries_slots){
        .total = slots->total, .used = slots->used, .waiting = slots->waiting};
}
