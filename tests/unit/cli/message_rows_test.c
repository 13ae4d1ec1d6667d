/*
 * Rows counted from the message alone: real batches, and bytes cut or changed anywhere.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/query.h"

#include "arrow/builder.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arrow_batch *make_batch(size_t rows)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("i"), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_schema_seal(schema, NULL);
    const struct builder_limits limits = {.rows_max = 100000, .bytes_max = 1 << 20};
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    for (size_t i = 0; i < rows; i++)
        builder_append_integer(batch_builder_column(builder, 0), (int64_t)i);
    return batch_builder_seal(builder);
}

static void test_real_messages(void **state)
{
    static const size_t counts[] = {0, 1, 1000, 50000};
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = make_batch(counts[i]);
        uint64_t rows = 7;
        assert_true(sql_message_rows(slice_str(batch->header), &rows));
        assert_int_equal(rows, counts[i]);
        assert_true(sql_message_rows(slice_str(batch->schema->message), &rows));
        assert_int_equal(rows, 0);
    }
}

static void test_hostile_messages(void **state)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = make_batch(1000);
    uint64_t rows;
    for (size_t len = 0; len < batch->header.len; len++) {
        uint8_t *cut = (uint8_t *)memory_new(len + 1);
        memcpy(cut, batch->header.ptr, len);
        uint8_t *exact = (uint8_t *)memory_resize(cut, len ? len : 1, 1);
        (void)sql_message_rows(str_make(exact, len), &rows);
        free(exact);
    }
    for (size_t at = 0; at < batch->header.len; at++) {
        static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};
        uint8_t *changed = (uint8_t *)memory_new(batch->header.len);
        memcpy(changed, batch->header.ptr, batch->header.len);
        for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
            changed[at] = values[i];
            (void)sql_message_rows(str_make(changed, batch->header.len), &rows);
        }
        free(changed);
    }
    assert_false(sql_message_rows(STR_EMPTY, &rows));
    assert_false(sql_message_rows(STR("\xff\xff\xff\xff"), &rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_messages),
        cmocka_unit_test(test_hostile_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
