/*
 * part_stream_test.c — columns, rows and cuts of what a client reads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/memory.h"
#include "store/part_stream.h"
#include "store/put.h"

#define ROWS 100 /* of each batch */

struct fixture {
    struct store *store;
    struct arrow_schema *schema; /* a: int64, s: utf8 */
    struct dataset *dataset;     /* rows 0, 1, 2, ... in batches of ROWS */
    struct error error;
};

static struct arrow_schema *make_schema(void)
{
    struct arrow_schema *schema = arrow_schema_create(2);
    arrow_field_init(schema, &schema->fields[0], STR("a"), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_field_init(schema, &schema->fields[1], STR("s"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    return schema;
}

/* The texts are 8 bytes each, but for the last row, whose text is `last_bytes` long. */
static struct arrow_batch *make_batch(struct arrow_schema *schema, int64_t first, int64_t rows,
                                      size_t last_bytes)
{
    size_t count = (size_t)rows;
    size_t text_bytes = count > 0 ? (count - 1) * 8 + last_bytes : 0;
    struct buffer *values = buffer_create(size_max(count * 8, 8));
    struct buffer *offsets = buffer_create((count + 1) * 4);
    struct buffer *texts = buffer_create(size_max(text_bytes, 8));
    memset(texts->data, 'x', text_bytes);
    for (size_t i = 0; i <= count; i++) {
        int64_t value = first + (int64_t)i;
        int32_t offset = (int32_t)(i == count ? text_bytes : i * 8);
        if (i < count)
            memcpy(values->data + i * 8, &value, 8);
        memcpy(offsets->data + i * 4, &offset, 4);
    }
    const struct arrow_node nodes[] = {{rows, 0}, {rows, 0}};
    struct slice buffers[] = {
        SLICE_EMPTY,
        slice_make(values->data, count * 8, values),
        SLICE_EMPTY,
        slice_make(offsets->data, (count + 1) * 4, offsets),
        slice_make(texts->data, text_bytes, texts),
    };
    return arrow_batch_create(schema, rows, nodes, buffers);
}

static void put(struct fixture *fixture, const int64_t *rows, size_t count, size_t last_bytes)
{
    const struct put_options options = {.id = STR("d"), .schema = fixture->schema};
    CLEANUP(put_destroy) struct put *put = NULL;
    struct put_result result;
    int64_t first = 0;
    assert_int_equal(put_begin(fixture->store, &options, &put, &fixture->error), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        struct arrow_batch *batch = make_batch(fixture->schema, first, rows[i], last_bytes);
        assert_int_equal(put_append(put, batch, &fixture->error), STATUS_OK);
        first += rows[i];
    }
    assert_int_equal(put_commit(put, &result, &fixture->error), STATUS_OK);
    assert_int_equal(store_find(fixture->store, STR("d"), &fixture->dataset, &fixture->error),
                     STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = NEW(struct fixture);
    fixture->store = store_create(&(struct store_options){
        .memory_bytes_max = 64 << 20, .dataset_bytes_max = 64 << 20, .dataset_count_max = 10});
    fixture->schema = make_schema();
    fixture->error = ERROR_NONE;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    dataset_unref(fixture->dataset);
    store_destroy(fixture->store);
    arrow_schema_unref(fixture->schema);
    free(fixture);
    return 0;
}

/* What a stream gave. */
struct outcome {
    int64_t rows;
    int64_t first; /* of column a; -1: none */
    size_t pieces;
    size_t body_bytes_max;
};

static int64_t value_at(const struct arrow_batch *batch, size_t buffer, int64_t row)
{
    int64_t value;
    memcpy(&value, batch->buffers[buffer].ptr + row * 8, 8);
    return value;
}

/* Reads all, and checks that column a goes on without a gap where it is read. */
static struct outcome read_part(struct fixture *fixture, struct dataset_part part,
                                size_t body_bytes_max)
{
    struct outcome outcome = {.first = -1};
    struct part_stream stream = {0};
    bool has_a = !part.columns || part.columns[0] == 0;
    assert_int_equal(part_stream_open(&stream, fixture->dataset, &part, body_bytes_max, NULL, NULL,
                                      &fixture->error),
                     STATUS_OK);
    assert_int_equal(part_stream_skip(&stream, &fixture->error), STATUS_OK);
    for (;;) {
        enum dataset_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        assert_int_equal(part_stream_next(&stream, &step, &batch, &fixture->error), STATUS_OK);
        if (step != DATASET_BATCH) {
            assert_int_equal(step, DATASET_END);
            break;
        }
        assert_ptr_equal(batch->schema, stream.schema);
        if (has_a && outcome.first < 0 && batch->rows > 0)
            outcome.first = value_at(batch, 1, 0);
        for (int64_t row = 0; has_a && row < batch->rows; row++)
            assert_int_equal(value_at(batch, 1, row), outcome.first + outcome.rows + row);
        outcome.rows += batch->rows;
        outcome.pieces++;
        outcome.body_bytes_max = size_max(outcome.body_bytes_max, batch->body_bytes);
    }
    part_stream_finish(&stream);
    return outcome;
}

static void put_three(struct fixture *fixture)
{
    put(fixture, (const int64_t[]){ROWS, ROWS, ROWS}, 3, 8);
}

static void reads_everything(void **state)
{
    put_three(*state);
    struct outcome outcome = read_part(*state, DATASET_PART_WHOLE, 0);
    assert_int_equal(outcome.rows, 3 * ROWS);
    assert_int_equal(outcome.pieces, 3);
}

static void reads_every_range(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, (const int64_t[]){3, 0, 1, 4}, 4, 8);
    for (uint64_t from = 0; from <= 9; from++) {
        for (uint64_t limit = 0; limit <= 9; limit++) {
            struct dataset_part part = DATASET_PART_WHOLE;
            part.from = from;
            part.limit = limit;
            uint64_t left = from < 8 ? 8 - from : 0;
            uint64_t expected = limit < left ? limit : left;
            struct outcome outcome = read_part(fixture, part, 0);
            assert_int_equal(outcome.rows, expected);
            if (expected > 0)
                assert_int_equal(outcome.first, from);
        }
    }
}

static void begins_and_ends_at_batches(void **state)
{
    put_three(*state);
    struct dataset_part part = DATASET_PART_WHOLE;
    part.first_batch = 1;
    part.end_batch = 2;
    part.from = 10;
    struct outcome outcome = read_part(*state, part, 0);
    assert_int_equal(outcome.first, ROWS + 10);
    assert_int_equal(outcome.rows, ROWS - 10);
}

static void cuts_what_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, (const int64_t[]){1000, 10}, 2, 8);
    struct outcome outcome = read_part(fixture, DATASET_PART_WHOLE, 4096);
    assert_int_equal(outcome.rows, 1010);
    assert_true(outcome.body_bytes_max <= 4096);
    assert_in_range(outcome.pieces, 6, 12);
}

static void cuts_uneven_rows(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, (const int64_t[]){1000}, 1, 100000);
    struct outcome outcome = read_part(fixture, DATASET_PART_WHOLE, 16384);
    assert_int_equal(outcome.rows, 1000);
    /* The last row alone is larger than the bound, and still comes. */
    assert_in_range(outcome.body_bytes_max, 100000, 100200);
}

static void picks_columns(void **state)
{
    struct fixture *fixture = *state;
    put_three(fixture);
    struct dataset_part part = DATASET_PART_WHOLE;
    const struct str names[] = {STR("s")};
    assert_int_equal(dataset_part_set_columns(&part, fixture->schema, names, 1, &fixture->error),
                     STATUS_OK);
    part.from = 150;
    struct outcome outcome = read_part(fixture, part, 0);
    assert_int_equal(outcome.rows, 150);
    assert_true(outcome.body_bytes_max < ROWS * 16);
}

static void refuses_wrong_columns(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        struct str names[3];
        size_t count;
    } rows[] = {{{STR("b")}, 1}, {{STR("a"), STR("a")}, 2}, {{STR("a"), STR("s"), STR("a")}, 3}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CLEANUP(dataset_part_finish) struct dataset_part part = DATASET_PART_WHOLE;
        assert_int_equal(dataset_part_set_columns(&part, fixture->schema, rows[i].names,
                                                  rows[i].count, &fixture->error),
                         STATUS_INVALID_ARGUMENT);
    }
    put_three(fixture);
    CLEANUP(dataset_part_finish) struct dataset_part part = DATASET_PART_WHOLE;
    part.columns = NEW_ARRAY(size_t, 1);
    part.columns[part.column_count++] = 2;
    struct arrow_schema *schema = NULL;
    assert_int_equal(dataset_part_schema(&part, fixture->schema, &schema, &fixture->error),
                     STATUS_INVALID_ARGUMENT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_everything),       TEST(reads_every_range), TEST(begins_and_ends_at_batches),
        TEST(cuts_what_is_too_large), TEST(cuts_uneven_rows),  TEST(picks_columns),
        TEST(refuses_wrong_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
