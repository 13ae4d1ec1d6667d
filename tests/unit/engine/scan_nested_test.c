/*
 * scan_nested_test.c — what SQL reads of lists, structs, maps, unions and run ends.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void init_int32(struct arrow_field *field)
{
    field->bit_width = 32;
    field->is_signed = true;
}

static void test_lists(void **state)
{
    static const enum arrow_type types[] = {ARROW_LIST, ARROW_LARGE_LIST};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        struct arrow_field *field = begin(&maker, types[i]);
        arrow_field_add_children(maker.schema, field, 1);
        init_int32(add_child(&maker, field, 0, "item", ARROW_INT));
        add_node(&maker, 4, 1);
        ADD(&maker, uint8_t, 0x0B);
        if (i == 0)
            ADD(&maker, int32_t, 0, 2, 2, 4, 5);
        else
            ADD(&maker, int64_t, 0, 2, 2, 4, 5);
        add_node(&maker, 5, 1);
        ADD(&maker, uint8_t, 0x1D);
        ADD(&maker, int32_t, 1, 2, 3, 4, 5);
        end(&maker, *state);
        expect(*state, "INTEGER[]", "[1, NULL]\n[]\nNULL\n[5]");
    }
}

static void test_list_views(void **state)
{
    static const enum arrow_type types[] = {ARROW_LIST_VIEW, ARROW_LARGE_LIST_VIEW};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        struct arrow_field *field = begin(&maker, types[i]);
        arrow_field_add_children(maker.schema, field, 1);
        add_child(&maker, field, 0, "item", ARROW_UTF8);
        add_node(&maker, 5, 1);
        ADD(&maker, uint8_t, 0x1D);
        if (i == 0) {
            ADD(&maker, int32_t, 1, 0, 0, 0, 2);
            ADD(&maker, int32_t, 2, 0, 3, 0, 1);
        } else {
            ADD(&maker, int64_t, 1, 0, 0, 0, 2);
            ADD(&maker, int64_t, 2, 0, 3, 0, 1);
        }
        add_node(&maker, 3, 0);
        ADD_NO_NULLS(&maker);
        ADD(&maker, int32_t, 0, 1, 14, 15);
        add_bytes(&maker, TEXT, 15);
        end(&maker, *state);
        expect(*state, "VARCHAR[]", "[bcdefghijklmn, o]\nNULL\n[a, bcdefghijklmn, o]\n[]\n[o]");
    }
}

/* Few elements far apart: they are taken one by one. */
static void test_scattered_list_views(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_LIST_VIEW);
    arrow_field_add_children(maker.schema, field, 1);
    init_int32(add_child(&maker, field, 0, "item", ARROW_INT));
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 8, 0, 8);
    ADD(&maker, int32_t, 1, 2, 1);
    add_node(&maker, 9, 1);
    ADD(&maker, uint8_t, 0xFD, 0x01);
    ADD(&maker, int32_t, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    end(&maker, *state);
    expect(*state, "INTEGER[]", "[9]\n[1, NULL]\n[9]");
}

static void make_fixed_list(struct column_maker *maker, int32_t size, bool has_elements)
{
    struct arrow_field *field = begin(maker, ARROW_FIXED_LIST);
    field->list_size = size;
    arrow_field_add_children(maker->schema, field, 1);
    init_int32(add_child(maker, field, 0, "item", ARROW_INT));
    add_node(maker, 3, 1);
    ADD(maker, uint8_t, 5);
    add_node(maker, 3 * size, 0);
    ADD_NO_NULLS(maker);
    if (has_elements)
        ADD(maker, int32_t, 1, 2, 3, 4, 5, 6);
    else
        ADD_NO_NULLS(maker);
}

static void test_fixed_lists(void **state)
{
    struct column_maker maker;
    make_fixed_list(&maker, 2, true);
    end(&maker, *state);
    expect(*state, "INTEGER[2]", "[1, 2]\nNULL\n[5, 6]");
    test_rows(*state, "SELECT DISTINCT v[1] FROM batch('t') WHERE v IS NULL", "NULL");
    make_fixed_list(&maker, 0, false);
    end(&maker, *state);
    expect(*state, "INTEGER[]", "[]\nNULL\n[]");
}

static void test_structs(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_STRUCT);
    arrow_field_add_children(maker.schema, field, 3);
    init_int32(add_child(&maker, field, 0, "a", ARROW_INT));
    struct arrow_field *inner = add_child(&maker, field, 1, "A", ARROW_STRUCT);
    arrow_field_add_children(maker.schema, inner, 1);
    init_int32(add_child(&maker, inner, 0, "x", ARROW_INT));
    add_child(&maker, field, 2, "", ARROW_BOOL);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 3);
    ADD(&maker, int32_t, 1, 2, 3);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 10, 20, 30);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, uint8_t, 1);
    end(&maker, *state);
    expect(*state, "STRUCT(a INTEGER, A_1 STRUCT(x INTEGER), column_2 BOOLEAN)",
           "{'a': 1, 'A_1': {'x': 10}, 'column_2': true}\nNULL\n"
           "{'a': NULL, 'A_1': {'x': 30}, 'column_2': false}");
    test_rows(*state, "SELECT DISTINCT v.A_1.x FROM batch('t') WHERE v IS NULL", "NULL");
}

static void test_maps(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_MAP);
    arrow_field_add_children(maker.schema, field, 1);
    struct arrow_field *entries = add_child(&maker, field, 0, "entries", ARROW_STRUCT);
    arrow_field_add_children(maker.schema, entries, 2);
    add_child(&maker, entries, 0, "key", ARROW_UTF8);
    init_int32(add_child(&maker, entries, 1, "value", ARROW_INT));
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 0, 2, 2, 3);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 1, 14, 15);
    add_bytes(&maker, TEXT, 15);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 1, 2, 3);
    end(&maker, *state);
    expect(*state, "MAP(VARCHAR, INTEGER)", "{a=1, bcdefghijklmn=NULL}\nNULL\n{o=3}");
    test_rows(*state, "SELECT DISTINCT v['o'] FROM batch('t') WHERE v['o'] IS NOT NULL", "3");
}

static void test_maps_with_a_null_key(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_MAP);
    arrow_field_add_children(maker.schema, field, 1);
    struct arrow_field *entries = add_child(&maker, field, 0, "entries", ARROW_STRUCT);
    arrow_field_add_children(maker.schema, entries, 2);
    init_int32(add_child(&maker, entries, 0, "key", ARROW_INT));
    init_int32(add_child(&maker, entries, 1, "value", ARROW_INT));
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 1, 2);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    ADD(&maker, int32_t, 1, 2);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 1, 2);
    end(&maker, *state);
    test_fails(*state, "FROM batch('t')", STATUS_INVALID_ARGUMENT, "a map has a NULL among");
}

static void make_union(struct column_maker *maker, bool is_dense)
{
    static const int32_t type_ids[] = {5, 3};
    struct arrow_field *field = begin(maker, ARROW_UNION);
    field->is_dense = is_dense;
    field->type_ids = type_ids;
    arrow_field_add_children(maker->schema, field, 2);
    init_int32(add_child(maker, field, 0, "n", ARROW_INT));
    add_child(maker, field, 1, "t", ARROW_UTF8);
    add_node(maker, 4, 0);
    ADD(maker, int8_t, 5, 3, 5, 3);
}

static void test_unions(void **state)
{
    struct column_maker maker;
    make_union(&maker, false);
    add_node(&maker, 4, 1);
    ADD(&maker, uint8_t, 0x0B);
    ADD(&maker, int32_t, 1, 2, 3, 4);
    add_node(&maker, 4, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 1, 14, 15, 16);
    add_bytes(&maker, TEXT, 16);
    end(&maker, *state);
    expect(*state, "UNION(n INTEGER, t VARCHAR)", "1\nbcdefghijklmn\nNULL\np");
    test_rows(*state, "SELECT DISTINCT v.n FROM batch('t') WHERE union_tag(v) = 't'", "NULL");

    make_union(&maker, true);
    ADD(&maker, int32_t, 1, 1, 0, 0);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 10, 20);
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    ADD(&maker, int32_t, 0, 13, 14);
    add_bytes(&maker, TEXT, 14);
    end(&maker, *state);
    expect(*state, "UNION(n INTEGER, t VARCHAR)", "20\nNULL\n10\nabcdefghijklm");
}

static void test_run_ends(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_RUN_END_ENCODED);
    arrow_field_add_children(maker.schema, field, 2);
    init_int32(add_child(&maker, field, 0, "run_ends", ARROW_INT));
    add_child(&maker, field, 1, "values", ARROW_UTF8);
    add_node(&maker, 6, 0);
    add_node(&maker, 3, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 2, 3, 6);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 0, 13, 14, 15);
    add_bytes(&maker, TEXT, 15);
    end(&maker, *state);
    expect(*state, "VARCHAR", "abcdefghijklm\nabcdefghijklm\nNULL\no\no\no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_list_views),
        cmocka_unit_test(test_scattered_list_views),
        cmocka_unit_test(test_fixed_lists),
        cmocka_unit_test(test_structs),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_maps_with_a_null_key),
        cmocka_unit_test(test_unions),
        cmocka_unit_test(test_run_ends),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
