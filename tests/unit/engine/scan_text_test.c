/*
 * scan_text_test.c — what SQL reads of texts and bytes, of dictionaries, and of what the engine itself sent.
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

static void test_texts(void **state)
{
    static const enum arrow_type narrow[] = {ARROW_UTF8, ARROW_BINARY};
    static const enum arrow_type wide[] = {ARROW_LARGE_UTF8, ARROW_LARGE_BINARY};
    static const char *const types[] = {"VARCHAR", "BLOB"};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        begin(&maker, narrow[i]);
        add_node(&maker, 6, 1);
        ADD(&maker, uint8_t, 0x3B);
        ADD(&maker, int32_t, 0, 0, 8, 9, 12, 25, 26);
        add_bytes(&maker, TEXT, 26);
        end(&maker, *state);
        expect(*state, types[i], "\nabcdefgh\nNULL\njkl\nmnopqrstuvwxy\nz");

        begin(&maker, wide[i]);
        add_node(&maker, 4, 0);
        ADD_NO_NULLS(&maker);
        ADD(&maker, int64_t, 0, 12, 25, 25, 26);
        add_bytes(&maker, TEXT, 26);
        end(&maker, *state);
        expect(*state, types[i], "abcdefghijkl\nmnopqrstuvwxy\n\nz");
    }
}

static void test_text_views(void **state)
{
    static const enum arrow_type view_types[] = {ARROW_UTF8_VIEW, ARROW_BINARY_VIEW};
    static const char *const types[] = {"VARCHAR", "BLOB"};
    for (size_t i = 0; i < 2; i++) {
        struct column_maker maker;
        begin(&maker, view_types[i]);
        add_node(&maker, 5, 1);
        ADD(&maker, uint8_t, 0x17);
        ADD(&maker, struct arrow_view, {.size = 0}, {.size = 3, .inlined = "abc"},
            {.size = 12, .inlined = "abcdefghijkl"}, {.size = 0},
            {.size = 13, .prefix = "bcde", .buffer = 0, .offset = 1});
        add_bytes(&maker, TEXT, 26);
        end(&maker, *state);
        expect(*state, types[i], "\nabc\nabcdefghijkl\nNULL\nbcdefghijklmn");
    }
}

static void test_fixed_binary(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_FIXED_BINARY);
    field->byte_width = 13;
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 2);
    add_bytes(&maker, TEXT, 26);
    end(&maker, *state);
    expect(*state, "BLOB", "NULL\nnopqrstuvwxyz");

    field = begin(&maker, ARROW_FIXED_BINARY);
    field->byte_width = 0;
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    ADD_NO_NULLS(&maker);
    end(&maker, *state);
    expect(*state, "BLOB", "\nNULL");

    field = begin(&maker, ARROW_FIXED_BINARY);
    field->byte_width = 16;
    arrow_field_add_metadata(maker.schema, field, STR("ARROW:extension:name"), STR("arrow.uuid"));
    add_node(&maker, 2, 1);
    ADD(&maker, uint8_t, 1);
    add_bytes(&maker, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff" TEXT, 32);
    end(&maker, *state);
    expect(*state, "UUID", "00112233-4455-6677-8899-aabbccddeeff\nNULL");
}

static void test_json(void **state)
{
    struct column_maker maker;
    struct arrow_field *field = begin(&maker, ARROW_UTF8);
    arrow_field_add_metadata(maker.schema, field, STR("ARROW:extension:name"), STR("arrow.json"));
    add_node(&maker, 1, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 7);
    add_bytes(&maker, "{\"a\":1}", 7);
    end(&maker, *state);
    expect(*state, "JSON", "{\"a\":1}");
    test_rows(*state, "SELECT DISTINCT v.a FROM batch('t')", "1");
}

/* --- dictionaries ------------------------------------------------------------------------------- */

/* The values "abcdefghijklm", NULL, "o". */
static struct arrow_batch *make_values(void)
{
    struct column_maker maker;
    begin(&maker, ARROW_UTF8);
    add_node(&maker, 3, 1);
    ADD(&maker, uint8_t, 5);
    ADD(&maker, int32_t, 0, 13, 14, 15);
    add_bytes(&maker, TEXT, 15);
    arrow_schema_seal(maker.schema, NULL);
    struct arrow_batch *batch = arrow_batch_create(maker.schema, 3, maker.nodes, maker.buffers);
    arrow_schema_unref(maker.schema);
    return batch;
}

static void init_dictionary(struct arrow_field *field, int32_t width)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = width;
}

static void test_dictionaries(void **state)
{
    struct column_maker maker;
    struct arrow_batch *values = make_values();
    init_dictionary(begin(&maker, ARROW_UTF8), 8);
    add_node(&maker, 5, 1);
    ADD(&maker, uint8_t, 0x17);
    ADD(&maker, int8_t, 2, 0, 1, 99, 0);
    end_with(&maker, *state, &values);
    expect(*state, "VARCHAR", "o\nabcdefghijklm\nNULL\nNULL\nabcdefghijklm");
    test_rows(*state, "SELECT v, count(*) FROM batch('t') GROUP BY v ORDER BY v NULLS LAST",
              "abcdefghijklm|6\no|3\nNULL|6");
}

static void test_dictionaries_inside(void **state)
{
    struct column_maker maker;
    struct arrow_batch *values = make_values();
    struct arrow_field *field = begin(&maker, ARROW_LIST);
    arrow_field_add_children(maker.schema, field, 1);
    init_dictionary(add_child(&maker, field, 0, "item", ARROW_UTF8), 16);
    add_node(&maker, 2, 0);
    ADD_NO_NULLS(&maker);
    ADD(&maker, int32_t, 0, 3, 4);
    add_node(&maker, 4, 1);
    ADD(&maker, uint8_t, 0x0D);
    ADD(&maker, int16_t, 2, 77, 0, 1);
    end_with(&maker, *state, &values);
    expect(*state, "VARCHAR[]", "[o, NULL, abcdefghijklm]\n[NULL]");
}

/* --- what the engine sends itself --------------------------------------------------------------- */

/* The rows of a statement, kept as dataset `path`. */
static void put_rows(struct test_engine *test, const char *path, const char *sql)
{
    CLEANUP(test_result_finish) struct test_result result = test_run(test, sql);
    struct arrow_batch *batches[64];
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
    assert_true(result.batch_count <= 64);
    for (size_t i = 0; i < result.batch_count; i++)
        batches[i] = arrow_batch_ref(result.batches[i]);
    put(test, path, result.schema, batches, result.batch_count);
}

/* 70,000 rows of nested values with NULLs everywhere, there and back. */
static void test_there_and_back(void **state)
{
    static const char *const columns[] = {
        "if(i % 7 = 0, NULL, i)",
        "if(i % 5 = 0, NULL, 'text ' || repeat('x', i % 20))",
        "if(i % 3 = 0, NULL, i % 2 = 0)",
        "i::DECIMAL(20, 3) / 7",
        "[i, NULL, i + 1][:i % 4]",
        "if(i % 11 = 0, NULL, {'a': i, 'b': if(i % 13 = 0, NULL, ['t' || i, NULL])})",
        "[[i, NULL], NULL, []][i % 4:]",
        "MAP {i: 'v' || i, i + 1: NULL}",
        "if(i % 9 = 0, NULL, [i, i * 2, NULL])::BIGINT[3]",
        "if(i % 2 = 0, i, NULL)::UNION(n BIGINT, t VARCHAR)",
        "(i || 'x')::UNION(n BIGINT, t VARCHAR)",
        "make_timestamp(i * 1000000)::TIMESTAMP_S",
        "to_timestamp(i)",
        "to_microseconds(i) + to_months((i % 100)::INTEGER)",
        "md5(i::VARCHAR)::UUID",
        "('x' || i)::BLOB",
        "[{'k': i, 's': [{'z': 'deep ' || i}]}, NULL]",
    };
    char text[1024];
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        snprintf(text, sizeof(text),
                 "CREATE OR REPLACE TABLE source AS SELECT %s AS v, i FROM range(70000) r(i)",
                 columns[i]);
        test_execute(*state, text);
        put_rows(*state, "t", "FROM source ORDER BY i");
        test_rows(*state, "SELECT count(*), count(DISTINCT i) FROM batch('t')", "70000|70000");
        test_rows(*state, "SELECT count(*) FROM (FROM batch('t') SELECT v, i EXCEPT FROM source)",
                  "0");
        test_rows(*state,
                  "SELECT count(*) FROM batch('t') b JOIN source s USING (i) "
                  "WHERE b.v IS DISTINCT FROM s.v",
                  "0");
    }
}

static void test_empty(void **state)
{
    put_rows(*state, "t", "SELECT 1 AS a, 'x' AS b, [1] AS c WHERE false");
    test_rows(*state, "FROM batch('t')", "");
    test_rows(*state, "SELECT count(*), max(b) FROM batch('t')", "0|NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),          cmocka_unit_test(test_text_views),
        cmocka_unit_test(test_fixed_binary),   cmocka_unit_test(test_json),
        cmocka_unit_test(test_dictionaries),   cmocka_unit_test(test_dictionaries_inside),
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
