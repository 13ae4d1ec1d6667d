/*
 * call_fixture.c — calls on recorded requests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_fixture.h"

static enum status result(enum status status, const char *where, struct error *error)
{
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "%s failed", where);
}

static enum status probe_open(struct grpc_call *call, struct error *error)
{
    struct probe *probe = call->service;
    probe->opened++;
    probe->call = call;
    call->state = ARENA_NEW(call->arena, bool); /* closed */
    grpc_call_add_header(call, STR("x-head"), STR("1"));
    grpc_call_add_trailer(call, STR("x-tail"), STR("2"));
    return result(probe->open_status, "open", error);
}

static void probe_hold(struct probe *probe)
{
    LOCKED(&probe->locked.lock);
    probe->locked.holding = probe->locked.hold;
    condition_broadcast(&probe->locked.changed);
    while (probe->locked.hold)
        condition_wait(&probe->locked.changed, &probe->locked.lock);
    probe->locked.holding = false;
}

static enum status probe_receive(struct grpc_call *call, struct slice message, struct error *error)
{
    struct probe *probe = call->service;
    probe_hold(probe);
    assert_false(*(bool *)call->state);
    /* The worker may use the arena. */
    struct str copy = arena_copy(call->arena, slice_str(message));
    size_t len = strlen(probe->messages);
    snprintf(probe->messages + len, sizeof(probe->messages) - len, "%.*s|", STR_ARGS(copy));
    probe->received++;
    return result(probe->receive_status, "receive", error);
}

static enum status probe_half_close(struct grpc_call *call, struct error *error)
{
    struct probe *probe = call->service;
    probe->half_closed++;
    return result(probe->half_close_status, "half_close", error);
}

static enum status probe_next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    struct probe *probe = call->service;
    probe->asked++;
    *out_step = GRPC_END;
    if (probe->wait) {
        *out_step = GRPC_WAIT;
        return STATUS_OK;
    }
    if (probe->next_status != STATUS_OK && probe->responses == 0)
        return result(probe->next_status, "next", error);
    if (probe->responses > 0) {
        probe->responses--;
        slices_append(out, slice_of_str(probe->response));
        *out_step = GRPC_MESSAGE;
    }
    return STATUS_OK;
}

static void probe_cancel(struct grpc_call *call)
{
    struct probe *probe = call->service;
    probe->cancelled++;
}

static void probe_close(struct grpc_call *call)
{
    struct probe *probe = call->service;
    assert_false(*(bool *)call->state);
    *(bool *)call->state = true;
    probe->closed++;
}

static bool probe_has_room(struct grpc_call *call)
{
    const struct probe *probe = call->service;
    return !probe->is_full;
}

#define METHOD(path_text, shape_value, blocks)                                                     \
    {                                                                                              \
        .path = (path_text), .shape = (shape_value), .blocking = (blocks), .open = probe_open,     \
        .receive = probe_receive, .half_close = probe_half_close, .next = probe_next,              \
        .cancel = probe_cancel, .close = probe_close,                                              \
    }

const struct grpc_method fixture_methods[FIXTURE_METHOD_COUNT] = {
    METHOD("/test.S/Unary", GRPC_UNARY, false),
    METHOD("/test.S/Download", GRPC_DOWNLOAD, false),
    METHOD("/test.S/Upload", GRPC_UPLOAD, false),
    METHOD("/test.S/Exchange", GRPC_EXCHANGE, false),
    METHOD("/test.S/BlockingUnary", GRPC_UNARY, true),
    METHOD("/test.S/BlockingExchange", GRPC_EXCHANGE, true),
    {.path = "/test.S/Paced",
     .shape = GRPC_EXCHANGE,
     .has_room = probe_has_room,
     .open = probe_open,
     .receive = probe_receive,
     .half_close = probe_half_close,
     .next = probe_next,
     .cancel = probe_cancel,
     .close = probe_close},
};

static const struct str listed_origins[] = {{.ptr = "http://app.example", .len = 18}};
static const struct http_cors cors = {.origins = listed_origins, .origin_count = 1};

static int set_up_with_limit(void **state, size_t message_bytes_max)
{
    struct fixture *fixture = NEW(struct fixture);
    assert_int_equal(loop_create(&fixture->loop, NULL), STATUS_OK);
    assert_int_equal(workers_create("test", 1, 1, 0, &fixture->workers, NULL), STATUS_OK);
    fixture->metrics = metrics_create();
    fixture->probe.responses = 1;
    fixture->probe.response = STR("r");
    lock_init(&fixture->probe.locked.lock);
    condition_init(&fixture->probe.locked.changed);
    struct grpc_service_table table = {
        .methods = fixture_methods,
        .method_count = FIXTURE_METHOD_COUNT,
        .service = &fixture->probe,
    };
    struct grpc_options options = {
        .tables = &table,
        .table_count = 1,
        .workers = fixture->workers,
        .receive_message_bytes_max = message_bytes_max,
        .cors = &cors,
        .metrics = fixture->metrics,
    };
    fixture->handler = grpc_handler_create(&options);
    *state = fixture;
    return 0;
}

int set_up(void **state)
{
    return set_up_with_limit(state, 50);
}

int set_up_large(void **state)
{
    return set_up_with_limit(state, (size_t)4 << 20);
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->fake)
        fake_request_close(fixture->fake, HTTP_CLOSE_DONE);
    assert_int_equal(grpc_handler_calls(fixture->handler), 0);
    assert_int_equal(fixture->probe.closed, fixture->probe.opened);
    workers_destroy(fixture->workers);
    grpc_handler_destroy(fixture->handler);
    metrics_destroy(fixture->metrics);
    condition_finish(&fixture->probe.locked.changed);
    lock_finish(&fixture->probe.locked.lock);
    loop_destroy(fixture->loop);
    free(fixture);
    return 0;
}

struct fake_request *begin(struct fixture *fixture, const char *path)
{
    fixture->fake = fake_request_create(fixture->loop, path);
    return fixture->fake;
}

void open_call(struct fixture *fixture)
{
    fake_request_open(fixture->fake, grpc_handler_http(fixture->handler));
}

void close_call(struct fixture *fixture, enum http_close why)
{
    fake_request_close(STEAL(fixture->fake), why);
}

void assert_contains(const struct buf *text, const char *part)
{
    if (str_find_str(buf_str(text), str_of(part)) < 0)
        fail_msg("\"%s\" is not in \"%.*s\"", part, STR_ARGS(buf_str(text)));
}

void assert_body(const struct fake_request *fake, struct str expected)
{
    assert_int_equal(fake->body.len, expected.len);
    assert_memory_equal(fake->body.ptr, expected.ptr, expected.len);
}

void assert_ok(const struct fixture *fixture)
{
    assert_true(fixture->fake->ended);
    assert_false(fixture->fake->trailers_only);
    assert_int_equal(fixture->fake->status, 200);
    assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
    assert_int_equal(fixture->probe.cancelled, 0);
    assert_int_equal(fixture->probe.closed, 1);
}

void assert_trailers_only(const struct fixture *fixture, enum status status)
{
    char line[32];
    snprintf(line, sizeof(line), "grpc-status: %d\n", (int)status);
    assert_true(fixture->fake->trailers_only);
    assert_int_equal(fixture->fake->status, 200);
    assert_contains(&fixture->fake->head, line);
    assert_contains(&fixture->fake->head, "content-type: application/grpc");
    assert_int_equal(fixture->fake->body.len, 0);
}

void wait_until_held(struct probe *probe)
{
    LOCKED(&probe->locked.lock);
    while (!probe->locked.holding)
        condition_wait(&probe->locked.changed, &probe->locked.lock);
}

void hold(struct probe *probe, bool on)
{
    LOCKED(&probe->locked.lock);
    probe->locked.hold = on;
    condition_broadcast(&probe->locked.changed);
}

void run_until_received(struct fixture *fixture, int count)
{
    struct call *call = CONTAINER_OF(fixture->probe.call, struct call, public);
    while (call->busy || fixture->probe.received < count)
        loop_run_once(fixture->loop, -1);
}
