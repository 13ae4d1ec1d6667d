/*
 * queue.h — in which order jobs run: by priority, by arrival within one, older ones rising.
 *
 * A ticket's rank is its time of arrival and JOB_AGEING_NS for each priority below the first: the smallest is
 * next, so that of two priorities the better one goes first unless the other waits that much longer, and
 * nothing waits for ever. Three bounds hold tickets back without holding up others: how many run at once, how
 * many of one group (door), how many of one owner.
 *
 * Threads: one at a time (table.c has the lock); no thread, no clock of its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

#define JOB_QUEUE_PRIORITIES 5
#define JOB_QUEUE_GROUPS 2
/* How much longer than a ticket of the next better priority one waits at most. */
#define JOB_AGEING_NS (30 * NANOSECONDS_PER_SECOND)
/* Tickets looked at for one position. Where more wait all are numbered at once, and that again when a
 * JOB_POSITION_PARTth part of them has changed. */
#define JOB_POSITION_SEARCH_MAX 1024
#define JOB_POSITION_PART 64

struct job_queue_owner;

struct job_ticket {
    struct list link;
    struct job_queue_owner *owner;
    unsigned priority; /* from 1 */
    unsigned group;
    unsigned slots;
    uint64_t rank;
    size_t number; /* its position when all were numbered; 0: it came since */
    enum job_ticket_place {
        JOB_TICKET_OUT,
        JOB_TICKET_READY,
        JOB_TICKET_HELD, /* its owner has as many running as may */
        JOB_TICKET_RUNNING,
    } place;
};

struct job_queue_limits {
    size_t waiting_max;
    size_t running_max;
    size_t group_running_max[JOB_QUEUE_GROUPS];
    size_t owner_running_max; /* 0: no bound */
};

struct job_queue_group {
    struct list ready[JOB_QUEUE_PRIORITIES]; /* job_ticket.link, by rank */
    size_t waiting;                          /* those held included */
    size_t running;
};

struct job_queue {
    struct job_queue_limits limits;
    struct job_queue_group groups[JOB_QUEUE_GROUPS];
    struct map owners; /* name -> struct job_queue_owner */
    size_t waiting;
    size_t running;
    size_t changes; /* since all were numbered */
    bool is_numbered;
};

void job_queue_init(struct job_queue *queue, const struct job_queue_limits *limits);
/* No ticket may be left. */
void job_queue_finish(struct job_queue *queue);
bool job_queue_is_full(const struct job_queue *queue);
/* Enters a ticket whose priority, group and slots are set, as one that arrived at `arrived_ns`. */
void job_queue_enter(struct job_queue *queue, struct job_ticket *ticket, struct str owner,
                     uint64_t arrived_ns);
/* The ticket that runs next; NULL: none may. */
struct job_ticket *job_queue_peek(struct job_queue *queue);
/* It begins to run. */
void job_queue_take(struct job_queue *queue, struct job_ticket *ticket);
/* It goes, whether it waited or ran. */
void job_queue_leave(struct job_queue *queue, struct job_ticket *ticket);
/* Which one it is to run, from 1, nearly so where many wait; 0: it does not wait. */
size_t job_queue_position(struct job_queue *queue, const struct job_ticket *ticket);
