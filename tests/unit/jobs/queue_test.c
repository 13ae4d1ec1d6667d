/*
 * queue_test.c — the order of jobs as a pure thing: priorities, ageing, bounds; no thread, no clock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/queue.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND NANOSECONDS_PER_SECOND
#define TICKETS_MAX 64

struct scene {
    struct job_queue queue;
    struct job_ticket tickets[TICKETS_MAX];
    size_t count;
};

static void begin(struct scene *scene, size_t running_max, size_t group_max, size_t owner_max)
{
    *scene = (struct scene){0};
    job_queue_init(&scene->queue,
                   &(struct job_queue_limits){.waiting_max = 10,
                                              .running_max = running_max,
                                              .group_running_max = {group_max, running_max},
                                              .owner_running_max = owner_max});
}

static void end(struct scene *scene)
{
    for (size_t i = 0; i < scene->count; i++)
        job_queue_leave(&scene->queue, &scene->tickets[i]);
    job_queue_finish(&scene->queue);
}

static struct job_ticket *add_of(struct scene *scene, unsigned priority, unsigned group,
                                 const char *owner, uint64_t at_ns)
{
    assert_true(scene->count < TICKETS_MAX);
    struct job_ticket *ticket = &scene->tickets[scene->count++];
    *ticket = (struct job_ticket){.priority = priority, .group = group, .slots = 1};
    job_queue_enter(&scene->queue, ticket, str_of(owner), at_ns);
    return ticket;
}

static struct job_ticket *add(struct scene *scene, unsigned priority, uint64_t at_ns)
{
    return add_of(scene, priority, 1, "", at_ns);
}

static struct job_ticket *take(struct scene *scene)
{
    struct job_ticket *ticket = job_queue_peek(&scene->queue);
    if (ticket)
        job_queue_take(&scene->queue, ticket);
    return ticket;
}

static void better_priorities_go_first_and_arrival_decides_within_one(void **state)
{
    struct scene scene;
    begin(&scene, 10, 10, 0);
    struct job_ticket *low = add(&scene, 5, 0);
    struct job_ticket *middle = add(&scene, 3, 1);
    struct job_ticket *first = add(&scene, 1, 2);
    struct job_ticket *second = add(&scene, 1, 3);
    assert_int_equal(job_queue_position(&scene.queue, first), 1);
    assert_int_equal(job_queue_position(&scene.queue, second), 2);
    assert_int_equal(job_queue_position(&scene.queue, low), 4);
    assert_ptr_equal(take(&scene), first);
    assert_int_equal(job_queue_position(&scene.queue, first), 0);
    assert_int_equal(job_queue_position(&scene.queue, second), 1);
    assert_ptr_equal(take(&scene), second);
    assert_ptr_equal(take(&scene), middle);
    assert_ptr_equal(take(&scene), low);
    assert_null(take(&scene));
    end(&scene);
}

/* A stream of jobs of the first priority, one each second, with room for one a second. */
static void the_last_priority_is_not_starved(void **state)
{
    struct scene scene;
    begin(&scene, 1, 1, 0);
    struct job_ticket first = {.priority = 1, .group = 1};
    struct job_ticket *low = add(&scene, 5, 0);
    uint64_t waited_s = 0;
    for (uint64_t second = 1; second < 1000; second++) {
        job_queue_enter(&scene.queue, &first, STR_EMPTY, second * SECOND);
        struct job_ticket *taken = job_queue_peek(&scene.queue);
        if (taken == low) {
            waited_s = second;
            job_queue_leave(&scene.queue, &first);
            break;
        }
        assert_ptr_equal(taken, &first);
        job_queue_take(&scene.queue, &first);
        job_queue_leave(&scene.queue, &first);
    }
    assert_true(waited_s > 0 && waited_s <= 4 * JOB_AGEING_NS / SECOND + 1);
    end(&scene);
}

static void a_job_of_a_better_priority_is_first_though_others_wait_a_little(void **state)
{
    struct scene scene;
    begin(&scene, 10, 10, 0);
    struct job_ticket *old = add(&scene, 2, 0);
    struct job_ticket *better = add(&scene, 1, JOB_AGEING_NS - 1);
    struct job_ticket *late = add(&scene, 1, JOB_AGEING_NS + 1);
    assert_ptr_equal(take(&scene), better);
    assert_ptr_equal(take(&scene), old);
    assert_ptr_equal(take(&scene), late);
    end(&scene);
}

static void so_many_run_at_once(void **state)
{
    struct scene scene;
    begin(&scene, 2, 2, 0);
    struct job_ticket *a = add(&scene, 1, 0);
    struct job_ticket *b = add(&scene, 1, 1);
    struct job_ticket *c = add(&scene, 1, 2);
    assert_ptr_equal(take(&scene), a);
    assert_ptr_equal(take(&scene), b);
    assert_null(take(&scene));
    job_queue_leave(&scene.queue, a);
    assert_ptr_equal(take(&scene), c);
    end(&scene);
}

static void a_group_at_its_bound_does_not_hold_up_the_other(void **state)
{
    struct scene scene;
    begin(&scene, 10, 1, 0);
    struct job_ticket *a = add_of(&scene, 1, 0, "", 0);
    struct job_ticket *b = add_of(&scene, 1, 0, "", 1);
    struct job_ticket *other = add_of(&scene, 5, 1, "", 2);
    assert_ptr_equal(take(&scene), a);
    assert_ptr_equal(take(&scene), other);
    assert_null(take(&scene));
    assert_int_equal(scene.queue.groups[0].running, 1);
    assert_int_equal(scene.queue.groups[0].waiting, 1);
    job_queue_leave(&scene.queue, a);
    assert_ptr_equal(take(&scene), b);
    end(&scene);
}

static void an_owner_at_its_bound_does_not_hold_up_others(void **state)
{
    struct scene scene;
    begin(&scene, 10, 10, 1);
    struct job_ticket *a1 = add_of(&scene, 1, 1, "a", 0);
    struct job_ticket *a2 = add_of(&scene, 1, 1, "a", 1);
    struct job_ticket *a3 = add_of(&scene, 1, 1, "a", 2);
    struct job_ticket *b = add_of(&scene, 5, 1, "b", 3);
    assert_ptr_equal(take(&scene), a1);
    assert_ptr_equal(take(&scene), b);
    assert_null(take(&scene));
    assert_int_equal(job_queue_position(&scene.queue, a3), 2);
    /* One that is held is cancelled. */
    job_queue_leave(&scene.queue, a2);
    assert_int_equal(job_queue_position(&scene.queue, a3), 1);
    job_queue_leave(&scene.queue, a1);
    assert_ptr_equal(take(&scene), a3);
    end(&scene);
}

static void what_is_held_comes_back_in_order(void **state)
{
    struct scene scene;
    begin(&scene, 10, 10, 1);
    struct job_ticket *order[8];
    for (unsigned i = 0; i < 8; i++)
        order[i] = add_of(&scene, i < 4 ? 2 : 1, 1, "a", i);
    struct job_ticket *other = add_of(&scene, 1, 1, "b", 100);
    for (unsigned i = 0; i < 8; i++) {
        struct job_ticket *taken = take(&scene);
        assert_ptr_equal(taken, order[(i + 4) % 8]);
        if (i == 0)
            assert_ptr_equal(take(&scene), other);
        assert_null(take(&scene));
        job_queue_leave(&scene.queue, taken);
    }
    end(&scene);
}

static void it_is_full_at_its_bound(void **state)
{
    struct scene scene;
    begin(&scene, 1, 1, 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_false(job_queue_is_full(&scene.queue));
        add(&scene, 1, i);
    }
    assert_true(job_queue_is_full(&scene.queue));
    take(&scene);
    assert_false(job_queue_is_full(&scene.queue));
    end(&scene);
}

#define CROWD 5000

/* Every place is told nearly as it is, and no slower than the queue is long. */
static void places_are_told_in_a_long_queue(void **state)
{
    struct job_queue queue;
    struct job_ticket *tickets = NEW_ARRAY(struct job_ticket, CROWD);
    job_queue_init(&queue, &(struct job_queue_limits){.waiting_max = CROWD,
                                                      .running_max = CROWD,
                                                      .group_running_max = {CROWD, CROWD}});
    for (size_t i = 0; i < CROWD; i++) {
        tickets[i] = (struct job_ticket){.priority = 1, .group = i % 2, .slots = 1};
        job_queue_enter(&queue, &tickets[i], STR_EMPTY, i);
    }
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(job_queue_position(&queue, &tickets[i]), i + 1);
    size_t gone = CROWD / JOB_POSITION_PART + 1;
    for (size_t i = 0; i < gone; i++)
        job_queue_take(&queue, job_queue_peek(&queue));
    assert_int_equal(job_queue_position(&queue, &tickets[0]), 0);
    assert_int_equal(job_queue_position(&queue, &tickets[CROWD - 1]), CROWD - gone);
    job_queue_leave(&queue, &tickets[CROWD - 1]);
    struct job_ticket *late = &tickets[CROWD - 1];
    job_queue_enter(&queue, late, STR_EMPTY, CROWD);
    assert_in_range(job_queue_position(&queue, late), CROWD - gone - 1, CROWD - gone + 1);
    for (size_t i = 0; i < CROWD; i++)
        job_queue_leave(&queue, &tickets[i]);
    job_queue_finish(&queue);
    free(tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(better_priorities_go_first_and_arrival_decides_within_one),
        cmocka_unit_test(the_last_priority_is_not_starved),
        cmocka_unit_test(a_job_of_a_better_priority_is_first_though_others_wait_a_little),
        cmocka_unit_test(so_many_run_at_once),
        cmocka_unit_test(a_group_at_its_bound_does_not_hold_up_the_other),
        cmocka_unit_test(an_owner_at_its_bound_does_not_hold_up_others),
        cmocka_unit_test(what_is_held_comes_back_in_order),
        cmocka_unit_test(it_is_full_at_its_bound),
        cmocka_unit_test(places_are_told_in_a_long_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
