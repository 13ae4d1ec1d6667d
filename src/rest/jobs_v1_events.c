/*
 * jobs_v1_events.c — GET /v1/jobs/{id}/events: a job's states and progress as Server-Sent Events.
 *
 *      state, progress, progress, state, result | error, end of the response
 *
 * Each event has the job object. Its id is made of what it tells, so that a client which comes back with the
 * last one it saw gets what is new, and after the end 204, at which it stops coming back. Several changes
 * that a client has no room for become one.
 *
 * Finding the job runs on a worker, the rest on the request's loop. Owns the watch and what was sent last.
 * Source: WHATWG HTML, "Server-sent events". SPDX-License-Identifier: Apache-2.0
 */
#include "rest/jobs_v1.h"

#include "base/memory.h"
#include "http/event_stream.h"
#include "jobs/view.h"

#include <stdio.h>

#define WATCHERS_MAX 1000
#define EVENT_BYTES_MAX ((size_t)32 << 20)
#define ID_SIZE 64

struct job_events {
    struct rest *rest;
    struct event_stream *stream;
    struct loop *loop;
    struct job *job;
    struct job_watch watch;
    struct loop_task changed;
    char sent[ID_SIZE]; /* the id of the last event that the client has */
    bool has_state;
    enum job_state state; /* that it knows of */
};

/* "2-1000-5": state, thousandths, rows. */
static void make_id(const struct job_facts *facts, char out[ID_SIZE])
{
    int thousandths = facts->progress < 0 ? -1 : (int)(facts->progress * 1000);
    (void)snprintf(out, ID_SIZE, "%u-%d-%lld-%zu", (unsigned)facts->state, thousandths,
                   (long long)facts->rows, facts->queue_position);
}

static const char *event_name(const struct job_events *events, const struct job_facts *facts)
{
    if (events->has_state && events->state == facts->state)
        return "progress";
    if (!job_state_is_over(facts->state))
        return "state";
    return facts->state == JOB_SUCCEEDED ? "result" : "error";
}

static void tell(struct job_events *events)
{
    char id[ID_SIZE];
    struct job_facts facts;
    struct json_writer json;
    if (event_stream_writable_bytes(events->stream) == 0)
        return;
    job_facts(events->job, &facts);
    make_id(&facts, id);
    if (strcmp(id, events->sent) == 0)
        return;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, EVENT_BYTES_MAX);
    json_writer_init(&json, &text);
    facts.sql = job_sql_beginning(facts.sql);
    rest_write_v1_job(&json, &facts);
    if (!text.failed)
        event_stream_send(events->stream, str_of(id), str_of(event_name(events, &facts)),
                          buf_str(&text));
    memcpy(events->sent, id, ID_SIZE);
    events->has_state = true;
    events->state = facts.state;
    if (job_state_is_over(facts.state))
        event_stream_end(events->stream);
}

static void on_changed(struct loop_task *task)
{
    tell(CONTAINER_OF(task, struct job_events, changed));
}

static void on_writable(struct event_stream *stream)
{
    tell(event_stream_owner(stream));
}

static void on_close(struct event_stream *stream, enum http_close why)
{
    (void)why;
    struct job_events *events = event_stream_owner(stream);
    job_unwatch(events->job, &events->watch);
    loop_task_cancel(events->loop, &events->changed);
    atomic_fetch_sub(&events->rest->job_sockets, 1);
    job_unref(events->job);
    free(events);
}

static const struct event_stream_events callbacks = {.on_writable = on_writable,
                                                     .on_close = on_close};

static void begin(struct rest_exchange *exchange)
{
    struct http_request *request = exchange->request;
    struct job_events *events = NEW(struct job_events);
    struct http_header headers[REST_CORS_HEADERS_MAX];
    size_t count = rest_cors_headers(exchange, headers);
    struct str last = event_stream_last_id(request);
    events->rest = exchange->rest;
    events->loop = request->loop;
    events->job = STEAL(exchange->job);
    events->changed = LOOP_TASK_INIT(on_changed);
    if (last.len < ID_SIZE && last.len > 0)
        memcpy(events->sent, last.ptr, last.len);
    events->stream = event_stream_begin(request, &event_stream_options_default, &callbacks, events,
                                        headers, count);
    job_watch(events->job, &events->watch, events->loop, &events->changed);
    tell(events);
}

static void take_over(struct rest_exchange *exchange)
{
    if (atomic_fetch_add(&exchange->rest->job_sockets, 1) < WATCHERS_MAX) {
        begin(exchange);
        return;
    }
    atomic_fetch_sub(&exchange->rest->job_sockets, 1);
    error_set(&exchange->error, STATUS_RESOURCE_EXHAUSTED,
              "%d clients watch jobs already; ask GET /v1/jobs/{id}?wait=30 instead", WATCHERS_MAX);
    exchange->status = exchange->error.status;
    rest_respond_error(exchange, &exchange->error);
}

enum status rest_v1_job_events(struct rest_exchange *exchange, struct error *error)
{
    char id[ID_SIZE];
    struct job_facts facts;
    TRY(rest_job_find(exchange, error));
    job_facts(exchange->job, &facts);
    make_id(&facts, id);
    struct str last = http_headers_get(&exchange->input->headers, STR("last-event-id"));
    if (job_state_is_over(facts.state) && str_equal(last, str_of(id)))
        exchange->reply.http_status = 204;
    else
        exchange->reply.take_over = take_over;
    return STATUS_OK;
}
