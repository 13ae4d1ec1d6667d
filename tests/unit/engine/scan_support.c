/*
 * scan_support.c — makes what scan_support.h tells of. SPDX-License-Identifier: Apache-2.0
 */
#include "scan_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int set_up(void **state)
{
    struct test_engine *test = NEW(struct test_engine);
    test_engine_open(test, NULL);
    *state = test;
    return 0;
}

int tear_down(void **state)
{
    test_engine_close(*state);
    free(*state);
    return 0;
}

void put(struct test_engine *test, const char *path, struct arrow_schema *schema,
         struct arrow_batch **batches, size_t count)
{
    struct error error = ERROR_NONE;
    struct put *put = NULL;
    struct put_result result;
    const struct put_options options = {
        .path = str_of(path), .mode = PUT_REPLACE, .schema = schema};
    enum status status = put_begin(test->store, &options, &put, &error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = put_append(put, batches[i], &error);
    if (status == STATUS_OK)
        status = put_commit(put, &result, &error);
    if (status != STATUS_OK)
        fail_msg("%s", error.message);
    put_destroy(put);
}

struct arrow_field *begin(struct column_maker *maker, enum arrow_type type)
{
    *maker = (struct column_maker){.schema = arrow_schema_create(1)};
    struct arrow_field *field = &maker->schema->fields[0];
    arrow_field_init(maker->schema, field, STR("v"), type);
    return field;
}

struct arrow_field *add_child(struct column_maker *maker, struct arrow_field *parent, size_t index,
                              const char *name, enum arrow_type type)
{
    arrow_field_init(maker->schema, &parent->children[index], str_of(name), type);
    return &parent->children[index];
}

void add_node(struct column_maker *maker, int64_t length, int64_t null_count)
{
    maker->nodes[maker->node_count++] = (struct arrow_node){length, null_count};
}

void add_bytes(struct column_maker *maker, const void *bytes, size_t size)
{
    maker->buffers[maker->buffer_count++] = slice_copy(bytes, size);
}

void end_with(struct column_maker *maker, struct test_engine *test,
              struct arrow_batch **dictionaries)
{
    struct arrow_batch *batches[40];
    size_t count = 0;
    arrow_schema_seal(maker->schema, dictionaries);
    int64_t rows = maker->nodes[0].length;
    assert_int_equal(maker->node_count, maker->schema->node_count);
    assert_int_equal(maker->buffer_count, maker->schema->buffer_count);
    struct arrow_batch *batch =
        arrow_batch_create(maker->schema, rows, maker->nodes, maker->buffers);
    batches[count++] = batch;
    for (int64_t i = 0; i < rows; i++)
        batches[count++] = arrow_batch_slice(batch, i, 1);
    batches[count++] = arrow_batch_slice(batch, 0, 0);
    batches[count++] = arrow_batch_ref(batch);
    put(test, "t", maker->schema, batches, count);
    arrow_schema_unref(maker->schema);
}

void end(struct column_maker *maker, struct test_engine *test)
{
    end_with(maker, test, NULL);
}

void expect(struct test_engine *test, const char *type, const char *values)
{
    char three_times[8192];
    snprintf(three_times, sizeof(three_times), "%s\n%s\n%s", values, values, values);
    test_rows(test, "SELECT DISTINCT typeof(v) FROM batch('t')", type);
    test_rows(test, "SELECT v::VARCHAR FROM batch('t')", three_times);
    /* A table copies the values, so that nothing points into the batches any more. */
    test_execute(test, "CREATE OR REPLACE TABLE copied AS FROM dataset.t");
    test_rows(test, "SELECT v::VARCHAR FROM copied", three_times);
}
