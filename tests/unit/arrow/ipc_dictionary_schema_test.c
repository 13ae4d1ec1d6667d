/*
 * ipc_dictionary_schema_test.c — what schemas may say of dictionaries.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "raw_schema.h"

#define REFUSED STATUS_INVALID_ARGUMENT

static void dictionaries_are_checked(void **state)
{
    const struct raw_field text = {.name = "a", .kind = ARROW_UTF8, .is_dictionary = true};
    const struct raw_field other = {.name = "b", .kind = ARROW_BINARY, .is_dictionary = true};
    const struct raw_field list = {.name = "c",
                                   .kind = ARROW_LIST,
                                   .children = &byte_field,
                                   .child_count = 1,
                                   .is_dictionary = true};
    const struct raw_field shared[] = {text, text};
    const struct raw_field differing[] = {text, other};
    struct raw_schema schema = schema_of(shared, 2);
    assert_int_equal(raw_schema_decode(&schema), STATUS_OK);
    schema = schema_of(differing, 2);
    assert_int_equal(raw_schema_decode(&schema), REFUSED);
    assert_int_equal(decode_field(list), STATUS_OK);
}

static struct raw_field dictionary_of(const struct raw_field *child, int64_t id)
{
    return (struct raw_field){.name = "s",
                              .kind = ARROW_STRUCT,
                              .children = child,
                              .child_count = 1,
                              .is_dictionary = true,
                              .dictionary_id = id};
}

/* Dictionaries of one id are one: also what is in them. */
static void dictionaries_in_dictionaries_are_checked(void **state)
{
    struct raw_field words[] = {
        {.name = "w", .kind = ARROW_UTF8, .is_dictionary = true, .dictionary_id = 2},
        {.name = "w", .kind = ARROW_UTF8, .is_dictionary = true, .dictionary_id = 3},
    };
    const struct raw_field same[] = {dictionary_of(&words[0], 1), dictionary_of(&words[0], 1)};
    const struct raw_field differing[] = {dictionary_of(&words[0], 1), dictionary_of(&words[1], 1)};
    struct raw_schema schema = schema_of(same, 2);
    assert_int_equal(raw_schema_decode(&schema), STATUS_OK);
    schema = schema_of(differing, 2);
    assert_int_equal(raw_schema_decode(&schema), REFUSED);
    /* One that is in itself. */
    words[0].dictionary_id = 1;
    schema = schema_of(same, 1);
    assert_int_equal(raw_schema_decode(&schema), REFUSED);
    /* Names that look like types. */
    const struct raw_field two[] = {{.name = "a", .kind = ARROW_BOOL},
                                    {.name = "b", .kind = ARROW_BOOL}};
    const struct raw_field one = {.name = "a: bool, b", .kind = ARROW_BOOL};
    const struct raw_field forged[] = {
        {.name = "x",
         .kind = ARROW_STRUCT,
         .children = two,
         .child_count = 2,
         .is_dictionary = true},
        {.name = "y",
         .kind = ARROW_STRUCT,
         .children = &one,
         .child_count = 1,
         .is_dictionary = true},
    };
    schema = schema_of(forged, 2);
    assert_int_equal(raw_schema_decode(&schema), REFUSED);
}

static void dictionaries_in_each_other_are_limited(void **state)
{
    struct raw_field levels[6] = {{.name = "w", .kind = ARROW_UTF8}};
    for (size_t i = 1; i < ARRAY_COUNT(levels); i++) {
        levels[i] = dictionary_of(&levels[i - 1], (int64_t)i);
        assert_int_equal(decode_field(levels[i]), i <= 4 ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dictionaries_are_checked),
        cmocka_unit_test(dictionaries_in_dictionaries_are_checked),
        cmocka_unit_test(dictionaries_in_each_other_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
