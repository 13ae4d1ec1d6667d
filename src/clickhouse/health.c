/*
 * health.c — whether the server answers, and what it has: asked by a thread, and before a statement that
 * does not know.
 *
 *      unknown --> up <--> down      asked every 10 s while up; after 1 s, doubled to 30 s, while down
 *
 * The question is a statement with the user's name, so that a wrong password is found too, and in the format
 * of results, so that a server without it is. A statement that finds the server gone has the thread ask at
 * once. One that comes while the server is thought down asks by itself, unless that was found just now:
 * nothing waits for the thread, and not everything for a server that is gone.
 *
 * Runs on: its own thread, and those of statements. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "clickhouse/clickhouse_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>

#define UP_INTERVAL_NS (10 * NANOSECONDS_PER_SECOND)
#define DOWN_INTERVAL_MIN_NS NANOSECONDS_PER_SECOND
#define DOWN_INTERVAL_MAX_NS (30 * NANOSECONDS_PER_SECOND)
#define QUESTION_TIMEOUT_MS UINT64_C(5000)
#define QUESTION_BYTES_MAX ((size_t)4 << 10)

/* --- the question ------------------------------------------------------------------------------- */

static enum status ask(struct clickhouse *clickhouse, struct str sql, const char *format,
                       struct fetch_cancel *cancel, struct fetch_response *response,
                       struct error *error)
{
    const struct clickhouse_request request = {
        .sql = sql,
        .format = format,
        .is_read = true,
        .timeout_ms = QUESTION_TIMEOUT_MS,
        .cancel = cancel,
    };
    return clickhouse_send(clickhouse, &request, response, error);
}

static void write_question(struct buf *sql)
{
    buf_append_text(sql, "SELECT version(), name, value FROM system.settings WHERE name IN (");
    for (size_t i = 0; i < CLICKHOUSE_SETTING_COUNT; i++)
        buf_printf(sql, "%s'%s'", i > 0 ? ", " : "", clickhouse_setting_names[i]);
    buf_append_text(sql, ")");
}

/* A profile with readonly=1 lets nothing be set, one with 2 all but that. */
static void apply_readonly(struct clickhouse_server *server, struct str value)
{
    if (str_equal(value, STR("0")))
        return;
    server->has[CLICKHOUSE_READONLY] = false;
    for (size_t i = 0; i < CLICKHOUSE_SETTING_COUNT && str_equal(value, STR("1")); i++)
        server->has[i] = false;
}

/* Lines of version, name and value, separated by tabs. */
static void read_answer(struct str text, struct clickhouse_server *out)
{
    struct str readonly = STR("0");
    while (text.len > 0) {
        struct str value = str_split(&text, '\n');
        struct str version = str_split(&value, '\t');
        struct str name = str_split(&value, '\t');
        (void)snprintf(out->version, sizeof(out->version), "%.*s",
                       (int)size_min(version.len, sizeof(out->version) - 1), version.ptr);
        for (size_t i = 0; i < CLICKHOUSE_SETTING_COUNT; i++)
            out->has[i] |= str_equal(name, str_of(clickhouse_setting_names[i]));
        if (str_equal(name, str_of(clickhouse_setting_names[CLICKHOUSE_READONLY])))
            readonly = value;
    }
    apply_readonly(out, readonly);
}

static enum status question(struct clickhouse *clickhouse, struct fetch_cancel *cancel,
                            struct clickhouse_server *out, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    CLEANUP(fetch_response_finish) struct fetch_response response;
    CLEANUP(fetch_response_finish) struct fetch_response sample;
    buf_init(&sql, QUESTION_BYTES_MAX);
    fetch_response_init(&response);
    fetch_response_init(&sample);
    write_question(&sql);
    TRY(ask(clickhouse, buf_str(&sql), "TabSeparated", cancel, &response, error));
    read_answer(buf_str(&response.body), out);
    if (out->version[0] == '\0')
        return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                              "what answers at clickhouse-host and clickhouse-port is no "
                              "ClickHouse: it does not tell its version");
    return ask(clickhouse, STR("SELECT 1"), "ArrowStream", cancel, &sample, error);
}

/* --- what is known ------------------------------------------------------------------------------ */

static void tell_up(const struct clickhouse *clickhouse, const struct clickhouse_server *server)
{
    if (clickhouse->up)
        metric_set(clickhouse->up, 1);
    LOG(clickhouse->log, LOG_INFO, "clickhouse answers", LOG_STR("url", clickhouse->url),
        LOG_STR("version", str_of(server->version)));
}

static void note_success(struct clickhouse *clickhouse, const struct clickhouse_server *server)
{
    lock_take(&clickhouse->locked.lock);
    bool is_news = clickhouse->locked.state != CLICKHOUSE_UP;
    clickhouse->locked.state = CLICKHOUSE_UP;
    clickhouse->locked.server = *server;
    lock_give(&clickhouse->locked.lock);
    if (is_news)
        tell_up(clickhouse, server);
}

/* Any failure of the question makes the engine one that cannot be used. */
static void become_down(struct clickhouse *clickhouse, const struct error *error)
{
    lock_take(&clickhouse->locked.lock);
    bool is_news = clickhouse->locked.state != CLICKHOUSE_DOWN && !clickhouse->locked.is_stopping;
    clickhouse->locked.state = CLICKHOUSE_DOWN;
    (void)error_set_code(&clickhouse->locked.failure, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                         "%s", error->message);
    clickhouse->locked.failed_ns = clock_now_ns();
    lock_give(&clickhouse->locked.lock);
    if (clickhouse->up)
        metric_set(clickhouse->up, 0);
    if (is_news)
        LOG(clickhouse->log, LOG_WARNING, "clickhouse does not answer",
            LOG_STR("url", clickhouse->url), LOG_STR("error", str_of(error->message)));
}

static enum status find_out(struct clickhouse *clickhouse, struct fetch_cancel *cancel,
                            struct clickhouse_server *out_server, struct error *error)
{
    struct error failure = ERROR_NONE;
    *out_server = (struct clickhouse_server){.version = ""};
    enum status status = question(clickhouse, cancel, out_server, &failure);
    if (status == STATUS_OK) {
        note_success(clickhouse, out_server);
        return STATUS_OK;
    }
    if (status == STATUS_CANCELLED)
        return error_copy(error, &failure);
    become_down(clickhouse, &failure);
    return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE", "%s", failure.message);
}

enum status clickhouse_check(struct clickhouse *clickhouse, struct error *error)
{
    LOCKED(&clickhouse->locked.lock);
    if (clickhouse->locked.state != CLICKHOUSE_DOWN)
        return STATUS_OK;
    return error_copy(error, &clickhouse->locked.failure);
}

/* False: it has to be asked. */
static bool find_known(struct clickhouse *clickhouse, struct clickhouse_server *out_server,
                       enum status *out_status, struct error *error)
{
    LOCKED(&clickhouse->locked.lock);
    bool is_down = clickhouse->locked.state == CLICKHOUSE_DOWN;
    *out_server = clickhouse->locked.server;
    *out_status = is_down ? error_copy(error, &clickhouse->locked.failure) : STATUS_OK;
    if (is_down)
        return clock_now_ns() < clickhouse->locked.failed_ns + DOWN_INTERVAL_MIN_NS;
    return clickhouse->locked.state == CLICKHOUSE_UP;
}

enum status clickhouse_know(struct clickhouse *clickhouse, struct fetch_cancel *cancel,
                            struct clickhouse_server *out_server, struct error *error)
{
    enum status status = STATUS_OK;
    if (find_known(clickhouse, out_server, &status, error))
        return status;
    return find_out(clickhouse, cancel, out_server, error);
}

static void ask_again(struct clickhouse *clickhouse)
{
    LOCKED(&clickhouse->locked.lock);
    clickhouse->locked.is_asked = true;
    condition_signal(&clickhouse->locked.changed);
}

void clickhouse_note_failure(struct clickhouse *clickhouse, const struct error *error)
{
    if (error->status != STATUS_UNAVAILABLE)
        return;
    become_down(clickhouse, error);
    ask_again(clickhouse);
}

/* --- the thread --------------------------------------------------------------------------------- */

/* Sleeps until the next question is due; false: the thread is to end. */
static bool await(struct clickhouse *clickhouse, uint64_t due_ns)
{
    LOCKED(&clickhouse->locked.lock);
    while (!clickhouse->locked.is_stopping && !clickhouse->locked.is_asked)
        if (!condition_wait_until(&clickhouse->locked.changed, &clickhouse->locked.lock, due_ns))
            break;
    clickhouse->locked.is_asked = false;
    return !clickhouse->locked.is_stopping;
}

void clickhouse_watch(void *argument)
{
    struct clickhouse *clickhouse = argument;
    uint64_t down_ns = DOWN_INTERVAL_MIN_NS;
    uint64_t due_ns = clock_now_ns();
    while (await(clickhouse, due_ns)) {
        struct clickhouse_server server;
        bool is_up = find_out(clickhouse, clickhouse->cancel, &server, NULL) == STATUS_OK;
        due_ns = clock_now_ns() + (is_up ? UP_INTERVAL_NS : down_ns);
        down_ns = is_up                                ? DOWN_INTERVAL_MIN_NS
                  : down_ns * 2 < DOWN_INTERVAL_MAX_NS ? down_ns * 2
                                                       : DOWN_INTERVAL_MAX_NS;
    }
}
