/*
 * methods.c — the FlightService's table of methods, and what all its calls have in common.
 *
 * Methods that may have to prepare a statement are `blocking`: their receive runs on a worker. Calls
 * hold at most one query; when a call ends early its query is stopped, unless it was found by its id and
 * another reader has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"
#include "base/memory.h"
#include "engine/gate.h"

#define SERVICE "/arrow.flight.protocol.FlightService/"
/* A stream may be opened before there is something to put; a client that only waits is told what for. */
#define FIRST_MESSAGE_MS 30000
/* Between looks for room, while the statement runs and while it waits for its turn. */
#define ROOM_INTERVAL_NS (2 * NANOSECONDS_PER_MILLISECOND)
#define QUEUE_INTERVAL_NS (50 * NANOSECONDS_PER_MILLISECOND)

/* clang-format off */
static const struct grpc_method methods[] = {
    {.path = SERVICE "Handshake", .shape = GRPC_EXCHANGE, .blocking = true,
     .first_message_ms = FIRST_MESSAGE_MS, .open = flight_open, .receive = handshake_receive,
     .half_close = handshake_half_close, .next = handshake_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "GetFlightInfo", .shape = GRPC_UNARY, .blocking = true, .open = flight_open,
     .receive = get_flight_info_receive, .next = get_flight_info_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "GetSchema", .shape = GRPC_UNARY, .blocking = true, .open = flight_open,
     .receive = get_schema_receive, .next = get_schema_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "DoGet", .shape = GRPC_DOWNLOAD, .blocking = true, .open = flight_open,
     .receive = do_get_receive, .next = do_get_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "DoPut", .shape = GRPC_EXCHANGE, .blocking = true, .keeps_messages = true,
     .first_message_ms = FIRST_MESSAGE_MS, .is_quick = flight_upload_is_quick,
     .has_room = flight_has_room, .end_is_quick = put_parameters_end_is_quick,
     .open = flight_open, .receive = do_put_receive, .half_close = do_put_half_close,
     .next = do_put_next, .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "DoAction", .shape = GRPC_DOWNLOAD, .blocking = true, .open = flight_open,
     .receive = do_action_receive, .next = do_action_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "ListActions", .shape = GRPC_DOWNLOAD, .open = flight_open,
     .receive = list_actions_receive, .next = list_actions_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "ListFlights", .shape = GRPC_DOWNLOAD, .blocking = true, .open = flight_open,
     .receive = list_flights_receive, .next = list_flights_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "PollFlightInfo", .shape = GRPC_UNARY, .blocking = true, .open = flight_open,
     .receive = poll_flight_info_receive, .next = poll_flight_info_next,
     .cancel = flight_cancel, .close = flight_close},
    {.path = SERVICE "DoExchange", .shape = GRPC_EXCHANGE, .blocking = true, .keeps_messages = true,
     .first_message_ms = FIRST_MESSAGE_MS, .is_quick = flight_upload_is_quick, .open = flight_open,
     .receive = do_exchange_receive,
     .half_close = do_exchange_half_close,
     .next = do_exchange_next, .cancel = flight_cancel, .close = flight_close},
};
/* clang-format on */

struct flight *flight_create(const struct flight_options *options)
{
    struct flight *flight = NEW(struct flight);
    flight->options = *options;
    return flight;
}

void flight_destroy(struct flight *flight)
{
    free(flight);
}

struct grpc_service_table flight_methods(struct flight *flight)
{
    return (struct grpc_service_table){
        .methods = methods, .method_count = ARRAY_COUNT(methods), .service = flight};
}

static void wake_call(struct loop_task *task)
{
    grpc_call_wake(CONTAINER_OF(task, struct flight_call, wake)->call);
}

static void look_again(struct loop_timer *timer)
{
    grpc_call_wake(CONTAINER_OF(timer, struct flight_call, look)->call);
}

enum status flight_open(struct grpc_call *call, struct error *error)
{
    struct flight_call *flight_call = NEW(struct flight_call);
    flight_call->call = call;
    flight_call->flight = call->service;
    flight_call->part = DATASET_PART_WHOLE;
    flight_call->wake = LOOP_TASK_INIT(wake_call);
    flight_call->look = LOOP_TIMER_INIT(look_again);
    atomic_init(&flight_call->cancelled, false);
    atomic_init(&flight_call->started, false);
    call->state = flight_call;
    return STATUS_OK;
}

static void stop_query(struct flight_call *call, const char *why)
{
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "%s", why);
    query_cancel(call->query, &reason);
}

void flight_cancel(struct grpc_call *call)
{
    struct flight_call *flight_call = flight_call_of(call);
    if (!flight_call)
        return;
    atomic_store(&flight_call->cancelled, true);
    if (atomic_load_explicit(&flight_call->started, memory_order_acquire))
        stop_query(flight_call, "the client cancelled the call or its deadline passed");
}

/* A reader that leaves early stops the query, unless somebody else reads along or is still to come. */
static void close_reader(struct flight_call *call)
{
    download_finish(&call->download);
    struct dataset_facts facts;
    dataset_facts(call->dataset, &facts);
    if (!call->query || facts.state != DATASET_OPEN || facts.readers > 0 || facts.awaits_readers)
        return;
    stop_query(call, "the reader of the result left before its end");
}

/* A query of this call's own that nobody was told of, so that nobody can read it: stopped or, where it
 * was not started, dropped. */
static void drop_own_query(struct flight_call *call)
{
    if (!call->query || call->is_query_shared || (call->answered && !call->is_dry))
        return;
    stop_query(call, call->is_dry ? "only the statement's schema was asked for"
                                  : "the call ended before its answer");
    if (call->is_dry)
        dataset_drop(query_dataset(call->query));
}

void flight_close(struct grpc_call *call)
{
    struct flight_call *flight_call = flight_call_of(call);
    if (!flight_call)
        return;
    loop_timer_unset(call->loop, &flight_call->look);
    if (flight_call->download.stream.reader)
        close_reader(flight_call);
    else
        drop_own_query(flight_call);
    if (flight_call->query)
        query_forget(flight_call->query, &flight_call->wake);
    loop_task_cancel(call->loop, &flight_call->wake);
    query_unref(flight_call->query);
    download_finish(&flight_call->download);
    upload_destroy(flight_call->upload);
    input_destroy(flight_call->input);
    put_parameters_destroy(flight_call->parameters);
    exchange_destroy(flight_call->exchange);
    dataset_list_finish(&flight_call->list);
    dataset_part_finish(&flight_call->part);
    dataset_unref_later(flight_call->dataset);
    arrow_schema_unref(flight_call->schema);
    slice_finish(&flight_call->descriptor);
    slice_finish(&flight_call->command);
    slice_finish(&flight_call->answer);
    slice_finish(&flight_call->result);
    option_set_unref(flight_call->options);
    session_unref(flight_call->session);
    free(flight_call);
    call->state = NULL;
}

enum status flight_begin(struct flight_call *call, struct error *error)
{
    if (call->received)
        return STATUS_OK;
    call->received = true;
    TRY(sessions_resolve(call->flight->options.sessions, call->call, &call->session, error));
    call->options = session_options(call->session);
    return flight_check_metadata(call, error);
}

enum status flight_check_columns_known(const struct flight_call *call, struct error *error)
{
    if (query_schema_is_known(call->query))
        return STATUS_OK;
    return error_set(error, STATUS_FAILED_PRECONDITION,
                     "the columns of this text are known only while it runs, since its last "
                     "statement needs what the ones before define, or is a PIVOT that has to find "
                     "its values: ask GetFlightInfo, which runs it");
}

bool flight_query_is_over(const struct query *query)
{
    enum query_state state = query_state(query);
    return state == QUERY_DONE || state == QUERY_FAILED || state == QUERY_CANCELLED;
}

enum status flight_check_wanted(const struct flight_call *call, struct error *error)
{
    if (!atomic_load(&call->cancelled))
        return STATUS_OK;
    return error_set(error, STATUS_CANCELLED,
                     "the client cancelled the call or its deadline passed");
}

enum status flight_start(struct flight_call *call, struct error *error)
{
    call->call->fingerprint = query_fingerprint(call->query);
    TRY(flight_check_wanted(call, error));
    TRY(query_start(call->query, call->call->loop, &call->wake, error));
    atomic_store_explicit(&call->started, true, memory_order_release);
    return STATUS_OK;
}

enum status flight_run(struct flight_call *call, struct query *query, struct error *error)
{
    call->query = query;
    return flight_start(call, error);
}

enum status flight_create_input(struct flight_call *call, bool is_passing, struct error *error)
{
    const struct input_options options = {
        .store = call->flight->options.store,
        .workers = call->flight->options.workers,
        .owner = session_user(call->session),
        .is_passing = is_passing,
    };
    return input_create(&options, &call->input, error);
}

/* Reading gives no notice; what is left to read then lasts longer than this. */
bool flight_has_room(struct grpc_call *grpc)
{
    struct flight_call *call = flight_call_of(grpc);
    if (!call->input || input_has_room(call->input))
        return true;
    bool is_running = call->query && query_state(call->query) == QUERY_RUNNING;
    loop_timer_set(grpc->loop, &call->look,
                   loop_now_ns(grpc->loop) + (is_running ? ROOM_INTERVAL_NS : QUEUE_INTERVAL_NS));
    return false;
}

bool flight_upload_is_quick(struct grpc_call *grpc, struct slice message)
{
    const struct flight_call *call = flight_call_of(grpc);
    struct upload *upload = call->input ? input_upload(call->input) : call->upload;
    CLEANUP(flight_data_finish) struct flight_data data = {0};
    if (call->parameters && !call->input)
        return put_parameters_is_quick(call, message);
    return upload && flight_data_parse(message, &data, NULL) == STATUS_OK &&
           upload_is_quick(upload, &data);
}

enum status flight_find_command(const struct flight *flight, struct str type_name,
                                const struct flight_command **out_command, struct error *error)
{
    for (size_t table = 0; table < flight->options.command_table_count; table++) {
        const struct flight_command_table *commands = &flight->options.command_tables[table];
        for (size_t i = 0; i < commands->count; i++) {
            if (str_equal(str_of(commands->commands[i].type_name), type_name)) {
                *out_command = &commands->commands[i];
                return STATUS_OK;
            }
        }
    }
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "the command %.*s is not understood; send SQL (CommandStatementQuery, "
                     "CommandStatementUpdate)",
                     STR_ARGS(type_name));
}

const struct flight_options *flight_call_options(const struct flight_call *call)
{
    return &call->flight->options;
}

struct session *flight_call_session(const struct flight_call *call)
{
    return call->session;
}

void flight_call_name_statement(struct flight_call *call, struct str sql)
{
    call->call->fingerprint = sql_fingerprint(sql);
}

bool flight_call_is_dry(const struct flight_call *call)
{
    return call->is_dry;
}

bool flight_client_is_java(const struct flight_call *call)
{
    struct str agent = http_headers_get(&call->call->metadata, STR("user-agent"));
    return str_starts_with(agent, STR("grpc-java"));
}
