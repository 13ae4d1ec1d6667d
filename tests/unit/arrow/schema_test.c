/*
 * schema_test.c — fields, sealing, copies, comparison and type texts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arrow/schema.h"
#include "sample.h"

static void seal_counts_nodes_and_buffers(void **state)
{
    struct arrow_schema *schema = arrow_schema_create(3);
    arrow_field_init(schema, &schema->fields[0], STR("n"), ARROW_NULL);
    arrow_field_init(schema, &schema->fields[1], STR("text"), ARROW_UTF8);
    arrow_field_init(schema, &schema->fields[2], STR("pair"), ARROW_STRUCT);
    arrow_field_add_children(schema, &schema->fields[2], 2);
    arrow_field_init(schema, &schema->fields[2].children[0], STR("a"), ARROW_BOOL);
    arrow_field_init(schema, &schema->fields[2].children[1], STR("b"), ARROW_BINARY);
    arrow_schema_seal(schema, NULL);
    assert_int_equal(schema->node_count, 5);
    assert_int_equal(schema->buffer_count, 0 + 3 + 1 + 2 + 3);
    assert_int_equal(schema->dictionary_count, 0);
    assert_true(schema->message.len > 0 && schema->message.len % 8 == 0);
    arrow_schema_unref(schema);
}

static void dictionaries_are_numbered_in_order(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    assert_int_equal(schema->dictionary_count, 11);
    /* The last field is a dictionary of structs with a dictionary, which comes first. */
    const struct arrow_field *last = &schema->fields[schema->field_count - 1];
    assert_int_equal(last->children[0].dictionary_index, 9);
    assert_int_equal(last->children[0].dictionary_id, 9);
    assert_int_equal(last->dictionary_index, 10);
    assert_ptr_equal(schema->dictionaries[10]->schema->dictionaries[0], schema->dictionaries[9]);
    for (size_t i = 0; i < schema->dictionary_count; i++)
        assert_non_null(schema->dictionaries[i]);
}

static void copies_are_deep_and_equal(void **state)
{
    struct arrow_schema *from = sample_schema_create();
    struct arrow_schema *copy = arrow_schema_create(from->field_count);
    for (size_t i = 0; i < from->field_count; i++)
        arrow_field_copy(copy, &copy->fields[i], &from->fields[i]);
    assert_true(arrow_schema_equal(from, copy));
    assert_true(arrow_schema_equal(copy, copy));
    arrow_schema_unref(from);
    struct arrow_schema *again = sample_schema_create();
    assert_true(arrow_schema_equal(again, copy));
    arrow_schema_unref(again);
    arrow_schema_unref(copy);
}

static void rename_field(struct arrow_field *field)
{
    field->name = STR("other");
}
static void forbid_nulls(struct arrow_field *field)
{
    field->nullable = false;
}
static void change_type(struct arrow_field *field)
{
    field->type = ARROW_LARGE_UTF8;
}
static void change_unit(struct arrow_field *field)
{
    field->unit = ARROW_NANOSECOND;
}
static void change_zone(struct arrow_field *field)
{
    field->timezone = STR("UTC");
}
static void change_scale(struct arrow_field *field)
{
    field->scale = 3;
}
static void make_dictionary(struct arrow_field *field)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = 8;
}

static void every_difference_counts_but_metadata(void **state)
{
    void (*const changes[])(struct arrow_field *) = {rename_field,   forbid_nulls, change_type,
                                                     change_unit,    change_zone,  change_scale,
                                                     make_dictionary};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct arrow_schema *a = arrow_schema_create(1);
        struct arrow_schema *b = arrow_schema_create(1);
        arrow_field_init(a, &a->fields[0], STR("x"), ARROW_UTF8);
        arrow_field_init(b, &b->fields[0], STR("x"), ARROW_UTF8);
        arrow_field_add_metadata(b, &b->fields[0], STR("k"), STR("v"));
        assert_true(arrow_schema_equal(a, b));
        changes[i](&b->fields[0]);
        assert_false(arrow_schema_equal(a, b));
        arrow_schema_unref(a);
        arrow_schema_unref(b);
    }
    struct arrow_schema *none = arrow_schema_create(0);
    struct arrow_schema *one = arrow_schema_create(1);
    assert_false(arrow_schema_equal(none, one));
    arrow_schema_unref(none);
    arrow_schema_unref(one);
}

static void metadata_pairs_are_copied_in_order(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    struct arrow_field *field = &schema->fields[0];
    arrow_field_init(schema, field, STR("x"), ARROW_BOOL);
    char key[] = "first";
    arrow_field_add_metadata(schema, field, str_of(key), STR("1"));
    key[0] = '?';
    arrow_field_add_metadata(schema, field, STR("second"), STR("2"));
    assert_int_equal(field->metadata_count, 2);
    assert_true(str_equal(field->metadata[0].key, STR("first")));
    assert_true(str_equal(field->metadata[1].value, STR("2")));
    assert_true(field->nullable);
}

static void check_text(const struct arrow_field *field, const char *expected)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 4096);
    arrow_field_type_text(field, &text);
    assert_string_equal((const char *)text.ptr, expected);
}

static void types_have_texts(void **state)
{
    static const struct {
        const char *field;
        const char *text;
    } rows[] = {
        {"null", "null"},
        {"uint64", "uint64"},
        {"half", "halffloat"},
        {"double", "double"},
        {"utf8", "string"},
        {"decimal38", "decimal128(38, 19)"},
        {"date", "date32[day]"},
        {"date_ms", "date64[ms]"},
        {"time_us", "time64[us]"},
        {"timestamp_ms", "timestamp[ms, tz=UTC]"},
        {"timestamp_ns", "timestamp[ns]"},
        {"months", "month_interval"},
        {"uuid", "fixed_size_binary[16]"},
        {"large_list", "large_list<item: string>"},
        {"fixed_list", "fixed_size_list<item: int32>[3]"},
        {"struct", "struct<number: int64 not null, text: string, list: list<item: string>>"},
        {"map", "map<string, double>"},
        {"dense", "dense_union<text: string=5, number: int32=0, list: list<item: int32>=127>"},
        {"dictionary16", "dictionary<values=string, indices=int16, ordered=0>"},
    };
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t field = 0;
        while (!str_equal(schema->fields[field].name, str_of(rows[i].field)))
            field++;
        check_text(&schema->fields[field], rows[i].text);
    }
}

static void widths_are_bytes_of_the_fixed_buffer(void **state)
{
    struct arrow_field field = {.type = ARROW_INT, .bit_width = 16};
    assert_int_equal(arrow_field_width(&field), 2);
    field = (struct arrow_field){.type = ARROW_DATE, .unit = ARROW_DAY};
    assert_int_equal(arrow_field_width(&field), 4);
    field = (struct arrow_field){.type = ARROW_INTERVAL, .interval_unit = ARROW_MONTH_DAY_NANO};
    assert_int_equal(arrow_field_width(&field), 16);
    field = (struct arrow_field){.type = ARROW_FIXED_BINARY, .byte_width = 7};
    assert_int_equal(arrow_field_width(&field), 7);
    field = (struct arrow_field){.type = ARROW_BOOL};
    assert_int_equal(arrow_field_width(&field), 0);
    field =
        (struct arrow_field){.type = ARROW_UTF8, .is_dictionary = true, .dictionary_bit_width = 16};
    assert_int_equal(arrow_field_width(&field), 2);
}

static void unref_takes_null_and_unsealed(void **state)
{
    arrow_schema_unref(NULL);
    struct arrow_schema *schema = arrow_schema_create(0);
    assert_ptr_equal(arrow_schema_ref(schema), schema);
    arrow_schema_unref(schema);
    arrow_schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal_counts_nodes_and_buffers),
        cmocka_unit_test(dictionaries_are_numbered_in_order),
        cmocka_unit_test(copies_are_deep_and_equal),
        cmocka_unit_test(every_difference_counts_but_metadata),
        cmocka_unit_test(metadata_pairs_are_copied_in_order),
        cmocka_unit_test(types_have_texts),
        cmocka_unit_test(widths_are_bytes_of_the_fixed_buffer),
        cmocka_unit_test(unref_takes_null_and_unsealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
