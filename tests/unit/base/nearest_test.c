/*
 * The name somebody meant.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/nearest.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_text(text, literal)                                                                 \
    do {                                                                                           \
        struct str text_ = (text);                                                                 \
        if (!str_equal(text_, STR(literal)))                                                       \
            fail_msg("'%.*s' is not '%s'", STR_ARGS(text_), literal);                              \
    } while (0)

static struct str nearest(const char *wanted)
{
    static const char *const names[] = {"serve", "sql", "config", "version", "bench", "kill"};
    struct nearest nearest;
    nearest_init(&nearest, str_of(wanted));
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        nearest_offer(&nearest, str_of(names[i]));
    return nearest.best;
}

static void test_near(void **state)
{
    assert_text(nearest("serv"), "serve");
    assert_text(nearest("sevre"), "serve");
    assert_text(nearest("slq"), "sql");
    assert_text(nearest("vers"), "version");
    assert_text(nearest("confgi"), "config");
    assert_text(nearest("bnech"), "bench");
    assert_text(nearest("serve"), "serve");
}

static void test_far(void **state)
{
    assert_int_equal(nearest("").len, 0);
    assert_int_equal(nearest("xyz").len, 0);
    assert_int_equal(nearest("put").len, 0);
    char long_name[300];
    memset(long_name, 's', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(nearest(long_name).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
