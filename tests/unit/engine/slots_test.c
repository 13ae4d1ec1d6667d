/*
 * slots_test.c — who gets the units: the line, the source, widths, turns; no thread, no clock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/slots.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TOTAL 4

struct fake_source {
    struct slot_source source;
    unsigned units[8];
    struct work works[8];
    size_t next;
    size_t count;
};

static bool peek(struct slot_source *source, unsigned *out_units)
{
    struct fake_source *fake = CONTAINER_OF(source, struct fake_source, source);
    if (fake->next == fake->count)
        return false;
    *out_units = fake->units[fake->next];
    return true;
}

static struct work *take(struct slot_source *source, unsigned units_max, unsigned *out_units)
{
    struct fake_source *fake = CONTAINER_OF(source, struct fake_source, source);
    *out_units = fake->units[fake->next];
    return *out_units <= units_max ? &fake->works[fake->next++] : NULL;
}

struct scene {
    struct slots slots;
    struct fake_source jobs;
    struct slot_entry entries[8];
    struct work works[8];
    size_t count;
};

static void begin(struct scene *scene)
{
    *scene = (struct scene){.jobs.source = {.peek = peek, .take = take}};
    slots_init(&scene->slots, TOTAL, 3);
    scene->slots.source = &scene->jobs.source;
}

static struct work *add_job(struct scene *scene, unsigned units)
{
    scene->jobs.units[scene->jobs.count] = slots_units(&scene->slots, units);
    return &scene->jobs.works[scene->jobs.count++];
}

static struct work *add_entry(struct scene *scene, unsigned units)
{
    struct slot_entry *entry = &scene->entries[scene->count];
    *entry = (struct slot_entry){.work = &scene->works[scene->count++], .units = units};
    assert_true(slots_enter(&scene->slots, entry, 0));
    return entry->work;
}

static void units_are_taken_and_given_back(void **state)
{
    struct scene scene;
    begin(&scene);
    struct work *a = add_entry(&scene, 3);
    assert_ptr_equal(slots_next(&scene.slots, 1), a);
    struct work *b = add_entry(&scene, 2);
    assert_null(slots_next(&scene.slots, 1));
    slots_release(&scene.slots, 3);
    assert_ptr_equal(slots_next(&scene.slots, 1), b);
    assert_int_equal(scene.slots.used, 2);
}

static void the_line_is_bounded(void **state)
{
    struct scene scene;
    begin(&scene);
    struct slot_entry extra = {.units = 1};
    for (int i = 0; i < TOTAL; i++)
        assert_ptr_equal(slots_next(&scene.slots, 1), add_entry(&scene, 1));
    for (int i = 0; i < 3; i++)
        add_entry(&scene, 1);
    assert_false(slots_enter(&scene.slots, &extra, 0));
    assert_true(slots_leave(&scene.slots, &scene.entries[4]));
    assert_false(slots_leave(&scene.slots, &scene.entries[4]));
    assert_true(slots_enter(&scene.slots, &extra, 0));
}

static void both_take_turns(void **state)
{
    struct scene scene;
    begin(&scene);
    struct work *busy = add_entry(&scene, TOTAL);
    assert_ptr_equal(slots_next(&scene.slots, 1), busy);
    struct work *jobs[3] = {add_job(&scene, 2), add_job(&scene, 2), add_job(&scene, 2)};
    struct work *line[3] = {add_entry(&scene, 2), add_entry(&scene, 2), add_entry(&scene, 2)};
    slots_release(&scene.slots, TOTAL);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(slots_next(&scene.slots, 2), line[i]);
        assert_ptr_equal(slots_next(&scene.slots, 2), jobs[i]);
        assert_null(slots_next(&scene.slots, 2));
        slots_release(&scene.slots, TOTAL);
    }
}

static void a_wide_one_runs_alone(void **state)
{
    struct scene scene;
    begin(&scene);
    struct work *wide = add_job(&scene, 100);
    struct work *narrow = add_job(&scene, 1);
    assert_ptr_equal(slots_next(&scene.slots, 1), wide);
    assert_int_equal(scene.slots.used, TOTAL);
    assert_null(slots_next(&scene.slots, 1));
    slots_release(&scene.slots, TOTAL);
    assert_ptr_equal(slots_next(&scene.slots, 1), narrow);
}

static void a_wide_one_is_overtaken_for_a_while_only(void **state)
{
    struct scene scene;
    begin(&scene);
    uint64_t now = 1000;
    assert_ptr_equal(slots_next(&scene.slots, now), add_entry(&scene, 1));
    struct work *wide = add_job(&scene, TOTAL);
    add_job(&scene, 1);
    /* The jobs keep their order; statements pass, one after the other. */
    for (int i = 0; i < 3; i++) {
        struct work *statement = add_entry(&scene, 1);
        assert_ptr_equal(slots_next(&scene.slots, now), statement);
        slots_release(&scene.slots, 1);
        now += SLOTS_PATIENCE_NS / 4;
    }
    now += SLOTS_PATIENCE_NS;
    struct work *late = add_entry(&scene, 1);
    assert_null(slots_next(&scene.slots, now));
    slots_release(&scene.slots, 1);
    assert_ptr_equal(slots_next(&scene.slots, now), wide);
    assert_null(slots_next(&scene.slots, now));
    slots_release(&scene.slots, TOTAL);
    assert_ptr_equal(slots_next(&scene.slots, now), late);
}

static void a_wide_statement_that_leaves_holds_up_nobody(void **state)
{
    struct scene scene;
    begin(&scene);
    assert_ptr_equal(slots_next(&scene.slots, 1), add_entry(&scene, 1));
    add_entry(&scene, TOTAL);
    assert_null(slots_next(&scene.slots, 1));
    struct work *job = add_job(&scene, 1);
    assert_null(slots_next(&scene.slots, 1 + SLOTS_PATIENCE_NS));
    assert_true(slots_leave(&scene.slots, &scene.entries[1]));
    assert_ptr_equal(slots_next(&scene.slots, 1 + SLOTS_PATIENCE_NS), job);
}

static struct work *add_ranked(struct scene *scene, unsigned priority, uint64_t now_ns)
{
    struct slot_entry *entry = &scene->entries[scene->count];
    *entry = (struct slot_entry){
        .work = &scene->works[scene->count++], .units = TOTAL, .priority = priority};
    assert_true(slots_enter(&scene->slots, entry, now_ns));
    return entry->work;
}

static void better_priorities_wait_less_but_for_a_while_only(void **state)
{
    struct scene scene;
    begin(&scene);
    struct work *last = add_ranked(&scene, 2, 1);
    struct work *first = add_ranked(&scene, 1, 2);
    struct work *late = add_ranked(&scene, 0, 2 + SLOTS_AGEING_NS);
    struct work *const order[] = {first, last, late};
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        assert_ptr_equal(slots_next(&scene.slots, 1), order[i]);
        slots_release(&scene.slots, TOTAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_taken_and_given_back),
        cmocka_unit_test(the_line_is_bounded),
        cmocka_unit_test(both_take_turns),
        cmocka_unit_test(a_wide_one_runs_alone),
        cmocka_unit_test(a_wide_one_is_overtaken_for_a_while_only),
        cmocka_unit_test(a_wide_statement_that_leaves_holds_up_nobody),
        cmocka_unit_test(better_priorities_wait_less_but_for_a_while_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
