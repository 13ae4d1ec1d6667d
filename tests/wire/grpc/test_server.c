/*
 * test_server.c — the test service behind a real listener, for clients in other languages and load.
 *
 *      test_server [ADDRESS [LOOPS]]
 *
 * A 'd' on standard input begins to drain.
 *
 * Prints the bound address, serves until its standard input ends, and says then how many calls were
 * alive; on standard error, how many log lines were dropped. SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "event/thread.h"
#include "http/server.h"
#include "test_service.h"

#define LOOPS_MAX 16

/* The page that gRPC-Web's tests come from. */
static const struct str listed_origin = {.ptr = "http://app.example", .len = 18};

static bool is_serving(void *context)
{
    return !atomic_load((atomic_bool *)context);
}

static void on_drained(struct loop_task *task)
{
}

static void run_loop(void *argument)
{
    loop_run(argument);
}

/* As the server's own log thread does. */
struct log_writer {
    struct log *log;
    int fd;
    atomic_bool stopped;
};

static void write_log(void *argument)
{
    struct log_writer *writer = argument;
    while (!atomic_load(&writer->stopped)) {
        (void)log_drain(writer->log, writer->fd);
        usleep(10 * 1000);
    }
    (void)log_drain(writer->log, writer->fd);
}

/* Serves until standard input ends. `drained` may be posted after that. */
static enum status serve(struct str address, struct loop *const *loops, size_t loop_count,
                         struct grpc_handler *handler, struct metrics *metrics,
                         atomic_bool *draining, struct loop_task *drained, struct error *error)
{
    const struct http_handler *handlers[] = {grpc_handler_http(handler)};
    struct http_server_options options = {
        .limits = http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = loops,
        .loop_count = loop_count,
        .metrics = metrics,
    };
    CLEANUP(http_server_destroy) struct http_server *server = NULL;
    TRY(http_server_create(&options, &server, error));
    char *bound;
    TRY(http_server_listen(server, address, "test", &bound, error));
    printf("%s\n", bound);
    fflush(stdout);
    free(bound);
    struct thread *threads[LOOPS_MAX];
    for (size_t i = 0; i < loop_count; i++)
        TRY(thread_start("loop", 0, run_loop, loops[i], &threads[i], error));
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
        if (byte == 'd' && !atomic_exchange(draining, true))
            http_server_drain(server, drained, loops[0]);
    }
    for (size_t i = 0; i < loop_count; i++)
        loop_stop(loops[i]);
    for (size_t i = 0; i < loop_count; i++)
        thread_join(threads[i]);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct str address = argc > 1 ? str_of(argv[1]) : STR("127.0.0.1:0");
    uint64_t loop_count = 1;
    if (argc > 2 && (!str_to_u64(str_of(argv[2]), &loop_count) || loop_count > LOOPS_MAX))
        return 2;
    struct error error = ERROR_NONE;
    struct loop *loops[LOOPS_MAX] = {NULL};
    struct workers *workers;
    struct test_service service;
    test_service_init(&service);
    enum status status = workers_create("worker", 4, 1000, 0, &workers, &error);
    for (size_t i = 0; status == STATUS_OK && i < loop_count; i++)
        status = loop_create(&loops[i], &error);
    if (status != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    struct log_writer writer = {
        .log = log_create(LOG_INFO, LOG_JSON, 4),
        .fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
    };
    struct thread *log_thread;
    if (thread_start("log", 0, write_log, &writer, &log_thread, &error) != STATUS_OK)
        return 1;
    struct metrics *metrics = metrics_create();
    struct grpc_service_table table = test_service_table(&service);
    struct http_cors cors = {.origins = &listed_origin, .origin_count = 1};
    atomic_bool draining = false;
    struct loop_task drained = LOOP_TASK_INIT(on_drained);
    struct grpc_options options = {
        .tables = &table,
        .table_count = 1,
        .cors = &cors,
        .is_serving = is_serving,
        .is_serving_context = &draining,
        .workers = workers,
        .log = writer.log,
        .metrics = metrics,
    };
    struct grpc_handler *handler = grpc_handler_create(&options);
    status = serve(address, loops, loop_count, handler, metrics, &draining, &drained, &error);
    if (status != STATUS_OK)
        fprintf(stderr, "%s\n", error.message);
    workers_destroy(workers);
    /* What the last workers posted. */
    for (size_t i = 0; i < loop_count; i++)
        loop_run_once(loops[i], 0);
    printf("alive %zu\n", grpc_handler_calls(handler));
    grpc_handler_destroy(handler);
    for (size_t i = 0; i < loop_count; i++)
        loop_destroy(loops[i]);
    metrics_destroy(metrics);
    atomic_store(&writer.stopped, true);
    thread_join(log_thread);
    close(writer.fd);
    fprintf(stderr, "dropped %" PRIu64 "\n", log_dropped(writer.log));
    log_destroy(writer.log);
    test_service_finish(&service);
    return status == STATUS_OK ? 0 : 1;
}
