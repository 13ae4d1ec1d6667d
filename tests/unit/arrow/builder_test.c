/*
 * builder_test.c — batches from values: layouts, growth, limits, taking back, memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arrow/builder.h"
#include "arrow/column.h"
#include "base/memory.h"

static const struct builder_limits wide = {.rows_max = 1 << 20, .bytes_max = SIZE_MAX};

/* id int64, text utf8, flag bool, list of int32, struct {f double}, union of int64 and utf8. */
static struct arrow_schema *make_schema(void)
{
    static const int32_t type_ids[] = {0, 1};
    struct arrow_schema *schema = arrow_schema_create(6);
    struct arrow_field *fields = schema->fields;
    arrow_field_init(schema, &fields[0], STR("id"), ARROW_INT);
    fields[0].bit_width = 64;
    fields[0].is_signed = true;
    arrow_field_init(schema, &fields[1], STR("text"), ARROW_UTF8);
    arrow_field_init(schema, &fields[2], STR("flag"), ARROW_BOOL);
    arrow_field_init(schema, &fields[3], STR("list"), ARROW_LIST);
    arrow_field_add_children(schema, &fields[3], 1);
    arrow_field_init(schema, &fields[3].children[0], STR("item"), ARROW_INT);
    fields[3].children[0].bit_width = 32;
    fields[3].children[0].is_signed = true;
    arrow_field_init(schema, &fields[4], STR("struct"), ARROW_STRUCT);
    arrow_field_add_children(schema, &fields[4], 1);
    arrow_field_init(schema, &fields[4].children[0], STR("f"), ARROW_FLOAT);
    fields[4].children[0].bit_width = 64;
    arrow_field_init(schema, &fields[5], STR("union"), ARROW_UNION);
    fields[5].type_ids = type_ids;
    arrow_field_add_children(schema, &fields[5], 2);
    arrow_field_init(schema, &fields[5].children[0], STR("n"), ARROW_INT);
    fields[5].children[0].bit_width = 64;
    fields[5].children[0].is_signed = true;
    arrow_field_init(schema, &fields[5].children[1], STR("s"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    return schema;
}

/* Row i: nulls where i is a multiple of 10; a list of i % 4 numbers; the union takes turns. */
static void append_row(struct batch_builder *builder, int64_t i)
{
    struct builder_column *columns[6];
    char text[32];
    for (size_t c = 0; c < 6; c++)
        columns[c] = batch_builder_column(builder, c);
    if (i % 10 == 0) {
        for (size_t c = 0; c < 6; c++)
            builder_append_null(columns[c]);
        return;
    }
    snprintf(text, sizeof(text), "row %lld", (long long)i);
    builder_append_integer(columns[0], i);
    builder_append_bytes(columns[1], str_of(text));
    builder_append_integer(columns[2], i % 3 == 0);
    for (int64_t n = 0; n < i % 4; n++)
        builder_append_integer(&columns[3]->children[0], i + n);
    builder_append_list(columns[3]);
    builder_append_double(&columns[4]->children[0], (double)i / 2);
    builder_append_struct(columns[4]);
    if (i % 2)
        builder_append_integer(&columns[5]->children[0], i);
    else
        builder_append_bytes(&columns[5]->children[1], str_of(text));
    builder_append_union(columns[5], i % 2 ? 0 : 1);
}

static void check_row(const struct arrow_column *columns, int64_t row, int64_t i)
{
    char text[32];
    snprintf(text, sizeof(text), "row %lld", (long long)i);
    for (size_t c = 0; c < 5; c++)
        assert_int_equal(arrow_column_is_null(&columns[c], row), i % 10 == 0);
    const int32_t *offsets = (const int32_t *)columns[3].values;
    if (i % 10 == 0) {
        assert_int_equal(arrow_column_integer(&columns[0], row), 0);
        assert_int_equal(offsets[row], offsets[row + 1]);
        assert_int_equal(columns[5].values[row], 0);
        assert_true(arrow_column_is_null(&columns[5].children[0], row));
        return;
    }
    assert_int_equal(arrow_column_integer(&columns[0], row), i);
    assert_true(str_equal(arrow_column_bytes(&columns[1], row), str_of(text)));
    assert_int_equal(columns[2].values[row / 8] >> (row % 8) & 1, i % 3 == 0);
    assert_int_equal(offsets[row + 1] - offsets[row], i % 4);
    for (int64_t n = 0; n < i % 4; n++)
        assert_int_equal(arrow_column_integer(&columns[3].children[0], offsets[row] + n), i + n);
    assert_true(((const double *)columns[4].children[0].values)[row] == (double)i / 2);
    assert_int_equal(columns[5].values[row], i % 2 ? 0 : 1);
    if (i % 2)
        assert_int_equal(arrow_column_integer(&columns[5].children[0], row), i);
    else
        assert_true(str_equal(arrow_column_bytes(&columns[5].children[1], row), str_of(text)));
    assert_true(arrow_column_is_null(&columns[5].children[i % 2 ? 1 : 0], row));
}

static void check_batch(const struct arrow_batch *batch, int64_t first)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (int64_t row = 0; row < batch->rows; row++)
        check_row(columns, row, first + row);
    for (size_t c = 0; c < 6; c++)
        assert_int_equal(columns[c].length, batch->rows);
}

static void test_values(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    static const size_t counts[] = {0, 1, 7, 8, 9, 63, 64, 65, 1000, 5000};
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &wide);
    int64_t next = 0;
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        int64_t first = next;
        for (size_t n = 0; n < counts[i]; n++)
            append_row(builder, next++);
        assert_int_equal(batch_builder_rows(builder), counts[i]);
        size_t bytes = batch_builder_bytes(builder);
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
        assert_int_equal(batch->rows, counts[i]);
        assert_true(counts[i] == 0 || batch->body_bytes >= bytes);
        assert_int_equal(batch_builder_rows(builder), 0);
        check_batch(batch, first);
    }
}

/* Bits behind the last row and slots of nulls are zero whatever the memory held. */
static void test_nothing_leaks(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &wide);
    for (int64_t i = 1; i < 4; i++)
        append_row(builder, i);
    append_row(builder, 10);
    for (size_t c = 0; c < 6; c++) {
        struct builder_column *column = batch_builder_column(builder, c);
        if (column->validity)
            column->validity[0] |= 0xf0;
        if (column->field->type == ARROW_BOOL)
            column->values[0] |= 0xf0;
    }
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct arrow_column *columns = arrow_columns_open(batch, &arena);
    assert_int_equal(columns[0].validity[0], 0x07);
    assert_int_equal(columns[2].values[0], 0x04);
    assert_int_equal(((const int64_t *)columns[0].values)[3], 0);
}

static void test_limits(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    struct builder_limits limits = {.rows_max = 100, .bytes_max = 3000};
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    assert_false(batch_builder_is_full(builder));
    int64_t rows = 0;
    while (!batch_builder_is_full(builder))
        append_row(builder, ++rows);
    assert_true(rows > 10 && rows < 100);
    assert_true(batch_builder_bytes(builder) >= 3000);
    arrow_batch_unref(batch_builder_seal(builder));
    limits.bytes_max = SIZE_MAX;
    CLEANUP(batch_builder_destroy)
    struct batch_builder *by_rows = batch_builder_create(schema, NULL, &limits);
    for (int64_t i = 0; i < 99; i++)
        append_row(by_rows, i);
    assert_false(batch_builder_is_full(by_rows));
    append_row(by_rows, 99);
    assert_true(batch_builder_is_full(by_rows));
}

static void test_truncate(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &wide);
    for (int64_t i = 0; i < 500; i++)
        append_row(builder, i);
    size_t bytes = batch_builder_bytes(builder);
    for (int64_t i = 500; i < 700; i++)
        append_row(builder, -i);
    batch_builder_truncate(builder, 500);
    assert_int_equal(batch_builder_rows(builder), 500);
    assert_int_equal(batch_builder_bytes(builder), bytes);
    for (int64_t i = 500; i < 900; i++)
        append_row(builder, i);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
    assert_int_equal(batch->rows, 900);
    check_batch(batch, 0);
    batch_builder_truncate(builder, 0);
    append_row(builder, 1);
    batch_builder_truncate(builder, 0);
    CLEANUP(arrow_batch_unref) struct arrow_batch *empty = batch_builder_seal(builder);
    assert_int_equal(empty->rows, 0);
}

#define BATCHES 40

/* Full batches of any size lie side by side in the pool's blocks: what they are charged with is what the
 * blocks take, and little more than what travels. */
static void check_shared_blocks(struct arrow_schema *schema, const struct builder_limits *limits,
                                bool with_rest)
{
    struct buffer_pool *pool = buffer_pool_create((size_t)32 << 20);
    struct batch_builder *builder = batch_builder_create(schema, pool, limits);
    struct arrow_batch *batches[BATCHES + 1];
    size_t body_bytes = 0;
    size_t charged_bytes = 0;
    int64_t next = 0;
    for (int b = 0; b < BATCHES + with_rest; b++) {
        do
            append_row(builder, next++);
        while (b < BATCHES && !batch_builder_is_full(builder));
        batches[b] = batch_builder_seal(builder);
        body_bytes += batches[b]->body_bytes;
        charged_bytes += batches[b]->memory_bytes;
    }
    batch_builder_destroy(builder);
    assert_true(charged_bytes >= body_bytes);
    assert_true(charged_bytes < body_bytes + body_bytes / 5 + BUFFER_POOL_BLOCK_BYTES);
    assert_true(buffer_pool_used_bytes(pool) < charged_bytes + BUFFER_POOL_BLOCK_BYTES);
    int64_t first = 0;
    for (int b = 0; b < BATCHES + with_rest; b++) {
        check_batch(batches[b], first);
        first += batches[b]->rows;
        arrow_batch_unref(batches[b]);
    }
    assert_int_equal(buffer_pool_used_bytes(pool), 0);
    buffer_pool_destroy(pool);
}

static void test_pool(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    static const size_t kibibytes[] = {16, 64, 700, 1100, 1900};
    for (size_t i = 0; i < sizeof(kibibytes) / sizeof(kibibytes[0]); i++) {
        struct builder_limits limits = {.rows_max = 1 << 20, .bytes_max = kibibytes[i] << 10};
        check_shared_blocks(schema, &limits, false);
        check_shared_blocks(schema, &limits, true);
    }
    struct builder_limits by_rows = {.rows_max = 3000, .bytes_max = (size_t)1900 << 10};
    check_shared_blocks(schema, &by_rows, true);
}

/* Rows of one size fill blocks to the last byte, once the first batch has grown. */
static void test_fixed_rows(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(4);
    for (size_t i = 0; i < 4; i++) {
        arrow_field_init(schema, &schema->fields[i], STR("n"), ARROW_INT);
        schema->fields[i].bit_width = 64;
    }
    arrow_schema_seal(schema, NULL);
    struct buffer_pool *pool = buffer_pool_create(0);
    struct builder_limits limits = {.rows_max = 1 << 20, .bytes_max = (size_t)1 << 20};
    struct batch_builder *builder = batch_builder_create(schema, pool, &limits);
    struct arrow_batch *batches[BATCHES];
    for (int b = 0; b < BATCHES; b++) {
        for (int64_t row = 0; !batch_builder_is_full(builder); row++)
            for (size_t i = 0; i < 4; i++)
                builder_append_integer(batch_builder_column(builder, i), row);
        batches[b] = batch_builder_seal(builder);
        assert_int_equal(batches[b]->body_bytes, 1 << 20);
    }
    assert_in_range(buffer_pool_used_bytes(pool), (size_t)BATCHES << 20,
                    ((size_t)BATCHES << 20) + BUFFER_POOL_BLOCK_BYTES);
    for (int b = 0; b < BATCHES; b++)
        arrow_batch_unref(batches[b]);
    batch_builder_destroy(builder);
    buffer_pool_destroy(pool);
}

/* A result of a few small batches does not take a block for each, nor a block at all. */
static void test_few_small_batches(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    struct buffer_pool *pool = buffer_pool_create(0);
    struct builder_limits limits = {.rows_max = 100, .bytes_max = (size_t)64 << 10};
    struct batch_builder *builder = batch_builder_create(schema, pool, &limits);
    struct arrow_batch *batches[3];
    for (int b = 0; b < 3; b++) {
        for (int64_t i = 0; i < (b < 2 ? 100 : 10); i++)
            append_row(builder, i);
        batches[b] = batch_builder_seal(builder);
        assert_true(batches[b]->memory_bytes < (size_t)64 << 10);
    }
    assert_int_equal(buffer_pool_used_bytes(pool), 0);
    for (int b = 0; b < 3; b++) {
        check_batch(batches[b], 0);
        arrow_batch_unref(batches[b]);
    }
    batch_builder_destroy(builder);
    buffer_pool_destroy(pool);
}

/* A region larger than a block has a chunk of its own and leaves the shared block as it is. */
static void test_large_between_full(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("a"), ARROW_BINARY);
    arrow_schema_seal(schema, NULL);
    struct buffer_pool *pool = buffer_pool_create(0);
    struct builder_limits limits = {.rows_max = 1 << 20, .bytes_max = (size_t)1 << 20};
    struct batch_builder *builder = batch_builder_create(schema, pool, &limits);
    size_t size = (size_t)3 << 20;
    char *bytes = memory_new(size);
    memset(bytes, 'x', size);
    for (int round = 0; round < 4; round++) {
        size_t len = round % 2 ? size : (size_t)1 << 20;
        builder_append_bytes(batch_builder_column(builder, 0), str_make(bytes, len));
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
        assert_int_equal(batch->buffers[2].len, len);
        assert_memory_equal(batch->buffers[2].ptr, bytes, len);
        assert_true(batch->memory_bytes >= len && batch->memory_bytes < len * 3);
    }
    batch_builder_destroy(builder);
    free(bytes);
    assert_int_equal(buffer_pool_used_bytes(pool), 0);
    buffer_pool_destroy(pool);
}

/* A small result costs little. */
static void test_small(void **state)
{
    (void)state;
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &wide);
    append_row(builder, 1);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
    assert_true(batch->memory_bytes < 8192);
    check_batch(batch, 1);
}

static void test_one_large_value(void **state)
{
    (void)state;
    struct buffer_pool *pool = buffer_pool_create(0);
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(2);
    arrow_field_init(schema, &schema->fields[0], STR("a"), ARROW_BINARY);
    arrow_field_init(schema, &schema->fields[1], STR("b"), ARROW_NULL);
    arrow_schema_seal(schema, NULL);
    struct batch_builder *builder = batch_builder_create(schema, pool, &wide);
    size_t size = (size_t)5 << 20;
    char *bytes = memory_new(size);
    memset(bytes, 'x', size);
    builder_append_bytes(batch_builder_column(builder, 0), str_make(bytes, size));
    builder_append_null(batch_builder_column(builder, 1));
    builder_append_bytes(batch_builder_column(builder, 0), STR(""));
    builder_append_null(batch_builder_column(builder, 1));
    struct arrow_batch *batch = batch_builder_seal(builder);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct arrow_column *columns = arrow_columns_open(batch, &arena);
    assert_true(str_equal(arrow_column_bytes(&columns[0], 0), str_make(bytes, size)));
    assert_int_equal(arrow_column_bytes(&columns[0], 1).len, 0);
    assert_int_equal(columns[1].null_count, 2);
    arrow_batch_unref(batch);
    batch_builder_destroy(builder);
    free(bytes);
    buffer_pool_destroy(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_nothing_leaks),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_fixed_rows),
        cmocka_unit_test(test_few_small_batches),
        cmocka_unit_test(test_large_between_full),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_one_large_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
