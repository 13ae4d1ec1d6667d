/*
 * fixture.h — schemas, batches and short calls for the tests of datasets.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/memory.h"
#include "event/loop.h"
#include "event/thread.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURE_TTL_MS 3600000
#define FIXTURE_BODY_BYTES 4096

/* One column of 64-bit integers named "n". */
static inline struct arrow_schema *fixture_schema(void)
{
    struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("n"), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_schema_seal(schema, NULL);
    return schema;
}

/* A batch of FIXTURE_BODY_BYTES whose first value is `number`. */
static inline struct arrow_batch *fixture_batch(struct arrow_schema *schema, int64_t number)
{
    struct buffer *values = buffer_create(FIXTURE_BODY_BYTES);
    memset(values->data, 0, FIXTURE_BODY_BYTES);
    memcpy(values->data, &number, sizeof(number));
    struct arrow_node node = {.length = FIXTURE_BODY_BYTES / 8, .null_count = 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_make(values->data, FIXTURE_BODY_BYTES, values)};
    return arrow_batch_create(schema, node.length, &node, buffers);
}

static inline int64_t fixture_number(const struct arrow_batch *batch)
{
    int64_t number;
    memcpy(&number, batch->buffers[1].ptr, sizeof(number));
    return number;
}

/* What the store charges for one such batch. */
static inline size_t fixture_batch_cost(struct arrow_schema *schema)
{
    struct arrow_batch *batch = fixture_batch(schema, 0);
    size_t cost = batch->memory_bytes + sizeof(struct arrow_batch *);
    arrow_batch_unref(batch);
    return cost;
}

static inline struct store *fixture_store(size_t memory_bytes_max, size_t dataset_bytes_max,
                                          size_t dataset_count_max)
{
    struct store_options options = {
        .memory_bytes_max = memory_bytes_max,
        .dataset_bytes_max = dataset_bytes_max,
        .dataset_count_max = dataset_count_max,
    };
    return store_create(&options);
}

static inline struct dataset *fixture_dataset(struct store *store, struct arrow_schema *schema,
                                              const char *id, uint64_t ttl_ms, bool is_transient)
{
    struct dataset_options options = {
        .id = str_of(id), .ttl_ms = ttl_ms, .transient = is_transient, .schema = schema};
    struct dataset *dataset = NULL;
    struct error error = ERROR_NONE;
    if (dataset_create(store, &options, &dataset, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return dataset;
}

static inline void fixture_append(struct dataset *dataset, int64_t number)
{
    struct error error = ERROR_NONE;
    struct arrow_batch *batch = fixture_batch(dataset_schema(dataset), number);
    if (dataset_append(dataset, batch, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static inline struct dataset_reader *fixture_reader(struct dataset *dataset, size_t position,
                                                    struct loop *loop, struct loop_task *wake)
{
    struct dataset_reader *reader = NULL;
    struct error error = ERROR_NONE;
    if (dataset_reader_open(dataset, position, loop, wake, &reader, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return reader;
}

/* The reader's next step has to be a batch with this number. */
static inline void expect_batch(struct dataset_reader *reader, int64_t number)
{
    enum dataset_step step = DATASET_END;
    struct arrow_batch *batch = NULL;
    assert_int_equal(dataset_reader_next(reader, &step, &batch, NULL), STATUS_OK);
    assert_int_equal(step, DATASET_BATCH);
    assert_int_equal(fixture_number(batch), number);
    arrow_batch_unref(batch);
}

static inline void expect_step(struct dataset_reader *reader, enum dataset_step expected)
{
    enum dataset_step step = DATASET_BATCH;
    struct arrow_batch *batch = NULL;
    assert_int_equal(dataset_reader_next(reader, &step, &batch, NULL), STATUS_OK);
    assert_int_equal(step, expected);
    assert_null(batch);
}

static inline void expect_failure(struct dataset_reader *reader, enum status status,
                                  const char *message)
{
    enum dataset_step step = DATASET_WAIT;
    struct arrow_batch *batch = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(dataset_reader_next(reader, &step, &batch, &error), status);
    assert_int_equal(error.status, status);
    assert_string_equal(error.message, message);
}

static inline struct dataset_facts facts_of(struct dataset *dataset)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    return facts;
}

static inline bool is_found(struct store *store, const char *id)
{
    struct dataset *dataset = NULL;
    if (store_find(store, str_of(id), &dataset, NULL) != STATUS_OK)
        return false;
    dataset_unref(dataset);
    return true;
}

/* Reads everything there is and closes. */
static inline void read_to_end(struct dataset *dataset)
{
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    enum dataset_step step = DATASET_BATCH;
    while (step == DATASET_BATCH) {
        struct arrow_batch *batch = NULL;
        assert_int_equal(dataset_reader_next(reader, &step, &batch, NULL), STATUS_OK);
        arrow_batch_unref(batch);
    }
    assert_int_equal(step, DATASET_END);
    dataset_reader_close(reader);
}

static inline struct thread *fixture_thread(void (*run)(void *argument), void *argument)
{
    struct thread *thread = NULL;
    struct error error = ERROR_NONE;
    if (thread_start("test", 0, run, argument, &thread, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return thread;
}
