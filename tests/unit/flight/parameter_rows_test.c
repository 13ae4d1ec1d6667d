/*
 * parameter_rows_test.c — rows that are bound: kept by reference, and bounded by what they hold or repeat.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/parameter_rows.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One column of type Null, whose rows have no bytes. */
static struct arrow_schema *null_schema(void)
{
    struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("1"), ARROW_NULL);
    arrow_schema_seal(schema, NULL);
    return schema;
}

static enum status add(struct parameter_rows *rows, int64_t count, struct error *error)
{
    const struct arrow_node node = {.length = count, .null_count = count};
    struct slice unused = {0};
    return parameter_rows_add(rows, arrow_batch_create(rows->schema, count, &node, &unused), error);
}

static void batches_are_counted(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = null_schema();
    CLEANUP(parameter_rows_unref) struct parameter_rows *rows = parameter_rows_create(schema);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(add(rows, 3, NULL), STATUS_OK);
    assert_int_equal(rows->rows, 30);
    assert_int_equal(rows->batch_count, 10);
    assert_true(rows->bytes > 0 && rows->bytes < 100000);
}

static void rows_without_bytes_are_bounded(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = null_schema();
    CLEANUP(parameter_rows_unref) struct parameter_rows *rows = parameter_rows_create(schema);
    struct error error = ERROR_NONE;
    assert_int_equal(add(rows, INT64_MAX, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.message, "64 MiB of parameters"));
    assert_int_equal(add(rows, (int64_t)PARAMETER_BYTES_MAX / 2, NULL), STATUS_OK);
    assert_int_equal(add(rows, (int64_t)PARAMETER_BYTES_MAX / 2 + 1, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(rows->rows, PARAMETER_BYTES_MAX / 2);
    assert_int_equal(add(rows, 1, NULL), STATUS_OK);
}

static void batches_without_rows_are_bounded(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = null_schema();
    CLEANUP(parameter_rows_unref) struct parameter_rows *rows = parameter_rows_create(schema);
    assert_int_equal(add(rows, 0, NULL), STATUS_OK);
    assert_true(rows->bytes >= sizeof(struct arrow_batch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_counted),
        cmocka_unit_test(rows_without_bytes_are_bounded),
        cmocka_unit_test(batches_without_rows_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
