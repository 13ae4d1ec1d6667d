/*
 * jobs_support.h — a registry with jobs in it, in a file or in memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "fixture.h"

#define TWICE(test)                                                                                \
    cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down),                      \
        cmocka_unit_test_setup_teardown(test, fixture_set_up_memory, fixture_tear_down)

/* Jobs 1 to 12: engine, door, state, owner and tags by their number. */
void put_twelve(struct fixture *fixture);
