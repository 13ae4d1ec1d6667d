/*
 * queue.c — see queue.h.
 *
 * Ready tickets stand in one list for each group and priority. When the first of a list may not run because
 * of its owner it moves to the owner's own lists, from where one comes back for each of the owner's that
 * ends: a look at the queue never walks past more than it moves.
 *
 * Threads: one at a time. Owns: the owners. Leaves out: slots (engine/slots.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/queue.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

struct job_queue_owner {
    char *name;
    size_t tickets; /* waiting and running; 0: the owner goes */
    size_t running;
    struct list held[JOB_QUEUE_PRIORITIES]; /* job_ticket.link, by rank */
};

void job_queue_init(struct job_queue *queue, const struct job_queue_limits *limits)
{
    *queue = (struct job_queue){.limits = *limits};
    for (size_t i = 0; i < JOB_QUEUE_GROUPS; i++)
        for (size_t j = 0; j < JOB_QUEUE_PRIORITIES; j++)
            list_init(&queue->groups[i].ready[j]);
    map_init(&queue->owners);
}

void job_queue_finish(struct job_queue *queue)
{
    assert(queue->waiting == 0 && queue->running == 0 && queue->owners.count == 0);
    map_finish(&queue->owners);
}

bool job_queue_is_full(const struct job_queue *queue)
{
    return queue->waiting >= queue->limits.waiting_max;
}

/* --- owners ------------------------------------------------------------------------------------- */

static struct job_queue_owner *owner_of(struct job_queue *queue, struct str name)
{
    struct job_queue_owner *owner = map_get(&queue->owners, name);
    if (owner)
        return owner;
    owner = NEW(struct job_queue_owner);
    owner->name = str_copy(name);
    for (size_t i = 0; i < JOB_QUEUE_PRIORITIES; i++)
        list_init(&owner->held[i]);
    map_set(&queue->owners, name, owner);
    return owner;
}

static void leave_owner(struct job_queue *queue, struct job_ticket *ticket)
{
    struct job_queue_owner *owner = STEAL(ticket->owner);
    if (--owner->tickets > 0)
        return;
    (void)map_remove(&queue->owners, str_of(owner->name));
    free(owner->name);
    free(owner);
}

static bool owner_is_at_limit(const struct job_queue *queue, const struct job_queue_owner *owner)
{
    size_t running_max = queue->limits.owner_running_max;
    return running_max > 0 && owner->running >= running_max;
}

/* --- lists -------------------------------------------------------------------------------------- */

/* Most tickets are the latest of their list; one that comes back is among the first. */
static void insert(struct list *list, struct job_ticket *ticket)
{
    struct job_ticket *last = CONTAINER_OF(list->previous, struct job_ticket, link);
    if (list_is_empty(list) || last->rank <= ticket->rank) {
        list_append(list, &ticket->link);
        return;
    }
    LIST_FOR_EACH (other, list, struct job_ticket, link) {
        if (other->rank > ticket->rank) {
            list_append(&other->link, &ticket->link);
            return;
        }
    }
}

static struct job_ticket *first_of(struct list *lists)
{
    struct job_ticket *best = NULL;
    for (size_t i = 0; i < JOB_QUEUE_PRIORITIES; i++) {
        struct job_ticket *first = LIST_FIRST(&lists[i], struct job_ticket, link);
        if (first && (!best || first->rank < best->rank))
            best = first;
    }
    return best;
}

static void move(struct job_queue *queue, struct list *lists, struct job_ticket *ticket,
                 enum job_ticket_place place)
{
    queue->changes++;
    list_remove(&ticket->link);
    insert(&lists[ticket->priority - 1], ticket);
    ticket->place = place;
    ticket->number = 0;
}

static struct job_queue_group *group_of(struct job_queue *queue, const struct job_ticket *ticket)
{
    return &queue->groups[ticket->group];
}

/* One of the owner's has ended: the first of those held for it is ready again. */
static void release_held(struct job_queue *queue, struct job_queue_owner *owner)
{
    struct job_ticket *ticket = first_of(owner->held);
    if (ticket && !owner_is_at_limit(queue, owner))
        move(queue, group_of(queue, ticket)->ready, ticket, JOB_TICKET_READY);
}

/* --- tickets ------------------------------------------------------------------------------------ */

void job_queue_enter(struct job_queue *queue, struct job_ticket *ticket, struct str owner,
                     uint64_t arrived_ns)
{
    assert(ticket->priority >= 1 && ticket->priority <= JOB_QUEUE_PRIORITIES);
    assert(ticket->group < JOB_QUEUE_GROUPS && ticket->place == JOB_TICKET_OUT);
    uint64_t delay_ns = (ticket->priority - 1) * JOB_AGEING_NS;
    ticket->rank = arrived_ns + delay_ns;
    ticket->owner = owner_of(queue, owner);
    ticket->owner->tickets++;
    queue->waiting++;
    group_of(queue, ticket)->waiting++;
    move(queue, group_of(queue, ticket)->ready, ticket, JOB_TICKET_READY);
}

/* The first ticket of a list whose owner may have one more running. */
static struct job_ticket *first_allowed(struct job_queue *queue, struct list *list)
{
    struct job_ticket *ticket;
    while ((ticket = LIST_FIRST(list, struct job_ticket, link))) {
        if (!owner_is_at_limit(queue, ticket->owner))
            return ticket;
        move(queue, ticket->owner->held, ticket, JOB_TICKET_HELD);
    }
    return NULL;
}

struct job_ticket *job_queue_peek(struct job_queue *queue)
{
    struct job_ticket *best = NULL;
    if (queue->running >= queue->limits.running_max)
        return NULL;
    for (size_t i = 0; i < JOB_QUEUE_GROUPS; i++) {
        struct job_queue_group *group = &queue->groups[i];
        for (size_t j = 0; j < JOB_QUEUE_PRIORITIES; j++) {
            if (group->running >= queue->limits.group_running_max[i])
                break;
            struct job_ticket *first = first_allowed(queue, &group->ready[j]);
            if (first && (!best || first->rank < best->rank))
                best = first;
        }
    }
    return best;
}

void job_queue_take(struct job_queue *queue, struct job_ticket *ticket)
{
    assert(ticket->place == JOB_TICKET_READY);
    list_remove(&ticket->link);
    ticket->place = JOB_TICKET_RUNNING;
    queue->waiting--;
    queue->changes++;
    queue->running++;
    group_of(queue, ticket)->waiting--;
    group_of(queue, ticket)->running++;
    ticket->owner->running++;
}

static void leave_running(struct job_queue *queue, struct job_ticket *ticket)
{
    queue->running--;
    group_of(queue, ticket)->running--;
    ticket->owner->running--;
    release_held(queue, ticket->owner);
}

void job_queue_leave(struct job_queue *queue, struct job_ticket *ticket)
{
    if (ticket->place == JOB_TICKET_OUT)
        return;
    if (ticket->place == JOB_TICKET_RUNNING) {
        leave_running(queue, ticket);
    } else {
        list_remove(&ticket->link);
        queue->waiting--;
        queue->changes++;
        group_of(queue, ticket)->waiting--;
    }
    ticket->place = JOB_TICKET_OUT;
    leave_owner(queue, ticket);
}

/* --- position ----------------------------------------------------------------------------------- */

/* How many of a list come before the rank; looks at most at *room, and gives up when that is used. */
static size_t count_before(const struct list *list, const struct job_ticket *ticket, size_t *room)
{
    size_t count = 0;
    LIST_FOR_EACH (other, list, struct job_ticket, link) {
        if (other == ticket || other->rank > ticket->rank || *room == 0)
            break;
        --*room;
        count++;
    }
    return count;
}

/* In the order in which they would run but for bounds. */
static void number_ready(struct job_queue *queue)
{
    struct list *lists[JOB_QUEUE_GROUPS * JOB_QUEUE_PRIORITIES];
    struct list *next[ARRAY_COUNT(lists)];
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        lists[i] = &queue->groups[i / JOB_QUEUE_PRIORITIES].ready[i % JOB_QUEUE_PRIORITIES];
        next[i] = lists[i]->next;
    }
    for (size_t number = 1;; number++) {
        struct job_ticket *best = NULL;
        size_t from = 0;
        for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
            struct job_ticket *head = CONTAINER_OF(next[i], struct job_ticket, link);
            if (next[i] == lists[i] || (best && best->rank <= head->rank))
                continue;
            best = head;
            from = i;
        }
        if (!best)
            break;
        best->number = number;
        next[from] = best->link.next;
    }
    queue->is_numbered = true;
    queue->changes = 0;
}

static size_t search_position(const struct job_queue *queue, const struct job_ticket *ticket)
{
    size_t room = JOB_POSITION_SEARCH_MAX;
    size_t before = 0;
    for (size_t i = 0; i < JOB_QUEUE_GROUPS; i++)
        for (size_t j = 0; j < JOB_QUEUE_PRIORITIES; j++)
            before += count_before(&queue->groups[i].ready[j], ticket, &room);
    for (size_t j = 0; j < JOB_QUEUE_PRIORITIES; j++)
        before += count_before(&ticket->owner->held[j], ticket, &room);
    return room > 0 ? before + 1 : queue->waiting;
}

size_t job_queue_position(struct job_queue *queue, const struct job_ticket *ticket)
{
    if (ticket->place != JOB_TICKET_READY && ticket->place != JOB_TICKET_HELD)
        return 0;
    if (queue->waiting < JOB_POSITION_SEARCH_MAX || ticket->place == JOB_TICKET_HELD)
        return search_position(queue, ticket);
    if (!queue->is_numbered || queue->changes > queue->waiting / JOB_POSITION_PART)
        number_ready(queue);
    return ticket->number > 0 ? ticket->number : search_position(queue, ticket);
}
