/*
 * engine_bench.c — what the engine alone costs: a statement run into a dataset that one thread drains.
 *
 * usage: engine_bench DATABASE SQL [ROUNDS] [THREADS]
 *
 * Each round prepares and runs the statement and prints its wall and CPU seconds, rows, bytes of the
 * batches' bodies, and CPU seconds per gigabyte. No network and no encoding beyond a batch's header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer_pool.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "event/thread.h"

struct drain {
    struct dataset *dataset;
    size_t bytes;
    size_t batches;
};

static void drain_run(void *argument)
{
    struct drain *drain = argument;
    struct dataset_reader *reader = NULL;
    struct error error = ERROR_NONE;
    if (dataset_reader_open(drain->dataset, 0, NULL, NULL, &reader, &error) != STATUS_OK)
        abort();
    for (;;) {
        enum dataset_step step;
        struct arrow_batch *batch;
        if (dataset_reader_next(reader, &step, &batch, &error) != STATUS_OK || step == DATASET_END)
            break;
        if (step == DATASET_WAIT) {
            dataset_reader_wait(reader);
            continue;
        }
        drain->bytes += batch->body_bytes;
        drain->batches++;
        arrow_batch_unref(batch);
    }
    dataset_reader_close(reader);
}

static void check(enum status status, const struct error *error)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "%s: %s\n", status_name(status), error->message);
    exit(1);
}

static void run_round(struct engine_session *session, struct store *store, const char *sql,
                      int round)
{
    struct error error = ERROR_NONE;
    struct engine_statement *statement = NULL;
    struct dataset *dataset = NULL;
    struct thread *thread = NULL;
    char id[32];
    int64_t rows;
    uint64_t wall_ns = clock_now_ns();
    uint64_t cpu_ns = clock_process_cpu_ns();
    check(engine_prepare(session, str_of(sql), NULL, &statement, &error), &error);
    snprintf(id, sizeof(id), "round-%d", round);
    struct dataset_options options = {.id = str_of(id),
                                      .ttl_ms = 1000,
                                      .transient = true,
                                      .schema = engine_statement_schema(statement)};
    check(dataset_create(store, &options, &dataset, &error), &error);
    struct drain drain = {.dataset = dataset};
    check(thread_start("drain", 0, drain_run, &drain, &thread, &error), &error);
    check(engine_statement_run(statement, dataset, &rows, &error), &error);
    dataset_complete(dataset);
    thread_join(thread);
    double wall = (double)(clock_now_ns() - wall_ns) / 1e9;
    double cpu = (double)(clock_process_cpu_ns() - cpu_ns) / 1e9;
    printf("%.4f s wall, %.4f s CPU, %lld rows, %zu batches, %.3f GB, %.3f CPU-s/GB\n", wall, cpu,
           (long long)rows, drain.batches, (double)drain.bytes / 1e9,
           cpu / ((double)drain.bytes / 1e9));
    dataset_drop(dataset);
    dataset_unref(dataset);
    engine_statement_destroy(statement);
}

/* Small statements: the mean of many. */
static void run_small(struct engine_session *session, struct store *store, const char *sql)
{
    enum { COUNT = 2000 };
    struct error error = ERROR_NONE;
    uint64_t cpu_ns = clock_process_cpu_ns();
    uint64_t wall_ns = clock_now_ns();
    uint64_t prepare_ns = 0;
    for (int i = 0; i < COUNT; i++) {
        struct engine_statement *statement = NULL;
        struct dataset *dataset = NULL;
        char id[32];
        int64_t rows;
        uint64_t start_ns = clock_now_ns();
        check(engine_prepare(session, str_of(sql), NULL, &statement, &error), &error);
        prepare_ns += clock_now_ns() - start_ns;
        snprintf(id, sizeof(id), "small-%d", i);
        struct dataset_options options = {
            .id = str_of(id), .ttl_ms = 1000, .schema = engine_statement_schema(statement)};
        check(dataset_create(store, &options, &dataset, &error), &error);
        check(engine_statement_run(statement, dataset, &rows, &error), &error);
        dataset_drop(dataset);
        dataset_unref(dataset);
        engine_statement_destroy(statement);
    }
    printf("%s: %.1f us wall (prepare %.1f), %.1f us CPU\n", sql,
           (double)(clock_now_ns() - wall_ns) / 1e3 / COUNT, (double)prepare_ns / 1e3 / COUNT,
           (double)(clock_process_cpu_ns() - cpu_ns) / 1e3 / COUNT);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: engine_bench DATABASE SQL [ROUNDS] [THREADS]\n");
        return 2;
    }
    struct error error = ERROR_NONE;
    struct store_options store_options = {.memory_bytes_max = (size_t)2 << 30,
                                          .dataset_bytes_max = (size_t)64 << 20,
                                          .dataset_count_max = 100000};
    struct engine *engine = NULL;
    struct buffer_pool *pool = buffer_pool_create((size_t)256 << 20);
    struct store *store = store_create(&store_options);
    struct engine_options options = {.database = str_of(argv[1]),
                                     .threads =
                                         argc > 4 ? (unsigned)(int)strtol(argv[4], NULL, 10) : 2,
                                     .read_only = strcmp(argv[1], ":memory:") != 0,
                                     .memory_bytes_max = (size_t)4 << 30,
                                     .batch_bytes_max = ((size_t)2 << 20) - 4096,
                                     .pool = pool};
    check(engine_open(&options, &engine, &error), &error);
    struct engine_session *session = engine_session_open(engine);
    int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 5;
    for (int round = 0; round < rounds; round++)
        run_round(session, store, argv[2], round);
    run_small(session, store, "SELECT 1");
    engine_session_unref(session);
    engine_close(engine);
    store_destroy(store);
    buffer_pool_destroy(pool);
    return 0;
}
