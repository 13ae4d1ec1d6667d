/*
 * system.c — what the server tells about itself: /, /health, /healthz, /readyz, /metrics.
 *
 * Runs on the loop. Contracts section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/page.h"

#include "base/clock.h"
#include "event/thread.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static void write_timestamp(struct json_writer *json)
{
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_us(), now);
    json_write_key(json, "timestamp");
    json_write_text(json, str_of(now));
}

static void write_addresses(const struct rest *rest, struct json_writer *json)
{
    json_write_begin_array(json);
    for (size_t i = 0; i < rest->address_count; i++) {
        json_write_begin_object(json);
        json_write_key(json, "door");
        json_write_text(json, rest->addresses[i].door);
        json_write_key(json, "address");
        json_write_text(json, rest->addresses[i].text);
        json_write_end_object(json);
    }
    json_write_end_array(json);
}

static void write_root(struct rest_exchange *exchange)
{
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "service");
    json_write_text(&json, STR("volley"));
    json_write_key(&json, "version");
    json_write_text(&json, str_of(exchange->rest->options.version));
    json_write_key(&json, "status");
    json_write_text(&json, STR("running"));
    write_timestamp(&json);
    json_write_key(&json, "available_engines");
    json_write_begin_array(&json);
    json_write_text(&json, str_of(engine_name(exchange->rest->options.engine)));
    if (exchange->rest->options.remote)
        json_write_text(&json, str_of(exchange->rest->options.remote->name));
    json_write_end_array(&json);
    json_write_key(&json, "addresses");
    write_addresses(exchange->rest, &json);
    json_write_end_object(&json);
}

enum status rest_root(struct rest_exchange *exchange, struct error *error)
{
    struct str accept = http_headers_get(&exchange->input->headers, STR("accept"));
    rest_add_header(exchange, STR("vary"), STR("accept"));
    if (str_find_str(accept, STR("text/html")) >= 0)
        rest_page_reply(exchange, rest_page_find("index.html"));
    else
        write_root(exchange);
    return STATUS_OK;
}

enum status rest_favicon(struct rest_exchange *exchange, struct error *error)
{
    rest_page_reply(exchange, rest_page_find("favicon.svg"));
    return STATUS_OK;
}

/* Resident bytes of this process, from /proc/self/statm; 0 when it cannot be read. */
static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    unsigned long long total = 0;
    unsigned long long resident = 0;
    int fields = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return fields == 2 ? (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void write_host(struct json_writer *json)
{
    json_write_key(json, "memory_usage");
    json_write_unsigned(json, resident_bytes());
    json_write_key(json, "cpu_count");
    json_write_unsigned(json, thread_core_count());
    double load[3] = {0, 0, 0};
    int loads = getloadavg(load, 3);
    json_write_key(json, "load_avg");
    json_write_begin_array(json);
    for (int i = 0; i < loads; i++)
        json_write_double(json, load[i]);
    json_write_end_array(json);
    struct utsname names;
    bool known = uname(&names) == 0;
    json_write_key(json, "system");
    json_write_text(json, known ? str_of(names.sysname) : STR("unknown"));
}

/* Without it the server is as healthy as it was: it serves all but its statements. */
static bool remote_works(struct remote_engine *remote)
{
    return remote && remote->methods->check(remote, NULL) == STATUS_OK;
}

enum status rest_health(struct rest_exchange *exchange, struct error *error)
{
    const struct rest_options *options = &exchange->rest->options;
    struct error reason = ERROR_NONE;
    struct meta_facts registry;
    meta_facts(options->registry, &registry);
    bool engine_works = engine_check(options->engine, &reason) == STATUS_OK;
    bool healthy = engine_works && registry.works;
    if (engine_works && !registry.works)
        error_set(&reason, STATUS_UNAVAILABLE, "the registry of jobs cannot be written");
    exchange->reply.http_status = healthy ? 200 : 503;
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "status");
    json_write_text(&json, healthy ? STR("healthy") : STR("unhealthy"));
    if (!healthy) {
        json_write_key(&json, "detail");
        json_write_text(&json, str_of(reason.message));
    }
    write_timestamp(&json);
    json_write_key(&json, "engines");
    json_write_begin_object(&json);
    json_write_key(&json, engine_name(options->engine));
    json_write_bool(&json, engine_works);
    json_write_key(&json, "clickhouse");
    json_write_bool(&json, remote_works(options->remote));
    json_write_end_object(&json);
    json_write_key(&json, "version");
    json_write_text(&json, str_of(options->version));
    json_write_key(&json, "uptime_seconds");
    json_write_double(&json,
                      (double)((clock_now_ns() - exchange->rest->started_ns) / 1000000) / 1e3);
    write_host(&json);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_healthz(struct rest_exchange *exchange, struct error *error)
{
    buf_append_str(&exchange->reply.text, STR("{\"status\":\"alive\"}"));
    return STATUS_OK;
}

enum status rest_readyz(struct rest_exchange *exchange, struct error *error)
{
    const struct rest_options *options = &exchange->rest->options;
    bool ready = !options->is_ready || options->is_ready(options->is_ready_context);
    exchange->reply.http_status = ready ? 200 : 503;
    buf_append_str(&exchange->reply.text,
                   ready ? STR("{\"status\":\"ready\"}") : STR("{\"status\":\"draining\"}"));
    return STATUS_OK;
}

enum status rest_metrics_text(struct rest_exchange *exchange, struct error *error)
{
    struct str accept = http_headers_get(&exchange->input->headers, STR("accept"));
    bool is_open = str_find_str(accept, STR("application/openmetrics-text")) >= 0;
    rest_add_header(exchange, STR("vary"), STR("accept"));
    exchange->reply.content_type =
        is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                : "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(exchange->rest->options.metrics,
                  is_open ? METRICS_OPENMETRICS : METRICS_PROMETHEUS, &exchange->reply.text);
    return STATUS_OK;
}
