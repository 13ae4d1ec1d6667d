/*
 * store_test.c — the table of datasets: names, what is dropped first, time to live, the byte bound.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"

#include <sched.h>
#include <stdio.h>

#define LARGE ((size_t)1 << 30)

static int set_up(void **state)
{
    *state = fixture_schema();
    return 0;
}

static int tear_down(void **state)
{
    arrow_schema_unref(*state);
    return 0;
}

/* A complete dataset with one batch; only the store refers to it. */
static void keep_result(struct store *store, struct arrow_schema *schema, const char *id,
                        uint64_t ttl_ms, bool is_read)
{
    struct dataset *dataset = fixture_dataset(store, schema, id, ttl_ms, false);
    fixture_append(dataset, 1);
    dataset_complete(dataset);
    if (is_read)
        read_to_end(dataset);
    dataset_unref(dataset);
}

static void test_names(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 10);
    struct dataset *dataset = fixture_dataset(store, *state, "one", FIXTURE_TTL_MS, false);
    struct dataset_options again = {.id = STR("one"), .ttl_ms = 1, .schema = *state};
    struct dataset *other = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(dataset_create(store, &again, &other, &error), STATUS_ALREADY_EXISTS);
    assert_non_null(strstr(error.message, "'one'"));
    assert_int_equal(store_find(store, STR("one"), &other, &error), STATUS_OK);
    assert_ptr_equal(other, dataset);
    dataset_unref(other);
    assert_int_equal(store_find(store, STR("two"), &other, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "result 'two' expired or never existed");
    dataset_drop(dataset);
    dataset_drop(dataset);
    assert_false(is_found(store, "one"));
    /* Dropped, and still usable by who holds it. */
    fixture_append(dataset, 5);
    dataset_complete(dataset);
    read_to_end(dataset);
    dataset_unref(dataset);
    assert_int_equal(store_bytes(store), 0);
    store_destroy(store);
}

static void test_read_results_go_first_when_places_are_short(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 4);
    keep_result(store, *state, "unread", FIXTURE_TTL_MS, false);
    keep_result(store, *state, "read 1", FIXTURE_TTL_MS, true);
    keep_result(store, *state, "read 2", FIXTURE_TTL_MS, true);
    struct dataset *open = fixture_dataset(store, *state, "open", FIXTURE_TTL_MS, false);
    keep_result(store, *state, "new 1", FIXTURE_TTL_MS, false);
    assert_false(is_found(store, "read 1"));
    assert_true(is_found(store, "read 2"));
    keep_result(store, *state, "new 2", FIXTURE_TTL_MS, false);
    assert_false(is_found(store, "read 2"));
    struct dataset_options options = {.id = STR("new 3"), .ttl_ms = 1, .schema = *state};
    struct dataset *dataset = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(dataset_create(store, &options, &dataset, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_true(is_found(store, "unread"));
    assert_true(is_found(store, "open"));
    dataset_unref(open);
    store_destroy(store);
}

static void test_unread_results_go_after_half_their_time(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 2);
    keep_result(store, *state, "fresh", FIXTURE_TTL_MS, false);
    keep_result(store, *state, "late", 0, false);
    keep_result(store, *state, "new", FIXTURE_TTL_MS, false);
    assert_true(is_found(store, "fresh"));
    assert_true(is_found(store, "new"));
    store_destroy(store);
}

static void test_failed_results_go_like_read_ones(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 1);
    struct dataset *dataset = fixture_dataset(store, *state, "failed", FIXTURE_TTL_MS, false);
    struct error cause = ERROR_NONE;
    error_set(&cause, STATUS_INVALID_ARGUMENT, "no");
    dataset_fail(dataset, &cause);
    keep_result(store, *state, "new", FIXTURE_TTL_MS, false);
    assert_false(is_found(store, "failed"));
    dataset_unref(dataset);
    store_destroy(store);
}

static void test_results_being_read_stay(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 2);
    keep_result(store, *state, "busy", 0, true);
    struct dataset *dataset = NULL;
    keep_result(store, *state, "held", FIXTURE_TTL_MS, true);
    assert_int_equal(store_find(store, STR("held"), &dataset, NULL), STATUS_OK);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    keep_result(store, *state, "new", FIXTURE_TTL_MS, false);
    assert_true(is_found(store, "held"));
    expect_batch(reader, 1);
    dataset_reader_close(reader);
    dataset_unref(dataset);
    store_destroy(store);
}

static void test_bytes_are_bounded_by_dropping_read_results(void **state)
{
    size_t cost = fixture_batch_cost(*state);
    struct store *store = fixture_store(10 * (cost + 2048), LARGE, 100000);
    char id[32];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(id, sizeof(id), "result %d", i);
        keep_result(store, *state, id, FIXTURE_TTL_MS, true);
        assert_true(store_bytes(store) <= 11 * (cost + 2048));
    }
    assert_true(is_found(store, id));
    assert_false(is_found(store, "result 0"));
    store_destroy(store);
}

static void test_dropped_bytes_come_back_although_somebody_holds_the_result(void **state)
{
    size_t cost = fixture_batch_cost(*state);
    struct store *store = fixture_store(2 * cost, LARGE, 100);
    struct dataset *held = fixture_dataset(store, *state, "held", FIXTURE_TTL_MS, false);
    fixture_append(held, 1);
    dataset_complete(held);
    read_to_end(held);
    keep_result(store, *state, "new", FIXTURE_TTL_MS, false);
    assert_false(is_found(store, "held"));
    struct dataset_reader *reader = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(dataset_reader_open(held, 0, NULL, NULL, &reader, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "result expired"));
    dataset_unref(held);
    store_destroy(store);
}

static void test_time_to_live(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 100);
    keep_result(store, *state, "now", 0, false);
    keep_result(store, *state, "later", FIXTURE_TTL_MS, false);
    keep_result(store, *state, "never", UINT64_MAX, false);
    assert_false(is_found(store, "now")); /* expired is expired, swept or not */
    size_t before = store_bytes(store);
    store_sweep(store);
    assert_true(store_bytes(store) < before);
    assert_true(is_found(store, "later"));
    assert_true(is_found(store, "never"));
    /* A name that expired may be given again at once. */
    keep_result(store, *state, "again", 0, false);
    keep_result(store, *state, "again", FIXTURE_TTL_MS, false);
    assert_true(is_found(store, "again"));
    store_sweep(store);
    assert_true(is_found(store, "again"));
    store_destroy(store);
}

static void test_a_read_that_runs_ends_in_peace(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 100);
    struct dataset *dataset = fixture_dataset(store, *state, "short", 0, false);
    fixture_append(dataset, 1);
    fixture_append(dataset, 2);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    dataset_complete(dataset);
    expect_batch(reader, 1);
    store_sweep(store);
    assert_true(is_found(store, "short")); /* while it is read it lives */
    expect_batch(reader, 2);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    store_sweep(store);
    assert_false(is_found(store, "short"));
    dataset_unref(dataset);
    assert_int_equal(store_bytes(store), 0);
    store_destroy(store);
}

static void count_dataset(void *context, struct dataset *dataset)
{
    /* No lock is held: the store may be used from here. */
    dataset_drop(dataset);
    ++*(size_t *)context;
}

static void test_visit(void **state)
{
    struct store *store = fixture_store(LARGE, LARGE, 100);
    keep_result(store, *state, "a", FIXTURE_TTL_MS, false);
    keep_result(store, *state, "b", FIXTURE_TTL_MS, true);
    size_t count = 0;
    store_visit(store, count_dataset, &count);
    assert_int_equal(count, 2);
    store_visit(store, count_dataset, &count);
    assert_int_equal(count, 2);
    assert_int_equal(store_bytes(store), 0);
    store_destroy(store);
}

static void find_metric(void *context, struct str name, const char *kind, struct str labels,
                        double value)
{
    (void)kind;
    double *values = context;
    if (str_equal(name, STR("volley_dataset_bytes")) && str_equal(labels, STR("where=\"memory\"")))
        values[0] = value;
    if (str_equal(name, STR("volley_live_objects")) && str_equal(labels, STR("kind=\"dataset\"")))
        values[1] = value;
}

static void test_metrics(void **state)
{
    struct metrics *metrics = metrics_create();
    struct store_options options = {.memory_bytes_max = LARGE,
                                    .dataset_bytes_max = LARGE,
                                    .dataset_count_max = 10,
                                    .metrics = metrics};
    struct store *store = store_create(&options);
    keep_result(store, *state, "a", FIXTURE_TTL_MS, false);
    double values[2] = {0, 0};
    metrics_visit(metrics, find_metric, values);
    assert_true(values[0] == (double)store_bytes(store));
    assert_true(values[1] == 1);
    store_destroy(store);
    metrics_visit(metrics, find_metric, values);
    assert_true(values[0] == 0);
    assert_true(values[1] == 0);
    metrics_destroy(metrics);
}

/* --- producers short of store memory --------------------------------------------------------- */

struct stream {
    struct dataset *dataset;
    int64_t count;
    enum status status;
};

static void produce(void *argument)
{
    struct stream *stream = argument;
    for (int64_t i = 0; i < stream->count && stream->status == STATUS_OK; i++) {
        struct arrow_batch *batch = fixture_batch(dataset_schema(stream->dataset), i);
        stream->status = dataset_append(stream->dataset, batch, NULL);
    }
    dataset_complete(stream->dataset);
}

static void consume(void *argument)
{
    struct stream *stream = argument;
    struct dataset_reader *reader = fixture_reader(stream->dataset, 0, NULL, NULL);
    for (int64_t i = 0; i < stream->count; i++) {
        dataset_reader_wait(reader);
        expect_batch(reader, i);
    }
    dataset_reader_wait(reader);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
}

static void test_full_store_lets_every_read_stream_go_on(void **state)
{
    enum { STREAMS = 4 };
    struct store *store = fixture_store(3 * fixture_batch_cost(*state), LARGE, 100);
    struct stream streams[STREAMS];
    struct thread *threads[2 * STREAMS];
    char id[32];
    for (size_t i = 0; i < STREAMS; i++) {
        (void)snprintf(id, sizeof(id), "stream %zu", i);
        streams[i] = (struct stream){
            .dataset = fixture_dataset(store, *state, id, FIXTURE_TTL_MS, false), .count = 300};
        threads[2 * i] = fixture_thread(produce, &streams[i]);
        threads[2 * i + 1] = fixture_thread(consume, &streams[i]);
    }
    for (size_t i = 0; i < 2 * STREAMS; i++)
        thread_join(threads[i]);
    for (size_t i = 0; i < STREAMS; i++) {
        assert_int_equal(streams[i].status, STATUS_OK);
        dataset_unref(streams[i].dataset);
    }
    store_destroy(store);
}

static void wait_until_transient(struct dataset *dataset)
{
    while (!facts_of(dataset).transient)
        sched_yield();
}

static void test_producer_goes_on_when_bytes_come_free(void **state)
{
    size_t cost = fixture_batch_cost(*state);
    struct store *store = fixture_store(4 * cost, LARGE, 100);
    keep_result(store, *state, "other", FIXTURE_TTL_MS, false);
    struct dataset *other = NULL;
    assert_int_equal(store_find(store, STR("other"), &other, NULL), STATUS_OK);
    struct stream stream = {
        .dataset = fixture_dataset(store, *state, "waits", FIXTURE_TTL_MS, false), .count = 3};
    struct thread *thread = fixture_thread(produce, &stream);
    wait_until_transient(stream.dataset);
    assert_int_equal(facts_of(stream.dataset).state, DATASET_OPEN);
    read_to_end(other); /* now it may be dropped, and the producer drops it */
    thread_join(thread);
    assert_int_equal(stream.status, STATUS_OK);
    assert_false(is_found(store, "other"));
    dataset_unref(other);
    dataset_unref(stream.dataset);
    store_destroy(store);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_read_results_go_first_when_places_are_short),
        TEST(test_unread_results_go_after_half_their_time),
        TEST(test_failed_results_go_like_read_ones),
        TEST(test_results_being_read_stay),
        TEST(test_bytes_are_bounded_by_dropping_read_results),
        TEST(test_dropped_bytes_come_back_although_somebody_holds_the_result),
        TEST(test_time_to_live),
        TEST(test_a_read_that_runs_ends_in_peace),
        TEST(test_visit),
        TEST(test_metrics),
        TEST(test_full_store_lets_every_read_stream_go_on),
        TEST(test_producer_goes_on_when_bytes_come_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
